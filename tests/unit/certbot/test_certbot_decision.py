"""What a lineage needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import decision
from ansible_collections.portside.vps.plugins.module_utils.certbot.lineage import Leaf, Lineage, RenewalConf
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import Certificate, Wanted

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SERVER = "https://acme.test:14000/dir"
WANTED = Wanted((), server=SERVER, email="", webroot="/var/www/acme", link_dir="")
CERTIFICATE = Certificate("shop", ("shop.example", "www.shop.example"))
PARAMS = {
    "account": "0123",
    "server": SERVER,
    "key_type": "ecdsa",
    "authenticator": "webroot",
    "webroot_path": "/var/www/acme,",
}


def standing(
    names: tuple[str, ...] = ("www.shop.example", "shop.example"),
    days: float = 90,
    version: str = "4.0.0",
    values: dict[str, str] | None = None,
    **params: str | None,
) -> Lineage:
    """A lineage as certbot made it, with some things otherwise."""
    leaf = Leaf(frozenset(names), "0A", "CN=x", NOW - timedelta(days=1), NOW - timedelta(days=1) + timedelta(days=days))
    kept = {key: value for key, value in {**PARAMS, **params}.items() if value is not None}
    webroot = kept.get("webroot_path", "").rstrip(",")
    conf = RenewalConf({"version": version, **(values or {})}, kept, dict.fromkeys(names, webroot) if webroot else {})
    return Lineage("shop", conf=conf, leaf=leaf, leftovers=())


@pytest.mark.parametrize(
    ("lineage", "reasons"),
    [
        (standing(), ()),
        (Lineage("shop"), ("there is none yet",)),
        (Lineage("shop", damage="cert.pem is missing"), ("the lineage is damaged: cert.pem is missing",)),
        (standing(names=("shop.example",)), ("it lacks www.shop.example",)),
        (standing(names=("shop.example", "www.shop.example", "old.example")), ("it still has old.example",)),
        (standing(server="https://staging.test/dir"), ("it is from https://staging.test/dir",)),
        (standing(key_type="rsa"), ("its key is RSA",)),
        (standing(key_type=None), ("its key is RSA",)),
        (
            standing(authenticator="standalone"),
            ("it is renewed by certbot's standalone plugin, not through the webroot",),
        ),
        (standing(days=1), ("it expired at 2026-11-22 00:00 UTC",)),
        # Near its end: the timer's business.
        (standing(days=1.2), ()),
    ],
)
def test_reasons_to_order(lineage: Lineage, reasons: tuple[str, ...]) -> None:
    assert decision.reasons_to_issue(CERTIFICATE, lineage, WANTED, NOW) == reasons


@pytest.mark.parametrize(
    ("lineage", "accounts", "edit"),
    [
        (standing(), ("0123",), decision.Edit()),
        (Lineage("shop"), ("0123",), decision.Edit()),
        (
            standing(webroot_path="/srv/old,"),
            ("0123",),
            decision.Edit(params={"webroot_path": "/var/www/acme,"}, webroot="/var/www/acme"),
        ),
        (standing(account="gone"), ("0123",), decision.Edit(params={"account": "0123"})),
        # Which of two accounts is meant can't be known.
        (standing(account="gone"), ("0123", "4567"), decision.Edit()),
        (standing(account="4567"), ("0123", "4567"), decision.Edit()),
        (standing(account="gone"), (), decision.Edit()),
    ],
)
def test_edits(lineage: Lineage, accounts: tuple[str, ...], edit: decision.Edit) -> None:
    assert decision.edit(CERTIFICATE, lineage, WANTED, accounts) == edit


@pytest.mark.parametrize(
    ("days", "version", "present", "option"),
    [
        # certbot before 4.1 renews 30 days before the end: right for 90 days, wrong for anything shorter.
        (90, "2.1.0", None, None),
        (64, "2.1.0", None, "512 hours"),
        (45, "2.1.0", None, "360 hours"),
        (6, "2.1.0", None, "72 hours"),
        (45, "2.1.0", "360 hours", None),
        (45, "2.1.0", "512 hours", "360 hours"),
        # From when the certificate lived six days: it would be renewed three days before the end.
        (90, "2.1.0", "72 hours", "720 hours"),
        (90, "5.6.0", "72 hours", "720 hours"),
        (90, "2.1.0", "720 hours", None),
        # The user's own.
        (45, "2.1.0", "20 days", None),
        # 4.0.0 as well, whatever its changelog says: its default of 30 days comes before its rule.
        (45, "4.0.0", None, "360 hours"),
        (6, "4.0.0", None, "72 hours"),
        (90, "4.0.0", None, None),
        # 4.1.0 knows by itself.
        (6, "4.1.0", None, None),
    ],
)
def test_window_of_an_old_certbot(days: float, version: str, present: str | None, option: str | None) -> None:
    values = {"renew_before_expiry": present} if present else {}
    edit: Any = decision.edit(CERTIFICATE, standing(days=days, version=version, values=values), WANTED, ("0123",))
    assert edit.values.get("renew_before_expiry") == option
