"""What an item of `portside_apps` may say, in the form of Ansible's argument specs, with a description for the docs."""

from __future__ import annotations

from typing import Any

Spec = dict[str, dict[str, Any]]

HEALTH: Spec = {
    "path": {"type": "str", "default": "/", "description": "Path that answers when the app can take traffic."},
    "status": {
        "type": "list",
        "elements": "int",
        "default": [200],
        "description": "Statuses that count as healthy. A redirect is not one of them unless it is listed.",
    },
    "timeout": {
        "type": "int",
        "default": 60,
        "description": "Seconds a new container has to become healthy before the release is given up.",
    },
}

WEBHOOK: Spec = {
    "path": {
        "type": "str",
        "required": True,
        "description": "Exact path that a webhook sender calls. Never redirected on https.",
    },
}

APP: Spec = {
    "name": {
        "type": "str",
        "required": True,
        "description": "Names container, certificate and site: a-z, 0-9 and inner hyphens, at most 40 characters.",
    },
    "image": {
        "type": "str",
        "description": "Image reference with a tag or digest of its own, such as `ghcr.io/acme/shop-api:1.4.2`; "
        "`latest` is refused. Required, but for an app with `state: absent`.",
    },
    "port": {
        "type": "int",
        "description": "Port on which the app listens inside its container. Leave it out for a worker.",
    },
    "domains": {
        "type": "list",
        "elements": "str",
        "default": [],
        "description": "Public names; the first is the canonical one. A worker has none.",
    },
    "health": {
        "type": "dict",
        "options": HEALTH,
        "default": {},
        "description": "When a new container is healthy.",
    },
    "env": {"type": "dict", "default": {}, "description": "Environment of the container."},
    "secrets": {
        "type": "dict",
        "default": {},
        "no_log": True,
        "description": "Environment too, but kept in a 0600 file on the server and out of every log and diff.",
    },
    "webhooks": {
        "type": "list",
        "elements": "dict",
        "options": WEBHOOK,
        "default": [],
        "description": "Paths that webhooks arrive on.",
    },
    "egress": {
        "type": "str",
        "choices": ["direct", "proxy"],
        "default": "direct",
        "description": "How the app gets out: `proxy` sets the variables of `portside_egress`, `direct` none.",
    },
    "local_port": {
        "type": "int",
        "description": "A fixed port on 127.0.0.1 for tools on the server, whichever release is live.",
    },
    "host_ports": {
        "type": "list",
        "elements": "int",
        "default": [],
        "description": "Two loopback ports for the app's releases, in place of allocated ones. "
        "One port means: stop the old release first.",
    },
    "bind": {
        "type": "str",
        "default": "127.0.0.1",
        "description": "Loopback address that the container is published on.",
    },
    "volumes": {
        "type": "list",
        "elements": "str",
        "default": [],
        "description": "`source:/path[:ro]`; the source is a named volume or an absolute path on the server.",
    },
    "command": {"type": "list", "elements": "str", "default": [], "description": "Replaces the image's command."},
    "restart": {
        "type": "str",
        "choices": ["unless-stopped", "always", "on-failure", "no"],
        "default": "unless-stopped",
        "description": "Docker's restart policy.",
    },
    "state": {
        "type": "str",
        "choices": ["present", "absent"],
        "default": "present",
        "description": "`absent` removes the app's containers, site and certificate.",
    },
}

SETTINGS: Spec = {
    "portside_apps": {"type": "list", "elements": "dict", "default": [], "description": "The apps on this host."},
    "portside_acme_email": {
        "type": "str",
        "default": "",
        "description": "Contact of the ACME account. Without one the account is registered without a contact.",
    },
    "portside_acme_directory": {
        "type": "str",
        "default": "production",
        "description": "The ACME server's directory URL, or one of the words `production` and `staging`.",
    },
    "portside_acme_ca_file": {
        "type": "str",
        "default": "",
        "description": "CA bundle on the controller to trust for that URL (a private or test CA).",
    },
    "portside_egress": {
        "type": "dict",
        "default": {},
        "options": {
            "http_proxy": {"type": "str", "description": "Proxy URL for plain http."},
            "https_proxy": {"type": "str", "description": "Proxy URL for https."},
            "no_proxy": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Names and addresses that never go through the proxy, beside loopback.",
            },
        },
        "description": "The outbound proxy for apps with `egress: proxy`.",
    },
    "portside_firewall_rules": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "description": "Firewall rules beside ssh, 80 and 443, in the form of the role ufw's `ufw_rules`.",
    },
    "portside_hosts": {
        "type": "str",
        "default": "vps",
        "description": "Hosts or group that the playbooks run on (set it with `-e`).",
    },
}
