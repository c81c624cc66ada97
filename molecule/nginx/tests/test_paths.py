"""What an app gets is what nginx has chosen its location by: no way of writing a path leads round a guard."""

from __future__ import annotations

import json

import pytest

FLAG = "/run/portside-nginx-closing"
# /hook is free of the site's password; all else is not.
ROUND_ABOUT = [
    "/admin/../hook",
    "/admin/%2e%2e/hook",
    "/admin/.%2E/hook",
    "/admin%2F..%2Fhook",
    "/admin%2f%2e%2e%2fhook/x",
    "/./hook",
    "//hook",
    "/%2Fhook",
    "/%68ook",
    "/hook/..;/admin",
    "/hook/..%3b/admin",
    "/hook/x/../../hook/y",
    "/hook/..\\admin",
    "/hook/%2e%2e%5Cadmin",
    "/hook/%252e%252e%252fadmin",
    "/hook/..%25%32%66admin",
    "/hook#/../admin",
]
# What stays as it is, on a webhook and elsewhere.
AS_IT_CAME = [
    "/a%2Fb",
    "/a%252Fb",
    "/%7euser/a//b",
    "/DOMAIN%5Ckim;v=1",
    "/..a/.b/c..?next=/../x%2F..%2F#",
    "/caf%C3%A9?q=%41&sig=a+b%2B",
]


def path_seen(answer):
    """The path that the app says it got."""
    assert answer.status == 200, answer
    return json.loads(answer.body)["path"]


@pytest.fixture
def ask(curl):
    """Ask for a path as it is written."""

    def asked(url, path, *options):
        return curl(url, "--insecure", "--request-target", path, *options)

    return asked


@pytest.mark.parametrize("path", ROUND_ABOUT)
def test_no_way_of_writing_a_path_leads_round_a_password(ask, domain, path):
    for protocol in ("--http1.1", "--http2"):
        answer = ask(f"https://guarded.{domain}/", path, protocol)
        assert answer.status in (400, 401), answer


def test_an_ordinary_path_reaches_the_app_as_it_came(ask, domain):
    for path in AS_IT_CAME:
        assert path_seen(ask(f"https://shop.{domain}/", path)) == path
        assert path_seen(ask(f"https://shown.{domain}/", f"/other{path}")) == f"/other{path}"
        if "252" not in path:
            for name in ("shop", "www.shop"):
                hook = f"/webhooks/stripe{path}"
                assert path_seen(ask(f"https://{name}.{domain}/", hook, "--data", "{}")) == hook


@pytest.mark.parametrize("path", ["/x/../other/y", "/%6fther/y", "//other/y", "/other/..;/y", "/stripped/hook/..;/y"])
def test_another_app_gets_no_path_that_only_looks_like_its_own(ask, domain, path):
    assert ask(f"https://shown.{domain}/", path).status == 400


@pytest.fixture
def closing(vps, curl, domain, wait_until):
    """nginx is about to be reloaded, or packages are being unpacked."""
    if vps.run("grep --quiet keepalive_min_timeout /etc/nginx/sites-enabled/portside-shop.conf").rc == 0:
        pytest.skip("this nginx needs no flag")
    vps.run_expect([0], f"install -m 644 /dev/null {FLAG}")
    url = f"https://shop.{domain}/"
    wait_until(lambda: curl(url, "--insecure", "--http1.1").headers["connection"] == "close", "the flag is seen")
    yield
    vps.run_expect([0], f"rm {FLAG}")


def test_internal_locations_stay_closed_while_connections_are_being_closed(curl, domain, closing):
    assert curl(f"https://shown.{domain}/vault/a.txt", "--insecure").status == 404


@pytest.mark.usefixtures("closing")
@pytest.mark.parametrize(
    ("place", "status"),
    [
        ("https://shown.{}/", 200),
        ("https://shown.{}/files/a.txt", 200),
        ("https://shown.{}/files/", 200),
        ("https://shown.{}/files/none", 404),
        ("https://shown.{}/other/x", 200),
        ("https://shown.{}/stripped/x%0ay", 200),
        ("https://shown.{}/hook", 200),
        ("https://shown.{}/old", 308),
        ("https://shown.{}/nobody", 503),
        ("https://www.shown.{}/", 308),
        ("http://shown.{}/", 308),
        ("https://guarded.{}/", 401),
        ("https://maintained.{}/", 503),
        ("https://files.{}/a.txt", 200),
    ],
)
def test_each_answer_while_connections_are_being_closed_is_the_usual_one_and_the_last(
    curl, domain, wait_until, place, status
):
    """Each worker looks for the flag once a second, for each location by itself."""
    answers = []

    def closes():
        answers.append(curl(place.format(domain), "--insecure", "--http1.1", "--ipv4"))
        return answers[-1].headers["connection"] == "close"

    wait_until(closes, "the client is asked to close", 5)
    assert {answer.status for answer in answers} == {status}
