"""Paths as other proxies write them: they would match nothing, and the sender would get 401."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.inventory import apps, roles
from ansible_collections.portside.vps.plugins.module_utils.nginx import sites
from ansible_collections.portside.vps.plugins.module_utils.shape import InvalidInputError

SITE = {"name": "shop", "domains": ["shop.example.com"], "upstream": {"servers": ["127.0.0.1:8000"]}}
APP = {"name": "shop", "image": "acme/shop:1", "port": 8000, "domains": ["shop.example.com"]}
FILES = {"directory": "/srv/shop"}
ELSEWHERE = {"upstream": {"servers": ["127.0.0.1:9000"]}}

# What is written, and what to write.
PATTERNS = [
    ("/webhooks/*", "`/webhooks`"),
    ("/webhooks/**", "`/webhooks`"),
    ("/webhooks*", "the path that they have in common"),
    ("/webhooks/stripe/*", "`/webhooks/stripe`"),
    ("/webhooks/:id", "`/webhooks`"),
    ("/shops/:shop/hook", "`/shops`"),
    ("/webhooks/{id}", "`/webhooks`"),
    ("/webhooks/{path...}", "`/webhooks`"),
    ("/webhooks/<id>", "`/webhooks`"),
    ("/webhooks/<string:id>", "`/webhooks`"),
    ("/webhooks/(stripe|github)", "`/webhooks`"),
    ("/webhooks/.+", "`/webhooks`"),
    ("/webhooks/[a-z]+", "`/webhooks`"),
    ("~ ^/webhooks/", "`/webhooks`"),
    ("^/webhooks", "`/webhooks`"),
    ("^~ /webhooks", "`/webhooks`"),
    ("= /webhooks", "`/webhooks`"),
    ("/webhooks/\\d+", "`/webhooks`"),
    ("/webhooks$", "the path that they have in common"),
    ("*", "the path that they have in common"),
]


def said(change):
    return "\n".join(sites.problems([{**SITE, **change}], roles.defaults("nginx")))


@pytest.mark.parametrize(("path", "instead"), PATTERNS)
@pytest.mark.parametrize(("key", "rest"), [("webhooks", {}), ("static", FILES), ("locations", ELSEWHERE)])
def test_a_pattern_in_place_of_a_path_is_refused_with_what_to_write(key, rest, path, instead):
    message = f"site `shop`: `{key}.path: {path}` is a pattern, and nginx compares paths as they are written: write "
    assert f"{message}{instead}, which has all that lies below it, too" in said({key: [{"path": path, **rest}]})


@pytest.mark.parametrize(("path", "_instead"), PATTERNS)
def test_an_app_says_so_of_its_webhooks_by_its_own_name(path, _instead):
    with pytest.raises(InvalidInputError, match=r"app `shop`: `webhooks.path: .*is a pattern"):
        apps.complete([{**APP, "webhooks": [{"path": path}]}])


@pytest.mark.parametrize("path", ["/old/*", "/old/:id", "/old/(.*)", "~ ^/old/(.*)", "/old/{rest}"])
def test_a_redirect_of_a_whole_tree_is_refused_with_a_rule_that_does_it(path):
    message = said({"redirects": [{"from": path, "to": "/new"}]})
    assert f"`redirects.from: {path}` is a pattern" in message
    assert "in `extra_config`, `rewrite ^/old/(.*)$ /new/$1 permanent;`" in message


@pytest.mark.parametrize("target", ["/new/*", "/new/$1", "/new/:id", "https://example.com/{rest}", "/new/:splat"])
def test_a_redirect_that_would_fill_something_in_is_refused(target):
    message = said({"redirects": [{"from": "/old", "to": target}]})
    assert f"`redirects.to: {target}` is taken as it is written, and nothing is filled in" in message


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks",
        "/webhooks/",
        "/v1/items:batch",
        "/a.b",
        "/~user",
        "/a+b",
        "/a-b_c",
        "/@scope",
        "/a,b",
        "/a=b",
        "/né",
    ],
)
def test_a_path_that_stands_for_itself_is_taken(path):
    assert said({"webhooks": [{"path": path}]}) == ""
    assert said({"static": [{"path": path, **FILES}]}) == ""


@pytest.mark.parametrize("target", ["/new", "https://example.com:8443/new?x=1&y=2", "/n#a:b"])
def test_a_target_that_stands_for_itself_is_taken(target):
    assert said({"redirects": [{"from": "/old", "to": target}]}) == ""
