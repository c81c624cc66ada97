"""A run that ends between any two of its steps, with nginx and visitors in front: killed, its connection cut, Docker
restarted, the server rebooted. A healthy release goes on serving, and the next run repairs the rest; and `recreate`,
where nginx shows a page meanwhile. On both servers at a time, since most of it is waiting.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from subprocess import PIPE

import pytest
from hosts import Host

from lab import lifecycle
from lab.app_release import KILLED
from lab.identity import Lab
from soak.run import Load, ssh

APP = "load"
# Two containers of it would show nothing more. Visitors enough that some are on their way at every moment.
ONE = {"replicas": 1}
CANARY = {**ONE, "canary": 20}
ENDS = ("promote", "abort")
CLIENTS = {"kept": 3, "fresh": 2, "h2": 2, "slow": 0, "websockets": 0}
# systemd gives up on a unit that is restarted often.
RESTART = (("systemctl", "reset-failed", "docker"), ("systemctl", "restart", "docker"))
# Can't run twice: on its volume there is one container at a time.
SINGLE = "till"
PAGE = "Back soon"
# Asks until standard input ends; prints how often there was which answer.
WATCH = """
import collections, json, ssl, sys, threading, time, urllib.error, urllib.request
seen, over = collections.Counter(), threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set())).start()
context = ssl.create_default_context(cafile="/etc/ssl/acme-root.pem")
while not over.wait(0.05):
    try:
        with urllib.request.urlopen(sys.argv[1], context=context, timeout=10) as answer:
            seen[f"{answer.status}"] += 1
    except urllib.error.HTTPError as error:
        seen[f"{error.code} {error.read().decode().strip()}"] += 1
    except OSError as error:
        seen[str(error)] += 1
print(json.dumps(seen))
"""
EVENTS = (
    "systemd-run --quiet --unit events --property StandardOutput=file:/run/events "
    f"docker events --filter label=portside.app={SINGLE} --filter event=start --filter event=die "
    "--format '{{.Action}} {{.Actor.Attributes.name}}'"
)


class Story:
    """What became of a server, one cut after the other: `problems` is what ought not to have been.

    Args:
        host: the server.
        ends: how its canaries end.
    """

    def __init__(self, host: Host, ends: Iterable[str]) -> None:
        self.host = host
        self.ends = ends
        self.cuts: dict[str, list[str]] = {}
        self.problems: dict[str, list[str]] = {}
        self.counted: dict[str, dict] = {}
        self.events: list[list[str]] = []

    def cut(self, what: str, after: str) -> None:
        """Remember that a run ended there."""
        self.cuts.setdefault(what, []).append(after)

    def check(self, what: str, good: bool, words: object) -> None:
        """Remember what is not as it should be."""
        if not good:
            self.problems.setdefault(what, []).append(f"cut {self.cuts.get(what, ['nowhere'])[-1]}: {words}")

    def healed(self, what: str, changes: dict, containers: int = 1, app: str = APP, **arguments) -> None:
        """The next run ends well, and what was declared answers; a canary perhaps not this visitor."""
        done = self.host.release(app, changes, **arguments)
        self.check(what, done.status == 0, done.message)
        running = self.host.running(app)
        self.check(what, len(running) == containers, running)
        answer = self.host.visit(app)
        self.check(what, answer.status == 200, answer)
        if answer.status == 200 and containers == 1:
            self.check(what, {*changes["env"]} <= {*json.loads(answer.body)["env"]}, answer.body)

    # ------------------------------------------------------------------ what is cut

    def killed(self, what: str, base: dict, first="", last="", *, containers: int = 1, app: str = APP) -> None:
        """A run of each kind, killed after each of its effects, or after each from `first` to `last`."""
        effects = self.host.release(app, self.host.fresh(**base)).effects
        end = len(effects) - effects[::-1].index(last) if last else len(effects)
        for at in range(effects.index(first) + 1 if first else 1, end + 1):
            changes = self.host.fresh(**base)
            done = self.host.release(app, changes, at)
            self.cut(what, f"after {at}, {done.effects[-1]}")
            self.check(what, done.status in {KILLED, 0}, done.message)
            self.healed(what, changes, containers=containers, app=app)

    def canary_ended(self, what: str, arguments: dict) -> None:
        """The end of a canary, killed after each of its effects, and taken up again by the next run."""
        at, length = 1, 99
        while (at := at + 1) <= length:
            changes = self.host.fresh(**CANARY)
            self.host.release(APP, changes)
            done = self.host.release(APP, changes, at, **arguments)
            length = min(length, len(done.effects) if done.status == 0 else 99)
            self.cut(what, f"after {at}, {done.effects[-1]}")
            done = self.host.release(APP, changes)
            self.check(what, done.status == 0, done.message)
            if len(self.host.running(APP)) > 1:
                done = self.host.release(APP, changes, **arguments)
                self.check(what, done.status == 0, done.message)
            self.check(what, len(self.host.running(APP)) == 1, "two releases run")
            seen = {*json.loads(self.host.visit(APP).body)["env"]}
            self.check(what, ({*changes["env"]} <= seen) is ("promote" in arguments), seen)

    def docker_restarted(self, what: str) -> None:
        """The daemon goes and comes while a release is made; the run may fail, and says so."""
        effects = self.host.release(APP, self.host.fresh(**ONE)).effects
        for step in ("create", "start", "run_reload", "drain"):
            changes = self.host.fresh(**ONE)
            self.host.release(APP, changes, effects.index(step) + 1, RESTART)
            self.cut(what, f"after {step}")
            self.healed(what, changes)

    def connection_lost(self, what: str) -> None:
        """The run goes on without its controller, or ends; the next one waits for it."""
        for step in ("start", "run_reload"):
            changes = self.host.fresh(**ONE)
            self.host.lose_connection(APP, changes, step)
            self.cut(what, f"after {step}")
            self.healed(what, changes)

    def recreated(self) -> None:
        """The one that can't run twice: released, released in vain, and killed from when the old one stops."""
        what, host = "recreate", self.host
        host.root(f"mkdir -p /srv/errors; echo {PAGE} > /srv/errors/back-soon.html; {EVENTS}")
        watch = ssh(host.lab, "client", f"python3 -c '{WATCH}' https://{SINGLE}.{host.name}.test/", stdin=PIPE)
        good = host.fresh(env={"START_DELAY": "1"})
        self.healed(what, good, app=SINGLE)
        bad = host.release(SINGLE, host.fresh(env={"EXIT_STATUS": "3"}))
        self.check(what, bad.status == 1 and "it ended with exit status 3" in bad.message, bad.message)
        deadline = time.monotonic() + 20
        while (answer := host.visit(SINGLE)).status != 200 and time.monotonic() < deadline:
            time.sleep(0.2)
        self.check(what, {*good["env"]} <= {*json.loads(answer.body or "{}").get("env", [])}, answer)
        self.killed(what, {}, "stop", "run_reload", app=SINGLE)
        self.counted[what] = json.loads(watch.communicate(timeout=60)[0])
        host.root("systemctl stop events")
        self.events = [line.split() for line in host.root("cat /run/events").splitlines()]

    def under_load(self, what: str, work) -> None:
        """Count what visitors get meanwhile."""
        load = Load(self.host.lab, f"{APP}.{self.host.name}.test", **CLIENTS)
        try:
            work(what)
        finally:
            self.counted[what] = load.end()

    def without_downtime(self) -> None:
        """All that no visitor may notice, and what they see of the app that can't run twice."""
        self.under_load("blue_green", lambda what: self.killed(what, ONE))
        # Until nginx is asked for something, a canary is released like any other.
        self.under_load("canary", lambda what: self.killed(what, CANARY, "run_check", "run_reload", containers=2))
        for end in self.ends:
            self.under_load(end, lambda what: self.canary_ended(what, {what: APP}))
        self.recreated()
        self.under_load("docker restarted", self.docker_restarted)
        self.under_load("connection lost", self.connection_lost)

    def before_reboot(self, after: str) -> dict:
        """A run ends after that effect; returns what it was to release."""
        effects = self.host.release(APP, self.host.fresh(**ONE)).effects
        changes = self.host.fresh(**ONE)
        self.host.release(APP, changes, effects.index(after) + 1)
        self.cut("reboot", f"after {after}")
        return changes

    def after_reboot(self, changes: dict) -> None:
        """The server serves by itself, before any run."""
        deadline = time.monotonic() + 30
        while (answer := self.host.visit(APP)).status != 200 and time.monotonic() < deadline:
            time.sleep(0.5)
        self.check("reboot", answer.status == 200, answer)
        self.check("reboot", "active" in self.host.root("ufw status"), "the firewall is off")
        self.healed("reboot", changes)


@pytest.fixture(scope="module")
def stories(lab_vars, servers):
    """Both servers after all of it."""
    lab = Lab(lab_vars["lab_name"])
    # It takes long, and nothing of it depends on the server: one promotes, the other aborts.
    ends = {name: ENDS[number :: len(servers)] for number, name in enumerate(servers)}
    found = {name: Story(Host(lab, name, lab_vars), ends[name]) for name in servers}
    told = list(found.values())
    with ThreadPoolExecutor() as pool:
        list(pool.map(Story.without_downtime, told))
        for after, power_cut in (("start", False), ("run_reload", True)):
            changes = list(pool.map(lambda story, after=after: story.before_reboot(after), told))
            list(pool.map(lambda name, cut=power_cut: lifecycle.reboot(lab, name, power_cut=cut), found))
            list(pool.map(Story.after_reboot, told, changes))
        # As declared again: the tests of other files expect no change.
        list(pool.map(lambda story: story.healed("back", story.host.as_it_was(APP), containers=2), told))
        list(pool.map(lambda story: story.healed("back", story.host.as_it_was(SINGLE), app=SINGLE), told))
    assert [problem for story in told for problem in story.problems.get("back", [])] == []
    return found


# How many cuts there are at least.
CUTS = {
    "blue_green": 15,
    "canary": 2,
    "end of a canary": 5,
    "recreate": 5,
    "docker restarted": 4,
    "connection lost": 2,
    "reboot": 2,
}


def told(stories, what):
    """What happened of that kind, with each server's story: of a canary's ends, each server had one."""
    return [
        (name, story) for story in stories.values() for name in (story.ends if what == "end of a canary" else [what])
    ]


# A test sees both servers: one for each would have Pytest tell the stories again.
@pytest.mark.parametrize("what", CUTS)
def test_the_next_run_repairs_what_was_cut_off(stories, what):
    for name, story in told(stories, what):
        assert story.problems.get(name, []) == []
        assert len(story.cuts[name]) >= CUTS[what], story.cuts[name]


@pytest.mark.parametrize("what", [what for what in CUTS if what not in {"recreate", "reboot"}])
def test_no_visitor_notices_a_run_that_was_cut_off(stories, what):
    for name, story in told(stories, what):
        counted = story.counted[name]
        assert counted["failed"] == 0, json.dumps(counted, indent=2)
        assert counted["requests"] > 100
        # Of a canary the visitor may be no part.
        assert counted["switches"] > 0 or "canary" in what


def test_visitors_see_the_page_while_an_app_is_recreated(stories):
    for story in stories.values():
        seen = story.counted["recreate"]
        assert {*seen} == {"200", f"503 {PAGE}"}, seen
        assert min(seen.values()) > 5, seen


def test_two_containers_are_never_on_one_volume(stories):
    for story in stories.values():
        run = Counter()
        for event, name in story.events:
            run[name] = event == "start"
            assert run.total() <= 1, story.events
        assert len(story.events) > 20
