"""A reboot brings everything back without Ansible. The tests that follow then look at the rebooted host."""

from __future__ import annotations


def test_a_reboot_brings_everything_back(reboot, vps, client, domain):
    reboot()
    answer = client.run(
        "curl --silent --insecure --retry 30 --retry-delay 1 --retry-all-errors --max-time 5 --fail https://api.%s/health",
        domain,
    )
    assert answer.rc == 0, answer.stderr
    assert "active" in vps.check_output("ufw status")
