"""The argument spec is the law: defaults and READMEs say the same."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml
from ansible_collections.portside.vps.plugins.module_utils.inventory import roles


@pytest.mark.parametrize("role", roles.names())
def test_defaults_and_argument_spec_agree(role):
    text = (roles.ROLES / role / "defaults" / "main.yml").read_text(encoding="utf-8")
    defaults = yaml.safe_load(text) or {}
    assert defaults == roles.defaults(role)


@pytest.mark.parametrize("role", roles.names())
def test_every_option_is_described_and_prefixed(role):
    for name, option in roles.options(role).items():
        assert name.startswith(f"{role}_")
        assert option.get("description"), name


@pytest.mark.parametrize("role", roles.names())
def test_every_supported_release_has_packages(role):
    for release in roles.releases(roles.names()):
        assert roles.packages(role, release)


def test_the_tables_in_the_documentation_are_up_to_date():
    script = roles.ROLES.parent / "docs" / "generate.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
