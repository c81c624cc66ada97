"""Observations of a healthy server, to be made worse one at a time."""

from __future__ import annotations

import copy
from typing import Any

ADDRESSES = ["203.0.113.10", "2001:db8::10"]
NAME = "api.example.com"
HOOK = "/webhooks/stripe"

APP: dict[str, Any] = {
    "egress": {"http_proxy": "portside_egress", "https_proxy": "portside_egress"},
    "name": "shop-api",
    "port": 8000,
    "bind": "127.0.0.1",
    "domains": [NAME],
    "webhooks": [HOOK],
    "health": {"check": "http", "method": "GET", "path": "/health", "status": [200], "host": NAME},
    "upstream_file": "/etc/nginx/upstreams/shop-api.conf",
    "checks": ["https://api.stripe.com"],
}


def answer(status: int, **more: Any) -> dict[str, Any]:
    return {"status": status, "location": "", "error": "", "ms": 3, **more}


CONTAINER: dict[str, Any] = {
    "name": "shop-api-r3",
    "app": "shop-api",
    "release": "3",
    "status": "running",
    "exit_code": 0,
    "restarts": 0,
    "out_of_memory": False,
    "error": "",
    "health": "",
    "started": "2026-09-01T10:00:00Z",
    "up": 86400,
    "published": {"8000": ["127.0.0.1:18000"]},
    "listening": ["0.0.0.0:8000", "127.0.0.11:40000"],
    "log": ["the last line"],
}
CERTIFICATE: dict[str, Any] = {
    "source": "served",
    "serial": "0A",
    "on_disk": "0A",
    "late": False,
    "names": [NAME],
    "issuer": "CN=R13,O=Let's Encrypt,C=US",
    "not_after": "2026-12-01T00:00:00+00:00",
    "days": 60,
    "begun": True,
    "self_signed": False,
    "chain": 2,
}
SITE = {
    "file": "/etc/nginx/sites-enabled/portside-shop-api.conf",
    "names": [NAME],
    "addresses": ["0.0.0.0:443"],
    "defaults": [],
}
DEFAULT = {
    "file": "/etc/nginx/conf.d/portside.conf",
    "names": [],
    "addresses": ["0.0.0.0:443"],
    "defaults": ["0.0.0.0:443"],
}
HOST: dict[str, Any] = {
    "addresses": ADDRESSES,
    "listening": {"80": ["nginx"], "443": ["nginx"]},
    "firewall": {
        "active": True,
        "open": {f"{port}/{family}": ["anyone"] for port in (80, 443) for family in "46"},
        "error": "",
    },
    "nginx": {
        "installed": True,
        "active": True,
        "state": "active",
        "valid": True,
        "said": "",
        "sites": [SITE, DEFAULT],
    },
    "docker": "",
    "apps": {
        "shop-api": {
            "certificates": {NAME: CERTIFICATE},
            "upstream": "127.0.0.1:18000",
            "upstream_file": APP["upstream_file"],
            "state_error": "",
            "image": "ghcr.io/acme/shop-api:1.4.2",
            "container": CONTAINER,
            "owner": "shop-api-r3",
            "answers": {
                "connect": {"answer": "open", "error": "", "ms": 0},
                "health": answer(200),
                "webhooks": {HOOK: answer(400)},
            },
            "attempts": [],
        }
    },
}
PORTS = [
    {"address": address, "port": port, "answer": "open", "error": "", "ms": 5}
    for address in ADDRESSES
    for port in (80, 443)
]
TLS = [{"address": address, "ok": True, "code": 0, "error": "", "ms": 9} for address in ADDRESSES]
OUTSIDE: dict[str, Any] = {
    "ports": PORTS,
    "names": {NAME: {"dns": {"4": ADDRESSES[:1], "6": ADDRESSES[1:], "error": "", "ms": 12}, "tls": TLS}},
    "apps": {"shop-api": {"webhooks": {HOOK: {"address": ADDRESSES[0], **answer(400)}}, "health": answer(200)}},
}
EGRESS: dict[str, Any] = {
    "container": "shop-api-r3",
    "trust": {"stage": "", "error": ""},
    "checks": [
        {
            "url": "https://api.stripe.com",
            "route": {"proxy": "", "variable": ""},
            "attempt": {"stage": "ok", "status": 404, "error": "", "ms": 80},
            "direct": None,
        }
    ],
}


class World:
    """All observations, each a copy: `world.app` is what the host says of the app."""

    def __init__(self) -> None:
        self.host: Any = copy.deepcopy(HOST)
        self.outside: Any = copy.deepcopy(OUTSIDE)
        self.egress: Any = copy.deepcopy(EGRESS)
        self.declared = copy.deepcopy(APP)
        self.addresses = list(ADDRESSES)

    @property
    def app(self) -> Any:
        return self.host["apps"]["shop-api"]

    @property
    def container(self) -> Any:
        return self.app["container"]

    @property
    def name(self) -> Any:
        return self.outside["names"][NAME]

    @property
    def certificate(self) -> Any:
        return self.app["certificates"][NAME]

    @property
    def direct(self) -> Any:
        return self.app["answers"]["webhooks"][HOOK]

    @property
    def posted(self) -> Any:
        return self.outside["apps"]["shop-api"]["webhooks"][HOOK]

    def own(self, *addresses: str) -> None:
        """The host has these alone."""
        self.host["addresses"] = self.addresses = list(addresses)

    def closed(self, port: int, answer: str = "silent") -> None:
        """Nobody outside gets through to the port."""
        for one in self.outside["ports"]:
            if one["port"] == port:
                one |= {"answer": answer, "error": "no answer within 4 s"}
        if port == 443:
            self.name["tls"] = []
            self.outside["apps"]["shop-api"] = {"webhooks": {HOOK: None}, "health": None}

    def away(self) -> None:
        """The app doesn't answer: neither on its port nor through nginx."""
        self.app["answers"] = {
            "connect": {"answer": "refused", "error": "Connection refused", "ms": 0},
            "health": None,
            "webhooks": {},
        }
        self.posted["status"] = self.outside["apps"]["shop-api"]["health"]["status"] = 503

    def untrusted(self, code: int, error: str) -> None:
        """A careful client outside refuses the certificate."""
        for one in self.name["tls"]:
            one |= {"ok": False, "code": code, "error": error}

    def out(self, stage: str, status: int = 0, error: str = "", proxy: str = "", direct: str = "") -> None:
        """The way out ends at a stage; with a proxy, what the direct attempt gave."""
        (check,) = self.egress["checks"]
        check["attempt"] |= {"stage": stage, "status": status, "error": error}
        if proxy:
            check["route"] = {"proxy": proxy, "variable": "HTTPS_PROXY"}
            check["direct"] = {"stage": direct, "status": 404 if direct == "ok" else 0, "error": "", "ms": 50}
