"""`portside_apps` as users write it, checked and completed."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.portside.vps.plugins.module_utils.inventory.app_spec import APP, SETTINGS, Spec

App = dict[str, Any]

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
# RFC 1123 section 2.1 and RFC 1035 section 2.3.4: labels of 1 to 63 letters, digits and inner hyphens, 253 in all.
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A value this short occurs everywhere, and everywhere it occurs Ansible would mask it.
SHORTEST_SECRET = 6

PUBLIC_BIND = (
    "would be reachable from everywhere: Docker's own rules let published ports past ufw. "
    "Portside publishes on 127.0.0.1, and nginx answers for the app on 443"
)


class InvalidApps(ValueError):
    """The list can't be used; the message has one line for each thing that is wrong."""


def is_domain(text: str) -> bool:
    """Whether the text is a full domain name: at least two labels, the last not all digits."""
    labels = text.split(".")
    return (
        len(text) <= 253
        and len(labels) > 1
        and all(LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )


def _plain(value: Any) -> Any:
    """The value without Ansible's lazy containers, and without keys that have nothing behind the colon."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _documented(spec: Spec) -> Spec:
    """The spec as Ansible's validator takes it: without the descriptions."""
    plain = {}
    for key, field in spec.items():
        plain[key] = {name: value for name, value in field.items() if name != "description"}
        if "options" in field:
            plain[key]["options"] = _documented(field["options"])
            if field["type"] == "dict" and field.get("default") == {}:
                # The defaults of the sub-options apply where the option itself is left out.
                plain[key]["apply_defaults"] = True
                del plain[key]["default"]
    return plain


def _near(key: str, allowed: Iterable[str]) -> str:
    names = sorted(allowed)
    close = difflib.get_close_matches(key, names, n=1)
    return f"did you mean `{close[0]}`?" if close else f"allowed are {', '.join(names)}"


def _unknown_keys(value: Mapping[str, Any], spec: Spec, where: str) -> list[str]:
    found = [f"{where}: unknown key `{key}`: {_near(key, spec)}" for key in value if key not in spec]
    for key, field in spec.items():
        items = value.get(key)
        if "options" not in field:
            continue
        if isinstance(items, Mapping):
            found += _unknown_keys(items, field["options"], f"{where}, `{key}`")
        elif isinstance(items, list):
            for number, item in enumerate(items, 1):
                if isinstance(item, Mapping):
                    found += _unknown_keys(item, field["options"], f"{where}, `{key}` item {number}")
    return found


def _validated(value: Mapping[str, Any], spec: Spec, where: str) -> tuple[dict[str, Any], list[str]]:
    unknown = _unknown_keys(value, spec, where)
    if unknown:
        return {}, unknown
    result = ArgumentSpecValidator(_documented(spec)).validate(dict(value))
    return result.validated_parameters, [f"{where}: {message}" for message in result.error_messages]


def _port_problem(value: Any) -> str | None:
    """What is wrong with a port as the user wrote it, beyond not being a number."""
    text = str(value)
    if ":" in text or "." in text:
        return (
            f"`port: {text}` is an address, not a port: write the container's own port alone, `port: 8000` for "
            f"instance. A port published on another address {PUBLIC_BIND}"
        )
    return None


def _form_problems(value: Mapping[str, Any]) -> list[str]:
    """What is written in a form that can only be guessed at, with the form to write."""
    found = []
    if not isinstance(value.get("health", {}), Mapping):
        found.append(f"`health: {value['health']}` is not a dictionary: write `health: {{path: /health}}`")
    hooks = value.get("webhooks", [])
    if not isinstance(hooks, list) or not all(isinstance(hook, Mapping) for hook in hooks):
        found.append("`webhooks` is a list of dictionaries: write `webhooks: [{path: /webhooks/stripe}]`")
    found += [
        f"`{key}` is not a dictionary: write `{key}: {{NAME: value}}`"
        for key in ("env", "secrets")
        if not isinstance(value.get(key, {}), Mapping)
    ]
    if value.get("port") is not None:
        found += [problem for problem in [_port_problem(value["port"])] if problem]
    return found


def _image_problem(app: App) -> str | None:
    image = app["image"]
    if image is None:
        return (
            None if app["state"] == "absent" else "missing required key `image`, such as `ghcr.io/acme/shop-api:1.4.2`"
        )
    if not image.strip() or re.search(r"\s", image):
        return f"`image: {image}` is not an image reference such as `ghcr.io/acme/shop-api:1.4.2`"
    tag = image.rpartition("/")[2].partition(":")[2]
    if "@" not in image and tag in {"", "latest"}:
        return (
            f"`image: {image}` needs a tag of its own, such as `:1.4.2`: under `latest` a new release can't be told "
            "from the old one, and there is nothing to go back to"
        )
    return None


def _bind_problem(bind: str) -> str | None:
    try:
        loopback = ipaddress.ip_address(bind).is_loopback
    except ValueError:
        loopback = False
    return (
        None
        if loopback
        else f"`bind: {bind}` is not a loopback address (127.0.0.1 or ::1). The container {PUBLIC_BIND}"
    )


def _domain_problem(domain: str) -> str | None:
    if is_domain(domain):
        return None
    if "://" in domain or "/" in domain:
        return f"`domains` item `{domain}` is a URL: write the name alone, `api.example.com` for instance"
    if domain.startswith("*."):
        return f"`domains` item `{domain}`: a wildcard needs a DNS challenge, which an app's certificate does not use"
    return f"`domains` item `{domain}` is not a full domain name such as `api.example.com`"


def _problems(app: App) -> list[str]:
    """What a single, well-formed app says that can't be done."""
    found: list[str | None] = []
    if not NAME.fullmatch(app["name"]):
        found.append("`name` takes a-z, 0-9 and inner hyphens, at most 40 characters")
    found.append(_image_problem(app))
    ports = [("port", app["port"]), ("local_port", app["local_port"]), *(("host_ports", p) for p in app["host_ports"])]
    found += [
        f"`{key}: {port}` is out of range: 1 to 65535"
        for key, port in ports
        if port is not None and not 1 <= port <= 65535
    ]
    found += [_domain_problem(domain) for domain in app["domains"]]
    found.append(_bind_problem(app["bind"]))
    if len(app["host_ports"]) > 2:
        found.append("`host_ports` takes two ports (or one: the old release is then stopped before the new one starts)")
    if app["state"] == "absent":
        pass
    elif app["port"] is None:
        needs_port = [key for key in ("domains", "webhooks", "local_port", "host_ports") if app[key]]
        found += [f"`{key}` needs `port`, the one the app listens on inside its container" for key in needs_port]
    elif not app["domains"] and app["webhooks"]:
        found.append("`webhooks` needs `domains`, the names that the sender calls")
    paths = [("health.path", app["health"]["path"]), *(("webhooks.path", hook["path"]) for hook in app["webhooks"])]
    found += [
        f"`{key}: {path}` must begin with / and hold no white space, quote, semicolon or brace"
        for key, path in paths
        if not re.fullmatch(r"/[^\s\"';{}\\]*", path)
    ]
    found += [
        f"`{kind}`: `{key}` is not the name of an environment variable"
        for kind in ("env", "secrets")
        for key in app[kind]
        if not ENV_NAME.fullmatch(str(key))
    ]
    found += [f"`{key}` stands in both `env` and `secrets`" for key in sorted(set(app["env"]) & set(app["secrets"]))]
    found += [
        f"`secrets`: the value of `{key}` is shorter than {SHORTEST_SECRET} characters: put it under `env`"
        for key, value in app["secrets"].items()
        if len(str(value)) < SHORTEST_SECRET
    ]
    return [problem for problem in found if problem]


def _twice(values: Iterable[Any]) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]


def _clashes(apps: list[App]) -> list[str]:
    """What two apps may not share."""
    present = [app for app in apps if app["state"] == "present"]
    found = [
        f"two apps are called `{name}`: every app needs a name of its own" for name in _twice(a["name"] for a in apps)
    ]
    for domain in _twice(domain.lower() for app in present for domain in app["domains"]):
        owners = ", ".join(app["name"] for app in present if domain in (d.lower() for d in app["domains"]))
        found.append(f"domain `{domain}` is declared more than once ({owners}): a name leads to one app")
    fixed = [(port, app["name"]) for app in present for port in (*app["host_ports"], app["local_port"]) if port]
    for port in _twice(port for port, _ in fixed):
        owners = ", ".join(name for other, name in fixed if other == port)
        found.append(f"port {port} on the server is taken more than once ({owners})")
    return found


def _one(number: int, raw: Any) -> tuple[App, list[str]]:
    if not isinstance(raw, Mapping):
        return {}, [f"portside_apps item {number} is not a dictionary: it starts with `- name:`"]
    value = _plain(raw)
    where = f"app `{value['name']}`" if value.get("name") else f"portside_apps item {number}"
    misshapen = _form_problems(value)
    if misshapen:
        return {}, [f"{where}: {problem}" for problem in misshapen]
    # A secret without a value is a variable that is not set, which is no reason to start the app without it.
    empty = [key for key, item in dict(raw.get("secrets") or {}).items() if item is None]
    if empty:
        return {}, [f"{where}: `secrets`: `{key}` has no value" for key in empty]
    app, problems = _validated(value, APP, where)
    if problems:
        return {}, problems
    return app, [f"{where}: {problem}" for problem in _problems(app)]


def complete(raw: Any) -> list[App]:
    """The apps with every default filled in.

    Args:
        raw: the value of `portside_apps`.

    Raises:
        InvalidApps: with one line for each thing that is wrong, naming the app, the key and what is allowed.
    """
    if not isinstance(raw, list | tuple):
        raise InvalidApps("portside_apps is not a list: every app starts with `- name:`")
    pairs = [_one(number, item) for number, item in enumerate(raw, 1)]
    problems = [problem for _, found in pairs for problem in found]
    if not problems:
        problems = _clashes([app for app, _ in pairs])
    if problems:
        raise InvalidApps("\n".join(problems))
    return [app for app, _ in pairs]


def egress_problems(apps: Iterable[App], egress: Mapping[str, Any] | None) -> list[str]:
    """A sentence for each app that is to use a proxy that nobody declared: it would go out directly without a word."""
    if any((egress or {}).get(key) for key in ("http_proxy", "https_proxy")):
        return []
    return [
        f"app `{app['name']}`: `egress: proxy` needs `portside_egress` with `http_proxy` or `https_proxy`"
        for app in apps
        if app["egress"] == "proxy" and app["state"] == "present"
    ]


def settings_problems(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with the collection's other settings, a line each."""
    value = {key: item for key, item in _plain(settings).items() if key in SETTINGS and key != "portside_apps"}
    complete_settings, problems = _validated(value, SETTINGS, "Portside's settings")
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
    return problems
