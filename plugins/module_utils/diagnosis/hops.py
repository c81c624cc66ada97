"""The path of a request, in its order; the way out is walked after it."""

from __future__ import annotations

DNS = "dns"
FIREWALL = "firewall"
NGINX = "nginx"
CERTIFICATE = "certificate"
LOOPBACK = "loopback"
CONTAINER = "container"
APP = "app"
EGRESS = "egress"

# In the order of the path, with the words for people.
TITLES = {
    DNS: "internet, DNS",
    FIREWALL: "firewall",
    NGINX: "nginx",
    CERTIFICATE: "certificate",
    LOOPBACK: "loopback port",
    CONTAINER: "container",
    APP: "app",
    EGRESS: "way out",
}
ORDER = tuple(TITLES)
