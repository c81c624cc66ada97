"""A Django site in one file that is right behind a proxy: https, the visitor's address, a login that passes CSRF."""

import os
import sys

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.urls import path
from django.utils.crypto import constant_time_compare
from django.utils.html import format_html


def needed(name: str) -> str:
    """A variable without which the site must not start."""
    value = os.environ.get(name)
    if not value:
        sys.exit(f"{name} is not set: see README.md")
    return value


HOSTS = needed("DOMAINS").split(",")
PASSWORD = needed("LOGIN_PASSWORD")

settings.configure(
    SECRET_KEY=needed("SECRET_KEY"),
    ROOT_URLCONF=__name__,
    DEBUG=False,
    # The names that visitors use, and no `*`: the health probe comes with the first of them.
    ALLOWED_HOSTS=HOSTS,
    # The proxy ends TLS and says so in this header, which it overwrites: nobody can send it from outside.
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    SECURE_SSL_REDIRECT=True,
    CSRF_TRUSTED_ORIGINS=[f"https://{host}" for host in HOSTS],
    CSRF_COOKIE_SECURE=True,
    SESSION_COOKIE_SECURE=True,
    # No database: the session is in a signed cookie.
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
)


def health(_request: HttpRequest) -> HttpResponse:
    """Answers 200 as soon as the site can take requests."""
    return JsonResponse({"status": "ok", "version": os.environ.get("APP_VERSION", "dev")})


def whoami(request: HttpRequest) -> HttpResponse:
    """What reaches the site through everything in front of it."""
    return JsonResponse(
        {
            "client": client_address(request),
            "secure": request.is_secure(),
            "host": request.get_host(),
            "url": request.build_absolute_uri(),
            "user": request.session.get("user"),
        }
    )


def client_address(request: HttpRequest) -> str:
    """The visitor's address: nginx writes the header anew, so it holds that one and nothing that a visitor sent."""
    return str(request.headers.get("X-Forwarded-For") or request.META["REMOTE_ADDR"])


def login(request: HttpRequest) -> HttpResponse:
    """A form, and what it is sent to. Without the form's token the middleware answers 403."""
    if request.method == "POST":
        if not constant_time_compare(request.POST.get("password", ""), PASSWORD):
            return HttpResponse("Wrong password\n", status=401, content_type="text/plain")
        request.session["user"] = request.POST.get("user", "")
        return HttpResponse("Welcome\n", content_type="text/plain")
    return HttpResponse(
        format_html(
            '<form method="post"><input type="hidden" name="csrfmiddlewaretoken" value="{}">'
            '<input name="user"><input name="password" type="password"><button>Log in</button></form>\n',
            get_token(request),
        )
    )


urlpatterns = [path("health", health), path("whoami", whoami), path("login", login)]


def create_app() -> WSGIHandler:
    """The application; gunicorn calls this."""
    return get_wsgi_application()
