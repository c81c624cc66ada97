"""Certificates that a site asks its clients for: what is declared, and which requests need one. Decisions only."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.nginx import values

REQUIRED = "required"
# RFC 7468: what stands outside of these lines is not read.
BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
ITEMS = ("webhooks", "locations", "static")


def bundle(client_ca: str) -> str:
    """The certificates of a PEM text and nothing else."""
    return "\n".join(BLOCK.findall(client_ca))


def ca_problem(client_ca: str) -> str | None:
    """For `client_ca`. The value may hold a private key, so the sentence doesn't repeat it."""
    if PRIVATE_KEY.search(client_ca):
        return "holds a private key, which doesn't belong on the server: write only the authority's certificates"
    if values.is_file_path(client_ca):
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=bundle(client_ca))
    except (ssl.SSLError, ValueError):
        return (
            "is neither the certificates of an authority as PEM (`-----BEGIN CERTIFICATE-----` ...) nor the absolute "
            "path of such a file on the server: write `client_ca: /etc/ssl/certs/clients.pem` for instance"
        )
    return None


def problems(site: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with these options of a site of the right form."""
    if site["client_ca"] is None:
        keys = ["client_cert"] if site["client_cert"] else []
        keys += [f"{key}.client_cert" for key in ITEMS if any(item["client_cert"] for item in site[key])]
        for key in keys:
            yield f"`{key}` needs `client_ca`, the authority that the clients' certificates come from"
        return
    if (problem := ca_problem(site["client_ca"])) is not None:
        yield f"`client_ca` {problem}"
    if not site["tls"] or not site["domains"]:
        missing = "`tls: true`" if site["domains"] else "`domains`"
        yield f"`client_ca` needs {missing}: only with TLS does a client show a certificate"
    if site["forwarded_proto"]:
        yield (
            "`client_ca` and `forwarded_proto` exclude each other: a proxy that ends TLS keeps the client's "
            "certificate to itself, and port 80 would serve everybody"
        )


def complete(site: dict[str, Any]) -> None:
    """Fill in which parts of a site need a certificate, and where its authority's stands (`client_ca_file`)."""
    client_ca = site["client_ca"]
    site["client_ca_file"] = site["client_ca_text"] = ""
    if client_ca is not None:
        site["client_cert"] = site["client_cert"] or REQUIRED
        own = not values.is_file_path(client_ca)
        site["client_ca_text"] = bundle(client_ca) if own else ""
        site["client_ca_file"] = f"/etc/nginx/snippets/portside-{site['name']}.pem" if own else client_ca
    for key in ITEMS:
        for item in site[key]:
            item["client_cert"] = item["client_cert"] or site["client_cert"]


def webhooks(app: Mapping[str, Any]) -> dict[str, str]:
    """The webhooks of a completed app that need a client certificate, and where that is declared: site or webhook."""
    site = app["site"]
    if not site.get("client_ca"):
        return {}
    needs = site.get("client_cert") or REQUIRED
    return {
        hook["path"]: "webhook" if hook.get("client_cert") else "site"
        for hook in app["webhooks"]
        if (hook.get("client_cert") or needs) == REQUIRED
    }
