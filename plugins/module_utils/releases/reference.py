"""References to images: what is one, and what to write in place of what looks like one."""

from __future__ import annotations

import re

# The grammar: github.com/distribution/reference, reference.go.
_HOST = r"(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{32,}"
IMAGE = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::{_TAG})?(?:@{_DIGEST})?")
IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
# Docker takes a first part with a capital for a host (normalize.go); the user means somebody's name on Docker Hub.
_NO_HOST = re.compile(r"(?=[^/]*[A-Z])[A-Za-z0-9_-]+/.*")
_PAGE = re.compile(r"hub\.docker\.com/(?:r|_)/")
EXAMPLE = "`ghcr.io/acme/shop-api:1.4.2`"


def valid(image: str) -> bool:
    """Whether it is a reference, or the ID of an image, that means what it looks like."""
    return bool(IMAGE_ID.fullmatch(image) or (IMAGE.fullmatch(image) and not _NO_HOST.fullmatch(image)))


def _split(image: str) -> tuple[str, str, str]:
    """Host with its slash (empty for none), repository, and the rest: tag and digest with what is before them."""
    first, slash, rest = image.partition("/")
    host = f"{first}/" if slash and ("." in first or ":" in first or first == "localhost") else ""
    rest = image.removeprefix(host)
    end = min((at for at in (rest.find(":"), rest.find("@")) if at >= 0), default=len(rest))
    return host, rest[:end], rest[end:]


def _instead(image: str) -> tuple[str, str]:
    """What is wrong with it, and what the user may have meant; both empty where nobody knows."""
    text, reasons = image.strip(), list[str]()
    scheme = re.match(r"[a-z][a-z0-9+.-]*://", text)
    if scheme:
        text, reasons = text[scheme.end() :], [f"a reference has no `{scheme[0]}`"]
    if _PAGE.match(text):
        text = _PAGE.sub("", text)
        reasons.append("that is the page about it")
    host, repository, rest = _split(text)
    if repository != repository.lower():
        reasons.append("a repository has no capitals")
    tag, at, digest = rest.partition("@")
    if "+" in tag:
        reasons.append("a tag has no `+` (what builds images writes `-` or `_` for it: see which tag there is)")
        tag = tag.replace("+", "-")
    if at and not re.fullmatch(_DIGEST, digest):
        reasons.append("behind `@` stands a whole digest, `sha256:` and 64 digits, and a tag behind `:`")
    return ", and ".join(reasons), f"{host}{repository.lower()}{tag}{at}{digest}"


def problem(image: str) -> str | None:
    """What is wrong with a reference, and what to write; None when nothing is."""
    if valid(image):
        return None
    why, instead = _instead(image)
    if not why:
        return f"`image: {image}` is not an image reference such as {EXAMPLE}"
    written = f": write `{instead}`" if valid(instead) else f": write it like {EXAMPLE}"
    return f"`image: {image}` is not an image reference: {why}{written}"
