"""The whole of it on a fake host: what is ordered, what is said, what is repaired."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import converge, hook, report, timer
from ansible_collections.portside.vps.plugins.module_utils.certbot import plan as plans
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import read_lineage
from ansible_collections.portside.vps.plugins.module_utils.certbot.preflight import Preflight, Report
from ansible_collections.portside.vps.plugins.module_utils.certbot.problem import Problem
from ansible_collections.portside.vps.plugins.module_utils.command import Completed

from tests.unit.certbot.fake_host import FakeHost

SHOP = {"name": "shop", "domains": ["shop.example", "www.shop.example"]}
BLOG = {"name": "blog", "domains": ["blog.example"]}
NEWS = {"name": "news", "domains": ["news.example"]}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    def systemctl(argv: list[str], **_options: object) -> Completed:
        state = "LoadState=loaded\nUnitFileState=enabled\nActiveState=active\n"
        return Completed(tuple(argv), 0, "\n".join(f"Id={name}\n{state}" for name in timer.TIMERS), "")

    monkeypatch.setattr(converge, "run", systemctl)
    monkeypatch.setattr(plans, "run", systemctl)
    return FakeHost(tmp_path)


def test_first_run_registers_and_orders_everything(fake: FakeHost) -> None:
    wanted = fake.wanted(SHOP, BLOG, email="ops@example.com")
    assert fake.plan(wanted).changed
    outcome = fake.run(wanted)
    assert outcome.failures == []
    assert fake.calls == ["register", "certonly shop", "certonly blog"]
    assert outcome.changed == {"shop", "blog"}
    assert os.readlink(fake.link("shop")) == str(fake.host.live_dir("shop"))
    assert stat.S_IMODE(fake.host.hook.stat().st_mode) == 0o755
    assert stat.S_IMODE(fake.host.account_notes.stat().st_mode) == 0o600


def test_second_run_has_nothing_to_do(fake: FakeHost) -> None:
    wanted = fake.wanted(SHOP, BLOG, email="ops@example.com")
    fake.run(wanted)
    plan = fake.plan(wanted)
    assert not plan.changed
    assert report.diff(fake.host, wanted, plan) == []
    assert not plans.needs_certbot(plan)


def test_address_in_whatever_form_is_ordered_once(fake: FakeHost) -> None:
    for form in ("2001:db8::1", "2001:DB8:0::1", "2001:db8:0:0:0:0:0:1"):
        assert fake.run(fake.wanted({"name": "bare", "domains": [form]})).failures == []
    assert fake.calls == ["register", "certonly bare"]
    assert not fake.plan(fake.wanted({"name": "bare", "domains": ["2001:db8::1"]})).changed


def test_order_is_an_argument_list_that_decides_everything(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP, email="ops@example.com"))
    assert fake.argv[-1] == [
        *("certbot", "certonly", "--non-interactive", "--server", "https://acme.test:14000/dir", "--agree-tos"),
        *("--no-eff-email", "--email", "ops@example.com", "--cert-name", "shop"),
        *("--domain", "shop.example", "--domain", "www.shop.example", "--key-type", "ecdsa"),
        *("--webroot", "--webroot-path", "/var/www/acme", "--force-renewal", "--renew-with-new-domains"),
    ]


def test_one_that_cannot_be_had_is_named_and_the_others_are_there(fake: FakeHost) -> None:
    fake.trouble = {"blog": ["servfail"]}
    outcome = fake.run(fake.wanted(SHOP, BLOG, NEWS))
    assert fake.calls == ["register", "certonly shop", "certonly blog", "certonly news"]
    assert outcome.changed == {"shop", "news"}
    (message,) = outcome.failures
    assert message.startswith("certificate blog (blog.example) could not be had from https://acme.test:14000/dir:")
    assert "broken.example: " in message
    assert "What to do:" in message
    assert message.endswith("There is no certificate in place yet.")
    assert not fake.link("blog").is_symlink()


def test_the_one_in_place_stays_when_the_new_one_cannot_be_had(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP))
    before = (fake.host.live_dir("shop") / "cert.pem").read_bytes()
    fake.trouble = {"shop": ["ratelimit"]}
    outcome = fake.run(fake.wanted({**SHOP, "domains": ["shop.example"]}))
    (message,) = outcome.failures
    assert "retry after 2026-11-23 01:02:03 UTC" in message
    assert "The one in place stays (shop.example, www.shop.example; 89 days left)." in message
    assert (fake.host.live_dir("shop") / "cert.pem").read_bytes() == before
    assert fake.waited == []


def test_rejected_nonces_are_tried_again(fake: FakeHost) -> None:
    fake.trouble = {"shop": ["badnonce-register"] * 5}
    outcome = fake.run(fake.wanted(SHOP))
    assert outcome.failures == []
    assert len(fake.waited) == 5


def test_log_that_certbot_rotates_is_read_all_the_same(fake: FakeHost) -> None:
    fake.rotates = True
    fake.trouble = {"shop": ["badnonce-register"] * 3}
    assert fake.run(fake.wanted(SHOP)).failures == []
    fake.trouble = {"blog": ["blocked"]}
    (message,) = fake.run(fake.wanted(SHOP, BLOG)).failures
    assert "issuance is forbidden by policy" in message


def test_trouble_with_the_server_is_waited_for_once_only(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP))
    fake.calls.clear()
    fake.trouble = {"shop": ["down"] * 9, "blog": ["down"] * 9, "news": ["down"] * 9}
    outcome = fake.run(fake.wanted({**SHOP, "domains": ["shop.example"]}, BLOG, NEWS))
    assert fake.calls == ["certonly shop"] * 4 + ["certonly blog", "certonly news"]
    assert len(outcome.failures) == 3


def test_account_that_cannot_be_made_fails_every_order_with_one_attempt(fake: FakeHost) -> None:
    fake.trouble = {"register": ["bademail"]}
    outcome = fake.run(fake.wanted(SHOP, BLOG, email="ops@example.com"))
    assert fake.calls == ["register"]
    assert len(outcome.failures) == 2
    assert all("correct `certbot_email`" in message for message in outcome.failures)


def test_contact_follows_the_declared_one(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP, email="ops@example.com"))
    fake.calls.clear()
    fake.run(fake.wanted(SHOP, email="new@example.com"))
    assert fake.calls == ["update_account"]
    assert not fake.plan(fake.wanted(SHOP, email="new@example.com")).changed
    fake.run(fake.wanted(SHOP, email=""))
    assert fake.argv[-1][-1] == "--register-unsafely-without-email"


def test_account_made_by_hand_is_left_alone_without_a_declared_contact(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP))
    fake.host.account_notes.unlink()
    assert not fake.plan(fake.wanted(SHOP)).changed
    assert fake.plan(fake.wanted(SHOP, email="ops@example.com")).update_account


def test_contact_that_cannot_be_set_does_not_stop_orders(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP))
    fake.trouble = {"update_account": ["bademail"]}
    outcome = fake.run(fake.wanted(SHOP, BLOG, email="ops@example.com"))
    assert "could not be given the contact `ops@example.com`" in outcome.failures[0]
    assert outcome.changed == {"blog"}


def test_account_that_the_server_forgot_is_made_anew_once(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP))
    # The case in which Pebble had been restarted: accountDoesNotExist.
    fake.trouble = {"blog": ["badnonce"]}
    fake.calls.clear()
    outcome = fake.run(fake.wanted(SHOP, BLOG))
    assert outcome.failures == []
    assert fake.calls == ["certonly blog", "register", "certonly blog"]
    assert "is kept in" in outcome.warnings[0]
    # shop's renewal would have named the account that is gone.
    assert not fake.plan(fake.wanted(SHOP, BLOG)).changed


def test_lost_account_directory_is_repaired_without_an_order(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP))
    for account in (fake.host.config_dir / "accounts").rglob("regr.json"):
        account.unlink()
    fake.calls.clear()
    outcome = fake.run(fake.wanted(SHOP))
    assert (outcome.failures, fake.calls) == ([], ["register"])
    lineage = read_lineage(fake.host, "shop")
    assert lineage.conf is not None
    assert lineage.conf.params["account"] == "account2"


@pytest.mark.parametrize("damage", ["empty conf", "no conf", "no live", "dangling", "rubbish", "another key"])
def test_damaged_lineage_is_set_aside_and_ordered_anew(fake: FakeHost, damage: str) -> None:
    fake.run(fake.wanted(SHOP))
    conf, live = fake.host.renewal_conf("shop"), fake.host.live_dir("shop")
    if damage == "empty conf":
        conf.write_text("")
    elif damage == "no conf":
        conf.unlink()
    elif damage == "no live":
        os.rename(live, fake.host.root / "elsewhere")
    elif damage == "another key":
        fake.issue("other", ["other.example"])
        other = fake.host.live_dir("other") / "privkey.pem"
        (fake.host.live_dir("shop") / "privkey.pem").resolve().write_bytes(other.read_bytes())
    elif damage == "dangling":
        (live / "privkey.pem").resolve().unlink()
    else:
        (live / "cert.pem").resolve().write_text("rubbish")
    outcome = fake.run(fake.wanted(SHOP))
    assert outcome.failures == []
    assert "was damaged" in outcome.warnings[0]
    assert not fake.plan(fake.wanted(SHOP)).changed
    (aside,) = (fake.host.own_dir / "set-aside").iterdir()
    assert stat.S_IMODE(aside.stat().st_mode) == 0o700
    assert list((aside / "archive/shop").glob("privkey*.pem")) or damage == "dangling"


def test_web_server_keeps_its_certificate_while_a_damaged_lineage_cannot_be_replaced(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP))
    serving = (fake.link("shop") / "fullchain.pem").read_bytes()
    fake.host.renewal_conf("shop").write_text("")
    fake.trouble = {"shop": ["servfail"]}
    assert fake.run(fake.wanted(SHOP)).failures
    assert (fake.link("shop") / "fullchain.pem").read_bytes() == serving


def test_profile_that_the_server_lacks_is_not_ordered_and_holds_up_none_of_the_others(fake: FakeHost) -> None:
    fake.profiles = frozenset({"classic"})
    outcome = fake.run(fake.wanted({**SHOP, "profile": "shortlived"}, {**NEWS, "profile": "classic"}, BLOG))
    assert fake.calls == ["register", "certonly news", "certonly blog"]
    assert "has no profile `shortlived`, it has classic" in outcome.failures[0]
    assert "leave it out for the server's default" in outcome.failures[0]


def test_openssl_that_is_missing_is_not_taken_for_damage(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.run(fake.wanted(SHOP))
    monkeypatch.setenv("PATH", str(fake.host.root))
    with pytest.raises(Exception, match="`openssl` is not installed"):
        fake.plan(fake.wanted(SHOP))


def test_run_killed_before_the_hook_is_repaired_without_an_order(fake: FakeHost) -> None:
    wanted = fake.wanted(SHOP)
    fake.run(wanted)
    fake.link("shop").unlink()
    fake.link("shop").symlink_to("placeholder")
    fake.config(wanted).record.unlink()
    fake.calls.clear()
    outcome = fake.run(wanted)
    assert (outcome.failures, outcome.changed, fake.calls) == ([], {"shop"}, [])
    assert hook.in_place(fake.config(wanted), "shop")


def test_failed_check_is_said_and_stays_to_be_done(fake: FakeHost) -> None:
    fake.check = ["sh", "-c", "echo 'nginx: [emerg] no' >&2; exit 1"]
    wanted = fake.wanted(SHOP)
    (message,) = fake.run(wanted).failures
    assert message.startswith("certificate shop is there, but the web server does not serve it yet:")
    assert "nginx: [emerg] no" in message
    fake.check = ["true"]
    assert fake.plan(wanted).changed
    assert fake.run(wanted).failures == []


def test_absent_removes_link_and_lineage(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP, BLOG))
    fake.calls.clear()
    gone = fake.wanted(SHOP, {"name": "blog", "state": "absent"})
    assert fake.run(gone).changed == {"blog"}
    assert fake.calls == ["delete blog"]
    assert not fake.link("blog").is_symlink()
    assert list(json.loads(fake.config(gone).record.read_text())) == ["shop"]
    assert not fake.plan(gone).changed


def test_absent_that_is_still_in_use_stays(fake: FakeHost) -> None:
    fake.run(fake.wanted(BLOG))
    fake.check = ["test", "-e", str(fake.link("blog"))]
    gone = fake.wanted({"name": "blog", "state": "absent"})
    (message,) = fake.run(gone).failures
    assert "certificate blog is still in use" in message
    assert fake.link("blog").exists()
    assert fake.host.renewal_conf("blog").exists()


def test_absent_leaves_a_link_that_leads_elsewhere(fake: FakeHost) -> None:
    fake.run(fake.wanted(BLOG))
    fake.link("blog").unlink()
    fake.link("blog").symlink_to("placeholder")
    fake.run(fake.wanted({"name": "blog", "state": "absent"}))
    assert os.readlink(fake.link("blog")) == "placeholder"


def test_other_server_replaces_and_may_put_staging_over_production(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP))
    fake.run(fake.wanted(SHOP, directory="https://other.test/dir"))
    assert fake.argv[-1][-1] == "--break-my-certs"


def test_webroot_is_edited_without_an_order(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP))
    fake.calls.clear()
    moved = fake.wanted(SHOP, webroot="/srv/acme")
    assert fake.run(moved).changed == {"shop"}
    assert fake.calls == []
    assert not fake.plan(moved).changed


def test_success_that_is_none_is_not_believed(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "issue", lambda *_args, **_options: None)
    (message,) = fake.run(fake.wanted(SHOP)).failures
    assert "certbot reported success, but there is none yet" in message


def test_success_that_is_none_is_not_ordered_for_ever(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "issue", lambda *_args, **_options: None)
    fake.most_failures = 2
    messages = [fake.run(fake.wanted(SHOP)).failures[0] for _ in range(3)]
    assert fake.calls.count("certonly shop") == 2
    assert "failed 2 times within the last hour" in messages[-1]


@pytest.mark.parametrize(
    ("output", "on", "text"),
    [
        ("LoadState=loaded\nUnitFileState=enabled\nActiveState=active\n", True, "enabled, active"),
        ("LoadState=loaded\nUnitFileState=disabled\nActiveState=active\n", False, "disabled, active"),
        ("LoadState=loaded\nUnitFileState=enabled\nActiveState=inactive\n", False, "enabled, inactive"),
        ("LoadState=not-found\nUnitFileState=\nActiveState=inactive\n", False, "not there"),
        ("LoadState=masked\nUnitFileState=masked\nActiveState=inactive\n", False, "masked, inactive"),
        ("", False, ", "),
    ],
)
def test_timer(output: str, on: bool, text: str) -> None:
    renewal, check = timer.parse(f"Id=certbot.timer\n{output}" if output else "")
    assert (renewal.on, str(renewal)) == (on, text)
    assert not check.on
    *before, last = timer.enable([renewal, check])
    assert last[3:] == (("portside-certbot-check.timer",) if on else timer.TIMERS)
    assert before == ([("systemctl", "unmask", "certbot.timer")] if "masked" in output else [])


class Foresight:
    """A pre-flight that finds what it was told to."""

    def __init__(self, **reports: Report) -> None:
        self.reports = {f"{name}.example": report for name, report in reports.items()}
        self.asked: list[str] = []

    def look(self, domains: Iterable[str], _by_dns: Iterable[str] = ()) -> dict[str, Report]:
        self.asked = list(domains)
        return {domain: self.reports.get(domain, Report()) for domain in self.asked}


BAD = Report(problems=[Problem("dns", "DNS has neither an A nor an AAAA record for it", "blog.example")])


def test_order_that_would_fail_is_not_sent(fake: FakeHost) -> None:
    fake.preflight = cast(Preflight, Foresight(blog=BAD, news=Report(warnings=["news.example: odd"])))
    outcome = fake.run(fake.wanted(SHOP, BLOG, NEWS))
    assert fake.calls == ["register", "certonly shop", "certonly news"]
    (message,) = outcome.failures
    assert message.startswith(
        "certificate blog (blog.example) was not ordered, because that would fail:\n  blog.example: "
    )
    assert "give the name an A record" in message
    assert outcome.warnings == ["news.example: odd"]


def test_order_that_would_fail_can_be_sent_with_a_warning(fake: FakeHost) -> None:
    fake.preflight, fake.strict = cast(Preflight, Foresight(blog=BAD)), False
    outcome = fake.run(fake.wanted(BLOG))
    assert (outcome.failures, outcome.changed) == ([], {"blog"})
    assert "DNS has neither" in outcome.warnings[0]


def test_only_names_of_new_orders_are_looked_at(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP))
    foresight = Foresight()
    fake.preflight = cast(Preflight, foresight)
    fake.run(fake.wanted(SHOP, BLOG))
    assert foresight.asked == ["blog.example"]


def test_name_that_failed_too_often_is_not_ordered_again(fake: FakeHost) -> None:
    fake.most_failures = 2
    fake.trouble = {"blog": ["servfail"] * 9}
    for _ in range(2):
        assert "could not be had" in fake.run(fake.wanted({**BLOG, "domains": ["broken.example"]})).failures[0]
    fake.calls.clear()
    (message,) = fake.run(fake.wanted({**BLOG, "domains": ["broken.example"]})).failures
    assert fake.calls == []
    assert "failed 2 times within the last hour" in message
    assert fake.run(fake.wanted(SHOP)).failures == []


def test_of_several_accounts_the_one_that_was_made_here_is_ordered_with(fake: FakeHost) -> None:
    fake.run(fake.wanted(SHOP))
    assert not any("--account" in argv for argv in fake.argv)
    other = fake.host.config_dir / "accounts/acme.test:14000/dir" / "0-of-somebody-else"
    other.mkdir(parents=True)
    (other / "regr.json").write_text("{}")
    fake.argv.clear()
    fake.run(fake.wanted(SHOP, BLOG))
    (argv,) = [argv for argv in fake.argv if argv[1] == "certonly"]
    assert argv[argv.index("--account") + 1] == "account1"
