"""Sites and certificates of apps that stay on an earlier release."""

from __future__ import annotations

import json

from ansible_collections.portside.vps.plugins.filter import apps, nginx, releases
from ansible_collections.portside.vps.plugins.module_utils.inventory import roles

UPSTREAMS = "/etc/nginx/upstreams"
SETTINGS = roles.defaults("nginx")


def app(name, *domains):
    return {"name": name, "image": "registry.example/app:1", "port": 8000, "domains": list(domains)}


def sites(*declared):
    return apps.app_sites(list(declared), UPSTREAMS)


def test_the_site_is_that_of_the_release_that_serves():
    (before,) = sites(app("shop", "shop.example.com"))
    declared = sites(app("shop", "new.example.com"), app("blog", "blog.example.com"))
    found = releases.held_sites(declared, {"shop": json.dumps(before)})
    assert [site["domains"] for site in found] == [["shop.example.com"], ["blog.example.com"]]
    assert nginx.FilterModule().filters()["nginx_problems"](found, SETTINGS) == []


def test_an_app_that_stays_as_it_is_declared_has_the_declared_site():
    declared = sites(app("shop", "shop.example.com"))
    assert releases.held_sites(declared, {"shop": ""}) == declared


def test_a_name_that_comes_back_with_an_earlier_release_and_is_another_apps_by_now_is_told():
    (before,) = sites(app("shop", "shop.example.com", "blog.example.com"))
    declared = sites(app("shop", "shop.example.com"), app("blog", "blog.example.com"))
    found = releases.held_sites(declared, {"shop": json.dumps(before)})
    (problem,) = nginx.FilterModule().filters()["nginx_problems"](found, SETTINGS)
    assert "`blog.example.com` is declared more than once (sites shop, blog)" in problem


def test_the_certificate_is_for_the_names_of_both():
    (before,) = sites(app("shop", "shop.example.com"))
    declared = apps.app_certificates([app("shop", "new.example.com")])
    (found,) = releases.held_certificates(declared, {"shop": json.dumps(before)})
    assert found["domains"] == ["shop.example.com", "new.example.com"]
