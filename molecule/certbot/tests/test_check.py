"""What nobody would notice is noticed: the check, the alarm, and how little the renewal's service may do."""

from __future__ import annotations

import pytest

ALARMED = "/var/lib/portside/certbot/alarmed"


@pytest.fixture
def alarm(server):
    """The alarm command keeps what it is told; `alarm()` is the text, empty as long as there is none."""
    settings = {"certbot_alarm_command": ["tee", ALARMED]}
    server.sh("rm", "-f", ALARMED)
    assert server.converge(**settings).status == 0
    yield lambda: server.vps.run(f"cat {ALARMED} 2>/dev/null").stdout
    server.sh("rm", "-f", ALARMED)
    server.sh("systemctl", "reset-failed")


def checked(server) -> int:
    return server.vps.run("systemctl start portside-certbot-check.service").rc


def test_the_check_is_content_with_what_the_role_has_made(server):
    assert checked(server) == 0
    assert server.vps.run("portside-certbot-check").rc == 0


def test_a_certificate_that_is_not_the_one_served_raises_the_alarm(server, alarm):
    # A reload that never came: the file is another one, what is shown is the old one.
    shown = server.served("blog").serial
    server.sh("cp", "/etc/letsencrypt/live/blog/fullchain.pem", "/root/kept.pem")
    server.sh("cp", "/etc/letsencrypt/live/shop/fullchain.pem", "/etc/letsencrypt/live/blog/fullchain.pem")
    try:
        assert checked(server) != 0
    finally:
        server.sh("cp", "/root/kept.pem", "/etc/letsencrypt/live/blog/fullchain.pem")
    server.wait_until(lambda: f"shows another certificate: serial {shown}" in alarm(), "the alarm tells both serials")
    assert f"certificate blog: blog.{server.domain} at 127.0.0.1:443" in alarm()
    assert server.sh("systemctl", "show", "--property=ActiveState", "--value", "portside-certbot-check") == "failed"
    assert "alarm: portside-certbot-check.service failed" in server.sh("journalctl", "-t", "portside-certbot", "-b")
    assert checked(server) == 0


def test_a_web_server_that_is_down_raises_the_alarm(server, alarm):
    server.sh("systemctl", "stop", "nginx.service")
    try:
        assert checked(server) != 0
    finally:
        server.sh("systemctl", "start", "nginx.service")
    server.wait_until(lambda: "no certificate is shown" in alarm(), "the alarm says that nothing answers")


def test_a_deploy_hook_that_fails_raises_the_alarm(server, alarm, broken_nginx):
    server.make_due("shop")
    assert server.vps.run("systemctl start certbot.service").rc != 0
    server.wait_until(lambda: "certbot.service failed" in alarm(), "the alarm is raised")
    assert "certificate shop is renewed but not in place" in alarm()
    assert "no_such_directive" in alarm()
    # Until somebody puts it right, the check goes on saying so.
    assert checked(server) != 0
    broken_nginx()
    server.undo_due()
    server.sh("systemctl", "start", "certbot.service")
    assert checked(server) == 0


@pytest.mark.parametrize("unit", ["certbot.service", "portside-certbot-check.service"])
def test_the_services_may_do_little_and_do_their_work(server, unit):
    said = server.sh("systemd-analyze", "security", "--no-pager", unit).splitlines()[-1]
    assert float(said.split(":")[1].split()[0]) <= 4.0, said
