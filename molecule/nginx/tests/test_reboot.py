"""A reboot brings nginx back without Ansible, and a certificate, an app or a release that is missing does not keep it
away. The tests that follow then look at the rebooted host."""

from __future__ import annotations


def test_nginx_comes_back_after_a_reboot(reboot, vps, curl, domain, wait_until):
    reboot()
    wait_until(lambda: curl(f"https://shop.{domain}/", "--insecure").status == 200, "the site answers again")
    assert vps.service("nginx").is_enabled
