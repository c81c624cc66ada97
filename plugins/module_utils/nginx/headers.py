"""Headers of requests that an app may believe, and headers of answers that keep browsers from doing harm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.nginx import config, values

# What the options of `security_headers` say of none.
NONE = "none"


def trusted_headers(names: Iterable[str], fronts: Iterable[str], real_ip_header: str) -> dict[str, str]:
    """The request headers of which the fronts' word is passed on, in lower case, each with nginx's variable for it.

    Args:
        names: the value of `nginx_trusted_headers`.
        fronts: the value of `nginx_real_ip_from`; without any nobody is believed.
        real_ip_header: the header in which the fronts name the visitor. It is one of them, where nginx doesn't set it.
    """
    if not list(fronts):
        return {}
    believed = [*names, *([] if values.trusted_header_problem(real_ip_header) else [real_ip_header])]
    return {name: f"portside_passed_{name.replace('-', '_')}" for name in sorted({name.lower() for name in believed})}


def safe(site: Mapping[str, Any]) -> list[dict[str, str]]:
    """The headers by which browsers are asked to be careful: name, value, and nginx's variable for it.

    The variable is empty where the app says something of its own. What the site's `headers` or its `extra_config`
    declares is left out.
    """
    options = site["security_headers"]
    wanted = {
        "X-Content-Type-Options": "nosniff" if options["nosniff"] else NONE,
        "X-Frame-Options": options["frame"].upper() if options["frame"] != NONE else NONE,
        "Referrer-Policy": options["referrer"],
    }
    own = {name.lower() for name in site["headers"]}
    own |= {words[1].lower() for words in config.directives(site["extra_config"]) if words[0] == "add_header"}
    return [
        {"name": name, "value": value, "variable": f"portside_{name.lower().replace('-', '_')}_{site['id']}"}
        for name, value in wanted.items()
        if value != NONE and name.lower() not in own
    ]
