"""What Django and FastAPI make of requests that come through nginx: https, the visitor's address, a login with CSRF."""

from __future__ import annotations

import json
import re

import pytest

PASSWORD = "password-for-the-lab-only"
# What a visitor may send to pass for somebody else, or for one who came by http.
FORGED = {
    "X-Forwarded-For": "198.51.100.7",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "evil.example.com",
    "X-Real-IP": "198.51.100.7",
    "Forwarded": "for=198.51.100.7;proto=http;host=evil.example.com",
}


def headers(**values):
    return [part for name, value in values.items() for part in ("--header", f"{name}: {value}")]


@pytest.fixture
def browser(client, curl, domain):
    """A visitor who keeps cookies: `browser("/login", "--data", ...)`."""
    jar = "/tmp/django.cookies"
    client.run_expect([0], "rm -f %s", jar)

    def ask(path, *options):
        return curl(f"https://django.{domain}{path}", "--cookie", jar, "--cookie-jar", jar, *options)

    return ask


def token(browser):
    """The CSRF token of the login form."""
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser("/login").body)[1]


def form(**fields):
    return [part for name, value in fields.items() for part in ("--data-urlencode", f"{name}={value}")]


def test_a_login_passes_csrf_and_lasts(browser, domain):
    sent = form(csrfmiddlewaretoken=token(browser), user="ann", password=PASSWORD)
    # A browser says where the form was; over https Django compares that with the host.
    origin = headers(Origin=f"https://django.{domain}", Referer=f"https://django.{domain}/login")
    answer = browser("/login", *sent, *origin)
    assert (answer.status, answer.body) == (200, "Welcome\n")
    assert json.loads(browser("/whoami").body)["user"] == "ann"


def test_a_login_from_another_site_or_without_its_token_is_refused(browser, domain):
    sent = form(csrfmiddlewaretoken=token(browser), user="ann", password=PASSWORD)
    assert browser("/login", *sent, *headers(Origin="https://evil.example.com")).status == 403
    assert (
        browser("/login", *form(user="ann", password=PASSWORD), *headers(Origin=f"https://django.{domain}")).status
        == 403
    )
    assert json.loads(browser("/whoami").body)["user"] is None


def test_cookies_are_for_https_alone(browser):
    cookies = browser("/login").headers["set-cookie"]
    assert "Secure" in cookies


@pytest.mark.parametrize("family", ["-4", "-6"])
@pytest.mark.parametrize("forged", [{}, FORGED], ids=["plain", "forged"])
def test_django_sees_https_the_name_and_the_visitor(browser, domain, lab_vars, family, forged):
    answer = browser("/whoami", family, *headers(**forged))
    visitor = lab_vars["lab_client_ipv4"] if family == "-4" else lab_vars["lab_client_ipv6"]
    assert answer.status == 200, answer
    assert json.loads(answer.body) == {
        "client": visitor,
        "secure": True,
        "host": f"django.{domain}",
        "url": f"https://django.{domain}/whoami",
        "user": None,
    }


@pytest.mark.parametrize("family", ["-4", "-6"])
@pytest.mark.parametrize("forged", [{}, FORGED], ids=["plain", "forged"])
def test_fastapi_sees_https_the_name_and_the_visitor(curl, domain, lab_vars, family, forged):
    seen = json.loads(curl(f"https://api.{domain}/whoami", family, *headers(**forged)).body)
    visitor = lab_vars["lab_client_ipv4"] if family == "-4" else lab_vars["lab_client_ipv6"]
    assert (seen["client"], seen["scheme"], seen["host"]) == (visitor, "https", f"api.{domain}")
    assert "198.51.100.7" not in json.dumps(seen)


def test_http_is_answered_by_nginx_and_never_by_a_redirect_of_django_s_own(curl, domain):
    """SECURE_SSL_REDIRECT would loop if Django took https for http."""
    assert curl(f"https://django.{domain}/login").status == 200
    assert curl(f"http://django.{domain}/login").headers["location"] == f"https://django.{domain}/login"


def test_a_host_that_django_does_not_know_never_reaches_it(curl, domain):
    assert curl(f"https://django.{domain}/whoami", *headers(Host="evil.example.com")).status != 200
