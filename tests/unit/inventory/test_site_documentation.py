"""docs/sites.md: every example can be used as it stands, and every option of a site has one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.portside.vps.plugins.filter import apps, certbot, nginx
from ansible_collections.portside.vps.plugins.module_utils.inventory import app_spec, roles

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "sites.md").read_text(encoding="utf-8")
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
APP = {"name": "shop", "image": "ghcr.io/acme/shop:1.4.2", "port": 8000, "domains": ["example.com", "www.example.com"]}


def settings(example):
    """The example as variables of a host."""
    if any(key.startswith(("portside_", "nginx_")) for key in example):
        return example
    return {"portside_apps": [{**APP, **example}]}


@pytest.mark.parametrize("example", EXAMPLES, ids=[str(list(example)) for example in EXAMPLES])
def test_every_example_can_be_used_as_it_stands(example):
    variables = settings(example)
    # The role alone takes them as they are.
    sites = variables.get("nginx_sites")
    if sites is None:
        assert apps.inventory_problems(variables, ["nginx"]) == []
        sites = apps.app_sites(variables.get("portside_apps", []), "/up")
    assert nginx.nginx_problems(sites, {**roles.defaults("nginx"), **variables}) == []


def test_the_wildcard_in_the_documentation_can_be_used():
    text = (Path(__file__).resolve().parents[3] / "docs" / "certificates.md").read_text(encoding="utf-8")
    (example,) = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if '"*.' in block]
    variables = yaml.safe_load(example)
    declared = [{"image": APP["image"], "port": APP["port"], **app} for app in variables["portside_apps"]]
    assert apps.inventory_problems({**variables, "portside_apps": declared}, ["certbot"]) == []
    assert nginx.nginx_problems(apps.app_sites(declared, "/up"), roles.defaults("nginx")) == []
    places = ("production", "", "/var/www/acme", "/etc/nginx/tls")
    assert certbot.certbot_problems(apps.app_certificates(declared), *places, dns=variables["certbot_dns"]) == []
    (container,) = apps.app_containers(declared, {"https_proxy": "http://proxy.example:3128"}, "/up")
    assert container["health"]["host"] == "example.com"


def test_every_option_of_a_site_and_of_a_webhook_has_an_example():
    items = [app for example in EXAMPLES for app in settings(example).get("portside_apps", [])]
    assert {key for app in items for key in app.get("site", {})} == set(app_spec.SITE)
    hooks = [hook for app in items for hook in app.get("webhooks", [])]
    assert {key for hook in hooks for key in hook} == set(app_spec.APP["webhooks"]["options"])
