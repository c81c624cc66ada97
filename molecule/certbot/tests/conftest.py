"""The fixtures of this scenario and of certbot_authorities stand in certbot_server.py."""

from certbot_server import broken_nginx, challtestsrv, server  # noqa: F401  # pytest finds fixtures here
