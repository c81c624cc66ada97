"""`nginx_sites` as users write it, checked and completed. Runs on the controller, before the first change."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.inventory.apps import is_domain

Site = dict[str, Any]

# What a site that leaves an option out gets. roles/nginx/meta/argument_specs.yml documents the same values; a unit test
# compares the two.
SITE_DEFAULTS: Site = {
    "domains": [],
    "tls": True,
    "redirect_to_canonical": True,
    "max_body_size": "10m",
    "webhooks": [],
    "state": "present",
}
SITE_KEYS = {"name", "certificate", "upstream", "local_port", *SITE_DEFAULTS}
UPSTREAM_KEYS = {"file", "servers"}
WEBHOOK_KEYS = {"path"}

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
CERTIFICATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# The self-signed stand-in has a directory of its own beside the certificates.
PLACEHOLDER = "placeholder"
# In nginx's configuration these would end or break the argument: white space, quotes, semicolon, braces, backslash.
PATH = re.compile(r"/[^\s\"';{}\\]*")
ABSOLUTE_PATH = re.compile(r"(/[A-Za-z0-9._@+-]+)+")
SIZE = re.compile(r"[0-9]+[kKmMgG]?")
TIME = re.compile(r"[0-9]+(ms|s|m|h)?")
CHALLENGE = "/.well-known/acme-challenge"
NGINX = "/etc/nginx"
PORTS_OF_THE_SITES = (80, 443)


def _near(key: str, allowed: Iterable[str]) -> str:
    names = sorted(allowed)
    close = difflib.get_close_matches(key, names, n=1)
    return f"did you mean `{close[0]}`?" if close else f"allowed are {', '.join(names)}"


def _unknown(value: Mapping[str, Any], allowed: Iterable[str]) -> list[str]:
    return [f"unknown key `{key}`: {_near(str(key), allowed)}" for key in value if key not in set(allowed)]


def _domain_problem(position: int, domain: str) -> str | None:
    if domain.startswith("*."):
        if position == 0:
            return f"`domains` item `{domain}`: the first name is the canonical one and can't be a wildcard"
        domain = domain[2:]
    if is_domain(domain):
        return None
    if "/" in domain or ":" in domain:
        return f"`domains` item `{domain}` is not a name: write `api.example.com`, without scheme, port or path"
    if not domain.isascii():
        return f"`domains` item `{domain}`: write an internationalised name in its ASCII form (`xn--...`)"
    return f"`domains` item `{domain}` is not a full domain name such as `api.example.com`"


def _server_problem(server: str) -> str | None:
    """What is wrong with `127.0.0.1:8000`, `[::1]:8000` or `unix:/run/app.sock`."""
    if re.fullmatch(rf"unix:{ABSOLUTE_PATH.pattern}", server):
        return None
    host, _, port = server.rpartition(":")
    if not (port.isdigit() and 1 <= int(port) <= 65535):
        return f"`upstream.servers` item `{server}`: write an address and a port, `127.0.0.1:8000` for instance"
    try:
        ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        return (
            f"`upstream.servers` item `{server}`: write a numeric address. A host name keeps nginx from starting while "
            "DNS is down, and `localhost` may mean ::1, where the app does not listen"
        )
    return None


def _upstream_problems(upstream: Any) -> list[str]:
    if not isinstance(upstream, Mapping):
        return ["`upstream` is missing: write `upstream: {servers: [127.0.0.1:8000]}` or `upstream: {file: /path}`"]
    found = [f"`upstream`: {problem}" for problem in _unknown(upstream, UPSTREAM_KEYS)]
    file, servers = upstream.get("file"), upstream.get("servers")
    if bool(file) == bool(servers):
        return [*found, "`upstream` takes one of `file` and `servers`"]
    if file and not is_clean_path(file):
        found.append(f"`upstream.file: {file}` is not an absolute path without spaces and `..`")
    if servers:
        if isinstance(servers, str) or not isinstance(servers, Iterable):
            return [*found, "`upstream.servers` is not a list"]
        found += [problem for server in servers if (problem := _server_problem(str(server)))]
    return found


def _path_problem(path: Any) -> str | None:
    if not isinstance(path, str) or not PATH.fullmatch(path):
        return (
            f"`webhooks.path: {path}` must begin with / and hold no white space, quote, semicolon, brace or backslash"
        )
    if path.rstrip("/") == "":
        return "`webhooks.path: /` is the whole site: name the path that the sender calls"
    if re.search(r"[?#%]|//|/\.\.?(/|$)", path):
        return f"`webhooks.path: {path}`: nginx compares the decoded path: `?`, `#`, `%`, `//` and `..` never match"
    if f"{path}/".startswith(f"{CHALLENGE}/"):
        return f"`webhooks.path: {path}` is where certificates are validated"
    return None


def _webhook_problems(webhooks: Any) -> list[str]:
    if isinstance(webhooks, str | Mapping) or not isinstance(webhooks, Iterable):
        return ["`webhooks` is not a list: every item starts with `- path:`"]
    found: list[str] = []
    paths: list[str] = []
    for webhook in webhooks:
        if not isinstance(webhook, Mapping):
            found.append(f"`webhooks` item `{webhook}` is not a dictionary: it starts with `- path:`")
            continue
        found += [f"`webhooks`: {problem}" for problem in _unknown(webhook, WEBHOOK_KEYS)]
        problem = _path_problem(webhook.get("path"))
        if problem:
            found.append(problem)
        else:
            paths.append(str(webhook["path"]).rstrip("/"))
    return found + [f"`webhooks.path: {path}` stands in the list twice" for path in _twice(paths)]


def _local_port_problem(value: Any) -> str | None:
    try:
        port = int(str(value))
    except ValueError:
        return f"`local_port: {value}` is not a port number"
    if not 1 <= port <= 65535:
        return f"`local_port: {value}` is out of range: 1 to 65535"
    if port in PORTS_OF_THE_SITES:
        return f"`local_port: {value}` is where nginx serves the sites: take another one"
    return None


def plain(value: Any) -> Any:
    """The value in Python's own containers: Ansible hands filters lazy ones, which are templated at every access."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def is_clean_path(path: Any) -> bool:
    """Whether the value is an absolute path that nginx takes without quoting, and without `.` and `..` in it."""
    return bool(isinstance(path, str) and ABSOLUTE_PATH.fullmatch(path) and not {".", ".."} & set(path.split("/")))


def is_true(value: Any) -> bool:
    """A boolean as YAML or `-e` delivers it."""
    return value is True or str(value).lower() in {"true", "yes", "on", "1"}


def _site_problems(site: Mapping[str, Any]) -> list[str]:
    found: list[str | None] = [*_unknown(site, SITE_KEYS)]
    name = site.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        found.append("`name` takes a-z, 0-9 and inner hyphens, at most 63 characters")
    state = site.get("state", SITE_DEFAULTS["state"])
    if state not in {"present", "absent"}:
        found.append(f"`state: {state}` is neither `present` nor `absent`")
    if state == "absent":
        return [problem for problem in found if problem]
    domains = site.get("domains", [])
    if isinstance(domains, str | Mapping) or not isinstance(domains, Iterable):
        found.append("`domains` is not a list")
        domains = []
    domains = [str(domain).lower() for domain in domains]
    found += [_domain_problem(position, domain) for position, domain in enumerate(domains)]
    found += [f"`domains` item `{domain}` stands in the list twice" for domain in _twice(domains)]
    if not domains and not site.get("local_port"):
        found.append("`domains` is missing: without a name (and without `local_port`) nobody can reach the site")
    certificate = site.get("certificate")
    if certificate and (not CERTIFICATE.fullmatch(str(certificate)) or certificate == PLACEHOLDER):
        found.append(
            f"`certificate: {certificate}` is the name of a directory: letters, digits, `.`, `_` and `-`, "
            f"and not `{PLACEHOLDER}`"
        )
    size = str(site.get("max_body_size", SITE_DEFAULTS["max_body_size"]))
    if not SIZE.fullmatch(size):
        found.append(f"`max_body_size: {size}` is not a size such as `512k`, `10m` or `0` (no limit)")
    found += _upstream_problems(site.get("upstream"))
    found += _webhook_problems(site.get("webhooks", []))
    if site.get("local_port"):
        found.append(_local_port_problem(site["local_port"]))
    return [problem for problem in found if problem]


def _twice(values: Iterable[Any]) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]


def _clashes(sites: list[Mapping[str, Any]]) -> list[str]:
    """What two sites may not share."""
    found = [
        f"two sites are called `{name}`: every site needs a name of its own"
        for name in _twice(s["name"] for s in sites)
    ]
    present = [site for site in sites if site.get("state", "present") == "present"]
    owners = [(str(domain).lower(), site["name"]) for site in present for domain in site.get("domains", [])]
    for domain in _twice(domain for domain, _ in owners):
        names = ", ".join(name for other, name in owners if other == domain)
        found.append(f"domain `{domain}` is declared more than once (sites {names}): a name leads to one site")
    ports = [(int(site["local_port"]), site["name"]) for site in present if site.get("local_port")]
    for port in _twice(port for port, _ in ports):
        names = ", ".join(name for other, name in ports if other == port)
        found.append(f"`local_port: {port}` is declared more than once (sites {names})")
    return found


def problems(sites: Any, tls_dir: str, webroot: str, worker_shutdown_timeout: str) -> list[str]:
    """Everything that is wrong with the role's input, a line each; empty when it can be used.

    Args:
        sites: the value of `nginx_sites`.
        tls_dir: the value of `nginx_tls_dir`.
        webroot: the value of `nginx_acme_webroot`.
        worker_shutdown_timeout: the value of `nginx_worker_shutdown_timeout`.
    """
    found = []
    if not TIME.fullmatch(str(worker_shutdown_timeout)):
        found.append(f"`nginx_worker_shutdown_timeout: {worker_shutdown_timeout}` is not a time such as `120s` or `5m`")
    if not is_clean_path(tls_dir) or not tls_dir.startswith(f"{NGINX}/"):
        found.append(f"`nginx_tls_dir: {tls_dir}` must be a directory below {NGINX}, where the candidate is tested")
    if not is_clean_path(webroot):
        found.append(f"`nginx_acme_webroot: {webroot}` is not an absolute path without spaces and `..`")
    if isinstance(sites, str | Mapping) or not isinstance(sites, Iterable):
        return [*found, "nginx_sites is not a list: every site starts with `- name:`"]
    sound = True
    items = list(sites)
    for number, site in enumerate(items, 1):
        if not isinstance(site, Mapping):
            found.append(f"nginx_sites item {number} is not a dictionary: it starts with `- name:`")
            sound = False
            continue
        where = f"site `{site['name']}`" if site.get("name") else f"nginx_sites item {number}"
        own = _site_problems(site)
        found += [f"{where}: {problem}" for problem in own]
        sound = sound and not own
    return found + (_clashes(items) if sound else [])


def completed(sites: Iterable[Mapping[str, Any]]) -> list[Site]:
    """The sites that are to be there, every default filled in, in the form that the templates take.

    Args:
        sites: the value of `nginx_sites`, for which `problems` found nothing.
    """
    found = []
    for raw in sites:
        site: Site = {**SITE_DEFAULTS, **raw}
        if site["state"] == "absent":
            continue
        upstream = raw["upstream"]
        found.append(
            {
                "name": str(site["name"]),
                "domains": [str(domain).lower() for domain in site["domains"]],
                "tls": is_true(site["tls"]),
                "redirect_to_canonical": is_true(site["redirect_to_canonical"]),
                "certificate": str(site.get("certificate") or site["name"]),
                "max_body_size": str(site["max_body_size"]),
                "upstream": {
                    "file": str(upstream.get("file") or ""),
                    "servers": [str(server) for server in upstream.get("servers") or []],
                },
                "webhooks": [{"path": str(webhook["path"]).rstrip("/")} for webhook in site["webhooks"]],
                "local_port": int(site["local_port"]) if site.get("local_port") else None,
            }
        )
    return found


def certificates(sites: Iterable[Site]) -> list[dict[str, str]]:
    """The certificates that completed sites take, each with the site that needs it."""
    return [{"name": site["certificate"], "site": site["name"]} for site in sites if site["tls"] and site["domains"]]


def upstream_files(sites: Iterable[Site]) -> list[dict[str, str]]:
    """The upstream files that completed sites include, each with its site."""
    return [{"path": site["upstream"]["file"], "site": site["name"]} for site in sites if site["upstream"]["file"]]
