"""A reboot brings nginx back without Ansible, also where a certificate, a release and the app are gone. The tests that
follow then look at the rebooted host."""

from __future__ import annotations


def test_nginx_comes_back_after_a_reboot_with_a_certificate_a_release_and_the_app_missing(
    reboot, vps, curl, domain, wait_until
):
    vps.run_expect([0], "ln -sfn /etc/letsencrypt/live/gone /etc/nginx/tls/shop")
    vps.run_expect([0], "rm -r /var/lib/elsewhere")
    reboot()
    wait_until(lambda: curl(f"https://shop.{domain}/", "--insecure").status == 200, "the site answers again")
    for name in ("unreleased", "down"):
        assert curl(f"https://{name}.{domain}/", "--insecure").status == 503
    assert vps.service("nginx").is_enabled
    assert "the placeholder stands in for it" in vps.check_output("journalctl --no-pager --unit portside-nginx")


def test_nginx_starts_while_dns_is_down(vps, curl, domain, wait_until):
    vps.run_expect([0], "cp /etc/resolv.conf /root/resolv.conf")
    try:
        nobody = "nameserver 192.0.2.1\noptions timeout:1 attempts:1\n"
        vps.run_expect([0], "printf %s > /etc/resolv.conf", nobody)
        assert vps.run("getent hosts acme.lab.test").rc != 0
        vps.run_expect([0], "systemctl restart portside-nginx.service nginx.service")
    finally:
        vps.run_expect([0], "cat /root/resolv.conf > /etc/resolv.conf")
    wait_until(lambda: curl(f"https://shop.{domain}/", "--insecure").status == 200, "the site answers")
