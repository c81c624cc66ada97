"""Reading nginx's configuration and words."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.nginx import config

OWN = """
server {
    listen 80 default_server;
    listen [::]:80 default_server;
    server_name _;
}
server { listen 443 ssl; server_name api.example.com; }
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server { listen 80; server_name a.com B.com; }", [({"0.0.0.0:80"}, set(), {"a.com", "b.com"})]),
        ("server { listen *:443 ssl default_server; }", [({"0.0.0.0:443"}, {"0.0.0.0:443"}, set())]),
        ("server { listen [::]:80 default; }", [({"[::]:80"}, {"[::]:80"}, set())]),
        ("server { listen 10.0.0.1; }", [({"10.0.0.1:80"}, set(), set())]),
        ("server { listen unix:/run/a.sock; }", [({"unix:/run/a.sock"}, set(), set())]),
        ("server { server_name _; }", [({"0.0.0.0:80"}, set(), set())]),
        ("# server { listen 1; }\nserver{listen 81;}", [({"0.0.0.0:81"}, set(), set())]),
        (
            'server { listen 82; location / { return 200 "server { listen 83; }"; } server_name c.com; }',
            [({"0.0.0.0:82"}, set(), {"c.com"})],
        ),
        ("upstream x { server 127.0.0.1:1; }", []),
        ("server { listen 80;", []),
        ('"', []),
        ("", []),
    ],
)
def test_server_blocks(text, expected):
    assert [(server.addresses, server.defaults, server.names) for server in config.servers(text)] == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("server { listen *:80 default_server; }", "is the default server of 0.0.0.0:80 too"),
        ("server { listen 443 ssl; server_name API.example.com; }", "also has api.example.com"),
        ("server { listen 80; server_name api.example.com; }", ""),
        ("server { listen 10.0.0.1:80 default_server; }", ""),
        ("server { listen 8080 default_server; server_name x.com; }", ""),
    ],
)
def test_collisions_with_files_of_others(text, words):
    found = "\n".join(config.collisions([OWN], {"/etc/nginx/sites-enabled/legacy": text}))
    assert words in found
    assert bool(found) == bool(words)


SITE = "/etc/nginx/sites-enabled/portside-shop.conf"
OWNERS = {SITE: "shop", "/etc/nginx/tls/shop/": "shop", "/up/shop.conf": "shop", "127.0.0.1:8000": "shop", "/x": ""}
UNKNOWN = (
    f'nginx: [emerg] unknown directive "bogus" in {SITE}:2\nnginx: configuration file /etc/nginx/nginx.conf test failed'
)
KEY = (
    'nginx: [emerg] cannot load certificate "/etc/nginx/tls/shop/fullchain.pem": BIO_new_file() failed (SSL: '
    "error:80000002:system library::No such file or directory:calling fopen(/etc/nginx/tls/shop/fullchain.pem, r))"
)
UPSTREAM = 'nginx: [emerg] invalid port in upstream "127.0.0.1:0" in /up/shop.conf:1'
DUPLICATE = "nginx: [emerg] a duplicate default server for 0.0.0.0:80 in /etc/nginx/sites-enabled/zz:3"
BIND = "2026/11/22 04:14:32 [emerg] 110#110: bind() to 127.0.0.1:8000 failed (98: Address already in use)\n"
GAVE_UP = "2026/11/22 04:14:34 [emerg] 110#110: still could not bind()\n"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (UNKNOWN, f'site `shop`: nginx says: unknown directive "bogus"\n  at {SITE}:2: `bogus on;`'),
        (KEY, "site `shop`: nginx says: cannot load certificate"),
        (UPSTREAM, 'site `shop`: nginx says: invalid port in upstream "127.0.0.1:0"\n  at /up/shop.conf:1'),
        (DUPLICATE, "at /etc/nginx/sites-enabled/zz:3 (a file that this role does not manage)"),
        ("nginx: [warn] conflicting server name\nsomething else", "nginx says: nginx: [warn]"),
        ("", "nginx says: nothing"),
    ],
)
def test_the_site_is_named_and_nginx_quoted(said, expected):
    explained = config.explanation(said, OWNERS, {SITE: "# ours\nbogus on;\n"}, [SITE, "/up/shop.conf"])
    assert explained.startswith(expected) or expected in explained


def test_a_port_that_is_taken_is_said_once_with_its_site():
    explained = config.explanation(BIND * 5 + GAVE_UP, OWNERS, {}, [])
    assert explained == "site `shop`: nginx says: bind() to 127.0.0.1:8000 failed (98: Address already in use)"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", False),
        ("2026/11/22 04:14:32 [error] 1#1: *5 connect() failed (111: Connection refused)\n", False),
        (BIND, False),
        (BIND * 5 + GAVE_UP, True),
        ('2026/11/22 04:14:32 [emerg] 1#1: unknown directive "x" in /etc/nginx/nginx.conf:1\n', True),
    ],
)
def test_when_a_reload_has_failed_for_good(log, expected):
    assert config.gave_up(log) is expected
