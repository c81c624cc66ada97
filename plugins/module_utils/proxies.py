"""Outbound proxies: how a URL of one is read, what of it is shown, and what a program is started with for none."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

# RFC 3986, section 3.2.1: nothing else can stand before the `@`, `#`, `?`, `/`, `"` and a second `@` among it.
_LOGIN = r"(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})+"
_HOST = r"\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?)"
_URL = re.compile(
    rf"(?P<scheme>https?)://(?:(?P<login>{_LOGIN})@)?(?:{_HOST})(?::(?P<port>[0-9]{{1,5}}))?/?", re.IGNORECASE
)
_SOCKS = re.compile(r"socks[0-9a-z]*://", re.IGNORECASE)

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
# A session of Ansible may carry a proxy that is meant for something else, by sshd's AcceptEnv or /etc/environment:
# beside what a program is told, these switch it off.
NONE = {name: "" for variable in VARIABLES for name in (variable, variable.upper())}


@dataclass(frozen=True)
class Proxy:
    """A proxy by its URL.

    Attributes:
        scheme: `http`, or `https` where the proxy itself is spoken to in TLS.
        host: a name or an address, IPv6 without brackets.
        port: 1 to 65535.
        login: user and password as they stand in the URL, percent-encoded; empty for none.
    """

    scheme: str
    host: str
    port: int
    login: str

    @property
    def shown(self) -> str:
        """The URL with nothing of the login: a token may be the user, too."""
        return f"{self.scheme}://{'***@' if self.login else ''}{authority(self.host, self.port)}"


def authority(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets (RFC 3986, section 3.2.2).

    >>> authority("2001:db8::1", 443)
    '[2001:db8::1]:443'
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse(url: str) -> Proxy | None:
    """The proxy of a URL; None for what is none, of which nothing may be shown: there may be a password in it."""
    parts = _URL.fullmatch(url)
    if parts is None:
        return None
    scheme = parts["scheme"].lower()
    port = int(parts["port"] or (443 if scheme == "https" else 80))
    if port not in range(1, 65536) or (parts["v6"] and not _is_ipv6(parts["v6"])):
        return None
    return Proxy(scheme, parts["v6"] or parts["name"], port, parts["login"] or "")


def is_socks(url: str) -> bool:
    """Whether it is the URL of a SOCKS proxy."""
    return bool(_SOCKS.match(url))


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
