"""What a site lets through beside plain HTTP."""

from __future__ import annotations

import re

import pytest
from ansible_collections.portside.vps.plugins.module_utils.nginx import protocols, values

from tests.unit.nginx.rendering import tree

SHOP = {"name": "shop-api", "domains": ["api.example.com"], "upstream": {"servers": ["127.0.0.1:8000"]}}
SITE = "sites-enabled/portside-shop-api.conf"
PLAIN = {**SHOP, "name": "plain", "domains": ["plain.example.com"], "tls": False}


def site(**change):
    return tree({**SHOP, **change})[SITE]


@pytest.mark.parametrize("size", ["4k", "5000", "16k", "17k", "32k", "100k", "256k", "1m"])
def test_buffers_are_a_set_that_nginx_takes(size):
    found = protocols.buffers(size)
    busy, header = values.size(found["busy"]), values.size(size)
    # ngx_http_proxy_merge_loc_conf refuses the others.
    assert busy >= max(header, protocols.BUFFER)
    assert busy <= (found["count"] - 1) * protocols.BUFFER


def test_headers_are_as_large_as_they_were_unless_more_is_declared():
    assert protocols.buffers("16k") == {"count": 8, "busy": "32k"}
    text = site(header_buffer="64k")
    assert "proxy_buffer_size 64k;" in text
    assert "proxy_busy_buffers_size 64k;" in text


def test_a_cookie_that_the_app_may_set_may_come_back():
    files = tree({**SHOP, "header_buffer": "64k"}, PLAIN)
    assert files[SITE].count("large_client_header_buffers 4 64k;") == files[SITE].count("\nserver {")
    # Before the Host header is read, the default server's holds for all.
    assert "large_client_header_buffers 4 64k;" in files["conf.d/portside.conf"]
    assert "large_client_header_buffers 4 16k;" in files["sites-enabled/portside-plain.conf"]


def test_underscores_open_no_second_way_to_claim_an_address():
    files = tree({**SHOP, "underscores": True}, PLAIN)
    assert "underscores_in_headers on;" in files[SITE]
    assert "underscores_in_headers" not in files["sites-enabled/portside-plain.conf"]
    snippet = files["snippets/portside-proxy.conf"]
    for name in ("X_Forwarded_For", "X-Forwarded_For", "X_Forwarded-For", "X_Real_IP", "X_Forwarded_Proto"):
        assert f'proxy_set_header {name} "";' in snippet
    # Whatever is set under one name, is emptied under the others.
    wanted = {re.sub("[-_]", "", name) for name in protocols.SET_HEADER.findall(snippet) if "-" in name}
    emptied = {re.sub("[-_]", "", name) for name in re.findall(r'proxy_set_header (\S*_\S*) "";', snippet)}
    assert wanted == emptied
    assert "X_" not in tree(SHOP)["snippets/portside-proxy.conf"]


def test_upgrades_are_websockets_unless_others_are_declared():
    assert "$portside_upgrade_" not in site()
    assert "$portside_upgrade_" not in site(upgrade=["WebSocket"])
    text = site(upgrade=["websocket", "SPDY/3.1"], local_port=8080)
    assert 'map $http_upgrade $portside_upgrade_shop_api {\n    default "";\n    "websocket" "websocket";' in text
    assert '"SPDY/3.1" "SPDY/3.1";' in text
    # Wherever the app is asked, the local port too.
    assert text.count("set $portside_upgrade $portside_upgrade_shop_api;") == 2


GRPC = {"servers": ["127.0.0.1:8000"], "protocol": "grpc"}


def test_an_app_that_speaks_grpc_sees_what_others_see():
    files = tree({**SHOP, "upstream": GRPC, "read_timeout": "1h", "local_port": 8080})
    assert files[SITE].count("grpc_pass grpc://portside_shop-api;") == 2
    assert "proxy_pass" not in files[SITE]
    # A client may be silent in a stream for as long as the app.
    assert "grpc_read_timeout 1h;" in files[SITE]
    assert "client_body_timeout 1h;" in files[SITE]

    def said(kind):
        text = files[f"snippets/portside-{kind}.conf"]
        return dict(re.findall(rf"^{kind}_set_header (\S+) (.*);$", text, re.MULTILINE))

    assert said("grpc") == {key: value for key, value in said("proxy").items() if key not in {"Upgrade", "Connection"}}


@pytest.mark.parametrize(("release", "listen"), [("Debian_12", "8080 http2;"), ("Debian_13", "8080;")])
def test_the_local_port_of_a_grpc_app_speaks_http2(release, listen):
    block = tree({**SHOP, "upstream": GRPC, "local_port": 8080}, release=release)[SITE].partition("127.0.0.1:")[2]
    block = block.partition("listen 127.0.0.1:")[2]
    assert block.startswith(listen)
    assert ("http2 on;" in block) is (release == "Debian_13")


def test_an_app_that_speaks_https_is_asked_under_its_public_name():
    for protocol, kind in (("http", "proxy"), ("grpc", "grpc")):
        text = site(upstream={**SHOP["upstream"], "scheme": "https", "protocol": protocol})
        assert re.search(rf"{kind}_pass (https|grpcs)://portside_shop-api", text)
        assert f"{kind}_ssl_server_name on;" in text
        assert f"{kind}_ssl_name $host;" in text
    assert "_ssl_" not in site().replace("ssl_certificate", "")


TRUSTED = {"nginx_real_ip_from": ["192.0.2.0/24", "2001:db8::/32"]}


def test_a_proxy_that_ends_tls_is_believed_if_it_is_one_that_was_named():
    files = tree({**SHOP, "domains": ["a.example.com", "b.example.com"], "forwarded_proto": True}, **TRUSTED)
    common, text = files["conf.d/portside.conf"], files[SITE]
    assert "geo $realip_remote_addr $portside_trusted {\n    default 0;\n    192.0.2.0/24 1;" in common
    on_80 = [block for block in text.split("\nserver {") if "listen 80;" in block]
    assert ["if ($portside_by_http)" in block for block in on_80] == [True, False]
    assert "proxy_pass" in on_80[0]
    assert "server_name b.example.com;" in on_80[1]
    others = tree(SHOP, **TRUSTED)
    assert "$portside_trusted" not in others["conf.d/portside.conf"]
    assert "$portside_told" not in others[SITE]
    (plain,) = [block for block in others[SITE].split("\nserver {") if "listen 80;" in block]
    assert "proxy_pass" not in plain


@pytest.mark.parametrize("release", ["Debian_12", "Debian_13"])
def test_with_the_proxy_protocol_the_server_itself_asks_without_it(release):
    settings = {**TRUSTED, "nginx_proxy_protocol": True}
    files = tree({**SHOP, "local_port": 8080}, PLAIN, release=release, **settings)
    listens = re.findall(r"^    listen (.*);$", "".join(files.values()), re.MULTILINE)
    assert listens
    for words in listens:
        inside = words.startswith(("127.0.0.1:", "[::1]:"))
        assert ("proxy_protocol" in words.split()) is not inside, words
        if not inside and not words.startswith("["):
            port, *rest = (word for word in words.split() if word != "proxy_protocol")
            assert " ".join([f"127.0.0.1:{port}", *rest]) in listens
    assert "real_ip_header proxy_protocol;" in files["snippets/portside-real-ip.conf"]
    assert "proxy_protocol" not in "".join(tree(SHOP, **TRUSTED).values())


def test_a_load_balancer_gets_an_answer_by_address_if_it_is_wanted():
    text = tree(nginx_health_path="/healthz")["conf.d/portside.conf"]
    block = text.partition("location = /healthz {")[2].partition("}")[0]
    assert "return 200" in block
    assert "return 200" not in tree()["conf.d/portside.conf"]
