"""From a wanted policy and the files that are there to the files that should be."""

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.ufw import live
from ansible_collections.portside.vps.plugins.module_utils.ufw.declared import RuleError, declare, declare_published
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import Entry, Packet, describe
from ansible_collections.portside.vps.plugins.module_utils.ufw.guard import Guard
from ansible_collections.portside.vps.plugins.module_utils.ufw.policy import (
    Policy,
    Present,
    State,
    identity,
    loaded_text,
    merge,
    parse_state,
    plan,
    problems,
    verdict,
    without_effect,
)
from ansible_collections.portside.vps.plugins.module_utils.ufw.settings import read_setting, with_settings
from ansible_collections.portside.vps.plugins.module_utils.ufw.ssh import Connection

CAPTURED = Path(__file__).parent / "captured"
FRESH = Present(
    files={
        "defaults": (CAPTURED / "default").read_text(),
        "conf": (CAPTURED / "ufw.conf").read_text(),
        "rules4": (CAPTURED / "fresh.user.rules").read_text(),
        "rules6": (CAPTURED / "fresh.user6.rules").read_text(),
        "after4": (CAPTURED / "after.rules").read_text(),
        "after6": (CAPTURED / "after6.rules").read_text(),
    }
)
VIRGIN = Present(files={})
CONTROLLER = Connection("198.51.100.7", "192.0.2.1", 22)
POLICY = Policy(rules=declare([{"port": 80, "proto": "tcp"}]), ssh_ports={22}, connection=CONTROLLER, guard=Guard())
SAVED = {
    "4": (CAPTURED / "guarded.iptables-save").read_text(),
    "6": (CAPTURED / "guarded.ip6tables-save").read_text(),
}


def applied(present, policy):
    """The host after the plan was carried out, with a kernel that has what the files say."""
    done = plan(present, policy)
    files = {**present.files, **done.files}
    seen = {family: live.seen(SAVED[family], loaded_text(files, family), family) for family in done.rules}
    return Present(files, State(done.owned, seen), SAVED, boots=True)


def in_words(rules):
    return {family: [describe(entry) for entry in entries] for family, entries in rules.items()}


@pytest.mark.parametrize("present", [VIRGIN, FRESH])
def test_the_first_run_enables_ssh_first_then_what_is_declared(present):
    first = plan(present, POLICY)
    assert first.changed
    assert first.restart == "ufw is not enabled"
    assert first.enable_boot
    assert in_words(first.rules) == {family: ["allow 22/tcp # ssh", "allow 80/tcp"] for family in ("4", "6")}
    assert read_setting(first.files["conf"], "ENABLED") == "yes"
    assert "+" not in first.before
    assert "IPv6: allow 80/tcp" in first.after


@pytest.mark.parametrize(
    "policy",
    [
        POLICY,
        replace(POLICY, guard=None),
        replace(POLICY, ssh_limit=True, ssh_exempt=["203.0.113.0/24"]),
        replace(POLICY, allow_ssh=False),
        replace(POLICY, ipv6=False),
        replace(POLICY, logging="off", incoming="reject", outgoing="deny"),
        replace(POLICY, guard=Guard(published=tuple(declare_published([{"port": 8080}])))),
    ],
)
def test_what_was_applied_needs_nothing_more(policy):
    present = applied(FRESH, policy)
    again = plan(present, policy)
    assert not again.changed, (again.files, again.restart)
    assert again.before == again.after


@pytest.mark.parametrize(
    ("family", "old", "new", "why"),
    [
        ("4", "-A INPUT -j ufw-before-input\n", "", "its IPv4 rules are not loaded"),
        ("6", "-A ufw6-user-input -p tcp -m tcp --dport 80 -j ACCEPT\n", "", "not those in its files"),
    ],
)
def test_a_kernel_that_differs_is_a_change(family, old, new, why):
    assert old in SAVED[family]
    present = applied(FRESH, POLICY)
    present = replace(present, saved={**SAVED, family: SAVED[family].replace(old, new)})
    again = plan(present, POLICY)
    assert again.changed
    assert why in again.restart
    assert not again.files


BY_HAND = "### tuple ### allow tcp 81 0.0.0.0/0 any 0.0.0.0/0 in\n-A ufw-user-input -p tcp --dport 81 -j ACCEPT\n\n"
LOADED = "-A ufw-user-input -p tcp -m tcp --dport 81 -j ACCEPT\n"


@pytest.mark.parametrize(("loaded", "changed"), [(LOADED, False), ("", True), (LOADED + LOADED, True)])
def test_a_rule_that_somebody_added_with_ufw_is_no_damage(loaded, changed):
    present = applied(FRESH, replace(POLICY, rules=declare([{"port": 80, "proto": "tcp"}, {"port": 443}])))
    last = "-A ufw-user-input -p udp -m udp --dport 443 -j ACCEPT\n"
    assert last in SAVED["4"]
    rules = present.files["rules4"].replace("### END RULES", BY_HAND + "### END RULES")
    saved = SAVED["4"].replace(last, last + loaded)
    present = replace(present, files={**present.files, "rules4": rules}, saved={**SAVED, "4": saved})
    again = plan(present, replace(POLICY, rules=declare([{"port": 80, "proto": "tcp"}, {"port": 443}])))
    assert again.changed is changed
    assert again.unseen
    assert not again.files


@pytest.mark.parametrize(
    ("change", "restart"),
    [
        ({"rules": declare([{"port": 81}])}, False),
        ({"guard": None}, False),
        ({"logging": "high"}, False),
        ({"incoming": "reject"}, True),
    ],
)
def test_only_new_defaults_make_ufw_stop_and_start(change, restart):
    again = plan(applied(FRESH, POLICY), replace(POLICY, **change))
    assert again.changed
    assert bool(again.restart) is restart


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (replace(POLICY, rules=()), ["allow 22/tcp # ssh"]),
        (replace(POLICY, rules=(), ssh_ports={22, 2022}), ["allow 22/tcp # ssh", "allow 2022/tcp # ssh"]),
        (
            replace(POLICY, rules=(), allow_ssh=False),
            ["allow 22/tcp from 198.51.100.7 # the connection Ansible came by"],
        ),
        (replace(POLICY, rules=(), allow_ssh=False, connection=None), []),
        (
            replace(POLICY, allow_ssh=False, rules=declare([{"port": 22, "from": "198.51.100.0/24"}])),
            ["allow 22 from 198.51.100.0/24"],
        ),
        (
            replace(POLICY, rules=declare([{"from": "198.51.100.0/24", "action": "deny"}])),
            ["allow 22/tcp # ssh", "deny anything from 198.51.100.0/24"],
        ),
        (
            replace(POLICY, rules=(), ssh_limit=True, ssh_exempt=["203.0.113.0/24", "2001:db8::1"]),
            [
                "allow 22/tcp from 203.0.113.0/24 # ssh, never limited",
                "allow 22/tcp from 198.51.100.7 # ssh, never limited",
                "limit 22/tcp # ssh",
            ],
        ),
        (
            replace(POLICY, rules=declare([{"port": 22, "proto": "tcp", "action": "limit"}])),
            ["allow 22/tcp from 198.51.100.7 # ssh, never limited", "limit 22/tcp"],
        ),
        (
            replace(POLICY, rules=(), guard=Guard(published=tuple(declare_published([{"port": 81, "proto": "udp"}])))),
            ["allow 22/tcp # ssh", "allow 81/udp # published by Docker"],
        ),
    ],
)
def test_ssh_is_let_in(policy, expected):
    done = plan(FRESH, policy)
    assert in_words(done.rules)["4"] == expected
    assert bool(done.pinned) is ("Ansible came by" in "".join(expected))


def test_a_published_port_on_which_sshd_listens_too_is_one_rule():
    published = tuple(declare_published([{"port": 22, "comment": "git"}]))
    first = plan(FRESH, replace(POLICY, rules=(), guard=Guard(published=published)))
    assert in_words(first.rules) == {"4": ["allow 22/tcp # ssh"], "6": ["allow 22/tcp # ssh"]}


@pytest.mark.parametrize("item", [{"action": "deny"}, {"action": "reject"}, {"state": "absent"}])
def test_a_rule_that_shuts_ssh_is_refused_while_ssh_is_to_be_open(item):
    policy = replace(POLICY, rules=declare([{"port": 22, "proto": "tcp", **item}]))
    with pytest.raises(RuleError, match=r"rule 1 .*shuts a port on which sshd listens.*ufw_allow_ssh: false"):
        plan(FRESH, policy)


def entries(text):
    """`allow 1, deny 2` as entries for port 1 and 2."""
    words = (word.split() for word in text.split(", ") if word)
    return [Entry(action, "tcp", port, "0.0.0.0/0", "any", "0.0.0.0/0") for action, port in words]


@pytest.mark.parametrize(
    ("item", "named"),
    [
        ({"port": 22, "action": "limit"}, True),
        ({"port": 22, "action": "deny"}, True),
        ({"port": 22, "proto": "tcp", "from": "192.0.2.0/24"}, True),
        ({"port": 22, "interface": "wg+"}, True),
        ({"from": "192.0.2.66", "action": "deny"}, True),
        ({"port": "20:30", "proto": "tcp", "action": "reject"}, True),
        ({"port": 22, "proto": "tcp", "action": "limit"}, False),
        ({"port": 22, "proto": "tcp", "action": "limit", "from": "192.0.2.0/24"}, True),
        ({"port": 22}, False),
        ({"from": "192.0.2.7"}, False),
        ({"port": 22, "action": "deny", "proto": "udp"}, False),
        ({"port": 23, "action": "deny"}, False),
        ({"port": 22, "action": "deny", "direction": "out"}, False),
        ({"from": "192.0.2.66", "action": "deny", "direction": "routed"}, False),
        ({"port": 22, "action": "deny", "state": "absent"}, False),
    ],
)
def test_a_rule_that_comes_too_late_for_ssh_is_named(item, named):
    policy = replace(POLICY, rules=declare([{"port": 80}, item]))
    assert [sentence.partition(" (")[0] for sentence in without_effect(policy)] == ["ufw_rules, rule 2"] * named
    assert not without_effect(replace(policy, allow_ssh=False))


def test_of_many_rules_that_come_too_late_some_are_named():
    rules = declare([{"from": f"192.0.2.{number}", "action": "deny"} for number in range(10, 20)])
    [sentence] = without_effect(replace(POLICY, rules=rules))
    assert "rule 3 (from: 192.0.2.12, action: deny) and 7 more: without effect on ssh" in sentence


@pytest.mark.parametrize(
    ("existing", "owned", "wanted", "options", "expected"),
    [
        # Nothing there; the order is the declared one.
        ("", "", "allow 2, allow 1", {}, "allow 2, allow 1"),
        # The first run: ours before the others, and one that exists already is not written twice.
        ("allow 7, allow 1", "", "allow 2, allow 1", {}, "allow 2, allow 1, allow 7"),
        # A rule with the same match and another action becomes what is declared.
        ("deny 1", "", "allow 1", {}, "allow 1"),
        # Purge takes ours that are declared no more, and nobody else's.
        ("allow 1, allow 2, allow 7", "1 2", "allow 1", {}, "allow 1, allow 7"),
        ("allow 1, allow 2, allow 7", "1 2", "allow 1", {"purge": False}, "allow 1, allow 2, allow 7"),
        ("allow 1, allow 2, allow 7", "1 2", "allow 1", {"purge_foreign": True}, "allow 1"),
        # What stands in front of ours stays there (a ban), what stands between stays behind the same rule.
        ("deny 9, allow 1, deny 8, allow 2", "1 2", "allow 1, allow 2", {}, "deny 9, allow 1, deny 8, allow 2"),
        ("deny 9, allow 1, deny 8, allow 2", "1 2", "allow 2, allow 1", {}, "deny 9, allow 2, allow 1, deny 8"),
        # The rule that it stood behind is gone: the one before takes its place.
        ("allow 1, allow 2, deny 8", "1 2", "allow 1", {}, "allow 1, deny 8"),
        # Absent removes whoever's it is.
        ("allow 1, allow 7", "1", "allow 1", {"gone": "allow 7"}, "allow 1"),
    ],
)
def test_merging_with_the_rules_of_others(existing, owned, wanted, options, expected):
    ours = {identity(entry) for entry in entries(", ".join(f"allow {port}" for port in owned.split()))}
    options = {"purge": True, "purge_foreign": False, "gone": "", **options}
    options["gone"] = {entry.match for entry in entries(options["gone"])}
    merged = merge(entries(existing), entries(wanted), owned=ours, **options)
    assert merged == entries(expected)
    # And the result stays as it is.
    names = ours | {identity(entry) for entry in entries(wanted)}
    assert merge(merged, entries(wanted), (), names, purge=False, purge_foreign=False) == merged


@pytest.mark.parametrize(
    ("rules", "default", "expected"),
    [
        ([{"port": 22}], "deny", "allow"),
        ([{"port": 23}], "deny", "deny"),
        ([], "allow", "allow"),
        ([{"from": "198.51.100.7", "action": "reject"}, {"port": 22}], "deny", "reject"),
        ([{"port": 22}, {"from": "198.51.100.7", "action": "reject"}], "deny", "allow"),
        ([{"port": 22, "action": "limit"}], "deny", "allow"),
        # The interface of the packet is not known: such a rule is not relied on, but feared.
        ([{"port": 22, "interface": "eth0"}], "deny", "deny"),
        ([{"interface": "eth0", "action": "deny"}, {"port": 22}], "allow", "deny"),
    ],
)
def test_the_fate_of_a_connection(rules, default, expected):
    found = [entry for rule in declare(rules) for entry in rule.entries.get("4", ())]
    assert verdict(found, Packet("198.51.100.7", "192.0.2.1", 22), default) == expected


@pytest.mark.parametrize(
    ("files", "policy", "outside", "message"),
    [
        ({}, POLICY, ["eth0"], None),
        ({"after6": "*filter\n:DOCKER-USER - [0:0]\n"}, POLICY, [], "/etc/ufw/after6.rules, line 2: :DOCKER-USER"),
        ({"defaults": "MANAGE_BUILTINS=yes\n"}, POLICY, [], "MANAGE_BUILTINS=yes in /etc/default/ufw"),
        ({}, replace(POLICY, routed="allow"), [], "ufw_default_routed: allow undoes the Docker guard"),
        ({}, POLICY, ["br-a"], "leaves by br-a"),
        ({}, replace(POLICY, guard=Guard(foreign=("br-a",))), ["br-a"], None),
        ({}, replace(POLICY, routed="allow", guard=None), ["br-a"], None),
    ],
)
def test_what_stands_against_the_guard_is_named(files, policy, outside, message):
    found = problems(Present(files), policy, outside)
    assert len(found) == (message is not None)
    assert not message or message in found[0]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rules": 1}', '{"rules": {"4": 1}}'])
def test_a_state_file_that_makes_no_sense_owns_nothing(text):
    assert not any(parse_state(text).owned.values())


def test_the_state_survives_its_file():
    state = applied(FRESH, POLICY).state
    assert parse_state(state.to_json()) == state


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        ("A=no\n", {"A": "yes"}, "A=yes\n"),
        ('A="DROP"\n', {"A": '"DROP"'}, 'A="DROP"\n'),
        ("A=DROP # keep\n", {"B": "1"}, "A=DROP # keep\nB=1\n"),
        ("#A=no\n", {"A": "yes"}, "#A=no\nA=yes\n"),
        ("A='yes'\n", {"A": "yes"}, "A='yes'\n"),
    ],
)
def test_settings_are_changed_only_where_they_say_something_else(text, settings, expected):
    assert with_settings(text, settings) == expected
