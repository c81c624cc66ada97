"""What each role gets from the list of apps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.portside.vps.plugins.filter import apps as filters
from ansible_collections.portside.vps.plugins.filter import nginx
from ansible_collections.portside.vps.plugins.module_utils.inventory import app_spec, roles, variables
from ansible_collections.portside.vps.plugins.module_utils.releases import validate

ROOT = Path(__file__).resolve().parents[3]
SHOP = {
    "name": "shop-api",
    "image": "ghcr.io/acme/shop-api:1.4.2",
    "port": 8000,
    "domains": ["api.example.com", "www.example.com"],
    "webhooks": [{"path": "/webhooks/stripe"}],
}
WORKER = {"name": "mailer", "image": "acme/mailer:1"}
NGINX_DEFAULTS = roles.defaults("nginx")
EGRESS = {"https_proxy": "http://proxy.example.com:3128", "no_proxy": ["api.stripe.com"]}


def containers(*raw, egress=None):
    return filters.app_containers(list(raw), egress or {}, "/up")


def test_a_worker_has_a_container_and_nothing_else():
    assert filters.app_sites([WORKER], "/up") == []
    assert filters.app_certificates([WORKER]) == []
    (container,) = containers(WORKER)
    assert "port" not in container
    assert "upstream_file" not in container


def test_site_and_container_share_the_upstream_file():
    (site,) = filters.app_sites([SHOP], "/up")
    (container,) = containers(SHOP)
    assert site["upstream"]["file"] == container["upstream_file"] == "/up/shop-api.conf"


# Every option that an app may give its site, with a value that nginx's role takes.
SITE = {
    "redirect_to_canonical": False,
    "max_body_size": "25m",
    "connect_timeout": "2s",
    "send_timeout": "3m",
    "read_timeout": "4m",
    "buffering": False,
    "request_buffering": False,
    "gzip": True,
    "forwarded_proto": True,
    "header_buffer": "32k",
    "underscores": True,
    "upgrade": ["websocket", "SPDY/3.1"],
    "rate_limit": {"rate": "10r/s", "burst": 40},
    "allow": ["203.0.113.0/24"],
    "deny": ["203.0.113.66"],
    "basic_auth": {"realm": "Staging", "users": {"ops": "correct horse"}, "rate": "5r/s", "burst": 50},
    "client_body_timeout": "5s",
    "client_send_timeout": "5s",
    "security_headers": {"nosniff": False, "frame": "deny", "referrer": "no-referrer"},
    "client_ca": "/etc/ssl/certs/clients.pem",
    "client_cert": "optional",
    "headers": {"X-Frame-Options": "DENY"},
    "hsts": {"enabled": True, "max_age": 63072000, "include_subdomains": True, "preload": True},
    "error_pages": [{"status": [404], "file": "/srv/errors/404.html"}],
    "maintenance": {"enabled": True, "allow": ["203.0.113.7"]},
    "retry_after": 60,
    "redirects": [{"from": "/old", "to": "/new", "status": 301}],
    "static": [
        {"path": "/static", "directory": "/srv/shop/static", "max_age": 86400, "links": True, "client_cert": "required"}
    ],
    "internal": [{"path": "/protected", "directory": "/srv/shop/invoices", "links": True}],
    "locations": [
        {"path": "/blog", "app": "blog", "client_cert": "required"},
        {"path": "/metrics", "upstream": {"servers": ["127.0.0.1:9100"]}, "strip_prefix": True},
    ],
    "extra_config": "location = /ping { return 204; }",
    "keepalive": 8,
    "keepalive_timeout": "500ms",
    "protocol": "http",
    "scheme": "https",
}
HOOK = {
    "path": "/webhooks/stripe",
    "max_body_size": "1m",
    "read_timeout": "30s",
    "allow": ["198.51.100.0/24"],
    "client_cert": "required",
}
# A site has one of them.
EITHER = "forwarded_proto", "client_ca"
BLOG = {"name": "blog", "image": "acme/blog:1", "port": 3000}


def test_the_example_has_every_option():
    assert set(SITE) == set(app_spec.SITE)
    assert set(HOOK) == set(app_spec.APP["webhooks"]["options"])


def test_every_option_of_an_app_arrives_at_nginx():
    (site,) = filters.app_sites([{**SHOP, "site": SITE, "webhooks": [HOOK]}, BLOG], "/up")
    settings = {**NGINX_DEFAULTS, "nginx_real_ip_from": ["10.0.0.5"]}
    (problem,) = nginx.nginx_problems([site], settings)
    assert all(f"`{key}`" in problem for key in EITHER)
    (served,) = nginx.nginx_present_sites([site])
    for key in set(SITE) - {"locations", *app_spec.UPSTREAM_KEYS}:
        assert served[key] == SITE[key], key
    assert {key: served["webhooks"][0][key] for key in HOOK} == HOOK
    upstreams = [(up["file"], up["servers"], up["keepalive"], up["keepalive_timeout"]) for up in served["upstreams"]]
    assert upstreams == [
        ("/up/shop-api.conf", [], 8, "500ms"),
        ("/up/blog.conf", [], 256, "1s"),
        (None, ["127.0.0.1:9100"], 256, "1s"),
    ]
    assert [up["scheme"] for up in served["upstreams"]] == ["https", "http", "http"]
    assert served["locations"][1]["strip_prefix"] is True
    assert [location["client_cert"] for location in served["locations"]] == ["required", "optional"]


@pytest.mark.parametrize(
    ("directory", "enabled"),
    [
        ("production", True),
        ("https://ca.example.com/directory", True),
        ("https://ca.staging.example.com/directory", True),
        ("https://ca.example.com/acme/staging-servers/directory", True),
        ("staging", False),
        ("https://acme-staging-v02.api.letsencrypt.org/directory", False),
    ],
)
def test_no_hsts_with_certificates_of_a_test_authority(directory, enabled):
    raw = [{**SHOP, "site": {"hsts": {"max_age": 63072000}}}]
    (served,) = nginx.nginx_present_sites(filters.app_sites(raw, "/up", directory))
    assert served["hsts"]["enabled"] is enabled


def test_what_nginx_would_refuse_is_refused_by_the_apps_name():
    (site,) = filters.app_sites([{**SHOP, "site": {"rate_limit": {"rate": "often"}}}], "/up")
    assert "site `shop-api`: `rate_limit.rate: often` is not a rate" in "\n".join(
        nginx.nginx_problems([site], NGINX_DEFAULTS)
    )


def test_an_app_behind_another_apps_path_is_probed_under_that_apps_name():
    shop = {**SHOP, "site": {"locations": [{"path": "/blog", "app": "blog"}]}}
    container = containers(BLOG, shop)[0]
    assert (container["upstream_file"], container["health"]["host"]) == ("/up/blog.conf", "api.example.com")
    alone = containers(BLOG)[0]
    assert "upstream_file" not in alone
    assert "host" not in alone["health"]
    assert filters.app_sites([BLOG], "/up") == []


def test_one_certificate_for_all_names_of_an_app():
    assert filters.app_certificates([SHOP]) == [
        {"name": "shop-api", "domains": ["api.example.com", "www.example.com"], "state": "present"}
    ]


def test_an_app_says_how_its_certificate_is_had():
    (found,) = filters.app_certificates([{**SHOP, "certificate": {"profile": "shortlived", "served_at": []}}])
    assert found["profile"] == "shortlived"
    assert found["served_at"] == []
    assert "own" not in found


def test_the_health_probe_carries_the_canonical_name():
    (container,) = containers(SHOP)
    assert container["health"]["host"] == "api.example.com"


@pytest.mark.parametrize(
    ("app", "front"),
    [
        (SHOP, {"host": "api.example.com"}),
        ({**SHOP, "domains": [], "webhooks": [], "local_port": 9000}, None),
        (WORKER, None),
    ],
    ids=["a public name", "a port of its own", "a worker"],
)
def test_nginx_is_asked_after_a_switch_under_a_name_that_it_answers_by_https(app, front):
    (container,) = containers(app)
    assert container.get("front") == front


def test_another_host_header_for_the_probe():
    (container,) = containers({**SHOP, "health": {"host": "internal.example.com"}})
    assert container["health"]["host"] == "internal.example.com"


def test_what_an_app_says_of_its_container_arrives_there():
    (container,) = containers({**SHOP, "stop_timeout": 5, "log": {"max_file": 2}, "command": "serve --all"})
    assert (container["stop_timeout"], container["log"]["max_file"]) == (5, 2)
    assert container["command"] == ["serve", "--all"]


def test_what_the_site_makes_of_an_app_is_what_the_role_takes():
    raw = [SHOP, WORKER, {**WORKER, "name": "gone", "state": "absent"}]
    assert validate.apps(containers(*raw))


def test_an_absent_app_is_absent_everywhere():
    gone = {**SHOP, "state": "absent"}
    assert {item["state"] for item in filters.app_sites([gone], "/up")} == {"absent"}
    assert {item["state"] for item in filters.app_certificates([gone])} == {"absent"}
    assert {item["state"] for item in containers(gone)} == {"absent"}


def test_direct_egress_sets_no_proxy_variable():
    (container,) = containers(SHOP, egress=EGRESS)
    assert container["env"] == {}


def test_proxied_egress_sets_both_cases_and_exempts_loopback_and_own_names():
    (container,) = containers({**SHOP, "egress": "proxy"}, egress=EGRESS)
    assert container["env"]["https_proxy"] == container["env"]["HTTPS_PROXY"] == EGRESS["https_proxy"]
    exempt = container["env"]["no_proxy"].split(",")
    own = ["api.example.com", "www.example.com", "shop-api"]
    assert exempt == ["localhost", "127.0.0.1", "::1", *own, "api.stripe.com"]


def test_the_server_and_its_other_apps_are_reached_without_the_proxy():
    other = {**SHOP, "name": "web", "domains": ["example.com"]}
    gone = {**SHOP, "name": "old", "domains": ["old.example.com"], "state": "absent"}
    (shop, *_) = filters.app_containers(
        [{**SHOP, "egress": "proxy"}, other, gone], EGRESS, "/up", ["198.51.100.7", "web1"]
    )
    exempt = shop["env"]["NO_PROXY"].split(",")
    assert {"example.com", "198.51.100.7"} <= set(exempt)
    assert not {"old.example.com", "web1"} & set(exempt)


def test_docker_keeps_its_variables_when_an_app_comes():
    found = filters.egress_environment({**EGRESS, "docker": "proxy"}, "docker", ["198.51.100.7", "web1"])
    assert found["NO_PROXY"] == "localhost,127.0.0.1,::1,198.51.100.7,api.stripe.com"


def test_docker_reaches_a_registry_that_is_an_app_of_this_server_without_the_proxy():
    registry = {"name": "registry", "image": "registry:2", "port": 5000, "domains": ["registry.example.com"]}
    pulled = {**SHOP, "image": "registry.example.com:443/shop:1"}
    assert filters.app_own_registries([registry, pulled]) == ["registry.example.com"]
    assert filters.app_own_registries([registry, SHOP]) == filters.app_own_registries([pulled]) == []


def test_the_server_is_reached_without_the_proxy_by_the_name_that_docker_gives_it():
    hosts = {"host.docker.internal": "host-gateway", "api.stripe.com": "192.0.2.9"}
    (shop,) = containers({**SHOP, "egress": "proxy", "extra_hosts": hosts}, egress={**EGRESS, "no_proxy": []})
    exempt = shop["env"]["NO_PROXY"].split(",")
    assert "host.docker.internal" in exempt
    assert "api.stripe.com" not in exempt


def test_a_proxy_with_a_password_is_a_secret():
    (container,) = containers({**SHOP, "egress": "proxy"}, egress={"https_proxy": "http://me:pass@proxy.example.com"})
    assert container["env"] == {}
    assert container["secrets"]["HTTPS_PROXY"].startswith("http://me:pass@")


@pytest.mark.parametrize("password", ["", "me:secret@"])
@pytest.mark.parametrize("kind", ["env", "secrets"])
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_a_variable_that_the_user_wrote_takes_the_place_of_both_cases(name, kind, password):
    raw = [{**SHOP, "egress": "proxy", kind: {name: "stripe.com"}}]
    proxy = {"https_proxy": f"http://{password}proxy.example.com:3128"}
    (container,) = validate.apps(filters.app_containers(raw, proxy, "/up"))
    started = {**container["env"], **container["secrets"]}
    assert {key: value for key, value in started.items() if key.lower() == "no_proxy"} == {name: "stripe.com"}
    assert container[kind][name] == "stripe.com"
    assert started["HTTPS_PROXY"] == started["https_proxy"] == proxy["https_proxy"]


@pytest.mark.parametrize(("http3", "quic"), [(False, []), (True, [("443", "udp")])])
def test_web_ports_come_first_quic_only_for_http3_and_the_users_rules_follow(http3, quic):
    rules = filters.app_firewall_rules([{"port": "5432", "from": "10.0.0.5"}], http3)
    found = [(rule["port"], rule.get("proto")) for rule in rules]
    assert found == [("80", "tcp"), ("443", "tcp"), *quic, ("5432", None)]


@pytest.mark.parametrize(
    ("release", "expected"), [("Debian_12", False), ("Debian_13", True), ("Ubuntu_24", False), ("Ubuntu_26", True)]
)
def test_which_releases_nginx_has_http3(release, expected):
    assert roles.has("nginx", "http3", release) is expected


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"portside_app": []}, "`portside_app` is no variable of Portside: did you mean `portside_apps`?"),
        ({"nginx_sites": [{"name": "x"}]}, "`nginx_sites` is for the role alone; here it is made from `portside_apps`"),
        ({"portside_addresses": ["web1"]}, "`portside_addresses` item `web1` is not an address such as `203.0.113.10`"),
        ({"ufw_rules": [{"port": "1"}]}, "`ufw_rules` is for the role alone; here set `portside_firewall_rules`"),
        (
            {"certbot_directory": "staging"},
            "is for the role alone; here set `portside_acme_directory`",
        ),
        (
            {"nginx_manage_packages": False},
            "is for the role alone; here packages are installed",
        ),
        ({"portside_apps": [{"name": "x"}]}, "app `x`: `image` is missing"),
        (
            {"portside_apps": [{**SHOP, "drain": 121}]},
            "app `shop-api`: `drain: 121` is longer than `nginx_worker_shutdown_timeout: 120s`",
        ),
    ],
)
def test_inventory_problems(settings, words):
    assert words in "\n".join(filters.inventory_problems(settings, []))


@pytest.mark.parametrize(
    ("app", "limit"),
    [
        ({"drain": 120}, None),
        ({"drain": 300}, "5m"),
        ({"drain": 300}, "300"),
        ({"drain": 300}, "0"),
        ({"drain": 300, "state": "absent"}, None),
        ({"drain": 300, "domains": []}, None),
    ],
)
def test_a_drain_that_nginx_waits_for_is_fine(app, limit):
    settings = {"portside_apps": [{**SHOP, **app}], **({"nginx_worker_shutdown_timeout": limit} if limit else {})}
    assert "drain" not in "\n".join(filters.inventory_problems(settings, []))


def filled_by_the_playbooks():
    """The variables of roles that the playbooks import with a value of their own."""

    def imported(node):
        if isinstance(node, list):
            return {name for item in node for name in imported(item)}
        if not isinstance(node, dict):
            return set()
        own = {name for name in node.get("vars", {}) if name.startswith(tuple(f"{role}_" for role in roles.names()))}
        return own | {name for value in node.values() for name in imported(value)}

    return imported([yaml.safe_load(path.read_text()) for path in (ROOT / "playbooks").glob("**/*.yml")])


def test_every_variable_that_the_playbooks_fill_is_refused_with_what_to_set_instead():
    packages = {f"{role}_manage_packages" for role in roles.names()}
    assert filled_by_the_playbooks() | packages == set(variables.FILLED)


def test_a_default_is_not_taken_for_a_setting():
    # A playbook that imports a role shows its defaults before the role has run.
    assert filters.inventory_problems(roles.all_defaults(), []) == []


def test_a_sound_inventory_has_no_problems():
    assert filters.inventory_problems({"portside_apps": [SHOP, WORKER]}, []) == []


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"portside_addresses": ["203.0.113.10"]}, "203.0.113.10"),
        ({"portside_addresses": []}, "10.0.0.5"),
        ({}, "10.0.0.5"),
    ],
)
def test_no_proxy_has_the_addresses_declared_else_the_servers_own_whoever_runs_ansible(declared, expected):
    wired = trust_as_template(DataLoader().load_from_file("playbooks/vars/wiring.yml")["__portside_server"])
    base = {"inventory_hostname": "web1.example.com", "ansible_facts": {"own_addresses": ["10.0.0.5"]}, **declared}
    connections = ({"ansible_host": "203.0.113.99"}, {"ansible_host": "web1-by-alias.example.com"}, {})
    seen = [Templar(DataLoader(), variables={**base, **connection}).template(wired) for connection in connections]
    assert seen == [[expected, "web1.example.com"]] * 3


def test_before_the_server_was_asked_its_name_alone_is_known():
    wired = trust_as_template(DataLoader().load_from_file("playbooks/vars/wiring.yml")["__portside_server"])
    variables = {"inventory_hostname": "web1", "ansible_facts": {}}
    assert Templar(DataLoader(), variables=variables).template(wired) == ["web1"]


def test_what_an_app_speaks_is_known_wherever_it_is_asked():
    api = {**BLOG, "name": "api", "domains": ["grpc.example.com"], "site": {"protocol": "grpc", "scheme": "https"}}
    # One without a name of its own, reached by a path of another's site.
    inner = {**BLOG, "name": "inner", "site": {"scheme": "https"}}
    front = {**SHOP, "site": {"locations": [{"path": "/i", "app": "inner"}, {"path": "/pkg.Api", "app": "api"}]}}
    apps = [api, inner, front]
    by_path = filters.app_sites(apps, "/up")[1]["locations"]
    assert [item["upstream"].get("protocol", "http") for item in by_path] == ["http", "grpc"]
    assert [item["upstream"].get("scheme") for item in by_path] == ["https", "https"]
    made = {item["name"]: item for item in filters.app_containers(apps, {}, "/up")}
    assert (made["api"]["health"]["check"], made["api"]["health"]["scheme"]) == ("tcp", "https")
    assert made["api"]["front"] == {"host": "grpc.example.com", "protocol": "grpc"}
    assert (made["inner"]["health"]["check"], made["inner"]["health"]["scheme"]) == ("http", "https")
    assert made["shop-api"]["front"] == {"host": "api.example.com"}
    # A rollback brings back the site with the languages of today's neighbours.
    assert json.loads(made["shop-api"]["extra"])["locations"] == by_path
