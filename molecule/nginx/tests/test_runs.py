"""Running the role again: with nothing to do, with other sites, with mistakes, and after a run that was killed."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml

from lab.playbook import ROOT, run

SCENARIO = ROOT / "molecule" / "nginx"


@pytest.fixture
def role(lab_vars, vps_name, monkeypatch):
    """Run the role on this test's server: `role(sites, "--check")`."""
    # Molecule forces colours on what it starts; the recap is read here.
    monkeypatch.setenv("ANSIBLE_FORCE_COLOR", "0")
    inventories = [ROOT / ".lab" / lab_vars["lab_name"] / "inventory.yml", SCENARIO / "inventory"]

    def again(sites=None, *arguments, **settings):
        variables = {**settings, **({} if sites is None else {"nginx_sites": sites})}
        return run("molecule/nginx/converge.yml", inventories, "--limit", vps_name, *arguments, variables=variables)

    return again


@pytest.fixture
def sites(role):
    """The scenario's sites, to be changed and handed to `role`; afterwards the server has them again."""
    text = Path(SCENARIO / "inventory" / "group_vars" / "vps.yml").read_text(encoding="utf-8")
    yield copy.deepcopy(yaml.safe_load(text)["nginx_sites"])
    done = role()
    assert done.status == 0, done.output


def words(run):
    return " ".join(run.output.split())


def test_a_second_run_changes_nothing_in_three_calls(role, vps_name):
    done = role()
    assert done.status == 0, done.output
    assert done.changed[vps_name] == 0, done.output
    assert done.calls_on(vps_name) <= 3, done.calls


def test_check_mode_predicts_nothing_on_a_finished_host(role, vps_name):
    done = role(None, "--check", "--diff")
    assert done.status == 0, done.output
    assert done.changed[vps_name] == 0, done.output


def test_a_21st_site_is_one_more_file_and_no_more_calls(role, sites, vps, curl, domain):
    sites = [site for site in sites if site.get("state") != "absent"]
    numbered = [
        {"name": f"s{n}", "domains": [f"s{n}.{domain}"], "upstream": {"servers": ["127.0.0.1:8000"]}}
        for n in range(21 - len(sites))
    ]
    twenty = role([*sites, *numbered[:-1]])
    assert twenty.status == 0, twenty.output
    vps.run_expect([0], "touch /tmp/before")
    done = role([*sites, *numbered])
    assert done.status == 0, done.output
    name = numbered[-1]["name"]
    written = vps.check_output("find /etc/nginx /etc/systemd/system -type f -newer /tmp/before").split()
    assert written == [f"/etc/nginx/sites-enabled/portside-{name}.conf"]
    (host,) = done.changed
    assert done.calls_on(host) == twenty.calls_on(host) <= 3, done.calls
    assert curl(f"https://{name}.{domain}/", "--insecure").status == 200


def test_a_site_that_nginx_refuses_leaves_the_old_tree_serving_and_is_named(role, sites, vps, curl, domain):
    vps.run_expect(
        [0], "mkdir -p /etc/nginx/tls/broken && echo junk | tee /etc/nginx/tls/broken/{fullchain,privkey}.pem"
    )
    before = vps.check_output("find /etc/nginx -type f -exec sha256sum {} +")
    broken = {"name": "broken", "domains": [f"broken.{domain}"], "upstream": {"servers": ["127.0.0.1:8000"]}}
    moved = [{**site, "upstream": {"servers": ["127.0.0.1:1"]}} for site in sites]
    try:
        for arguments in (("--check",), ()):
            done = role([*moved, broken], *arguments)
            assert done.status != 0
            assert "site `broken`" in words(done), done.output
            assert 'cannot load certificate "/etc/nginx/tls/broken/fullchain.pem"' in words(done), done.output
            assert vps.check_output("find /etc/nginx -type f -exec sha256sum {} +") == before
    finally:
        vps.run_expect([0], "rm -r /etc/nginx/tls/broken")
    assert curl(f"https://shop.{domain}/", "--insecure").status == 200
    assert curl(f"https://broken.{domain}/", "--insecure").status == 0


def test_a_port_that_is_taken_leaves_the_old_tree_serving_and_is_named(role, sites, curl, domain):
    taken = {**sites[1], "local_port": 8000}
    done = role([sites[0], taken, *sites[2:]])
    assert done.status != 0
    assert "site `alike`" in words(done)
    assert "bind() to 127.0.0.1:8000 failed (98: Address already in use)" in words(done), done.output
    assert curl(f"https://one.{domain}/", "--insecure").status == 200
    assert set(role().changed.values()) == {0}


def test_a_removed_site_is_gone_with_its_placeholder(role, sites, vps, curl, domain):
    assert curl(f"https://one.{domain}/", "--insecure").status == 200
    for less in ([s for s in sites if s["name"] != "alike"], [{**s, "state": "absent"} for s in sites[1:2]]):
        done = role(less)
        assert done.status == 0, done.output
        assert curl(f"https://one.{domain}/", "--insecure").status == 0
        assert curl(f"http://one.{domain}/").status == 0
        assert not vps.file("/etc/nginx/tls/alike").exists


def test_a_hand_edit_shows_in_the_diff_and_is_undone(role, vps, vps_name):
    path = "/etc/nginx/sites-enabled/portside-shop.conf"
    vps.run_expect([0], f"echo 'server {{ listen 81; }} # by hand' >> {path}")
    shown = role(None, "--check", "--diff")
    assert "-server { listen 81; } # by hand" in shown.output, shown.output
    done = role()
    assert done.changed[vps_name] == 1, done.output
    assert "by hand" not in vps.file(path).content_string


def test_a_foreign_site_is_left_alone_and_a_collision_is_reported(role, vps, curl, domain, wait_until):
    path = "/etc/nginx/sites-enabled/legacy"
    text = f'server {{ listen 80; server_name legacy.{domain} plain.{domain}; return 200 "legacy"; }}'
    vps.run_expect([0], f"echo '{text}' > {path} && systemctl reload nginx")
    try:
        done = role()
        assert done.status == 0, done.output
        assert set(done.changed.values()) == {0}
        assert f"{path} (not of this role) also has plain.{domain}" in words(done), done.output
        wait_until(lambda: curl(f"http://legacy.{domain}/", "--ipv4").body == "legacy", "the foreign site is served")
        vps.run_expect([0], f"echo 'server {{ listen 80 default_server; }}' >> {path}")
        vps.run_expect([0], "echo '# by hand' >> /etc/nginx/snippets/portside-tls.conf")
        done = role()
        assert done.status != 0
        assert f"{path} (not of this role) is the default server of 0.0.0.0:80 too" in words(done), done.output
        assert curl(f"http://legacy.{domain}/", "--ipv4").body == "legacy"
    finally:
        vps.run_expect([0], f"rm {path} && systemctl reload nginx")
    assert role().status == 0


def test_a_certificate_that_is_there_is_never_touched_and_a_missing_one_is_replaced(role, vps, vps_name):
    vps.run_expect([0], "cp -a /etc/nginx/tls/placeholder /etc/somewhere && ln -sfn /etc/somewhere /etc/nginx/tls/shop")
    assert role().changed[vps_name] == 0
    assert vps.check_output("readlink /etc/nginx/tls/shop") == "/etc/somewhere"
    vps.run_expect([0], "rm -r /etc/somewhere")
    assert role().changed[vps_name] == 1
    assert vps.check_output("readlink /etc/nginx/tls/shop") == "placeholder"


def test_an_upstream_file_is_its_writers_business(role, vps, curl, domain):
    path = "/var/lib/elsewhere/unreleased.conf"
    vps.run_expect([0], f"echo 'server 127.0.0.1:8000;' > {path} && systemctl reload nginx")
    try:
        assert set(role().changed.values()) == {0}
        assert curl(f"https://unreleased.{domain}/", "--insecure").status == 200
    finally:
        vps.run_expect([0], f"rm {path}")
        assert set(role().changed.values()) == {1}
    assert curl(f"https://unreleased.{domain}/", "--insecure").status == 503


def test_a_run_that_was_killed_before_the_reload_is_completed_by_the_next(role, sites, vps, curl, domain):
    """A systemctl that hangs at the reload, in front of the real one, stops the run where all files are replaced."""
    fake = "/usr/local/bin/systemctl"
    script = '#!/bin/sh\\n[ "$1" = reload ] && kill -9 $PPID && sleep 60\\nexec /usr/bin/systemctl "$@"\\n'
    vps.run_expect([0], f"printf '{script}' > {fake} && chmod +x {fake}".replace("%", "%%"))
    added = {"name": "added", "domains": [f"added.{domain}"], "upstream": {"servers": ["127.0.0.1:8000"]}}
    try:
        assert role([*sites, added]).status != 0
        assert curl(f"https://added.{domain}/", "--insecure").status == 0
    finally:
        vps.run_expect([0], f"rm {fake}")
    done = role([*sites, added])
    assert (done.status, set(done.changed.values())) == (0, {1}), done.output
    assert curl(f"https://added.{domain}/", "--insecure").status == 200
    assert set(role([*sites, added]).changed.values()) == {0}


def test_a_stopped_nginx_is_started(role, vps, vps_name):
    vps.run_expect([0], "systemctl disable --now --quiet nginx")
    assert role(None, "--check").changed[vps_name] == 1
    assert role().changed[vps_name] == 1
    assert vps.service("nginx").is_running
    assert vps.service("nginx").is_enabled


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"domains": ["no domain"]}, "site `shop`: `domains` item `no domain` is not a full domain name"),
        ({"upstream": {"servers": ["localhost:8000"]}}, "site `shop`: `upstream.servers` item `localhost:8000`"),
        ({"local_port": 70000}, "site `shop`: `local_port: 70000` is out of range"),
        ({"name": "plain"}, "two sites are called `plain`"),
    ],
)
def test_a_mistake_is_refused_before_anything_changes(role, sites, vps_name, change, expected):
    done = role([{**sites[0], **change}, *sites[1:]])
    assert done.status != 0
    assert expected in words(done), done.output
    assert done.changed[vps_name] == 0


def test_a_variable_that_may_be_misspelt_is_warned_of(role):
    done = role(nginx_site=[])
    assert done.status == 0, done.output
    assert "did you mean `nginx_sites`?" in words(done), done.output


def test_visitors_are_believed_as_the_proxy_in_front_names_them(role, curl, domain, lab_vars, wait_until):
    def seen(family):
        claim = ["--header", "X-Forwarded-For: 203.0.113.9, 198.51.100.7"]
        answer = curl(f"https://shop.{domain}/", "--insecure", family, *claim)
        return dict(json.loads(answer.body)["headers"])["X-Forwarded-For"]

    try:
        front = {"nginx_real_ip_from": [lab_vars["lab_client_ipv4"]], "nginx_real_ip_header": "X-Forwarded-For"}
        done = role(**front)
        assert done.status == 0, done.output
        wait_until(lambda: seen("--ipv4") == "198.51.100.7", "what the trusted address says is believed")
        assert seen("--ipv6") == lab_vars["lab_client_ipv6"]
        by_https = ("--header", "X-Forwarded-Proto: https")
        url = f"http://fronted.{domain}/"
        answer = curl(url, "--ipv4", *by_https)
        headers = dict(json.loads(answer.body)["headers"])
        assert (headers["X-Forwarded-Proto"], headers["X-Forwarded-Port"]) == ("https", "443")
        challenge = curl(f"{url}.well-known/acme-challenge/x", "--ipv4")
        asked = [curl(url, "--ipv4"), curl(url, "--ipv6", *by_https), curl(f"http://shop.{domain}/", *by_https)]
        assert ([one.status for one in asked], challenge.status) == ([308] * 3, 404)
        assert curl(f"http://www.fronted.{domain}/", "--ipv4", *by_https).status == 308
    finally:
        assert role().status == 0
    wait_until(lambda: seen("--ipv4") == lab_vars["lab_client_ipv4"], "nobody is believed again")


BALANCER = ("--insecure", "--haproxy-protocol", "--haproxy-clientip")


@pytest.fixture
def balanced(role, curl, domain, lab_vars, wait_until):
    """The client's IPv4 address is a load balancer that speaks the PROXY protocol; afterwards there is none."""
    url = f"https://shop.{domain}/"
    done = role(nginx_real_ip_from=[lab_vars["lab_client_ipv4"]], nginx_proxy_protocol=True, nginx_http3=False)
    assert done.status == 0, done.output
    wait_until(lambda: curl(url, "--ipv4", *BALANCER, "198.51.100.8").status == 200, "the balancer's line is expected")
    yield url
    assert role().status == 0
    wait_until(lambda: curl(url, "--insecure").status == 200, "no such line is expected")


def test_the_proxy_protocol_names_the_visitor_if_a_trusted_balancer_speaks_it(balanced, curl, local_get, lab_vars):
    def seen(family, visitor):
        answer = curl(balanced, family, *BALANCER, visitor)
        return dict(json.loads(answer.body)["headers"])["X-Forwarded-For"]

    assert seen("--ipv4", "198.51.100.8") == "198.51.100.8"
    assert seen("--ipv6", "2001:db8::8") == lab_vars["lab_client_ipv6"]
    assert curl(balanced, "--insecure").status == 0
    # The server itself asks without the line: for its status, and by https after a release.
    assert local_get("http://127.0.0.1/nginx_status")[0] == 200
    assert "UNRECOGNIZED_NAME" in local_get("https://127.0.0.1/")[1]


def test_nginx_runs_with_few_rights(vps):
    said = vps.check_output("systemd-analyze security --no-pager nginx.service").splitlines()[-1]
    assert float(said.split("nginx.service:")[1].split()[0]) <= 5.0, said


def test_a_unit_that_does_not_start_is_taken_back_and_nginx_goes_on(role, vps, curl, domain):
    """The role's own units are sound, so that one of somebody else makes the restart fail."""
    other = "/etc/systemd/system/nginx.service.d/other.conf"
    vps.run_expect([0], f"printf '[Service]\\nExecStartPre=/bin/sh -c \"! test -e /etc/portside-test\"\\n' > {other}")
    vps.run_expect([0], "touch /etc/portside-test && systemctl daemon-reload")
    try:
        done = role(nginx_sandbox=False)
        assert done.status != 0
        vps.run_expect([0], "rm /etc/portside-test && systemctl reset-failed nginx")
    finally:
        vps.run_expect([0], f"rm -f {other} /etc/portside-test && systemctl daemon-reload")
    done = role()
    assert done.status == 0, done.output
    assert vps.file("/etc/systemd/system/nginx.service.d/portside-sandbox.conf").exists
    assert curl(f"https://shop.{domain}/", "--insecure").status == 200


@pytest.fixture
def without_ipv6(vps):
    """Units that may open no socket of that family see what ipv6.disable=1 on the kernel's command line would show."""
    only = "[Service]\\nRestrictAddressFamilies=\\nRestrictAddressFamilies=AF_UNIX AF_INET\\n"
    units = ("nginx", "portside-nginx")
    for unit in units:
        vps.run_expect([0], f"mkdir -p /run/systemd/system/{unit}.service.d")
        vps.run_expect([0], f"printf '{only}' > /run/systemd/system/{unit}.service.d/zz-ipv4.conf")
    vps.run_expect([0], "systemctl daemon-reload")
    yield
    for unit in units:
        vps.run_expect([0], f"rm -r /run/systemd/system/{unit}.service.d")
    vps.run_expect([0], "systemctl daemon-reload && systemctl restart nginx")


def test_nginx_starts_on_a_host_whose_ipv6_is_switched_off(role, vps, curl, domain, without_ipv6):
    # The file of the default servers too, so that nothing of IPv6 is left.
    vps.run_expect([0], "systemctl restart nginx")
    assert curl(f"https://shop.{domain}/", "--insecure", "--ipv4").status == 200
    assert curl(f"https://shop.{domain}/", "--insecure", "--ipv6").status == 0


def test_nginx_is_installed_on_a_host_whose_ipv6_is_switched_off(role, vps, curl, domain, without_ipv6):
    """The package's own site asks for [::]:80, and its installation fails when nginx does not start."""
    vps.run_expect([0], "apt-get purge -q -y nginx nginx-common && rm -rf /etc/nginx")
    done = role()
    assert done.status == 0, done.output
    assert not vps.file("/usr/sbin/policy-rc.d").exists
    assert curl(f"https://shop.{domain}/", "--insecure", "--ipv4").status == 200


def test_ipv6_is_back_as_soon_as_the_host_has_it_again(role, curl, domain):
    assert role().status == 0
    assert curl(f"https://shop.{domain}/", "--insecure", "--ipv6").status == 200
