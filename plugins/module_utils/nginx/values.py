"""The kinds of values that nginx's options take: what is wrong with one, as the rest of a sentence about it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.certbot import names
from ansible_collections.portside.vps.plugins.module_utils.inventory.apps import is_domain
from ansible_collections.portside.vps.plugins.module_utils.nginx import patterns

# ngx_parse_size and ngx_parse_time; the units that users write.
SIZE = re.compile(r"[0-9]+[kKmMgG]?")
TIME = re.compile(r"([0-9]+)(ms|s|m|h|d)?")
UNITS = {"ms": 0.001, None: 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
RATE = re.compile(r"[1-9][0-9]*r/[sm]")
# In nginx's configuration these would end or break the argument: white space, quotes, semicolon, braces, backslash.
URL_PATH = re.compile(r"/[^\s\"';{}\\]*")
URL = re.compile(r"(https?:/)?/[^\s\"'\\]*")
FILE_PATH = re.compile(r"(/[A-Za-z0-9._@+-]+)+")
# RFC 9110 section 5.6.2.
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
CHALLENGE = "/.well-known/acme-challenge"
# crypt(5). Each step doubles the time: 5 is 1.5 ms, 8 some 12 ms, and 12 a fifth of a second.
BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$")
MOST_COST = 8
# What nginx tells an app itself, or what belongs to one connection (RFC 9110 section 7.6.1), in lower case.
SET_BY_NGINX = frozenset(
    [
        *("host", "connection", "upgrade", "forwarded", "proxy", "proxy_protocol", "x-real-ip", "x-request-id"),
        *("content-length", "transfer-encoding", "te", "trailer", "keep-alive"),
        *(f"x-forwarded-{word}" for word in ("for", "host", "proto", "port", "prefix", "protocol", "ssl")),
    ]
)


def size_problem(value: str) -> str | None:
    """For `10m`."""
    return None if SIZE.fullmatch(value) else "is not a size such as `512k`, `10m` or `0` (no limit)"


def size(value: str) -> int | None:
    """The bytes of a size, None of what is none (ngx_parse_size)."""
    if not SIZE.fullmatch(value):
        return None
    shift = {"k": 10, "m": 20, "g": 30}.get(value[-1].lower(), 0)
    return int(value[:-1] if shift else value) << shift


def time_problem(value: str) -> str | None:
    """For `60s`."""
    return None if TIME.fullmatch(value) else "is not a time such as `500ms`, `60s` or `5m`"


def rate_problem(value: str) -> str | None:
    """For `10r/s`."""
    return None if RATE.fullmatch(value) else "is not a rate such as `10r/s` or `60r/m`"


def connections_problem(value: Any) -> str | None:
    """For the connections of a worker. Twice as many files is what systemd lets a service have (524288)."""
    number = int(value) if str(value).isdigit() else 0
    return None if 256 <= number <= 262144 else "is no number from 256 to 262144"


def limit_problem(value: Any) -> str | None:
    """For the connections of a client; nginx holds the number in 16 bits (ngx_http_limit_conn)."""
    return None if str(value).isdigit() and int(value) <= 65535 else "is no number from 0 (no limit) to 65535"


def seconds(value: str) -> float | None:
    """The seconds of a time, None of what is none; a number alone is of seconds (ngx_parse_time)."""
    found = TIME.fullmatch(value)
    return int(found[1]) * UNITS[found[2]] if found else None


def is_file_path(value: Any) -> bool:
    """Whether it is an absolute path that nginx takes without quoting, and without `.` and `..` in it."""
    return bool(isinstance(value, str) and FILE_PATH.fullmatch(value) and not {".", ".."} & set(value.split("/")))


def file_problem(value: str) -> str | None:
    """For a file or directory on the server."""
    return None if is_file_path(value) else "is not an absolute path without spaces and `..`"


def network_problem(value: str) -> str | None:
    """For `203.0.113.7`, `10.0.0.0/8` and the same in IPv6."""
    try:
        ipaddress.ip_network(value)
    except ValueError:
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            return "is neither an address nor a network such as `203.0.113.0/24`"
        return f"is no network: with this length it is `{network}`"
    return None


def names_loopback(networks: Iterable[str]) -> bool:
    """Whether a list of addresses means the server itself, and nothing larger that it is a part of (everybody)."""
    found = [ipaddress.ip_network(network) for network in networks]
    itself = [ipaddress.ip_address(address) for address in ("127.0.0.1", "::1")]
    local = [network.network_address.is_loopback for network in found]
    larger = any(address in network for network, own in zip(found, local, strict=True) if not own for address in itself)
    return any(local) and not larger


def trusted_problem(value: str) -> str | None:
    """For a network whose word about the visitor is taken."""
    if (problem := network_problem(value)) is not None:
        return problem
    if ipaddress.ip_network(value).prefixlen == 0:
        return "is everybody: whoever connects could then claim any address"
    return None


def header_name_problem(value: str) -> str | None:
    """For the name of a request header."""
    return None if re.fullmatch(r"[A-Za-z0-9-]+", value) else "is not the name of a header such as `CF-Connecting-IP`"


def trusted_header_problem(value: str) -> str | None:
    """For a request header that a proxy in front of this server sets for the app."""
    if (problem := header_name_problem(value)) is not None:
        return problem
    return "is what nginx tells the app itself: leave it out" if value.lower() in SET_BY_NGINX else None


def domain_problem(value: str) -> str | None:
    """For `api.example.com` and `*.example.com`."""
    name = value.removeprefix("*.")
    if is_domain(name):
        return None
    if "/" in name or ":" in name:
        return "is not a name: write `api.example.com`, without scheme, port or path"
    return names.domain_problem(name) or "is not a full domain name such as `api.example.com`"


def server_problem(value: str) -> str | None:
    """For `127.0.0.1:8000`, `[::1]:8000` or `unix:/run/app.sock`."""
    if re.fullmatch(rf"unix:{FILE_PATH.pattern}", value):
        return None
    host, _, port = value.rpartition(":")
    if not (port.isdigit() and 1 <= int(port) <= 65535):
        return "lacks something: write an address and a port, `127.0.0.1:8000` for instance"
    try:
        ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        return (
            "has no numeric address. A host name keeps nginx from starting while DNS is down, and `localhost` may mean "
            "::1, where the app does not listen"
        )
    return None


def path_problem(value: str, *, root: bool = False, below: bool = True) -> str | None:
    """For a path of a site. `root`: whether `/` itself will do. `below`: whether what lies below it is meant, too."""
    if (problem := patterns.path_problem(value, below=below)) is not None:
        return problem
    if not URL_PATH.fullmatch(value):
        return "must begin with / and hold no white space, quote, semicolon, brace or backslash"
    if value.rstrip("/") == "" and not root:
        return "is the whole site: name a path below it"
    if re.search(r"[?#%]|//|/\.\.?(/|$)", value):
        return "never matches: nginx compares the decoded path, without `?`, `#`, `%`, `//` and `..`"
    if f"{value}/".startswith(f"{CHALLENGE}/"):
        return "is where certificates are validated"
    return None


def exact_path_problem(value: str) -> str | None:
    """For a path that stands for itself alone."""
    return path_problem(value, root=True, below=False)


def passed_on_problem(value: str) -> str | None:
    """For a path of a site that is passed on to an app, by name: nginx would take a `$` in it for a variable."""
    return path_problem(value) or ("holds a `$`, which nginx takes for a variable" if "$" in value else None)


def as_sent(path: str) -> str:
    """A regular expression for raw paths that are this path, or lie below it.

    Letters, digits and `/` stand for themselves: nobody has to encode them, and an app need not decode them. All else
    may also come percent-encoded, in either case (RFC 3986, sections 2.1 and 2.3).
    """
    found = ""
    for character in path:
        if character.isascii() and (character.isalnum() or character == "/"):
            found += character
            continue
        encoded = "".join(f"%{byte:02x}" for byte in character.encode())
        either = "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in encoded)
        found += f"(?:{re.escape(character)}|{either})"
    return f"^{found}(?:[/?]|$)"


def target_problem(value: str) -> str | None:
    """For where a redirect leads."""
    if (problem := patterns.target_problem(value)) is not None:
        return problem
    return None if URL.fullmatch(value) else "must be a path or an http or https URL, without white space and quotes"


def redirect_problem(value: int) -> str | None:
    """For the status of a redirect."""
    return None if value in {301, 302, 303, 307, 308} else "is no redirect: 301, 302, 303, 307 or 308"


def header_problem(name: str, value: str) -> str | None:
    """For a response header."""
    if not HEADER_NAME.fullmatch(name):
        return "is not the name of a header"
    if name.lower() == "strict-transport-security":
        return "has an option of its own: `hsts`"
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
        return "has a value with a line break or another control character"
    return None


def local_port_problem(value: int) -> str | None:
    """For a port on 127.0.0.1."""
    if not 1 <= value <= 65535:
        return "is out of range: 1 to 65535"
    return "is where nginx serves the sites: take another one" if value in {80, 443} else None


def user_problem(name: str, password: Any) -> str | None:
    """For a user of basic authentication. bcrypt reads 72 bytes of a password, crypt(3) none that is empty."""
    if not re.fullmatch(r"[^\s:]+", name):
        return "is no user name: it holds no white space and no colon"
    if not 1 <= len(str(password).encode()) <= 72:
        return "needs a password of 1 to 72 bytes"
    cost = BCRYPT.match(str(password))
    if cost and int(cost[1]) > MOST_COST:
        return (
            f"has a hash of cost {int(cost[1])}, which keeps a processor busy for every request, right or wrong: make "
            f"it with `htpasswd -nB -C 5 {name}`, {MOST_COST} at most"
        )
    return None


def plain(value: Any) -> Any:
    """The value in Python's own containers: Ansible hands filters lazy ones, which are templated at every access."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def quoted(value: str, tail: str = "") -> str:
    r"""The value as one argument of an nginx directive, taken literally.

    nginx knows no escape for `$`; the variable $portside_dollar holds one.

    Args:
        value: what is meant.
        tail: what follows it in the same argument and is not literal: nginx's variables.
    """
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "${portside_dollar}")
    return f'"{escaped}{tail}"'
