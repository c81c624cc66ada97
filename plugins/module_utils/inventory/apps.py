"""`portside_apps` as users write it, checked and completed.

What concerns an app's container is checked by the same code that checks `docker_app_list`; here stands what only the
whole site knows: names on the internet, and what follows from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.portside.vps.plugins.module_utils.certbot import names
from ansible_collections.portside.vps.plugins.module_utils.inventory import confinement, egress
from ansible_collections.portside.vps.plugins.module_utils.inventory.app_spec import APP, SETTINGS, UPSTREAM_KEYS
from ansible_collections.portside.vps.plugins.module_utils.nginx import patterns
from ansible_collections.portside.vps.plugins.module_utils.releases import validate
from ansible_collections.portside.vps.plugins.module_utils.shape import InvalidInputError, shape, twice

App = dict[str, Any]

# RFC 1123 section 2.1 and RFC 1035 section 2.3.4: labels of 1 to 63 letters, digits and inner hyphens, 253 in all.
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)

AS_WRITTEN = ("site", "webhooks")


def is_domain(text: str) -> bool:
    """Whether the text is a full domain name: at least two labels, the last not all digits."""
    labels = text.split(".")
    return (
        len(text) <= 253
        and len(labels) > 1
        and all(LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )


def _written(value: Any) -> Any:
    """The value in plain types, without keys that have nothing behind the colon."""
    if isinstance(value, Mapping):
        return {str(key): _written(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_written(item) for item in value]
    return value


def _tag_problem(image: str) -> str | None:
    tag = image.rpartition("/")[2].partition(":")[2]
    if "@" in image or image.startswith("sha256:") or tag not in {"", "latest"}:
        return None
    return (
        f"`image: {image}` needs a tag of its own, such as `:1.4.2`: under `latest` a new release can't be told "
        "from the old one, and there is nothing to go back to"
    )


def _is_url(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"https?://[^\s/@]+(/\S*)?", text)) and urlsplit(text).port != 0
    except ValueError:  # the port is no number up to 65535
        return False


def _domain_problem(domain: str, certificate: Mapping[str, Any]) -> str | None:
    """Why the app can't have the name; None when it can.

    Args:
        domain: as declared.
        certificate: the app's: a wildcard is proved by DNS (RFC 8555, section 7.1.3), or comes with the user's own.
    """
    if is_domain(domain):
        return None
    if domain.startswith("*.") and is_domain(domain[2:]):
        if certificate.get("dns") or certificate.get("own"):
            return None
        return (
            f"`domains` item `{domain}`: a wildcard needs a DNS challenge, `certificate: {{dns: <one of certbot_dns>}}`"
            ", or a certificate of your own, `certificate: {own: ...}`"
        )
    if "://" in domain or "/" in domain:
        return f"`domains` item `{domain}` is a URL: write the name alone, `api.example.com` for instance"
    if names.is_address(domain):
        return f"`domains` item `{domain}` is an IP address, not a full domain name: a site of nginx's needs a name"
    why = names.domain_problem(domain.removeprefix("*.")) or "is not a full domain name such as `api.example.com`"
    return f"`domains` item `{domain}` {why}"


def _webhook_problem(path: str) -> str | None:
    if (problem := patterns.path_problem(path, below=True)) is not None:
        return f"`webhooks.path: {path}` {problem}"
    if not re.fullmatch(r"/[^\s\"';{}\\]*", path):
        return f"`webhooks.path: {path}` must begin with / and hold no white space, quote, semicolon or brace"
    return None


def _problems(app: App) -> list[str]:
    """What a single, well-formed app says of its site that can't be done."""
    if app["state"] == "absent":
        return []
    found: list[str | None] = [_domain_problem(domain, app["certificate"]) for domain in app["domains"]]
    if app["image"] is not None:
        found.append(_tag_problem(app["image"]))
    if app["expose"] == "private":
        found += [
            f"`{key}` needs `expose: public`: a private app is reached by other apps alone, by its name"
            for key in ("domains", "webhooks", "local_port")
            if app[key]
        ]
    elif app["port"] is None:
        needs_port = [key for key in ("domains", "webhooks", "local_port") if app[key]]
        found += [f"`{key}` needs `port`, the one the app listens on inside its container" for key in needs_port]
    elif not app["domains"] and app["webhooks"]:
        found.append("`webhooks` needs `domains`, the names that the sender calls")
    if set(app["site"]) - {*UPSTREAM_KEYS} and not (app["domains"] or app["local_port"]):
        found.append("`site` needs `domains`, the names that it is served under")
    found += [
        f"`site.locations`: `{location['path']}` takes one of `app` and `upstream`, where its requests go"
        for location in app["site"].get("locations", [])
        if ("app" in location) == ("upstream" in location)
    ]
    found += [problem for hook in app["webhooks"] if (problem := _webhook_problem(hook["path"]))]
    found += [
        f"`egress_checks` item `{url}` is not a URL such as `https://api.stripe.com`"
        for url in app["egress_checks"]
        if not _is_url(url)
    ]
    return [problem for problem in found if problem]


def location_apps(app: App) -> list[str]:
    """Names of the apps that paths of this app's site lead to."""
    return [location["app"] for location in app["site"].get("locations", []) if "app" in location]


def _lost_locations(apps: list[App]) -> list[str]:
    """A sentence for each path of a site that leads to an app that can't answer."""
    published = [app for app in apps if app["port"] is not None and app["expose"] == "public"]
    answering = {app["name"] for app in published if app["state"] == "present"}
    return [
        f"app `{app['name']}`: `site.locations`: no other app called `{name}` is present and has a `port`"
        for app in apps
        if app["state"] == "present"
        for name in location_apps(app)
        if name not in answering - {app["name"]}
    ]


def _clashes(apps: list[App]) -> list[str]:
    """What two apps may not share."""
    present = [app for app in apps if app["state"] == "present"]
    found = validate.clashes(apps) + validate.order_problems(apps)
    for domain in twice(domain.lower() for app in present for domain in app["domains"]):
        owners = ", ".join(app["name"] for app in present if domain in (d.lower() for d in app["domains"]))
        found.append(f"domain `{domain}` is declared more than once ({owners}): a name leads to one app")
    local = [(app["local_port"], app["name"]) for app in present if app["local_port"]]
    fixed = local + [(port, app["name"]) for app in present for port in app["host_ports"]]
    for port in twice(port for port, _ in fixed):
        if port in {number for number, _ in local}:
            owners = ", ".join(name for other, name in fixed if other == port)
            found.append(f"port {port} on the server is taken more than once ({owners})")
    return found


def complete(raw: Any) -> list[App]:
    """The apps with every default filled in.

    Args:
        raw: the value of `portside_apps`.

    Raises:
        InvalidInputError: with one line for each thing that is wrong, naming the app, the key and what is allowed.
    """
    apps, wrong = validate.listed(raw, APP, "portside_apps")
    if not wrong:
        for app, item in zip(apps, raw, strict=True):
            # nginx's role fills in its own defaults, so that a new option there changes no app here.
            app |= {key: _written(item.get(key) or APP[key]["default"]) for key in AS_WRITTEN}
            # The case of a name plays no part (RFC 4343), and certificates and nginx have it in lower case.
            app["domains"] = [domain.lower() for domain in app["domains"]]
        wrong = [f"app `{app['name']}`: {problem}" for app in apps for problem in _problems(app)]
    wrong = wrong or _clashes(apps) + _lost_locations(apps)
    if wrong:
        raise InvalidInputError("\n".join(wrong))
    return apps


def egress_problems(apps: Iterable[App], shared: Mapping[str, Any] | None) -> list[str]:
    """A sentence for each app that is to use a proxy that nobody declared (it would go out directly without a word),
    and for each proxy and exception that can't be used."""
    found = egress.problems(shared or {}, "portside_egress") + egress.consumer_problems(shared or {})
    for app in apps:
        if app["state"] == "absent" or app["egress"] == "direct":
            continue
        found += [f"app `{app['name']}`: `egress`: {problem}" for problem in confinement.problems(app)]
        if egress.of_app(app, shared) is None:
            continue
        if not egress.declared(egress.of_app(app, shared)):
            where = "`portside_egress`" if app["egress"] == "proxy" else "its dictionary"
            found.append(f"app `{app['name']}`: `egress` needs `http_proxy` or `https_proxy` in {where}")
        if app["egress"] != "proxy":
            found += egress.problems(app["egress"], f"app `{app['name']}`: `egress`")
    return found


def settings_problems(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with the collection's other settings, a line each."""
    value = {key: item for key, item in settings.items() if key in SETTINGS and key != "portside_apps"}
    complete_settings, problems = shape(value, SETTINGS, "Portside's settings")
    if problems:
        return problems
    directory = complete_settings["portside_acme_directory"]
    if directory not in {"production", "staging"} and not re.fullmatch(r"https://[^\s/]+\S*", directory):
        problems.append(f"`portside_acme_directory: {directory}` is neither an https URL nor `production` or `staging`")
    ca_file = complete_settings["portside_acme_ca_file"]
    if ca_file and not Path(ca_file).expanduser().is_file():
        problems.append(f"`portside_acme_ca_file: {ca_file}`: there is no such file on this machine, the controller")
    email = complete_settings["portside_acme_email"]
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
        problems.append(f"`portside_acme_email: {email}` is not an e-mail address")
    return problems + [
        f"`{key}` item `{address}` is not an address such as `203.0.113.10` or `2001:db8::10`"
        for key in ("portside_addresses", "portside_verify_addresses")
        for address in complete_settings[key]
        if not egress.is_address(address)
    ]
