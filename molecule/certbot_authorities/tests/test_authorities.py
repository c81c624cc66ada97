"""ACME servers of other kinds: short lifetimes, rejected nonces, customers only, down."""

from __future__ import annotations

import pytest
from authority import HMAC_KEY, KID

TIME = "/run/systemd/system/certbot.service.d/time.conf"
NOW_AND_THEN = "/run/systemd/system/certbot.timer.d/now.conf"


@pytest.fixture
def days_later(server):
    """The installed timer goes off as if so many days had passed: `days_later(4)`; the status of its service."""
    server.sh("sh", "-c", "command -v faketime || { apt-get -qq update; apt-get -qq install faketime; } > /dev/null")
    preload = server.sh("sh", "-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1")

    def go(days: float) -> str:
        drop_in = f'[Service]\nEnvironment="LD_PRELOAD={preload}" "FAKETIME=+{int(days * 24)}h"\n'
        server.sh("sh", "-c", f"mkdir -p {TIME.rpartition('/')[0]} {NOW_AND_THEN.rpartition('/')[0]}")
        server.sh("sh", "-c", f"printf '%s' '{drop_in}' > {TIME}")
        # A day was missed, as after a power cut, and the jitter is over: the timer makes up for it at once.
        server.sh("sh", "-c", f"printf '[Timer]\\nRandomizedDelaySec=0\\n' > {NOW_AND_THEN}")
        server.sh("systemctl", "stop", "certbot.timer")
        server.sh("touch", "-d", "2 days ago", "/var/lib/systemd/timers/stamp-certbot.timer")
        server.sh("systemctl", "daemon-reload")
        before = server.sh("systemctl", "show", "--property=InactiveEnterTimestampMonotonic", "certbot.service")
        server.sh("systemctl", "start", "certbot.timer")
        show = ("systemctl", "show", "--property=InactiveEnterTimestampMonotonic", "certbot.service")
        server.wait_until(lambda: server.sh(*show) != before, "the timer has run its service", seconds=400)
        result = server.sh("systemctl", "show", "--property=Result", "--value", "certbot.service")
        print(server.sh("journalctl", "--unit=certbot.service", "--lines=60", "--no-pager"))
        return result

    yield go
    server.sh("rm", "-f", TIME, NOW_AND_THEN)
    server.sh("systemctl", "daemon-reload")
    server.sh("systemctl", "restart", "certbot.timer")


# Half of the lifetime for six days, a third for 45; and the CA rejects a share of all nonces meanwhile.
@pytest.mark.parametrize("case", [(6, 3, 20), (45, 30, 50)], ids=["6 days", "45 days"])
def test_the_installed_timer_renews_short_lived_certificates(server, authority, days_later, case):
    days, due, rejected = case
    ca = authority(15000 + days * 10, days=days, customers_only=True, PEBBLE_WFE_NONCEREJECT=rejected)
    # One name: each more is more answers of the CA that have to come without a rejected nonce.
    shop = {**server.certificates[0], "domains": server.certificates[0]["domains"][:1]}
    settings = {**ca.settings, "certbot_certificates": [shop]}
    eab = {"kid": KID, "hmac_key": HMAC_KEY}
    if days == 6:
        done = server.converge(**settings)
        assert "externalAccountRequired" in done.output
        assert "(external account binding)" in done.output
    done = server.converge(**settings, certbot_eab=eab)
    assert done.status == 0, done.output
    assert HMAC_KEY not in done.output
    first = server.serial("shop")
    server.wait_for_serial("shop", first)
    assert days_later(due - 0.5) == "success"
    assert server.serial("shop") == first
    assert days_later(due + 0.5) == "success"
    assert server.serial("shop") != first
    server.wait_for_serial("shop", server.serial("shop"))


def test_an_acme_server_that_is_down_at_renewal_leaves_the_old_certificate_serving(server, authority, days_later):
    ca = authority(15900, days=6)
    shop, _blog = server.certificates
    assert server.converge(**ca.settings, certbot_certificates=[shop]).status == 0
    first = server.serial("shop")
    ca.stop()
    assert days_later(4) == "exit-code"
    server.wait_for_serial("shop", first)
    # And a run that has nothing to order does not notice.
    done = server.converge("--diff", **ca.settings, certbot_certificates=[shop])
    assert (done.status, done.changed[server.name]) == (0, 0), done.output
