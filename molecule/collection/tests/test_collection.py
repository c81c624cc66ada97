"""Roles taken one by one from the installed collection add up to a site."""

from __future__ import annotations

from pathlib import Path

from lab.identity import CHECKOUT


def test_roles_wired_by_hand_serve_the_app_with_a_trusted_certificate(curl, domain):
    answer = curl(f"https://shop.{domain}/health")
    assert answer.status == 200, answer


def test_only_what_the_rules_name_is_open(open_ports, vps_vars):
    assert open_ports(vps_vars["lab_ipv4"]) == {22, 80, 443}


def test_the_roles_came_from_the_tarball():
    installed = CHECKOUT / ".build/collection/installed/ansible_collections/portside/vps"
    assert (installed / "MANIFEST.json").is_file()
    assert not Path(installed).is_symlink()
