"""From the wanted tree and what stands on the host to the changes."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.nginx import boot, tree
from ansible_collections.portside.vps.plugins.module_utils.nginx.tree import (
    Change,
    Directory,
    Link,
    PlanError,
    Snapshot,
    Text,
    Wanted,
    WantedFile,
)

MARK = f"{tree.MARKER} (for the test)\n"
SITE = "/etc/nginx/sites-enabled/portside-shop.conf"
TLS = "/etc/nginx/tls"
MADE = {"fullchain.pem": Text("certificate"), "privkey.pem": Text("key", 0o600, secret=True)}
MARKED = {
    f"{TLS}/placeholder": Directory(),
    f"{TLS}/placeholder/placeholder.conf": Text("set $portside_placeholder 1;\n"),
}
WANTED = Wanted(
    files=(
        WantedFile(SITE, Text(MARK + "site"), "shop"),
        WantedFile("/etc/nginx/conf.d/portside.conf", Text(MARK + "http")),
    ),
    certificates={"shop": "shop"},
    upstream_files={"/etc/nginx/upstreams/shop.conf": "shop"},
    tls_dir=TLS,
    webroot="/var/www/acme",
)
DIRECTORIES = {
    path: Directory()
    for path in (
        *("/etc", "/etc/nginx", TLS, "/etc/nginx/conf.d", "/etc/nginx/sites-enabled", "/etc/nginx/upstreams"),
        *("/var", "/var/www", "/var/www/acme"),
    )
}
DONE = Snapshot(
    nodes={
        **DIRECTORIES,
        SITE: Text(MARK + "site"),
        "/etc/nginx/conf.d/portside.conf": Text(MARK + "http"),
        "/etc/nginx/upstreams/shop.conf": Text("server 127.0.0.1:18000;"),
        f"{TLS}/shop": Link("/etc/letsencrypt/live/shop"),
    },
    usable_certificates=frozenset({"shop"}),
)


def planned(nodes=None, usable=("shop",), wanted=WANTED):
    snapshot = Snapshot({**DONE.nodes, **(nodes or {})}, frozenset(usable))
    return tree.plan(wanted, snapshot, MADE)


def test_nothing_to_do():
    assert planned() == []


def test_everything_on_a_virgin_host():
    changes = tree.plan(WANTED, Snapshot({}, frozenset()), MADE)
    assert {change.path for change in changes if isinstance(change.after, Directory)} == {
        *DIRECTORIES,
        f"{TLS}/placeholder",
    }
    assert [change.path for change in changes if not isinstance(change.after, Directory)] == [
        f"{TLS}/placeholder/fullchain.pem",
        f"{TLS}/placeholder/privkey.pem",
        f"{TLS}/placeholder/placeholder.conf",
        f"{TLS}/shop",
        "/etc/nginx/upstreams/shop.conf",
        "/etc/nginx/conf.d/portside.conf",
        SITE,
    ]


def test_a_hand_edit_is_undone_and_a_wrong_mode_too():
    edited, wide = Text(MARK + "site\nedited"), Text(MARK + "site", 0o666)
    assert planned({SITE: edited}) == [Change(SITE, edited, Text(MARK + "site"), "shop")]
    assert planned({SITE: wide}) == [Change(SITE, wide, Text(MARK + "site"), "shop")]


def test_a_file_of_another_user_is_taken_back():
    path = "/etc/nginx/passwords/portside-shop"
    wanted = Wanted(
        (WantedFile(path, Text(MARK, 0o600, owner="www-data"), "shop"), *WANTED.files),
        *(WANTED.certificates, WANTED.upstream_files, TLS, WANTED.webroot),
    )
    own = {"/etc/nginx/passwords": Directory(), path: Text(MARK, 0o600, owner="www-data")}
    assert planned(own, wanted=wanted) == []
    (change,) = planned({**own, path: Text(MARK, 0o600, owner="root")}, wanted=wanted)
    assert (change.path, change.site) == (path, "shop")


@pytest.mark.parametrize(
    ("path", "node", "goes"),
    [
        ("/etc/nginx/sites-enabled/portside-old.conf", Text(MARK), True),
        ("/etc/nginx/sites-enabled/portside-old.conf~", Text(MARK), True),
        ("/etc/nginx/sites-enabled/portside-mine.conf", Text("server {}"), False),
        ("/etc/nginx/sites-enabled/copy-of-portside.conf", Text(MARK), False),
        ("/etc/nginx/sites-enabled/portside-link.conf", Link("/srv/x"), False),
        ("/etc/nginx/sites-enabled/.portside-shop.conf.x8sk2_q1", Text(""), True),
        ("/etc/nginx/sites-enabled/.portside-shop.conf.4711", Text(""), True),
        ("/etc/nginx/sites-enabled/.portside-shop.conf.swp", Text("b0VIM"), False),
        ("/etc/nginx/sites-enabled/.portside-shop.conf.kate-swp", Text(""), False),
    ],
)
def test_only_own_files_are_removed(path, node, goes):
    assert planned({path: node}) == ([Change(path, node, None)] if goes else [])


def test_sites_go_before_what_they_lean_on_and_come_after_it():
    stale = {f"/etc/nginx/{name}/portside-old.conf": Text(MARK) for name in ("snippets", "sites-enabled", "conf.d")}
    gone = {SITE: None, "/etc/nginx/conf.d/portside.conf": None}
    assert [change.path.split("/")[3] for change in planned({**stale, **gone})] == [
        *("conf.d", "sites-enabled"),
        *("sites-enabled", "conf.d", "snippets"),
    ]


@pytest.mark.parametrize(
    ("node", "goes"),
    [
        (Link("/etc/nginx/sites-available/default"), True),
        (Link("/etc/nginx/sites-available/own"), False),
        (Text("server {}"), False),
        (None, False),
    ],
)
def test_the_distributions_own_site_goes(node, goes):
    path = "/etc/nginx/sites-enabled/default"
    assert planned({path: node}) == ([Change(path, node, None)] if goes else [])


@pytest.mark.parametrize("node", [None, Link("/etc/letsencrypt/live/gone"), Link("placeholder")])
def test_a_missing_certificate_is_a_link_to_the_placeholder(node):
    changes = planned({f"{TLS}/shop": node}, usable=())
    assert changes[-1] == Change(f"{TLS}/shop", node, Link("placeholder"), "shop")
    assert [change.after for change in changes[1:-1]] == [*MADE.values(), *list(MARKED.values())[1:]]


def test_a_placeholder_that_is_there_is_used():
    assert planned({f"{TLS}/shop": None, **MARKED}, usable=("placeholder",)) == [
        Change(f"{TLS}/shop", None, Link("placeholder"), "shop")
    ]


def test_a_placeholder_is_marked_as_one_so_that_it_gets_no_hsts():
    path = f"{TLS}/placeholder/placeholder.conf"
    (change,) = planned({**MARKED, path: None})
    assert (change.path, change.after) == (path, MARKED[path])


def test_a_directory_without_certificate_is_not_replaced():
    with pytest.raises(PlanError, match=r"site `shop`: /etc/nginx/tls/shop lacks fullchain\.pem or privkey\.pem"):
        planned({f"{TLS}/shop": Directory()}, usable=())


def test_links_to_the_placeholder_go_with_their_site_and_real_ones_stay():
    old = {f"{TLS}/old": Link("placeholder"), f"{TLS}/real": Link("/etc/letsencrypt/live/real")}
    assert planned(old) == [Change(f"{TLS}/old", Link("placeholder"), None)]


def test_an_upstream_file_is_made_once_and_never_changed():
    path = "/etc/nginx/upstreams/shop.conf"
    assert planned({path: None}) == [Change(path, None, Text(tree.NO_RELEASE), "shop")]
    assert planned({path: Text("")}) == []


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ({SITE: Directory()}, f"{SITE} is a directory"),
        ({"/var/www": Text("")}, "/var/www is a file, but a directory has to stand there"),
    ],
)
def test_what_stands_in_the_way_is_named(nodes, words):
    with pytest.raises(PlanError, match=words):
        planned(nodes)


def test_without_ipv6_no_socket_of_that_family_is_asked_for():
    content = "    listen 80;\n    listen [::]:80;\n    listen [::]:443 ssl http2 default_server;\n    return 444;\n"
    stripped = boot.without_ipv6(content)
    assert "    listen 80;\n" in stripped
    assert [line for line in stripped.splitlines() if line.strip().startswith("listen [")] == []


def test_the_diff_shows_files_links_and_removals_but_no_key():
    changes = [
        Change("/a", Text("old\n"), Text("new\n")),
        Change("/b", Link("x"), None),
        Change("/c", None, Text("key", 0o600, secret=True)),
        Change("/d", None, Directory()),
    ]
    assert [(part["before"], part["after"]) for part in tree.diff(changes)] == [
        ("old\n", "new\n"),
        ("link to x\n", ""),
        ("", "(secret)\n"),
        ("", "directory\n"),
    ]


def test_a_drop_in_that_is_no_longer_wanted_goes():
    path = f"{tree.DROP_INS}/portside-sandbox.conf"
    assert planned({path: Text(MARK)}) == [Change(path, Text(MARK), None)]
    assert planned({f"{tree.DROP_INS}/override.conf": Text(MARK)}) == []


def test_a_webroot_that_nginx_cannot_go_into_is_opened():
    (change,) = planned({"/var/www/acme": Directory(0o700)})
    assert (change.path, change.after.mode) == ("/var/www/acme", 0o755)
    (shown,) = tree.diff([change])
    assert (shown["before"], shown["after"]) == ("directory, mode 0700\n", "directory, mode 0755\n")
    assert planned({"/var/www/acme": Directory(0o751)}) == []


def test_the_diff_of_a_file_with_the_same_text_shows_mode_and_owner():
    (shown,) = tree.diff([Change("/a", Text("x", 0o600, owner="nobody"), Text("x", owner="root"))])
    assert (shown["before"], shown["after"]) == ("mode 0600, owner nobody\n", "mode 0644, owner root\n")
