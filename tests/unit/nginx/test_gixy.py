"""Gixy, a static analyser of nginx configurations, finds nothing in what the role writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.nginx.rendering import tree

# What every release's own nginx.conf has where it matters here.
NGINX_CONF = """
worker_processes auto;
include /etc/nginx/modules-enabled/portside.conf;
events {
    worker_connections 768;
}
http {
    include /etc/nginx/conf.d/portside.conf;
    include /etc/nginx/sites-enabled/*;
}
"""
SHOP = {
    "name": "shop-api",
    "domains": ["api.example.com", "www.example.com"],
    "upstream": {"file": "/etc/nginx/upstreams/shop-api.conf"},
    "webhooks": [
        {"path": "/webhooks/stripe", "allow": ["192.0.2.0/24"], "max_body_size": "1m", "read_timeout": "15s"},
        {"path": "/blog/hook"},
    ],
    "buffering": False,
    "gzip": True,
    "rate_limit": {"rate": "10r/s"},
    "allow": ["198.51.100.0/24"],
    "deny": ["198.51.100.7"],
    "basic_auth": {"users": {"kim": "secret"}},
    "headers": {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'self'"},
    "hsts": {"max_age": 63072000, "include_subdomains": True, "preload": True},
    "error_pages": [{"status": [503], "file": "/srv/down.html"}, {"status": [404], "file": "/srv/404.html"}],
    "maintenance": {"enabled": True, "allow": ["192.0.2.1"]},
    "redirects": [{"from": "/old", "to": "https://api.example.com/new"}],
    "static": [{"path": "/assets", "directory": "/srv/assets", "max_age": 3600}],
    "locations": [
        {"path": "/blog", "upstream": {"servers": ["127.0.0.1:9000", "127.0.0.1:9001"]}, "strip_prefix": True}
    ],
    "extra_config": "location = /robots.txt { return 404; }",
    "local_port": 8000,
}
FILES_ONLY = {
    "name": "files",
    "domains": ["files.example.com"],
    "upstream": {"servers": ["127.0.0.1:9000"]},
    "static": [{"path": "", "directory": "/srv/files"}],
}
PLAIN = {"name": "plain", "domains": ["plain.example.com"], "upstream": {"servers": ["127.0.0.1:9000"]}, "tls": False}

# Findings that are meant to be so, and why.
MEANT = {
    # In maintenance the answer is 503 for everybody who is not exempt; the lists decide about the app alone.
    "return_bypasses_allow_deny",
    # `strip_prefix` is nginx's own replacement of a location's prefix: the rest arrives decoded, as documented.
    "proxy_pass_normalized",
}
# In one file alone.
MEANT_THERE = {
    # Its `if` always answers, so that nothing of the location is mixed with it; `error_page` says where to.
    ("if_is_evil", "portside-close.conf"),
}


def findings(tmp_path: Path, files: dict[str, str]) -> list[dict[str, str]]:
    """What gixy says about a tree, given as `nginx -T` would print it; systemd's units are left out."""
    ours = {path: text for path, text in files.items() if not path.startswith("/")}
    dump = tmp_path / "nginx-T.conf"
    dump.write_text(
        "".join(
            f"# configuration file /etc/nginx/{path}:\n{text}\n"
            for path, text in {"nginx.conf": NGINX_CONF, **ours}.items()
        )
    )
    gixy = [str(Path(sys.executable).with_name("gixy")), "--format", "json", str(dump)]
    result = subprocess.run(gixy, capture_output=True, text=True, check=False)
    return [
        finding
        for finding in json.loads(result.stdout)
        if finding["plugin"] not in MEANT and (finding["plugin"], Path(finding["file"]).name) not in MEANT_THERE
    ]


@pytest.mark.parametrize("release", ["Debian_12", "Debian_13", "Ubuntu_24", "Ubuntu_26"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"nginx_real_ip_from": ["203.0.113.0/24"]}, {"nginx_http3": True}],
    ids=["outermost", "behind-a-cdn", "http3"],
)
def test_nothing_is_found(tmp_path, release, settings):
    files = tree(SHOP, FILES_ONLY, PLAIN, release=release, **settings)
    assert findings(tmp_path, files) == []


def test_a_fault_in_a_site_is_seen(tmp_path):
    config = "location /away {\n    return 302 https://plain.example.com$uri;\n}"
    found = findings(tmp_path, tree({**PLAIN, "extra_config": config}))
    assert [item["plugin"] for item in found] == ["http_splitting"]
