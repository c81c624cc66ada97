"""`nginx_sites` as users write it, checked and completed. Runs on the controller, before the first change.

The form of an item, its types and defaults stand in roles/nginx/meta/argument_specs.yml; here is what a spec can't say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.inventory import roles
from ansible_collections.portside.vps.plugins.module_utils.nginx import (
    client_certificates,
    config,
    headers,
    protocols,
    values,
)
from ansible_collections.portside.vps.plugins.module_utils.shape import shape

Site = dict[str, Any]

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
CERTIFICATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# The self-signed stand-in has a directory of its own beside the certificates.
PLACEHOLDER = "placeholder"
NGINX = "/etc/nginx"
PASSWORDS = f"{NGINX}/passwords"

TIMES = ("connect_timeout", "send_timeout", "read_timeout", "client_body_timeout", "client_send_timeout")


@lru_cache
def spec() -> dict[str, Any]:
    """The options of a site, as the role's argument spec declares them."""
    return dict(roles.options("nginx")["nginx_sites"]["options"])


def _twice(items: Iterable[Any]) -> list[Any]:
    return [item for item, count in Counter(items).items() if count > 1]


def _each(key: str, items: Iterable[str], problem: Callable[[str], str | None]) -> Iterator[str]:
    """A sentence for each item of a list that has a problem."""
    for item in items:
        if (found := problem(item)) is not None:
            yield f"`{key}` item `{item}` {found}"


def _one(key: str, value: Any, problem: Callable[[Any], str | None]) -> Iterator[str]:
    """A sentence if the value has a problem; one that is not set has none."""
    if value is not None and (found := problem(value)) is not None:
        yield f"`{key}: {value}` {found}"


def _upstream(upstream: Mapping[str, Any], key: str) -> Iterator[str]:
    if bool(upstream["file"]) == bool(upstream["servers"]):
        yield (
            f"`{key}` takes one of `file` and `servers`: write `{key}: {{servers: [127.0.0.1:8000]}}`, or "
            f"`{key}: {{file: /path}}` for a file that somebody else writes"
        )
    yield from _one(f"{key}.file", upstream["file"], values.file_problem)
    yield from _each(f"{key}.servers", upstream["servers"], values.server_problem)
    yield from _one(f"{key}.keepalive_timeout", upstream["keepalive_timeout"], values.time_problem)
    if upstream["keepalive"] < 0:
        yield f"`{key}.keepalive: {upstream['keepalive']}` is less than none: `0` is none"


def _names(site: Site) -> Iterator[str]:
    domains = [domain.lower() for domain in site["domains"]]
    yield from _each("domains", domains, values.domain_problem)
    if domains and domains[0].startswith("*."):
        yield f"`domains` item `{domains[0]}`: the first name is the canonical one and can't be a wildcard"
    for domain in _twice(domains):
        yield f"`domains` item `{domain}` stands in the list twice"
    if not domains and site["local_port"] is None:
        yield "`domains` is missing: without a name (and without `local_port`) nobody can reach the site"
    certificate = site["certificate"]
    if certificate is not None and (not CERTIFICATE.fullmatch(certificate) or certificate == PLACEHOLDER):
        yield (
            f"`certificate: {certificate}` is the name of a directory: letters, digits, `.`, `_` and `-`, "
            f"and not `{PLACEHOLDER}`"
        )


def _proxying(site: Site) -> Iterator[str]:
    if any(site["upstream"][key] for key in ("file", "servers")) or not serves_files_alone(site):
        yield from _upstream(site["upstream"], "upstream")
    else:
        needy = {"webhooks": any(not _around(webhook["path"], site) for webhook in site["webhooks"])}
        for key, needs in (needy | {"local_port": bool(site["local_port"])}).items():
            if needs:
                yield f"`{key}` needs `upstream`, the app that it leads to"
    yield from _one("max_body_size", site["max_body_size"], values.size_problem)
    for key in TIMES:
        yield from _one(key, site[key], values.time_problem)
    yield from _one("local_port", site["local_port"], values.local_port_problem)
    for webhook in site["webhooks"]:
        yield from _one("webhooks.path", webhook["path"], values.passed_on_problem)
        yield from _one("webhooks.max_body_size", webhook["max_body_size"], values.size_problem)
        yield from _one("webhooks.read_timeout", webhook["read_timeout"], values.time_problem)
        yield from _each("webhooks.allow", webhook["allow"], values.network_problem)
    for location in site["locations"]:
        yield from _one("locations.path", location["path"], values.passed_on_problem)
        yield from _upstream(location["upstream"], "locations.upstream")


def _protection(site: Site) -> Iterator[str]:
    for key in ("allow", "deny"):
        yield from _each(key, site[key], values.network_problem)
    yield from _each("maintenance.allow", site["maintenance"]["allow"], values.network_problem)
    for key in ("rate_limit", "basic_auth"):
        limit = site[key]
        yield from _one(f"{key}.rate", limit["rate"], values.rate_problem)
        if limit["burst"] < 0:
            yield f"`{key}.burst: {limit['burst']}` is less than none"
    for name, password in (site["basic_auth"]["users"]).items():
        if (problem := values.user_problem(name, password)) is not None:
            yield f"`basic_auth.users`: `{name}` {problem}"
    yield from _one("basic_auth.realm", site["basic_auth"]["realm"], _realm_problem)


def _realm_problem(realm: str) -> str | None:
    return None if re.fullmatch(r'[^"\\$\x00-\x1f]+', realm) else "is empty or holds a quote, a backslash or a `$`"


def _answers(site: Site) -> Iterator[str]:
    for name, value in site["headers"].items():
        if (problem := values.header_problem(name, str(value))) is not None:
            yield f"`headers`: `{name}` {problem}"
    for key, number in (("hsts.max_age", site["hsts"]["max_age"]), ("retry_after", site["retry_after"])):
        if number < 0:
            yield f"`{key}: {number}` is less than no seconds"
    for page in site["error_pages"]:
        yield from _one("error_pages.file", page["file"], values.file_problem)
        for status in page["status"]:
            if not 400 <= status <= 599:
                yield f"`error_pages.status: {status}` is no error: 400 to 599"
    for status in _twice(status for page in site["error_pages"] for status in page["status"]):
        yield f"`error_pages`: two pages for {status}"
    for redirect in site["redirects"]:
        yield from _one("redirects.from", redirect["from"], values.exact_path_problem)
        yield from _one("redirects.to", redirect["to"], values.target_problem)
        yield from _one("redirects.status", redirect["status"], values.redirect_problem)
    for static in site["static"]:
        yield from _one("static.path", static["path"], lambda path: values.path_problem(path, root=True))
        yield from _one("static.directory", static["directory"], values.file_problem)
    for item in site["internal"]:
        yield from _one("internal.path", item["path"], values.path_problem)
        yield from _one("internal.directory", item["directory"], values.file_problem)


def _clashing_paths(site: Site) -> Iterator[str]:
    """nginx takes a location once; an option with a path makes one for it, one for what lies below it, or both."""
    exact = [(redirect["from"], "redirects.from") for redirect in site["redirects"]]
    files = ("static", "internal")
    below = [(f"{item['path'].rstrip('/')}/", f"{key}.path") for key in files for item in site[key]]
    for key in ("webhooks", "locations"):
        for item in site[key]:
            exact.append((item["path"].rstrip("/"), f"{key}.path"))
            below.append((f"{item['path'].rstrip('/')}/", f"{key}.path"))
    for claims in (exact, below):
        for path in _twice(path for path, _ in claims):
            keys = sorted({f"`{key}`" for other, key in claims if other == path})
            yield f"`{path}` is claimed more than once, by {' and '.join(keys)}"


def _taken_from_webhooks(site: Site) -> Iterator[str]:
    """What would catch requests to a webhook: a redirect, a password or files, where a sender wants its app."""
    catching = [(redirect["from"], "redirects.from") for redirect in site["redirects"]]
    catching += [(item["path"], f"{key}.path") for key in ("locations", "static", "internal") for item in site[key]]
    for webhook in site["webhooks"]:
        hook = webhook["path"].rstrip("/")
        for path, key in catching:
            if path.startswith(f"{hook}/"):
                yield f"`{key}: {path}` lies on or below the webhook `{hook}`, which is the app's with all below it"


def _formed(raw: Mapping[str, Any], where: str) -> tuple[Site, list[str]]:
    """A site in plain types with its defaults, and what is wrong with its form."""
    site, found = shape(raw, spec(), where)
    if not found:
        # What is required of an option that is left out as a whole.
        site["rate_limit"].setdefault("rate", None)
        site["basic_auth"].setdefault("users", {})
    return site, found


def _checked(raw: Mapping[str, Any], where: str) -> tuple[Site, list[str]]:
    """A site with its defaults, and everything that is wrong with it."""
    site, problems = _formed(raw, where)
    if not problems and not NAME.fullmatch(site["name"]):
        problems = [f"{where}: `name` takes a-z, 0-9 and inner hyphens, at most 63 characters"]
    if problems or site["state"] == "absent":
        return site, problems
    own = (_names, _proxying, _protection, _answers, _clashing_paths, _taken_from_webhooks)
    checks = (*own, protocols.problems, client_certificates.problems)
    return site, [f"{where}: {problem}" for check in checks for problem in check(site)]


def _clashes(sites: list[Site]) -> Iterator[str]:
    """What two sites may not share."""
    for name in _twice(site["name"] for site in sites):
        yield f"two sites are called `{name}`: every site needs a name of its own"
    present = [site for site in sites if site["state"] == "present"]
    owners = [(domain.lower(), site["name"]) for site in present for domain in site["domains"]]
    for domain in _twice(domain for domain, _ in owners):
        names = ", ".join(name for other, name in owners if other == domain)
        yield f"domain `{domain}` is declared more than once (sites {names}): a name leads to one site"
    ports = [(site["local_port"], site["name"]) for site in present if site["local_port"] is not None]
    for port in _twice(port for port, _ in ports):
        names = ", ".join(name for other, name in ports if other == port)
        yield f"`local_port: {port}` is declared more than once (sites {names})"


def problems(sites: Any, settings: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with the role's input, a line each; empty when it can be used.

    Args:
        sites: the value of `nginx_sites`.
        settings: the values of the role's other options that need a look, by name.
    """
    found = list(_settings_problems(settings))
    if not isinstance(sites, list | tuple):
        return [*found, "nginx_sites is not a list: every site starts with `- name:`"]
    good: list[Site] = []
    for number, raw in enumerate(sites, 1):
        if not isinstance(raw, Mapping):
            found.append(f"nginx_sites item {number} is not a dictionary: it starts with `- name:`")
            continue
        where = f"site `{raw['name']}`" if raw.get("name") else f"nginx_sites item {number}"
        site, own = _checked(raw, where)
        found += own
        good += [] if own else [site]
    found += protocols.unbelievable((site for site in good if site["state"] == "present"), settings)
    return found + (list(_clashes(good)) if len(good) == len(sites) else [])


def _settings_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    tls_dir = settings["nginx_tls_dir"]
    if not values.is_file_path(tls_dir) or not tls_dir.startswith(f"{NGINX}/"):
        yield f"`nginx_tls_dir: {tls_dir}` must be a directory below {NGINX}, where the candidate is tested"
    yield from _one("nginx_acme_webroot", settings["nginx_acme_webroot"], values.file_problem)
    for key in ("nginx_worker_shutdown_timeout", "nginx_client_header_timeout"):
        yield from _one(key, str(settings[key]), values.time_problem)
    yield from _one("nginx_worker_connections", settings["nginx_worker_connections"], values.connections_problem)
    yield from _one("nginx_connections_per_client", settings["nginx_connections_per_client"], values.limit_problem)
    yield from _each("nginx_unlimited_clients", settings["nginx_unlimited_clients"], values.network_problem)
    yield from _each("nginx_real_ip_from", settings["nginx_real_ip_from"], values.trusted_problem)
    yield from protocols.settings_problems(settings)
    yield from _one("nginx_real_ip_header", settings["nginx_real_ip_header"], values.header_name_problem)
    yield from _each("nginx_trusted_headers", settings["nginx_trusted_headers"], values.trusted_header_problem)
    if settings["nginx_trusted_headers"] and not settings["nginx_real_ip_from"]:
        yield "`nginx_trusted_headers` needs `nginx_real_ip_from`: the addresses of the proxies that set these headers"


def serves_files_alone(site: Site) -> bool:
    """Whether the whole site is a directory of files, so that it needs no app."""
    return any(static["path"] == "/" for static in site["static"])


def _around(path: str, site: Site) -> list[dict[str, Any]]:
    """The other apps' locations that a path lies below, the nearest last."""
    found = [location for location in site["locations"] if path.startswith(f"{location['path'].rstrip('/')}/")]
    return sorted(found, key=lambda location: len(location["path"]))


def _webhook_target(path: str, site: Site) -> dict[str, Any]:
    """Which app a webhook belongs to, the one whose path it lies below, and the path as that app knows it."""
    around = _around(path, site)
    if not around:
        return {"upstream": site["upstream"], "prefix": "", "uri": ""}
    location = around[-1]
    prefix = location["path"] if location["strip_prefix"] else ""
    return {
        "upstream": location["upstream"],
        "prefix": prefix,
        "uri": path.removeprefix(prefix) if prefix else "",
    }


def completed(sites: Iterable[Mapping[str, Any]]) -> list[Site]:
    """The sites that are to be there, every default filled in, in the form that the templates take.

    Args:
        sites: the value of `nginx_sites`, for which `problems` found nothing.
    """
    found = []
    for raw in sites:
        site, _ = _formed(raw, "site")
        if site["state"] == "absent":
            continue
        site["domains"] = [domain.lower() for domain in site["domains"]]
        site["certificate"] = site["certificate"] or site["name"]
        # In names of variables, which know no hyphen; a site's name knows no underscore, so that no two become one.
        site["id"] = site["name"].replace("-", "_")
        site["buffers"] = protocols.buffers(site["header_buffer"])
        site["own_upgrades"] = [token.lower() for token in site["upgrade"]] != protocols.WEBSOCKET
        client_certificates.complete(site)
        for key in ("webhooks", "locations", "static", "internal"):
            for item in site[key]:
                item["path"] = item["path"].rstrip("/")
        for item in (*site["webhooks"], *site["locations"]):
            item["raw"] = values.as_sent(item["path"])
        for number, location in enumerate(site["locations"], 1):
            location["upstream"]["name"] = f"portside_{site['name']}_{number}"
        site["upstream"]["name"] = f"portside_{site['name']}"
        has_app = site["upstream"]["file"] or site["upstream"]["servers"]
        for webhook in site["webhooks"]:
            webhook.update(_webhook_target(webhook["path"], site))
        site["safe_headers"] = headers.safe(site)
        site["own_directives"] = sorted({words[0] for words in config.directives(site["extra_config"])})
        site["upstreams"] = [
            *([site["upstream"]] if has_app else []),
            *(location["upstream"] for location in site["locations"]),
        ]
        found.append(site)
    return found


def certificates(sites: Iterable[Site]) -> list[dict[str, str]]:
    """The certificates that completed sites take, each with the site that needs it."""
    return [{"name": site["certificate"], "site": site["name"]} for site in sites if site["tls"] and site["domains"]]


def upstream_files(sites: Iterable[Site]) -> list[dict[str, str]]:
    """The upstream files that completed sites include, each with its site."""
    return [
        {"path": upstream["file"], "site": site["name"]}
        for site in sites
        for upstream in site["upstreams"]
        if upstream["file"]
    ]


def password_files(sites: Iterable[Site]) -> list[dict[str, Any]]:
    """The password files of completed sites with basic authentication: path, users with their passwords, site."""
    return [
        {
            "path": f"{PASSWORDS}/portside-{site['name']}",
            "site": site["name"],
            "users": {name: str(password) for name, password in site["basic_auth"]["users"].items()},
        }
        for site in sites
        if site["basic_auth"]["users"]
    ]
