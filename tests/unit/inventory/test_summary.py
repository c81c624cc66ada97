"""The table at the end of a run."""

from __future__ import annotations

from ansible_collections.portside.vps.plugins.module_utils.inventory import summary

APP = {"name": "shop", "image": "acme/shop:1", "host_port": 18000, "bind": "127.0.0.1", "action": "deployed"}
CERTIFICATE = {"name": "shop", "domains": ["shop.example.com"], "days_left": 89}


def test_app_url_image_port_days_and_what_was_done():
    assert summary.rows([APP], [CERTIFICATE]) == [
        ("shop", "https://shop.example.com/", "acme/shop:1", "127.0.0.1:18000", "89 days left", "deployed")
    ]


def test_an_app_whose_certificate_could_not_be_had():
    ((*_, days, _),) = summary.rows([APP], [{**CERTIFICATE, "days_left": None}])
    assert days == "none yet"


def test_a_worker_has_no_url_and_no_port():
    assert summary.rows([{"name": "mailer", "image": "m:1", "changed": False}], []) == [
        ("mailer", "-", "m:1", "-", "-", "unchanged")
    ]


def test_columns_line_up():
    lines = summary.table(summary.rows([APP], [CERTIFICATE]))
    assert lines[0].index("image") == lines[1].index("acme/shop")


def test_check_mode_does_not_claim_a_change():
    assert summary.verdict({"changed": 3}, check_mode=True) == "3 to change, nothing was touched"
    assert summary.verdict({"changed": 3}) == "3 changed"
    assert summary.verdict({}) == "nothing changed"
