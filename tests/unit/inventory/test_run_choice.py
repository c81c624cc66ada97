"""A run that would reach no host, or do nothing there, fails with what to write."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.portside.vps.plugins.module_utils.inventory import roles, run_choice

from tests.unit.inventory.playbook_runs import ROOT, UNREACHABLE, run

PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
TAGGED = {"site.yml", "status.yml"}
GROUPS = {"webservers": ["web1"], "db": ["db1", "db2"], "all": ["web1", "db1", "db2"], "ungrouped": []}
OTHERS = "all: {children: {webservers: {hosts: {web1: }}, db: {hosts: {db1: , db2: }}}}\n"


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.name)
def test_every_playbook_asks_whether_it_reaches_a_host_and_has_the_tags(path):
    known = f", {roles.names()}" if path.name in TAGGED else ""
    for play in yaml.safe_load(path.read_text(encoding="utf-8")):
        assert play["hosts"] == "{{ portside_hosts | default('vps') | portside.vps.play_hosts(groups" + known + ") }}"


def test_a_run_that_finds_no_host_fails_with_the_groups_that_there_are(tmp_path):
    done = run(tmp_path, "site.yml", hosts=OTHERS)
    assert done.status != 0
    assert "no host of the inventory is in `vps`, so that nothing would be done" in done.output
    assert "there are the groups `db`, `webservers`" in done.output
    assert "`-e portside_hosts=db`" in done.output
    assert "PLAY RECAP" not in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["site.yml", "--limit", "web1"], "`--limit web1` leaves none of the hosts of `db`, so that nothing would be"),
        (["site.yml", "--tags", "ngnix"], "`--tags ngnix`: of what was asked for nothing would be done"),
        (["playbooks/deploy.yml", "--tags", "nginx"], "This playbook has no tags: leave the option out"),
    ],
)
def test_a_choice_that_leaves_nothing_is_refused(tmp_path, arguments, words):
    done = run(tmp_path, *arguments, "-e", "portside_hosts=db", hosts=OTHERS)
    assert done.status != 0
    assert words in done.output
    assert "PLAY RECAP" not in done.output


def test_a_choice_that_leaves_something_goes_on_to_the_host(tmp_path):
    choice = ["-e", "portside_hosts=web*", "--limit", "all:!other", "--tags", "nginx,docker_app"]
    assert run(tmp_path, "site.yml", *choice).status == UNREACHABLE


def test_a_playbook_of_others_that_imports_ours_chooses_by_its_own_tags(tmp_path):
    own = tmp_path / "all.yml"
    own.write_text(f"- import_playbook: {ROOT}/site.yml\n  tags: [server]\n", encoding="utf-8")
    assert run(tmp_path, str(own), "--tags", "server").status == UNREACHABLE


@pytest.mark.parametrize(
    ("pattern", "groups", "words"),
    [
        ("vps", {"all": []}, "the inventory has no hosts, so that nothing would be done: write your servers into"),
        ("vps", {"all": ["web1"], "ungrouped": ["web1"]}, "there are the hosts `web1`, in no group"),
        ("vps", {**GROUPS, "vps": []}, "is in `vps`, a group without hosts, so that"),
        (["a", "b"], GROUPS, "no host of the inventory is in `a,b`, so that"),
        ("vps", {"all": ["x"], **{f"g{n:02}": ["x"] for n in range(12)}}, "`g09`, 2 more. Put your servers"),
    ],
)
def test_what_is_missing_is_named(pattern, groups, words):
    assert words in run_choice.hosts_problem(pattern, groups)


@pytest.mark.parametrize(
    ("wanted", "skipped", "known", "words"),
    [
        (["all"], [], [], None),
        (["all"], [], ["nginx"], None),
        (["nginx"], ["certbot"], ["nginx", "certbot"], None),
        (["nginx", "x"], [], ["nginx", "ufw"], "`--tags x`: of what was asked for nothing would be done. This"),
        (["nginx"], [], [], "This playbook has no tags: leave the option out"),
        (["all"], ["always"], ["nginx"], "`--skip-tags always`"),
        (["all"], ["ngnix"], ["nginx"], "`--skip-tags ngnix`"),
        (["all"], ["molecule-notest", "notest"], ["nginx"], None),
        (["all"], ["notest"], [], None),
    ],
)  # fmt: skip
def test_tags_are_those_of_the_playbook(wanted, skipped, known, words):
    said = run_choice.tags_problem(wanted, skipped, known)
    assert said is None if words is None else words in str(said)


TASKS = {
    "ufw": "The firewall lets in what is declared, and ssh",
    "docker": "The daemon runs with the declared options",
    "nginx": "The declared sites are served by nginx",
    "docker_app": "The apps run their releases",
}
ALWAYS = ["The inventory says what can be done", "The operating system is supported", "This release of the operating"]


@pytest.mark.parametrize("role", ["nginx", "docker_app"])
def test_a_tag_is_a_role_with_the_pre_flight_before_it(tmp_path, role):
    chosen = run(tmp_path, "site.yml", "--list-tasks", "--tags", role).output
    assert [name for name, task in TASKS.items() if task in chosen] == [role]
    assert all(task in chosen for task in ALWAYS)


def test_every_part_of_a_run_has_its_tag():
    """Ansible lists no task of `always`, where the certificates are."""
    tasks = yaml.safe_load((ROOT / "playbooks" / "tasks" / "converge.yml").read_text(encoding="utf-8"))
    parts = [part for task in tasks for part in ([task] if "tags" in task else task["block"] + task["always"])]
    assert {tag for part in parts for tag in part["tags"]} == {*roles.names(), "always"}
