"""Connections and open files of nginx's workers."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.nginx import capacity
from ansible_collections.portside.vps.plugins.module_utils.nginx.tree import Link, Text

MAIN = "/etc/nginx/nginx.conf"
# Debian's own.
DEBIAN = """user www-data;
include /etc/nginx/modules-enabled/*.conf;

events {
\tworker_connections 768;
\t# multi_accept on;
}

http {
\t# worker_connections 5;
}
"""
LIMITS = """Limit                     Soft Limit           Hard Limit           Units
Max core file size        0                    unlimited            bytes
Max open files            1024                 20000                files
"""


def changed(text, wanted=8192, files=524288):
    found, said = capacity.change(MAIN, Text(text), wanted, files)
    return found[0].after.content if found else text, said


def test_the_number_in_nginx_conf_is_raised_and_nothing_else_is_touched():
    assert changed(DEBIAN) == (DEBIAN.replace("connections 768", "connections 8192"), [])
    assert changed(changed(DEBIAN)[0]) == changed(DEBIAN)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("events { worker_connections 768; }\n", "events { worker_connections 8192; }\n"),
        (
            "events {\n    # worker_connections 1;\n}\n",
            "events {\n    worker_connections 8192;\n    # worker_connections 1;\n}\n",
        ),
        ("events {}\n", "events {\n    worker_connections 8192;}\n"),
        # A user's own.
        ("events { worker_connections 20000; }\n", "events { worker_connections 20000; }\n"),
    ],
)
def test_other_ways_to_write_it(before, after):
    assert changed(before) == (after, [])


def test_what_is_not_understood_is_left_alone_and_reported():
    text, said = changed("include events.conf;\n")
    assert text == "include events.conf;\n"
    assert "no block `events`" in said[0]
    assert capacity.change(MAIN, Link("/opt/nginx.conf"), 8192, None) == ([], [])
    assert capacity.change(MAIN, None, 8192, None) == ([], [])


def test_a_worker_takes_no_more_connections_than_the_host_allows_files():
    assert capacity.hard_limit(LIMITS) == 20000
    assert capacity.fitting(8192, 20000) == (8192, 16384)
    assert capacity.fitting(16384, 20000) == (15000, 20000)
    assert capacity.fitting(16384, 524288) == (16384, 32768)
    assert capacity.with_files("worker_rlimit_nofile 32768;", 20000) == "worker_rlimit_nofile 20000;"
    assert capacity.with_files("worker_rlimit_nofile 16384;", None) == "worker_rlimit_nofile 16384;"
    text, said = changed(DEBIAN, 16384, 20000)
    assert "worker_connections 15000;" in text
    assert said == ["this host lets nginx open 20000 files: a worker takes 15000 connections, and not 16384"]
