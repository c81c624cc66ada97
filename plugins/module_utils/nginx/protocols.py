"""What a site speaks beside plain HTTP: large headers, names with an underscore, upgrades, gRPC. Decisions only."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.nginx import values

# What nginx always lets through.
WEBSOCKET = ["websocket"]
# RFC 9110, section 7.8: a name, and a version behind a slash.
UPGRADE = re.compile(rf"{values.HEADER_NAME.pattern}(/{values.HEADER_NAME.pattern})?")
LEAST_HEADER, LARGEST_HEADER = 4 << 10, 1 << 20
# One of the buffers that an answer is collected in.
BUFFER = 16 << 10
LEAST_BUFFERS = 8
SET_HEADER = re.compile(r"^proxy_set_header (\S+) ", re.MULTILINE)


def header_buffer_problem(value: str) -> str | None:
    """For `header_buffer`."""
    size = values.size(value)
    if size is None or not LEAST_HEADER <= size <= LARGEST_HEADER:
        return "is not a size such as `32k`, from `4k` to `1m`"
    return None


def upgrade_problem(value: str) -> str | None:
    """For an item of `upgrade`. RFC 9113, section 3.1: h2c is no upgrade any more."""
    if not UPGRADE.fullmatch(value):
        return "is not the name of a protocol such as `websocket` or `SPDY/3.1`"
    if value.lower().partition("/")[0] in {"h2c", "h2"}:
        return (
            "would be a tunnel through which clients ask for any path, past `allow`, `basic_auth` and limits: browsers "
            "get HTTP/2 from nginx as it is, and an app that speaks gRPC takes `protocol: grpc`"
        )
    return None


def problems(site: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with these options of a site of the right form."""
    if (problem := header_buffer_problem(site["header_buffer"])) is not None:
        yield f"`header_buffer: {site['header_buffer']}` {problem}"
    for token in site["upgrade"]:
        if (problem := upgrade_problem(token)) is not None:
            yield f"`upgrade` item `{token}` {problem}"
    yield from _grpc(site)


def _grpc(site: Mapping[str, Any]) -> Iterator[str]:
    """Where gRPC can't be spoken: clients need HTTP/2, which on a port without TLS all sites would share."""
    own = site["upstream"]["protocol"] == "grpc"
    others = [location for location in site["locations"] if location["upstream"]["protocol"] == "grpc"]
    if (own or others) and not site["tls"]:
        yield "`protocol: grpc` needs `tls: true`: without TLS clients get no HTTP/2 on port 80"
    for location in others:
        if location["strip_prefix"]:
            yield (
                f"`locations.strip_prefix` of `{location['path']}` can't be had with `protocol: grpc`: a method's "
                "path is what the app knows it by"
            )
    for webhook in site["webhooks"]:
        below = [one for one in site["locations"] if webhook["path"].startswith(f"{one['path'].rstrip('/')}/")]
        nearest = max(below, key=lambda one: len(one["path"]), default=site)
        if nearest["upstream"]["protocol"] == "grpc":
            yield (
                f"`webhooks.path: {webhook['path']}` leads to an app that speaks gRPC, and webhooks are plain HTTP: "
                "declare the path in `locations` for an app that speaks http"
            )


def settings_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the role's options about a proxy in front of the server."""
    if settings.get("nginx_proxy_protocol"):
        if not settings["nginx_real_ip_from"]:
            yield (
                "`nginx_proxy_protocol` needs `nginx_real_ip_from`, the load balancer's addresses: from nobody "
                "else is the visitor's address believed, and without it all visitors are one"
            )
        if settings.get("nginx_http3"):
            yield "`nginx_proxy_protocol` and `nginx_http3` exclude each other: QUIC knows no PROXY protocol"
    path = settings.get("nginx_health_path")
    if path and (problem := values.path_problem(path)) is not None:
        yield f"`nginx_health_path: {path}` {problem}"
    elif path == "/nginx_status":
        yield "`nginx_health_path: /nginx_status` is nginx's own page for the server itself: take another path"


def unbelievable(sites: Iterable[Mapping[str, Any]], settings: Mapping[str, Any]) -> Iterator[str]:
    """Sites that believe a proxy in front while none is named."""
    for site in sites:
        if site["forwarded_proto"] and not settings["nginx_real_ip_from"]:
            yield (
                f"site `{site['name']}`: `forwarded_proto` needs `nginx_real_ip_from`, the addresses of the proxy that "
                "ends TLS: nobody else is believed"
            )


def buffers(header_buffer: str) -> dict[str, Any]:
    """The buffers of an answer whose header may be that large.

    nginx wants `proxy_busy_buffers_size` to be no less than a buffer, the header's too, and less than all others but
    one together (ngx_http_proxy_merge_loc_conf).

    Returns:
        count: how many, of BUFFER bytes.
        busy: `proxy_busy_buffers_size`.
    """
    busy = max(values.size(header_buffer) or 0, 2 * BUFFER)
    return {"count": max(LEAST_BUFFERS, -(-busy // BUFFER) + 1), "busy": f"{-(-busy // 1024)}k"}


def largest_header(sites: Iterable[Mapping[str, Any]]) -> str:
    """The largest `header_buffer` of completed sites.

    Until a request on port 80 has said its Host, the default server's counts
    (nginx.org/en/docs/http/server_names.html#virtual_server_selection).
    """
    return max((str(site["header_buffer"]) for site in sites), key=lambda size: values.size(size) or 0, default="16k")


def grpc_headers(snippet: str) -> str:
    """What a snippet for HTTP sets, for gRPC, which has no connections and upgrades of its own (RFC 9113, 8.2.2)."""
    lines = [line for line in snippet.splitlines() if SET_HEADER.match(line)]
    kept = [line for line in lines if line.split()[1] not in {"Upgrade", "Connection"}]
    return "\n".join(f"grpc_{line.removeprefix('proxy_')}" for line in kept)


def underscored(snippet: str) -> list[str]:
    """The names by which clients could send a header that the snippet sets, where underscores are let through.

    Whatever hands headers to a program as CGI does (RFC 3875, section 4.1.18: WSGI, Rack, PHP) makes one of `X-Real-IP`
    and `X_Real_IP`.
    """
    return [
        "".join(itertools.chain(*zip(parts, (*between, ""), strict=True)))
        for name in SET_HEADER.findall(snippet)
        if (parts := name.split("-"))
        for between in itertools.product("-_", repeat=len(parts) - 1)
        if "_" in between
    ]
