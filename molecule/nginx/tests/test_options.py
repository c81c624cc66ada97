"""The options of a site, one after the other, from outside."""

from __future__ import annotations

import json
import shlex
import textwrap

import pytest

HSTS = "strict-transport-security"


def app(answer):
    """What the app says it saw."""
    assert answer.status == 200, answer
    return json.loads(answer.body)


@pytest.fixture
def certified(vps, curl, domain, wait_until):
    """Two sites have certificates that are no placeholder, as after certbot's first visit; afterwards they go."""
    vps.run_expect([0], "cp -a /etc/nginx/tls/placeholder /etc/certified && rm /etc/certified/placeholder.conf")
    for name in ("shop", "shown"):
        vps.run_expect([0], f"ln -sfn /etc/certified /etc/nginx/tls/{name}")
    vps.run_expect([0], "systemctl reload nginx")
    wait_until(lambda: HSTS in curl(f"https://shop.{domain}/", "--insecure").headers, "the reload is done")
    yield
    for name in ("shop", "shown"):
        vps.run_expect([0], f"ln -sfn placeholder /etc/nginx/tls/{name}")
    vps.run_expect([0], "rm -r /etc/certified && systemctl reload nginx")
    wait_until(lambda: HSTS not in curl(f"https://shop.{domain}/", "--insecure").headers, "the reload is done")


def test_hsts_is_short_by_default_absent_on_the_placeholder_and_the_apps_own_wins(curl, domain, certified):
    asked = {
        name: curl(f"https://{name}.{domain}/", "--insecure").headers for name in ("shop", "shown", "one", "www.shop")
    }
    assert asked["shop"][HSTS] == asked["www.shop"][HSTS] == "max-age=86400"
    assert asked["shown"][HSTS] == "max-age=63072000; includeSubDomains"
    assert HSTS not in asked["one"]
    assert HSTS not in curl(f"http://shop.{domain}/").headers
    assert curl(f"https://shop.{domain}/own-hsts", "--insecure").headers[HSTS] == "max-age=31536000"
    assert curl(f"https://shown.{domain}/nobody", "--insecure").headers[HSTS] == "max-age=63072000; includeSubDomains"


def test_basic_auth_asks_everywhere_but_on_webhooks(curl, domain):
    url = f"https://guarded.{domain}"
    asked = curl(f"{url}/", "--insecure")
    assert (asked.status, asked.headers["www-authenticate"]) == (401, 'Basic realm="Restricted"')
    assert curl(f"{url}/", "--insecure", "--user", "ops:wrong").status == 401
    assert curl(f"{url}/", "--insecure", "--user", "ops:correct horse battery").status == 200
    assert curl(f"{url}/", "--insecure", "--user", "dev:staple").status == 200
    assert curl(f"{url}/hook", "--insecure", "--data", "{}").status == 200


def test_passwords_are_hashed_and_for_nginx_alone(vps):
    file = vps.file("/etc/nginx/passwords/portside-guarded")
    assert (file.user, file.mode) == ("www-data", 0o600)
    assert "$2b$" in file.content_string
    assert vps.run("grep -r 'correct horse' /etc/nginx /var/log /run/portside").rc == 1
    assert vps.run("journalctl --no-pager | grep -q 'correct horse'").rc == 1
    shown = vps.check_output("nginx -T 2>/dev/null")
    assert not any(secret in shown for secret in ("correct horse", "$2b$", "PRIVATE KEY"))


def test_a_rate_limit_answers_429_and_spares_webhooks(curl, domain):
    statuses = [curl(f"https://limited.{domain}/", "--insecure", "--ipv4").status for _ in range(5)]
    # The rate comes after what is let through at once.
    assert set(statuses) == {200, 429}
    assert statuses == sorted(statuses)
    assert {curl(f"https://limited.{domain}/hook", "--insecure", "--ipv4").status for _ in range(5)} == {200}


def test_lists_of_addresses(curl, domain):
    url = f"https://fenced.{domain}"
    assert curl(f"{url}/", "--insecure", "--ipv4").status == 403
    assert curl(f"{url}/", "--insecure", "--ipv6").status == 200
    assert curl(f"{url}/hook", "--insecure", "--ipv4", "--data", "{}").status == 200
    assert curl(f"{url}/own", "--insecure", "--ipv4", "--data", "{}").status == 403


def test_a_webhook_may_have_a_body_size_of_its_own(client, curl, domain):
    client.run_expect([0], "head -c 2000 /dev/zero > /tmp/body")
    body = ["--insecure", "--data-binary", "@/tmp/body"]
    assert curl(f"https://fenced.{domain}/small", *body).status == 413
    assert curl(f"https://fenced.{domain}/hook", *body).status == 200


def test_response_headers_are_on_every_answer(curl, domain):
    for path in ("/", "/files/a.txt", "/files/none", "/status/404", "/nobody", "/hook", "/old", "/teapot"):
        headers = curl(f"https://shown.{domain}{path}", "--insecure").headers
        assert headers["x-frame-options"] == "DENY", path
        assert headers["x-price"] == '5 $ "net"', path
    assert curl(f"https://www.shown.{domain}/", "--insecure").headers["x-frame-options"] == "DENY"


def test_own_pages_for_errors_but_not_for_webhooks(curl, domain):
    url = f"https://shown.{domain}"
    for path, status in (("/status/404", 404), ("/status/500", 500), ("/files/none", 404)):
        answer = curl(f"{url}{path}", "--insecure")
        assert (answer.status, answer.body, answer.headers["content-type"]) == (status, "our own page", "text/html")
    for method in ("GET", "POST"):
        down = curl(f"{url}/nobody", "--insecure", "--request", method)
        assert (down.status, down.body, down.headers["retry-after"]) == (503, "back soon", "10")
    assert curl(f"https://shop.{domain}/status/404", "--insecure").body == "the app"


def test_compression_where_it_is_asked_for(curl, domain):
    for name, encoding in (("shown", "gzip"), ("shop", None)):
        options = ["--insecure", "--compressed", "--header", "Accept-Encoding: gzip"]
        answer = curl(f"https://{name}.{domain}/{'x' * 1500}", *options)
        assert app(answer)["path"] == f"/{'x' * 1500}"
        assert answer.headers.get("content-encoding") == encoding


def test_redirects(curl, domain):
    url = f"https://shown.{domain}"
    answer = curl(f"{url}/old?a=b", "--insecure", "--request", "POST")
    assert (answer.status, answer.headers["location"]) == (308, f"{url}/new?a=b")
    answer = curl(f"{url}/away?a=b", "--insecure")
    assert (answer.status, answer.headers["location"]) == (302, "https://example.org/there?x=y")


@pytest.fixture
def links(vps):
    """Links that an app could make where it writes: to a file, and to a directory, that are none of the site's."""
    vps.run_expect([0], "ln -s /etc/hostname /srv/files/leak.txt && ln -s /etc /srv/files/etc")
    yield ("leak.txt", "etc/hostname")
    vps.run_expect([0], "rm /srv/files/leak.txt /srv/files/etc")


@pytest.mark.parametrize("place", ["shown.{}/files", "files.{}", "shown.{}/hand-out/kept"])
def test_a_link_leads_out_of_no_directory_of_files(curl, domain, links, place):
    url = f"https://{place.format(domain)}"
    assert curl(f"{url}/a.txt", "--insecure").status == 200
    assert [curl(f"{url}/{link}", "--insecure").status for link in links] == [403, 404]


def test_links_are_followed_where_the_site_says_so(curl, domain, links):
    url = f"https://shown.{domain}/linked"
    assert [curl(f"{url}/{link}", "--insecure").status for link in links] == [200, 200]


def test_files_are_handed_out_by_the_app_and_by_nobody_else(curl, domain):
    handed = curl(f"https://shown.{domain}/hand-out/kept/a.txt", "--insecure")
    plain = curl(f"https://shown.{domain}/files/a.txt", "--insecure")
    assert (handed.status, handed.body) == (200, plain.body)
    assert handed.headers["content-type"] == "text/x-handed-out"
    assert curl(f"https://shown.{domain}/kept/a.txt", "--insecure").status == 404


@pytest.mark.parametrize("place", ["shown.{}/files", "files.{}"])
def test_files_are_served_and_those_with_a_dot_are_not(curl, domain, place):
    url = f"https://{place.format(domain)}"
    assert curl(f"{url}/a.txt", "--insecure").body == "a file"
    assert curl(f"{url}/", "--insecure").body == "the index"
    for path in ("/.git/config", "/../errors/error.html", "/%2e%2e/errors/error.html", "/none"):
        answer = curl(f"{url}{path}", "--insecure", "--path-as-is")
        assert answer.status in (400, 404) or "our own page" not in answer.body, path
        assert "a secret" not in answer.body
    assert "max-age=3600" in curl(f"https://shown.{domain}/files/a.txt", "--insecure").headers["cache-control"]


def test_paths_of_other_apps(curl, domain):
    url = f"https://shown.{domain}"
    for path in ("/other", "/other/", "/other/x%20y?a=b"):
        request = app(curl(f"{url}{path}", "--insecure"))
        assert (request["port"], request["path"]) == ("8001", path)
    request = app(curl(f"{url}/stripped/x?a=b", "--insecure"))
    assert (request["port"], request["path"]) == ("8001", "/x?a=b")
    assert ["X-Forwarded-Prefix", "/stripped"] in request["headers"]
    assert app(curl(f"{url}/stripped", "--insecure"))["path"] == "/"
    assert app(curl(f"{url}/otherwise", "--insecure"))["port"] == "8000"


def test_a_webhook_below_another_apps_path_reaches_that_app_under_every_name(curl, domain):
    for name in ("shown", "www.shown"):
        for path in ("/hook", "/hook/", "/hook/x?a=b"):
            request = app(curl(f"https://{name}.{domain}/stripped{path}", "--insecure", "--data", "{}"))
            assert (request["method"], request["port"], request["path"]) == ("POST", "8001", path)
            assert ["X-Forwarded-Prefix", "/stripped"] in request["headers"]


def test_maintenance_is_503_for_all_but_a_few(curl, domain):
    url = f"https://maintained.{domain}"
    for path in ("/", "/hook"):
        answer = curl(f"{url}{path}", "--insecure", "--ipv4", "--data", "{}")
        assert (answer.status, answer.headers["retry-after"]) == (503, "120")
        assert curl(f"{url}{path}", "--insecure", "--ipv6", "--data", "{}").status == 200


def test_extra_configuration(curl, domain):
    answer = curl(f"https://shown.{domain}/teapot", "--insecure")
    assert (answer.status, answer.body) == (418, "short and stout")


def test_events_of_a_stream_arrive_one_by_one(client, domain):
    """The app sends the second event when another request asks for it: that works only if the first has arrived."""
    program = """
        import http.client, ssl, sys
        link, other = (http.client.HTTPSConnection(sys.argv[1], timeout=15, context=ssl._create_unverified_context())
                       for number in range(2))
        link.request("GET", "/events")
        stream = link.getresponse()
        print(stream.readline().decode().strip())
        other.request("GET", "/go")
        other.getresponse().read()
        print(stream.read().decode().split()[-1])
    """
    said = client.run(shlex.join(["python3", "-c", textwrap.dedent(program), f"shown.{domain}"]))
    assert said.stdout.split("\n")[:2] == ["data: one", "two"], said.stderr
