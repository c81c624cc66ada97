"""The role alone: what is served, what happens when things change, and what when they go wrong."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest


def test_a_client_trusts_what_is_served_under_every_name(curl, domain):
    for name in (f"shop.{domain}", f"www.shop.{domain}", f"blog.{domain}"):
        answer = curl(f"https://{name}/")
        assert (answer.exit_status, answer.status) == (0, 200), answer.error


def test_the_certificate_in_the_lineage_is_the_one_served(server):
    for site in ("shop", "blog"):
        assert server.served(site).serial == server.serial(site)
    server.wait_for_names("shop", "shop", "www.shop")


def test_twenty_certificates_are_had_at_the_first_run_and_served(server):
    assert len(server.sh("ls", "/etc/letsencrypt/renewal").split()) >= 20
    said = json.loads(server.sh("portside-certbot-check", "--json"))
    assert len(said) == 20
    assert [entry["problems"] for entry in said] == [[]] * 20


def test_private_keys_are_for_root_alone(server):
    keys = server.sh("find", "/etc/letsencrypt", "-name", "privkey*.pem", "-type", "f").splitlines()
    assert len(keys) >= 2
    for key in keys:
        file = server.vps.file(key)
        assert (file.user, file.mode) == ("root", 0o600), key


def test_a_run_that_changes_nothing_makes_no_acme_call_and_few_remote_calls(server):
    before = server.acme_calls()
    done = server.converge()
    assert done.status == 0, done.output
    assert done.changed[server.name] == 0
    # What the operating system is, packages, certificates: it does not grow with the number of certificates.
    assert done.calls_on(server.name) <= 3, done.calls
    assert server.acme_calls() == before


def test_check_mode_with_diff_predicts_nothing_on_a_finished_host(server):
    done = server.converge("--check", "--diff")
    assert (done.status, done.changed[server.name]) == (0, 0), done.output


def test_there_is_one_scheduler_and_it_survives_a_reboot(server):
    for timer in ("certbot.timer", "portside-certbot-check.timer"):
        assert server.sh("systemctl", "is-enabled", timer) == "enabled"
        assert server.sh("systemctl", "is-active", timer) == "active"
    # Debian's package brings a cron job too; it stands back where systemd runs.
    assert r"\! -d /run/systemd/system" in server.vps.file("/etc/cron.d/certbot").content_string


def test_a_name_that_is_added_or_removed_is_served_or_not(server):
    shop, blog = server.certificates
    more = {**shop, "domains": [*shop["domains"], "more.shop.{{ lab_domain }}"]}
    assert server.converge(certbot_certificates=[more, blog]).status == 0
    server.wait_for_names("shop", "shop", "www.shop", "more.shop")
    fewer = {**shop, "domains": ["shop.{{ lab_domain }}"]}
    assert server.converge(certbot_certificates=[fewer, blog]).status == 0
    server.wait_for_names("shop", "shop")


def test_two_runs_at_once_order_a_certificate_once(server):
    def certificates():
        return server.sh("sh", "-c", "ls /etc/letsencrypt/archive/shop | grep -c ^cert")

    before = int(certificates())
    shop, blog = server.certificates
    more = {**shop, "domains": [*shop["domains"], "more.shop.{{ lab_domain }}"]}
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(server.converge, certbot_certificates=[more, blog]) for _ in range(2)]
    both = [run.result() for run in runs]
    assert [done.status for done in both] == [0, 0], [done.output for done in both]
    assert sorted(done.changed[server.name] for done in both) == [0, 1]
    assert int(certificates()) == before + 1


def test_names_in_another_order_are_the_same_names(server):
    backwards = [{**one, "domains": one["domains"][::-1]} for one in server.all_certificates[::-1]]
    done = server.converge(certbot_certificates=backwards)
    assert (done.status, done.changed[server.name]) == (0, 0), done.output


def test_one_certificate_that_cannot_be_had_holds_up_none_of_the_others(server):
    shop, blog = server.certificates
    declared = [
        {"name": "lost", "domains": ["lost.{{ lab_domain }}", "nowhere.lab-has-no-such.test"]},
        {**shop, "domains": [*shop["domains"], "more.shop.{{ lab_domain }}"]},
        blog,
        {"name": "fourth", "domains": ["fourth.{{ lab_domain }}"]},
    ]
    before = server.served("blog").serial
    done = server.converge(certbot_certificates=declared)
    assert done.status != 0
    assert f"certificate lost (lost.{server.domain}, nowhere.lab-has-no-such.test) was not ordered" in done.output
    assert "nowhere.lab-has-no-such.test: DNS has neither an A nor an AAAA record" in done.output
    assert "give the name an A record" in done.output
    assert "There is no certificate in place yet." in done.output
    assert "Traceback" not in done.output
    server.wait_for_names("shop", "shop", "www.shop", "more.shop")
    assert server.served("blog").serial == before
    assert server.vps.file("/etc/letsencrypt/live/fourth/fullchain.pem").exists
    absent = [{"name": name, "state": "absent"} for name in ("lost", "fourth")]
    done = server.converge(certbot_certificates=[shop, blog, *absent])
    assert done.status == 0, done.output
    assert not server.vps.file("/etc/letsencrypt/live/fourth").exists
    assert not server.vps.file("/etc/nginx/tls/fourth").exists


def test_a_certificate_that_the_acme_server_refuses_holds_up_none_of_the_others_either(server):
    declared = [
        {"name": "lost", "domains": ["nowhere.lab-has-no-such.test"]},
        *server.certificates,
        {"name": "fourth", "domains": ["fourth.{{ lab_domain }}"]},
    ]
    done = server.converge(certbot_certificates=declared, certbot_preflight="off")
    assert done.status != 0
    assert "certificate lost (nowhere.lab-has-no-such.test) could not be had from" in done.output
    assert "nowhere.lab-has-no-such.test: " in done.output
    assert "look at its A and AAAA records" in done.output
    assert "Traceback" not in done.output
    assert server.vps.file("/etc/letsencrypt/live/fourth/fullchain.pem").exists
    absent = [{"name": name, "state": "absent"} for name in ("lost", "fourth")]
    assert server.converge(certbot_certificates=[*server.certificates, *absent]).status == 0


def test_what_is_wrong_with_a_name_is_said_and_no_order_is_sent(server, challtestsrv):
    stale, forbidden, good = (f"{word}-{server.name}.dns.test" for word in ("stale", "forbidden", "good"))
    v4, v6 = server.address("lab_ipv4"), server.address("lab_ipv6_address")
    for name in (stale, forbidden, good):
        challtestsrv("add-a", host=name, addresses=[v4])
        challtestsrv("add-aaaa", host=name, addresses=[server.address("lab_client_ipv6") if name == stale else v6])
    challtestsrv("add-caa", host=forbidden, policies=[{"tag": "issue", "value": "other-ca.example"}])
    declared = [
        *server.certificates,
        {"name": "bad", "domains": [good, stale, forbidden, "nowhere.dns.test"]},
    ]
    before = server.acme_calls()
    done = server.converge(certbot_certificates=declared, certbot_caa_identities=["pebble.example"])
    assert done.status != 0
    words = " ".join(done.output.split())
    assert (
        f"{stale}: over IPv6 (AAAA record {server.address('lab_client_ipv6')}, which is no address of this host)"
        in words
    )
    assert f"{stale}: over IPv4" not in words
    assert f"{forbidden}: the CAA record of {forbidden} is `issue other-ca.example`" in words
    assert "nowhere.dns.test: DNS has neither an A nor an AAAA record for it" in words
    assert f"{good}: " not in words
    assert server.acme_calls() == before


def test_a_name_that_failed_too_often_is_not_ordered_again_within_the_hour(server):
    declared = [*server.certificates, {"name": "lost", "domains": [f"often-{server.name}.lab-has-no-such.test"]}]
    options = {"certbot_preflight": "off", "certbot_failed_orders_per_hour": 1}
    assert "could not be had" in server.converge(certbot_certificates=declared, **options).output
    before = server.acme_calls()
    done = server.converge(certbot_certificates=declared, **options)
    assert "failed 1 times within the last hour" in " ".join(done.output.split())
    assert server.acme_calls() == before


def test_an_absent_certificate_that_is_still_in_use_stays(server, curl):
    _shop, blog = server.certificates
    done = server.converge(certbot_certificates=[{"name": "shop", "state": "absent"}, blog])
    assert done.status != 0
    assert "certificate shop is still in use, nothing of it has been removed" in done.output
    assert curl(f"https://shop.{server.domain}/").status == 200


def test_the_timers_service_renews_and_the_new_certificate_is_served(server, curl):
    before, other = server.serial("shop"), server.served("blog").serial
    server.make_due("shop")
    server.sh("systemctl", "start", "certbot.service")
    assert server.serial("shop") != before
    server.wait_for_serial("shop", server.serial("shop"))
    assert server.served("blog").serial == other
    assert curl(f"https://shop.{server.domain}/").status == 200
    journal = server.sh("journalctl", "-t", "portside-certbot", "--no-pager", "--lines", "1")
    assert "certificate shop is in place" in journal


def test_a_renewal_that_does_not_reach_the_web_server_fails_the_unit_and_is_made_good(server, broken_nginx):
    before = server.served("shop").serial
    server.make_due("shop")
    assert server.vps.run("systemctl start certbot.service").rc != 0
    assert server.sh("systemctl", "show", "--property=ActiveState", "--value", "certbot.service") == "failed"
    journal = server.sh("journalctl", "-t", "portside-certbot", "--no-pager", "--since", "-1min")
    assert "certificate shop is renewed but not in place" in journal
    assert "no_such_directive" in journal
    assert server.served("shop").serial == before != server.serial("shop")
    broken_nginx()
    server.undo_due()
    server.sh("systemctl", "start", "certbot.service")
    server.wait_for_serial("shop", server.serial("shop"))


def test_a_failed_deployment_fails_the_run_and_the_next_one_makes_it_good(server, broken_nginx):
    shop, blog = server.certificates
    wanted = [{**shop, "domains": [*shop["domains"], "more.shop.{{ lab_domain }}"]}, blog]
    done = server.converge(certbot_certificates=wanted)
    assert done.status != 0
    assert "certificate shop is there, but the web server does not serve it yet" in done.output
    assert "no_such_directive" in done.output
    broken_nginx()
    assert server.converge(certbot_certificates=wanted).status == 0
    server.wait_for_names("shop", "shop", "www.shop", "more.shop")


def test_a_run_killed_before_the_web_server_was_told_is_repaired(server):
    # What such a run leaves: the lineage is there, the link still leads to the placeholder, nothing is noted.
    server.sh("ln", "-sfn", "placeholder", "/etc/nginx/tls/blog")
    server.sh("systemctl", "reload", "nginx.service")
    server.sh("sed", "-i", "/blog/,/}/d", "/var/lib/portside/certbot/deployed.json")
    server.wait_for_names("blog")
    before = server.serial("blog")
    done = server.converge()
    assert (done.status, done.changed[server.name]) == (0, 1), done.output
    assert server.serial("blog") == before
    server.wait_for_serial("blog", before)


def test_a_renewal_killed_before_the_web_server_was_told_is_repaired(server):
    before = server.served("blog").serial
    # Without its hooks certbot leaves what it leaves when it is killed before them. The CA may reject some nonces.
    renew = "certbot renew --quiet --no-random-sleep-on-renew --force-renewal --cert-name blog --no-directory-hooks"
    environment = "REQUESTS_CA_BUNDLE=/etc/letsencrypt/portside/ca-bundle.pem"
    server.sh("sh", "-c", f"for n in 1 2 3 4 5; do env {environment} {renew} && exit; done; exit 1")
    assert server.served("blog").serial == before != server.serial("blog")
    server.sh("systemctl", "start", "certbot.service")
    server.wait_for_serial("blog", server.serial("blog"))


def test_a_lineage_that_a_killed_certbot_left_half_made_is_replaced_while_the_old_one_serves(server, curl):
    server.sh("truncate", "-s", "0", "/etc/letsencrypt/renewal/blog.conf")
    done = server.converge()
    assert done.status == 0, done.output
    assert "certificate blog was damaged" in done.output
    server.wait_for_serial("blog", server.serial("blog"))
    assert curl(f"https://blog.{server.domain}/").status == 200
    assert not [name for name in server.sh("ls", "/etc/letsencrypt/renewal").split() if "-0001" in name]


def test_another_acme_server_replaces_the_certificates(server):
    address = server.sh("getent", "ahostsv4", "acme.lab.test").split()[0]
    other = server.directory.replace("acme.lab.test", address)
    before = server.serial("shop")
    done = server.converge(certbot_directory=other, certbot_certificates=server.certificates)
    assert done.status == 0, done.output
    assert server.serial("shop") != before
    server.wait_for_serial("shop", server.serial("shop"))
    assert f"server = {other}" in server.conf("shop")


def test_an_acme_server_that_is_down_leaves_the_old_certificates_serving(server, curl):
    before = server.served("shop").serial
    done = server.converge(
        certbot_directory=server.directory.replace("14000", "14999"), certbot_certificates=server.certificates
    )
    assert done.status != 0
    assert "Connection refused" in done.output
    assert server.served("shop").serial == before
    assert curl(f"https://shop.{server.domain}/").status == 200
    assert "The one in place stays" in done.output


def test_an_acme_server_that_is_not_trusted_is_named(server):
    done = server.converge(
        certbot_ca_file="", certbot_directory=server.directory + "/", certbot_certificates=server.certificates
    )
    assert done.status != 0
    assert "the ACME server's https certificate is not trusted" in done.output
    assert "`certbot_ca_file`" in done.output


def contact(server) -> str:
    """The account's contact as the ACME server has it; it may reject some nonces before it says."""
    show = f"certbot show_account --server {server.directory}"
    environment = "REQUESTS_CA_BUNDLE=/etc/letsencrypt/portside/ca-bundle.pem"
    return server.sh("sh", "-c", f"for n in 1 2 3 4 5; do env {environment} {show} && exit; done; exit 1")


def test_the_accounts_contact_follows_the_declared_one(server):
    assert "ops@example.com" in contact(server)
    done = server.converge(certbot_email="new@example.com")
    assert (done.status, done.changed[server.name]) == (0, 1), done.output
    assert "new@example.com" in contact(server)
    assert server.converge(certbot_email="new@example.com").changed[server.name] == 0
    assert server.converge(certbot_email="").status == 0
    assert "example.com" not in contact(server).replace(server.directory, "")


def test_an_account_that_is_gone_is_made_anew_and_renewals_use_it(server):
    before = server.serial("shop")
    server.sh("rm", "-r", "/etc/letsencrypt/accounts")
    done = server.converge()
    assert done.status == 0, done.output
    server.make_due("shop")
    server.sh("systemctl", "start", "certbot.service")
    assert server.serial("shop") != before
    server.wait_for_serial("shop", server.serial("shop"))


def test_another_webroot_costs_no_order(server):
    before, calls = server.serial("shop"), server.acme_calls()
    assert server.converge(certbot_webroot="/srv/acme").status == 0
    assert (server.serial("shop"), server.acme_calls()) == (before, calls)
    assert "webroot_path = /srv/acme," in server.conf("shop")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"certbot_certificates": [{"name": "x", "domains": ["*.x.test"]}]}, "domain `*.x.test` is a wildcard"),
        ({"certbot_certificates": [{"name": "x", "domain": ["x.test"]}]}, "domain"),
        ({"certbot_ca_file": "/etc/hostname"}, "holds no PEM certificate"),
    ],
)
def test_a_mistake_is_refused_before_the_first_change(server, variables, words):
    done = server.converge(**variables)
    assert done.status != 0
    assert words in done.output, done.output
    # One call asks for the operating system's release.
    assert done.calls_on(server.name) <= 1, done.calls
