"""The way out of a server whose proxy refuses what an app needs, as the first users met it, and each cure."""

from __future__ import annotations

import json
import shlex
from importlib import import_module

import pytest

PASSWORD = "word-that-no-log-may-hold"
# The worker's, which the proxy doesn't know.
WRONG = "nobody-knows-this"
# What the shop has after the test of NO_PROXY, spelled out.
STAYS = "{{ shop_exempt }}"
LOG = "/run/lab-tinyproxy.log"
# What its log has of apt, and of an order.
APT, ACME = "://deb.debian.org/", "acme.lab.test:14000"
IMAGE = "registry.lab.test:5000/webhook-app:1.1"
# What the scenario's inventory declares.
INVENTORY = {"apt": "direct", "docker": "proxy"}
RENEWAL = "/etc/letsencrypt/renewal/reports.conf"
DUE = "renew_before_expiry = 100 days"
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEXample\n-----END PGP PUBLIC KEY BLOCK-----\n"
# As the app calls it: Stripe's own library, with the transport and the variables that the container has.
CALL = """
import stripe
stripe.api_key, stripe.max_network_retries = "sk_test_for_the_lab", 0
stripe.ca_bundle_path = "/etc/stripe-ca.pem"  # the library brings its own, which can't know the stand-in
try:
    stripe.Charge.list()
except stripe.APIConnectionError as error:
    print("NOT REACHED", error)
except stripe.StripeError as error:
    print("REACHED", error.http_status)
"""


@pytest.fixture
def stripe_says(vps):
    """What the shop's call of Stripe's API comes to."""

    def call() -> str:
        name = vps.check_output("docker ps --filter label=portside.app=shop-api --format '{{.Names}}'")
        return vps.check_output("docker exec %s python -c %s", name, CALL)

    return call


@pytest.fixture
def proxied(client):
    """What the proxy was asked since the call before."""
    seen = [len(client.check_output(f"cat {LOG}").splitlines())]

    def lines() -> str:
        found = client.check_output(f"cat {LOG}").splitlines()
        fresh, seen[0] = found[seen[0] :], len(found)
        return "\n".join(fresh)

    return lines


# It is first only among tests of the same server.
@pytest.mark.usefixtures("vps_name")
def test_while_the_server_was_set_up_pulls_alone_went_through_the_proxy(client):
    asked = client.check_output(f"cat {LOG}")
    assert "registry.lab.test:5000" in asked, "docker: proxy"
    assert APT not in asked, "apt: direct"
    assert ACME not in asked, "certbot and downloads are direct by default"


def test_through_the_proxy_the_call_of_stripe_fails_with_the_error_of_the_first_users(stripe_says, proxied):
    said = stripe_says()
    assert "NOT REACHED" in said
    assert "Tunnel connection failed: 403" in said
    assert "api.stripe.com:443" in proxied(), "it was asked of the proxy"


@pytest.fixture
def broken(vps, client, domain):
    """Three hops of reports are broken by hand: its A record as the client sees it, its certificate, its container."""
    site = "/etc/nginx/sites-enabled/portside-reports.conf"
    name = vps.check_output("docker ps --filter label=portside.app=reports --format '{{.Names}}'")
    incomplete = f"sed -i 's|ssl_certificate .*|ssl_certificate /etc/letsencrypt/live/reports/cert.pem;|' {site}"
    client.run_expect([0], f"cp /etc/hosts /tmp/hosts && echo '198.18.254.254 reports.{domain}' >> /etc/hosts")
    vps.run_expect([0], f"cp {site} /root/site && {incomplete} && systemctl reload nginx && docker kill {name}")
    yield
    client.run_expect([0], "cat /tmp/hosts > /etc/hosts")
    vps.run_expect([0], f"cat /root/site > {site} && systemctl reload nginx && docker start {name}")


def test_the_diagnosis_on_debian_12_names_every_hop_of_both_ways_and_what_mends_it(play, broken, tmp_path, vps_name):
    done = play("diagnose", "-e", f"report={tmp_path / 'report.json'}")
    assert done.status == 1, done.output
    report = (tmp_path / "report.json").read_text(encoding="utf-8")
    apps = json.loads(report)["hosts"][vps_name]
    assert {one["app"]: [found["cause"] for found in one["findings"]] for one in apps} == {
        "shop-api": ["proxy-refused"],
        "reports": ["dns-wrong-a", "certificate-chain", "container-dead"],
        "worker": ["proxy-login"],
    }
    words = " ".join(done.output.split())
    assert "shop-api: broken at way out" in words
    assert "refuses api.stripe.com: 403" in words
    assert "`portside_egress.no_proxy: [api.stripe.com]`, or `egress: direct`" in words
    assert "reports: broken at internet, DNS" in words
    assert "(https_proxy) wants another login (40" in words
    import_module("tests.conftest")  # makes the collection known
    page = import_module("ansible_collections.portside.vps.plugins.module_utils.diagnosis.page")
    html = page.page({vps_name: apps}, "html", "now")
    assert "http://***@" in report
    assert "http://***@" in html
    for written in (done.output, report, html):
        for word in (PASSWORD, WRONG, "//shop:", "//worker:"):
            assert word not in written


def test_pulls_go_through_the_proxy(vps, proxied):
    vps.run_expect([0], f"docker pull {IMAGE}")
    assert "registry.lab.test:5000" in proxied()


@pytest.mark.parametrize("way", ["direct", STAYS], ids=["direct", "with api.stripe.com in NO_PROXY"])
def test_stripe_is_reached_and_that_made_a_release_of_this_app_alone(play, running, stripe_says, proxied, way):
    before = running()
    done = play("deploy", "--diff", "-v", shop_egress=way)
    assert done.status == 0, done.output
    after = running()
    assert {name for name in after if after[name] != before[name]} == {"shop-api"}
    assert stripe_says().strip() == "REACHED 404"
    assert "api.stripe.com" not in proxied()
    assert PASSWORD not in done.output


@pytest.fixture
def fetches(vps):
    """apt has a package to install again, and its archive to ask for it."""

    def again() -> None:
        vps.run_expect([0], "apt-get -qq -y remove logrotate && apt-get clean")

    return again


@pytest.fixture
def site(play, lab_vars):
    """The server is made what the inventory says, with other ways out: `site({"apt": "proxy"}, shop_egress=…)`."""
    proxy = f"http://shop:{PASSWORD}@{lab_vars['lab_client_ipv4']}:8888"

    def go(ways: dict[str, str], **variables):
        egress = {"http_proxy": proxy, "https_proxy": proxy, **ways}
        return play("site", "--diff", "-v", portside_egress=egress, **variables)

    return go


def test_another_way_for_all_that_the_server_fetches_stops_no_app(site, vps, running, proxied, *, fetches, watched):
    before = running()
    daemon = vps.check_output("systemctl show --property MainPID docker.service")
    fetches()
    proxied()
    with watched([PASSWORD, WRONG]) as seen:
        done = site({"apt": "proxy", "certbot": "proxy", "docker": "direct"}, shop_egress=STAYS, reports_key="rsa")
    assert done.status == 0, done.output
    assert seen["found"] == [], "another user of the server saw a password"
    for program in ("apt-get install", "certbot"):
        assert any(program in line for line in seen["seen"]), f"it looked while {program} ran"
    assert running() == before, "live-restore"
    assert vps.check_output("systemctl show --property MainPID docker.service") != daemon, "the daemon is another one"
    asked = proxied()
    assert APT in asked, "apt: proxy"
    assert ACME in asked, "certbot: proxy, an order"
    vps.run_expect([0], f"sed -i '1i {DUE}' {RENEWAL} && systemctl start certbot.service")
    assert ACME in proxied(), "certbot: proxy, a renewal by the timer's service"
    vps.run_expect([0], f"docker rmi {IMAGE} && docker pull {IMAGE}")
    assert "registry.lab.test" not in proxied(), "docker: direct"
    fetches()
    done = site(INVENTORY)
    assert done.status == 0, done.output
    asked = proxied()
    assert APT not in asked, "apt: direct"
    assert ACME not in asked, "certbot: direct"
    assert vps.package("logrotate").is_installed
    assert {name for name, at in running().items() if at != before[name]} == {"shop-api"}, "back to `egress: proxy`"
    assert PASSWORD not in done.output


@pytest.fixture
def repository(client, vps, lab_vars):
    """The client plays Docker's repository, as far as its key."""
    folder = "/run/lab-repository/debian"
    serve = "setsid nohup python3 -m http.server 8899 --directory /run/lab-repository > /dev/null 2>&1 < /dev/null"
    client.run_expect([0], f"mkdir -p {folder} && printf '%s' {shlex.quote(KEY)} > {folder}/gpg")
    client.run_expect([0], f"{serve} & echo $! > /run/lab-repository.pid")
    yield f"http://{lab_vars['lab_client_ipv4']}:8899"
    client.run_expect([0], "kill $(cat /run/lab-repository.pid)")
    vps.run_expect([0], "rm -f /etc/apt/sources.list.d/docker.sources")


@pytest.mark.parametrize("way", ["proxy", "direct"])
def test_what_ansible_itself_downloads_goes_the_declared_way(site, vps, proxied, repository, way):
    proxied()
    done = site({**INVENTORY, "downloads": way}, docker_source="upstream", docker_repository_url=repository)
    assert done.status != 0, "there is a key and no package"
    assert "The packages of Docker are installed" in done.output, "it got that far"
    sources = vps.file("/etc/apt/sources.list.d/docker.sources").content_string
    assert "Signed-By:" in sources, "the key was fetched"
    assert ("/debian/gpg" in proxied()) is (way == "proxy")
    assert PASSWORD not in done.output


def test_the_password_of_the_proxy_is_in_no_log_and_no_file_that_others_can_read(vps):
    assert PASSWORD not in vps.check_output("journalctl --no-pager --output cat")
    readable = vps.run(f"find /etc /var/lib/portside /var/log -type f -perm /044 -exec grep -l {PASSWORD} {{}} +")
    assert readable.stdout == ""
    # What runs all the time; what passes while a run goes is looked for in the test of the other ways out.
    assert PASSWORD not in vps.check_output("ps -eo args")
