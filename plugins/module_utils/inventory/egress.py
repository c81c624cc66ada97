"""How an app gets out: the proxy variables its container starts with, spelled so that every client reads them alike.

Clients disagree about NO_PROXY. `*.example.com` and a port work in Go alone, a range in three of eight clients,
`.example.com` leaves out example.com itself for some, and none but Go exempts 127.0.0.1 unasked. What all of them read
alike is a bare name, which stands for what lies below it too, and an exact address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils import proxies

Item = dict[str, Any]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
# The largest range that is written out, in addresses: longer lists make an environment that nobody can read.
LARGEST_RANGE = 16
PROXIES = ("http_proxy", "https_proxy")
CONSUMERS = ("apt", "docker", "certbot", "downloads")
APT_MARKER = "// Managed by Ansible (portside.vps, `portside_egress`). The next run undoes what is changed here."
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", re.IGNORECASE)


# What no name of a host ends in (RFC 1123, section 2.1).
_NUMBER = re.compile(r"(^|\.)[0-9]+$")
_RANGE_ADVICE = "half of the clients don't understand it: name the hosts or addresses that the app calls"


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def is_address(text: str) -> bool:
    """Whether the text is one IPv4 or IPv6 address."""
    return _address(text) is not None


def _range(text: str) -> tuple[list[str], str | None]:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return [], "is neither a name, an address nor a range of addresses"
    if network.num_addresses > LARGEST_RANGE:
        return [], (
            f"is too large to be written out (at most {LARGEST_RANGE} addresses), and as a range {_RANGE_ADVICE}"
        )
    return [str(address) for address in network], None


def portable(entry: str) -> tuple[list[str], str | None]:
    """What stands in NO_PROXY for one entry of the user's, and what is wrong with it.

    A small range is written out; what only some clients understand is refused with the spelling that all do.
    """
    text = entry.strip()
    address = _address(text)
    if address and "%" not in text:
        return [address], None
    if "/" in text and "://" not in text and "%" not in text:
        return _range(text)
    bare = _bare(text.lower())
    if bare == text.lower() and _NAME.fullmatch(bare) and not _NUMBER.search(bare):
        return [bare], None
    return [], _refusal(text, bare)


def _bare(text: str) -> str:
    """The name or address in a URL, with a port, with a star or dots around it."""
    bare = re.sub(r"^[a-z]+://", "", text).partition("/")[0]
    bare = re.sub(r"^\[(.*)\](:\d+)?$", r"\1", bare)
    return bare if _address(bare) else bare.partition(":")[0].removeprefix("*").strip(".")


def _refusal(text: str, bare: str) -> str:
    """Why an entry can't stand there, and what can."""
    if "%" in text:
        return "has a `%`: no client reads an interface there. Name the host, or another address of it"
    if text == "*":
        return "exempts everything, for most clients: use `egress: direct`"
    if _address(bare):
        return f"is not read alike by all clients: write `{bare}`"
    if _NUMBER.search(bare):
        # A client may take it for a range, for an address with octal numbers, or for a name.
        return f"is no whole address, and as a range {_RANGE_ADVICE}"
    if _NAME.fullmatch(bare):
        return f"is not read alike by all clients: write `{bare}`, which stands for what lies below it too"
    return "is neither a name, an address nor a range of addresses"


def no_proxy(entries: Iterable[str]) -> tuple[list[str], list[str]]:
    """NO_PROXY's entries, loopback first and each once; and a sentence for each entry that can't stand there."""
    found, wrong = list(LOOPBACK), []
    for entry in entries:
        names, problem = portable(entry)
        found += names
        if problem:
            wrong.append(f"`no_proxy` item `{entry}` {problem}")
    return list(dict.fromkeys(found)), wrong


def problems(egress: Mapping[str, Any], where: str) -> list[str]:
    """What is wrong with the proxies and exceptions that a user declared. No URL is quoted: it may hold a password."""
    found = []
    for key in PROXIES:
        url = egress.get(key)
        if not url:
            continue
        # No SOCKS: half of the clients can't speak it.
        if proxies.parse(str(url)) is None:
            found.append(
                f"{where}: `{key}` is not a proxy's URL such as `http://proxy.example.com:3128` "
                "(user and password go before the host as `user:password@`, percent-encoded all but letters, digits "
                "and `-._~`: `#` is `%23`, `/` is `%2F`, `@` is `%40`; SOCKS is not read by all clients)"
            )
    return found + [f"{where}: {problem}" for problem in no_proxy(egress.get("no_proxy") or [])[1]]


def declared(egress: Mapping[str, Any] | None) -> bool:
    """Whether there is any proxy in it."""
    return any((egress or {}).get(key) for key in PROXIES)


def chosen(way: Any, shared: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The proxies that `direct`, `proxy` or a dictionary stands for; None is the direct way.

    Args:
        way: an app's `egress`, or what `portside_egress` says of apt, Docker or certbot.
        shared: the collection's proxies, for `proxy`.
    """
    if way in (None, "direct"):
        return None
    return (shared or {}) if way == "proxy" else dict(way)


def of_app(app: Mapping[str, Any], shared: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The proxies that an app uses: its own, the collection's, or None."""
    way = app["egress"]
    if way == "none" or (isinstance(way, Mapping) and way.get("to") is not None and not declared(way)):
        return None
    return chosen(way, shared)


def consumer_problems(shared: Mapping[str, Any]) -> list[str]:
    """What is wrong with the ways of apt, Docker and certbot."""
    found = []
    for name in CONSUMERS:
        way = shared.get(name)
        declaration = chosen(way, shared)
        if declaration is None:
            continue
        if not declared(declaration):
            found.append(f"portside_egress: `{name}` needs `http_proxy` or `https_proxy`")
        if way != "proxy":
            found += problems(declaration, f"portside_egress: `{name}`")
    return found


def consumer_environment(shared: Mapping[str, Any] | None, name: str, server: Iterable[str] = ()) -> dict[str, str]:
    """The variables that Docker or certbot runs with; none for the direct way.

    Args:
        shared: the collection's proxies.
        name: the consumer.
        server: the server's own names and addresses. Its apps' are left out: an app more must not restart Docker.
    """
    declaration = chosen((shared or {}).get(name), shared)
    return environment(declaration, server_names(server)) if declaration is not None else {}


def download_environment(shared: Mapping[str, Any] | None, server: Iterable[str] = ()) -> dict[str, str]:
    """The variables that Ansible's own downloads on the server run with: those of its session are switched off."""
    return proxies.NONE | consumer_environment(shared, "downloads", server)


def apt_conf(shared: Mapping[str, Any] | None) -> str:
    """The text of apt's file of proxies (apt-transport-http(1)); empty where nothing is declared."""
    way = (shared or {}).get("apt")
    if way is None:
        return ""
    declaration = chosen(way, shared) or {}
    urls = {scheme: declaration.get(f"{scheme}_proxy") or "DIRECT" for scheme in ("http", "https")}
    names = no_proxy(declaration.get("no_proxy") or [])[0] if declaration else []
    lines = [f'Acquire::{scheme}::Proxy "{url}";' for scheme, url in urls.items()]
    lines += [f'Acquire::{scheme}::Proxy::{name} "DIRECT";' for scheme in urls for name in names if ":" not in name]
    return "\n".join([APT_MARKER, *lines]) + "\n"


def server_names(names: Iterable[str]) -> list[str]:
    """Those among a server's names and addresses that a client could ask for: addresses, and names with a dot."""
    found = [(name, portable(name)) for name in names]
    kept = [names for name, (names, problem) in found if not problem and (_address(name) or "." in name)]
    return list(dict.fromkeys(name for names in kept for name in names))


def neighbours(app: Mapping[str, Any], apps: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names by which an app reaches others on the networks it shares with them; and its own."""
    networks = set(app.get("networks") or [])
    return sorted({app["name"], *(other["name"] for other in apps if networks & set(other.get("networks") or []))})


def environment(egress: Mapping[str, Any], own_names: Iterable[str]) -> dict[str, str]:
    """The proxy variables in both cases: curl reads `http_proxy` in lower case only, other clients upper case.

    Args:
        egress: `http_proxy`, `https_proxy`, `no_proxy`, as `problems` found them right.
        own_names: names that lead back to this server or to other apps on it.
    """
    exempt, _ = no_proxy([*own_names, *(egress.get("no_proxy") or [])])
    variables = {"no_proxy": ",".join(exempt)}
    variables |= {key: str(egress[key]) for key in PROXIES if egress.get(key)}
    return variables | {key.upper(): value for key, value in variables.items()}
