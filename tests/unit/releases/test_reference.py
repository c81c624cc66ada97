"""References to images, and what to write in place of what is none."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import reference


@pytest.mark.parametrize(
    "image",
    [
        "redis",
        "redis:7.2",
        "library/redis:7.2-alpine",
        "ghcr.io/acme/shop_api:1.4.2",
        "ghcr.io/acme/shop-api:V1.4.2-RC1",
        "Registry.example.com:5000/shop:1",
        "registry.example.com:5000/a/b/c:x@sha256:" + "0" * 64,
        "localhost/shop",
        "[::1]:5000/shop:1",
        "sha256:" + "a" * 64,
    ],
)
def test_references_of_images(image: str) -> None:
    assert reference.problem(image) is None


@pytest.mark.parametrize(
    ("image", "why", "instead"),
    [
        ("ghcr.io/Acme/Shop-API:1.4.2", "a repository has no capitals", "ghcr.io/acme/shop-api:1.4.2"),
        # Docker would look for a registry called Acme.
        ("Acme/shop:1.4", "a repository has no capitals", "acme/shop:1.4"),
        ("Redis:7", "a repository has no capitals", "redis:7"),
        ("ghcr.io/acme/shop:1.4.2+build.5", "a tag has no `+`", "ghcr.io/acme/shop:1.4.2-build.5"),
        ("ghcr.io/Acme/shop:1+2", "no capitals, and a tag has no `+`", "ghcr.io/acme/shop:1-2"),
        ("https://ghcr.io/acme/shop:1", "a reference has no `https://`", "ghcr.io/acme/shop:1"),
        ("docker://redis:7", "a reference has no `docker://`", "redis:7"),
        ("https://hub.docker.com/r/acme/shop", "that is the page about it", "acme/shop"),
        ("hub.docker.com/_/redis", "that is the page about it", "redis"),
        ("ghcr.io/acme/shop@1.4.2", "a whole digest", "ghcr.io/acme/shop-api:1.4.2"),
        ("redis@sha256:abc", "a whole digest", "ghcr.io/acme/shop-api:1.4.2"),
    ],
)
def test_image_that_is_no_reference_is_answered_with_one(image: str, why: str, instead: str) -> None:
    text = reference.problem(image) or ""
    assert why in text
    assert f"`{instead}`" in text
    assert reference.valid(instead)


@pytest.mark.parametrize("image", ["", "a b", "shop:", ":1", "shop:1:2", "-shop", "shop:" + "1" * 129])
def test_image_that_nobody_can_guess_gets_an_example(image: str) -> None:
    assert "`ghcr.io/acme/shop-api:1.4.2`" in (reference.problem(image) or "")
