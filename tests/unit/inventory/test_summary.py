"""The table at the end of a run."""

from __future__ import annotations

from ansible_collections.portside.vps.plugins.module_utils.inventory import summary

DECLARED = {"name": "shop", "url": "https://shop.example.com/", "image": "acme/shop:1"}
APP = {"name": "shop", "image": "acme/shop:1", "host_port": 18000, "bind": "127.0.0.1", "action": "deployed"}
CERTIFICATE = {"name": "shop", "domains": ["shop.example.com"], "days_left": 89, "changed": False}


def test_app_url_image_port_days_and_what_was_done():
    assert summary.rows([DECLARED], [APP], [CERTIFICATE]) == [
        ("shop", "https://shop.example.com/", "acme/shop:1", "127.0.0.1:18000", "89 days left", "deployed")
    ]


def test_a_run_that_only_got_a_certificate_does_not_say_unchanged():
    ((*_, done),) = summary.rows([DECLARED], [{**APP, "action": "unchanged"}], [{**CERTIFICATE, "changed": True}])
    assert done == "certificate changed"


def test_an_app_whose_certificate_could_not_be_had():
    ((*_, days, _),) = summary.rows([DECLARED], [APP], [{**CERTIFICATE, "days_left": None}])
    assert days == "none yet"


def test_a_run_that_looked_at_no_certificate_still_knows_the_url():
    assert summary.rows([DECLARED], [APP], [])[0][1] == "https://shop.example.com/"


def test_a_run_that_failed_before_the_apps_still_lists_them():
    assert summary.rows([DECLARED], [], []) == [
        ("shop", "https://shop.example.com/", "acme/shop:1", "-", "-", "not reached")
    ]


def test_a_worker_has_no_url_and_no_port():
    worker = {"name": "mailer", "url": "-", "image": "m:1"}
    assert summary.rows([worker], [{"name": "mailer", "image": "m:1"}], []) == [
        ("mailer", "-", "m:1", "-", "-", "unchanged")
    ]


def test_columns_line_up():
    lines = summary.table(summary.rows([DECLARED], [APP], [CERTIFICATE]))
    assert lines[0].index("image") == lines[1].index("acme/shop")


def test_check_mode_does_not_claim_a_change():
    assert summary.verdict({"changed": 3}, check_mode=True) == "3 to change, nothing was touched"
    assert summary.verdict({"changed": 3}) == "3 changed"
    assert summary.verdict({}) == "nothing changed"
