"""The deploy hook, as the program that certbot runs: real links, real commands."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import hook

from tests.unit.certbot import certbot_runs

SCRIPT = Path(hook.__file__)


class Server:
    """A host in a directory: lineages, links, and a web server that is two scripts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.live = root / "live"
        self.links = root / "tls"
        self.links.mkdir()
        self.calls = root / "calls"
        self.config_file = root / "deploy.json"
        self.check = self.script("check", "exit 0")
        self.reload = self.script("reload", "exit 0")
        self.configure()

    def script(self, name: str, body: str) -> Path:
        path = self.root / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.calls}\n{body}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def configure(self, *lineages: str, link_dir: bool = True) -> None:
        self.config = hook.Config(
            live_dir=self.live,
            link_dir=self.links if link_dir else None,
            lineages=lineages,
            check_command=(str(self.check), "-t; touch injected"),
            reload_command=(str(self.reload),),
            record=self.root / "state" / "deployed.json",
        )
        self.config_file.write_text(self.config.to_json())

    def renew(self, lineage: str, content: str) -> None:
        (self.live / lineage).mkdir(parents=True, exist_ok=True)
        (self.live / lineage / "fullchain.pem").write_text(content)

    def run(self, *arguments: str, renewed: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key != "RENEWED_LINEAGE"}
        if renewed:
            environment["RENEWED_LINEAGE"] = str(self.live / renewed)
        argv = [sys.executable, str(SCRIPT), "--config", str(self.config_file), *arguments]
        return subprocess.run(
            argv, env=environment, capture_output=True, text=True, timeout=30, check=False, cwd=self.root
        )

    def called(self) -> list[str]:
        text = self.calls.read_text() if self.calls.exists() else ""
        return [line.split()[0] for line in text.splitlines()]

    def target(self, lineage: str) -> str | None:
        link = self.links / lineage
        return os.readlink(link) if link.is_symlink() else None


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_configuration_survives_json(server: Server) -> None:
    server.configure("b", "a")
    assert hook.Config.from_json(server.config.to_json()).lineages == ("a", "b")
    server.configure("a", link_dir=False)
    assert hook.Config.from_json(server.config.to_json()).link_dir is None


def test_renewed_lineage_is_linked_checked_and_loaded(server: Server) -> None:
    server.configure("shop")
    server.renew("shop", "one")
    done = server.run(renewed="shop")
    assert (done.returncode, done.stderr) == (0, "")
    assert server.target("shop") == str(server.live / "shop")
    assert server.called() == ["check", "reload"]
    assert hook.in_place(server.config, "shop")


def test_arguments_are_not_read_by_a_shell(server: Server) -> None:
    server.configure("shop")
    server.renew("shop", "one")
    server.run("shop")
    assert not (server.root / "injected").exists()
    assert "check -t; touch injected" in server.calls.read_text()


def test_placeholder_is_replaced_in_one_step(server: Server) -> None:
    server.configure("shop")
    server.renew("shop", "one")
    (server.links / "shop").symlink_to("placeholder")
    assert server.run("shop").returncode == 0
    assert server.target("shop") == str(server.live / "shop")
    assert [path.name for path in server.links.iterdir()] == ["shop"]


def test_pending_is_what_was_not_put_in_place(server: Server) -> None:
    server.configure("shop", "blog", "none-yet")
    server.renew("shop", "one")
    server.renew("blog", "one")
    server.run("shop", "blog")
    server.calls.unlink()
    assert server.run("--pending").returncode == 0
    assert server.called() == []
    server.renew("shop", "two")
    assert not hook.in_place(server.config, "shop")
    assert server.run("--pending").returncode == 0
    assert server.called() == ["check", "reload"]
    assert hook.in_place(server.config, "shop")


def test_failed_check_puts_the_link_back_and_is_loud(server: Server) -> None:
    server.configure("shop")
    server.renew("shop", "one")
    (server.links / "shop").symlink_to("placeholder")
    server.script("check", "echo 'nginx: [emerg] key values mismatch' >&2; exit 1")
    done = server.run(renewed="shop")
    assert done.returncode == 1
    assert "certificate shop is renewed but not in place" in done.stderr
    assert "key values mismatch" in done.stderr
    assert server.target("shop") == "placeholder"
    assert server.called() == ["check"]
    assert not hook.in_place(server.config, "shop")


def test_link_that_was_missing_is_missing_again_after_a_failed_check(server: Server) -> None:
    server.configure("shop")
    server.renew("shop", "one")
    server.script("check", "exit 1")
    assert server.run("shop").returncode == 1
    assert server.target("shop") is None


def test_one_bad_certificate_does_not_hold_up_the_others(server: Server) -> None:
    server.configure("good", "bad", "fine")
    for name in ("good", "bad", "fine"):
        server.renew(name, name)
        (server.links / name).symlink_to("placeholder")
    server.script("check", f'case "$(readlink {server.links}/bad)" in */live/bad) echo "bad is bad" >&2; exit 1;; esac')
    done = server.run("good", "bad", "fine")
    assert done.returncode == 1
    assert done.stderr.count("certificate ") == 1
    assert server.target("bad") == "placeholder"
    assert server.target("good") == str(server.live / "good")
    assert server.target("fine") == str(server.live / "fine")
    assert server.called().count("reload") == 1
    assert [hook.in_place(server.config, name) for name in ("good", "bad", "fine")] == [True, False, True]


def test_failed_reload_stays_pending(server: Server) -> None:
    server.configure("shop")
    server.renew("shop", "one")
    server.script("reload", "echo 'nginx.service is not active' >&2; exit 3")
    done = server.run("shop")
    assert done.returncode == 1
    assert "exited with status 3: nginx.service is not active" in done.stderr
    assert not hook.in_place(server.config, "shop")
    server.script("reload", "exit 0")
    assert server.run("--pending").returncode == 0
    assert hook.in_place(server.config, "shop")


def test_program_that_is_not_installed(server: Server) -> None:
    server.configure("shop")
    server.renew("shop", "one")
    server.check.unlink()
    done = server.run("shop")
    assert done.returncode == 1
    assert "is not installed" in done.stderr


def test_directory_in_the_links_place_is_left_alone(server: Server) -> None:
    server.configure("shop", "blog")
    server.renew("shop", "one")
    server.renew("blog", "one")
    (server.links / "shop").mkdir()
    (server.links / "shop" / "mine").write_text("")
    done = server.run("shop", "blog")
    assert done.returncode == 1
    assert "its link can't be switched" in done.stderr
    assert (server.links / "shop" / "mine").exists()
    assert server.target("blog") == str(server.live / "blog")


def test_lineage_that_is_not_declared_gets_no_link_but_a_reload(server: Server) -> None:
    server.configure("shop")
    server.renew("by-hand", "one")
    assert server.run(renewed="by-hand").returncode == 0
    assert server.target("by-hand") is None
    assert server.called() == ["check", "reload"]


def test_record_forgets_lineages_that_are_gone(server: Server) -> None:
    server.configure("shop", "old")
    server.renew("shop", "one")
    server.renew("old", "one")
    server.run("shop", "old")
    (server.live / "old" / "fullchain.pem").unlink()
    (server.live / "old").rmdir()
    server.renew("shop", "two")
    server.run("--pending")
    assert list(json.loads(server.config.record.read_text())) == ["shop"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"shop": 1}', '{"shop": {}}'])
def test_damaged_record_means_nothing_is_in_place(server: Server, text: str) -> None:
    server.configure("shop")
    server.renew("shop", "one")
    server.run("shop")
    server.config.record.write_text(text)
    assert not hook.in_place(server.config, "shop")
    assert server.run("--pending").returncode == 0
    assert hook.in_place(server.config, "shop")


def test_called_without_anything_to_do(server: Server) -> None:
    assert server.run().returncode == 2


@pytest.mark.parametrize("version", certbot_runs.VERSIONS)
@pytest.mark.parametrize(
    ("case", "again"),
    [("renew-nonce1", True), ("renew-nonce2", True), ("renew-down", False), ("renew-unknown", False)],
)
def test_rejected_nonces_alone_are_tried_again(version: str, case: str, again: bool) -> None:
    said = certbot_runs.file(version, f"{case}.stderr")
    assert bool(hook.rejected(said)) is again
    assert hook.failed_otherwise(said) is not again


NONCE_A = "Failed to renew certificate a with error: urn:ietf:params:acme:error:badNonce :: x\n"
CHALLENGE_B = "Failed to renew certificate b with error: Some challenges have failed.\n"


@pytest.mark.parametrize(
    ("stderr", "again", "otherwise"),
    [
        ("", [], True),
        (f"{NONCE_A}1 renew failure(s), 0 parse failure(s)\n", ["a"], False),
        (f"{NONCE_A}{CHALLENGE_B}2 renew failure(s), 0 parse failure(s)\n", ["a"], True),
        (f"{NONCE_A}1 renew failure(s), 1 parse failure(s)\n", ["a"], True),
        (f"{CHALLENGE_B}1 renew failure(s), 0 parse failure(s)\n", [], True),
    ],
)
def test_which_lineages_are_tried_again(stderr: str, again: list[str], otherwise: bool) -> None:
    assert (hook.rejected(stderr), hook.failed_otherwise(stderr)) == (again, otherwise)


def fake_certbot(server: Server, monkeypatch: pytest.MonkeyPatch, failures: int, words: str) -> None:
    """A certbot that fails some times with these words, then renews `shop` and runs no hook."""
    server.script(
        "certbot",
        f"""
n=$(grep -c '^certbot' {server.calls})
if [ "$n" -le {failures} ]; then printf '%s\\n' '{words}' >&2; exit 1; fi
echo renewed > {server.live}/shop/fullchain.pem
""",
    )
    monkeypatch.setenv("PATH", f"{server.root}:{os.environ['PATH']}")


NONCE = (
    "Failed to renew certificate shop with error: urn:ietf:params:acme:error:badNonce :: rejected\n"
    "1 renew failure(s), 0 parse failure(s)"
)


def test_renewal_is_tried_again_and_then_put_in_place(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.configure("shop")
    server.renew("shop", "one")
    server.run("shop")
    server.calls.unlink()
    fake_certbot(server, monkeypatch, 2, NONCE)
    done = server.run("--renew")
    assert (done.returncode, done.stderr) == (0, "")
    assert server.called() == ["certbot", "certbot", "certbot", "check", "reload"]
    assert server.calls.read_text().splitlines()[0] == "certbot -q renew --no-random-sleep-on-renew"


def test_failed_renewal_fails_the_unit_with_certbots_words(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.configure("shop")
    server.renew("shop", "one")
    fake_certbot(server, monkeypatch, 1, "Failed to renew certificate shop with error: Some challenges have failed.")
    done = server.run("--renew")
    assert done.returncode == 1
    assert "Some challenges have failed." in done.stderr
    # What was pending from before is put in place all the same.
    assert server.called() == ["certbot", "check", "reload"]


@pytest.mark.parametrize("other", ["Failed to renew certificate blog with error: Some challenges have failed.", ""])
def test_one_broken_lineage_takes_no_tries_from_the_others(
    server: Server, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    server.configure("shop", "blog")
    server.renew("shop", "one")
    server.run("shop")
    server.calls.unlink()
    broken = "0 parse" if other else "1 parse"
    words = f"{NONCE.splitlines()[0]}\n{other}\n2 renew failure(s), {broken} failure(s)"
    server.script(
        "certbot",
        f"""
n=$(grep -c '^certbot' {server.calls})
case "$n" in
1) printf '%s\\n' '{words}' >&2; exit 1;;
2) printf '%s\\n' '{NONCE}' >&2; exit 1;;
esac
echo renewed > {server.live}/shop/fullchain.pem
""",
    )
    monkeypatch.setenv("PATH", f"{server.root}:{os.environ['PATH']}")
    done = server.run("--renew")
    # The unit fails for the broken one, and what could be renewed is served.
    assert done.returncode == 1
    assert f"{other}\n2 renew failure(s), {broken}" in done.stderr
    assert server.called() == ["certbot", "certbot", "certbot", "check", "reload"]
    assert server.calls.read_text().splitlines()[2].endswith("--cert-name shop")
    assert hook.in_place(server.config, "shop")


def test_another_certbot_at_work_is_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.renew("shop", "one")
    fake_certbot(server, monkeypatch, 2, "Another instance of Certbot is already running.")
    monkeypatch.setattr(hook, "LOCK_WAITS", (0.0,))
    assert hook.renew("certbot") == 1
    assert hook.renew("certbot") == 0
    assert server.called() == ["certbot"] * 3
