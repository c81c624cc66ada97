"""What differs, item by item, from what the modules return in check mode."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.status import drift
from ansible_collections.portside.vps.plugins.module_utils.ufw import policy


def entry(header: str, before: str, after: str, after_header: str = "") -> dict[str, str]:
    return {"before_header": header, "after_header": after_header or header, "before": before, "after": after}


POLICY = "default incoming: {0}\nlogging: {1}\n{2}IPv4: allow 22/tcp # ssh\nIPv6: allow 22/tcp # ssh\n{3}"
WEB = "IPv4: allow 443/tcp # https\nIPv6: allow 443/tcp # https\n"
SITE = "/etc/nginx/sites-enabled/portside-shop.conf"
CERTIFICATE = "certificate shop:\n  domains: a.example.com\n  server: s\n  key: ecdsa\n"

# The module, its result, and each item as "kind name: what".
CASES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "a package and the file of proxies": (
        "apt_packages",
        {
            "changed": True,
            "installed": ["logrotate"],
            "diff": [entry("packages", "", "logrotate\n"), entry("/etc/apt/a", "a\nb\n", "a\nc\n")],
        },
        ["package logrotate: is not installed", "file /etc/apt/a: is changed: not declared `b`, missing `c`"],
    ),
    "a rule of both families is one": (
        "ufw_policy",
        {
            "changed": True,
            "diff": entry("ufw", POLICY.format("deny", "low", "", ""), POLICY.format("deny", "low", WEB, "")),
        },
        ["rule allow 443/tcp # https: is missing"],
    ),
    "a rule of one family": (
        "ufw_policy",
        {"changed": True, "diff": entry("ufw", "IPv6: allow 1/tcp\n", "")},
        ["rule allow 1/tcp (IPv6 alone): is not declared"],
    ),
    "rules in another order": (
        "ufw_policy",
        {
            "changed": True,
            "diff": entry(
                "ufw",
                "IPv4: deny 1/tcp\nIPv4: allow 2/tcp\nIPv4: deny 3/tcp\nIPv6: deny 3/tcp\n",
                "IPv4: allow 2/tcp\nIPv4: deny 1/tcp\nIPv4: deny 3/tcp\n",
            ),
        },
        ["rule deny 3/tcp (IPv6 alone): is not declared", "rule allow 2/tcp (IPv4 alone): stands in another order"],
    ),
    "settings of the firewall": (
        "ufw_policy",
        {
            "changed": True,
            "diff": entry("ufw", POLICY.format("allow", "off", "", ""), POLICY.format("deny", "low", "", "")),
        },
        ["rule default incoming: is allow, declared deny", "rule logging: is off, declared low"],
    ),
    "the guard": (
        "ufw_policy",
        {
            "changed": True,
            "diff": entry("ufw", "", "IPv4 guard: -A DOCKER-USER -j g\nIPv6 guard: -A DOCKER-USER -j g\n"),
        },
        ["rule Docker guard: is not as declared: published ports may be open to everyone"],
    ),
    "the kernel has other rules than the files": (
        "ufw_policy",
        {"changed": True, "diff": entry("ufw", "running: its rules are not loaded\n", "")},
        ["rule firewall: runs otherwise than its files say: its rules are not loaded"],
    ),
    "a rule of somebody else's is listed though it is left alone": (
        "ufw_policy",
        {
            "changed": False,
            "diff": entry("ufw", "IPv4: allow 9/tcp\n", "IPv4: allow 9/tcp\n"),
            "strangers": ["allow 9/tcp"],
        },
        ["rule allow 9/tcp: is not declared; it is left alone unless `ufw_purge_foreign: true`"],
    ),
    "Docker's options and its service": (
        "docker_daemon",
        {"changed": True, "diff": [entry("/etc/docker/daemon.json", "", "{}\n")], "steps": ["restart", "enable"]},
        ["file /etc/docker/daemon.json: is missing", "service docker.service: doesn't start at boot"],
    ),
    "a daemon that has not read its options": (
        "docker_daemon",
        {"changed": True, "diff": [], "steps": ["reload", "restart"]},
        ["service docker.service: runs with other options than its files say"],
    ),
    "a file of another mode": (
        "docker_daemon",
        {"changed": True, "diff": [entry("/etc/docker/daemon.json", "{}\n", "{}\n")], "steps": []},
        [f"file /etc/docker/daemon.json: {drift.HIDDEN}"],
    ),
    "files of nginx": (
        "nginx_sites",
        {
            "changed": True,
            "action": "reload",
            "diff": [
                entry(SITE, "server;\nby hand;\nby foot;\n", "server;\n"),
                entry("/etc/nginx/conf.d/portside.conf", "", "http;\n"),
                entry("/etc/nginx/sites-enabled/portside-old.conf", "old;\n", "", "(removed)"),
                entry("nginx.service", "disabled\n", "enabled\n"),
            ],
        },
        [
            f"file {SITE}: is changed: not declared `by hand;` and 1 more",
            "file /etc/nginx/conf.d/portside.conf: is missing",
            "file /etc/nginx/sites-enabled/portside-old.conf: is not declared",
            "service nginx.service: is disabled",
        ],
    ),
    "nginx that was not reloaded": (
        "nginx_sites",
        {"changed": True, "action": "reload", "diff": []},
        ["service nginx.service: runs with another configuration than its files say"],
    ),
    "containers": (
        "app_release",
        {
            "changed": True,
            "apps": [
                {"name": "a", "action": "unchanged", "changed": False},
                {"name": "canary", "action": "unchanged", "changed": False, "notice": "release 2 is a canary"},
                {"name": "b", "action": "started", "changed": True, "reason": "container b-r1 is exited"},
                {"name": "c", "action": "removed", "changed": True},
                {"name": "d", "action": "held", "changed": False, "release": 3, "notice": "it stays"},
            ],
            "orphans": ["ghost"],
        },
        [
            "container b: container b-r1 is exited",
            "container c: is declared absent",
            "container d: is held on release 3: it stays",
            "container ghost: is not declared; it is left alone unless `docker_app_purge: true`",
        ],
    ),
    "an app that could not be compared": (
        "app_release",
        {"failed": True, "msg": "app `a`: no", "apps": [{"name": "a", "failed": True, "message": "no"}]},
        ["problem a: no"],
    ),
    "certificates": (
        "certbot_certificates",
        {
            "changed": True,
            "diff": [
                entry("/etc/letsencrypt/portside/hook", "a\n", "b\n"),
                entry("certbot.timer", "disabled, inactive\n", "enabled, active\n"),
                entry("account at https://ca", "", "contact: ops@example.com\n"),
                entry("certificate shop", CERTIFICATE, CERTIFICATE + "  ordered: it expires in 3 days\n"),
                entry("certificate old", CERTIFICATE, ""),
            ],
        },
        [
            "file /etc/letsencrypt/portside/hook: is changed: not declared `a`, missing `b`",
            "timer certbot.timer: is disabled, inactive, declared enabled, active",
            "account at https://ca: is to have contact: ops@example.com",
            "certificate shop: is to be ordered: it expires in 3 days",
            "certificate old: is not declared",
        ],
    ),
    "a module that failed": ("nginx_sites", {"failed": True, "msg": "bogus"}, ["problem The task: bogus"]),
    "a change that shows nothing": (
        "ufw_policy",
        {"changed": True, "diff": entry("ufw", "a: b\n", "a: b\n")},
        ["state The task: is not so yet: a run would change something"],
    ),
    "another module": ("copy", {"changed": True}, ["state The task: is not so yet: a run would change something"]),
}


@pytest.mark.parametrize("case", CASES)
def test_each_item_that_differs_is_named_once(case: str) -> None:
    module, result, expected = CASES[case]
    found = drift.read(f"portside.vps.{module}", "The task", result)
    assert [f"{one['kind']} {one['name']}: {one['what']}" for one in found] == expected


@pytest.mark.parametrize("module", drift.READERS)
def test_a_server_that_is_as_declared_gives_no_alarm(module: str) -> None:
    same = entry("ufw", "IPv4: allow 22/tcp\n", "IPv4: allow 22/tcp\n")
    quiet = {"changed": False, "diff": same if module.endswith("ufw_policy") else [], "installed": [], "apps": []}
    if module.endswith("apt_packages"):
        quiet["diff"] = [entry("packages", "", "")]
    assert drift.read(module, "The task", quiet) == []


def test_a_long_line_is_cut() -> None:
    what = drift.changed_text("", "x") + drift.changed_text("a" * 200, "b")
    assert len(what) < 120


def test_many_lines_that_are_alike_are_compared_in_no_time() -> None:
    before = "".join(f"server 192.0.2.{number} weight={number} max_fails=0;\n}}\n" for number in range(1000))
    began = time.monotonic()
    what = drift.changed_text(before, before.replace("max_fails=0", "max_fails=1"))
    assert what.count("and 999 more") == 2
    assert time.monotonic() - began < 5


def test_lines_of_a_file_in_another_order_are_said_to_be_that() -> None:
    assert drift.changed_text("a\nb\nb\n", "b\na\nb\n") == drift.MOVED
    assert drift.changed_text("a\nb\nb\n", "b\na\n") == "is changed: not declared `b`"


def test_the_firewalls_ipv6_setting_is_a_setting_and_no_rule() -> None:
    before = {"defaults": "IPV6=no\n"}
    shown = [policy.summary(files, {}, "", boots=True) for files in (before, {"defaults": "IPV6=yes\n"})]
    found = drift.read("portside.vps.ufw_policy", "t", {"changed": True, "diff": entry("ufw", *shown)})
    assert [(one["name"], one["what"]) for one in found] == [("IPv6 enabled", "is no, declared yes")]
