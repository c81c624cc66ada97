"""What an item of `portside_apps` may say, in the form of Ansible's argument specs, with a description for the docs."""

from __future__ import annotations

from ansible_collections.portside.vps.plugins.module_utils.inventory import roles
from ansible_collections.portside.vps.plugins.module_utils.releases import options
from ansible_collections.portside.vps.plugins.module_utils.shape import Spec

# What the site decides for the container; all else that `docker_app_list` takes, an app takes too.
WIRED = ("upstream_file", "health", "front", "extra", "bridges", "dns")
# What the role nginx says of a site, an app says too, but for what it has a key of its own for, or has no say in.
NGINX_SITE: Spec = roles.options("nginx")["nginx_sites"]["options"]
CERTIFICATE: Spec = {
    key: option
    for key, option in roles.options("certbot")["certbot_certificates"]["options"].items()
    if key not in {"name", "domains", "state"}
}
# What an app's `site` says of the connections to the app; in `nginx_sites` that is part of `upstream`.
UPSTREAM_KEYS = ("keepalive", "keepalive_timeout", "protocol", "scheme")
NOT_OF_AN_APP = ("name", "domains", "upstream", "tls", "certificate", "webhooks", "local_port", "state")

HEALTH: Spec = {
    **options.HEALTH,
    "host": {
        "type": "str",
        "description": "Host header of the probe. Left out, it is the first of `domains`, which frameworks know.",
    },
    "scheme": {
        "type": "str",
        "choices": ["http", "https"],
        "description": "`https` for an app that speaks nothing else. Left out, it is what `site.scheme` says.",
    },
}
CONTAINER: Spec = {key: field for key, field in options.APP.items() if key not in WIRED}

UPSTREAM: Spec = NGINX_SITE["upstream"]["options"]

SITE: Spec = {
    **{key: option for key, option in NGINX_SITE.items() if key not in NOT_OF_AN_APP},
    "locations": {
        **NGINX_SITE["locations"],
        "description": "Paths of the site that belong to another app, or to a program of the server's own.",
        "options": {
            "path": NGINX_SITE["locations"]["options"]["path"],
            "app": {"type": "str", "description": "Name of the app. It has a `port`, and may do without `domains`."},
            "upstream": {
                "type": "dict",
                "description": "What is no app of this list, in place of `app`.",
                "options": {key: option for key, option in UPSTREAM.items() if key != "file"},
            },
            **{key: NGINX_SITE["locations"]["options"][key] for key in ("strip_prefix", "client_cert")},
        },
    },
    **{key: UPSTREAM[key] for key in UPSTREAM_KEYS},
}

EGRESS: Spec = {
    "http_proxy": {
        "type": "str",
        "no_log": True,
        "description": "Proxy URL for plain http, such as `http://proxy:3128`.",
    },
    "https_proxy": {"type": "str", "no_log": True, "description": "Proxy URL for https."},
    "no_proxy": {
        "type": "list",
        "elements": "str",
        "default": [],
        "description": "Names (with all that lies below them) and addresses that never go through the proxy, beside "
        "loopback and the app's own neighbours. Small ranges are written out; `*.name`, `.name` and ports are refused.",
    },
}
CONSUMER = {"type": "str", "choices": ["direct", "proxy"], "or_options": EGRESS}
ENFORCED: Spec = {
    "to": {
        "type": "list",
        "elements": "dict",
        "options": {
            "network": {"type": "str", "required": True, "description": "An address, or a network."},
            "port": {"type": "str", "description": "A port, or a range such as `8000:8010`. Left out, all."},
            "proto": {
                "type": "str",
                "choices": ["tcp", "udp"],
                "description": "Left out, `tcp` for a port, and anything without one.",
            },
        },
        "example": "[{network: 10.0.0.0/8, port: 5432}]",
        "description": "All that the app may reach beside apps on its networks, IPv4 and IPv6; the firewall refuses "
        "the rest. An empty list is nothing.",
    },
    "dns": {
        "type": "bool",
        "default": False,
        "description": "With `to`: whether names outside of the server are resolved for the app. They can carry data "
        "out, too.",
    },
}
APP: Spec = {
    "name": {
        **options.APP["name"],
        "description": "Names container, certificate and site: a-z, 0-9 and inner hyphens, at most 40 characters.",
    },
    "image": {
        **options.APP["image"],
        "description": "Image reference with a tag or digest of its own, such as `ghcr.io/acme/shop-api:1.4.2`; "
        "`latest` is refused. Needed unless `state: absent`.",
    },
    "state": {
        **options.APP["state"],
        "description": "`absent` removes the app's containers, site and certificate. Named volumes stay.",
    },
    "port": options.APP["port"],
    "domains": {
        "type": "list",
        "elements": "str",
        "default": [],
        "example": "[api.example.com]",
        "description": "Public names; the first is the canonical one. A worker has none.",
    },
    "certificate": {
        "type": "dict",
        "options": CERTIFICATE,
        "default": {},
        "example": "{profile: shortlived}",
        "description": "How the app's certificate is had, where that is not as for all (`certbot_*`).",
    },
    "health": {**options.APP["health"], "options": HEALTH},
    "webhooks": {
        "type": "list",
        "elements": "dict",
        "options": NGINX_SITE["webhooks"]["options"],
        "default": [],
        "example": "[{path: /webhooks/stripe}]",
        "description": NGINX_SITE["webhooks"]["description"],
    },
    "site": {
        "type": "dict",
        "options": SITE,
        "default": {},
        "example": "{max_body_size: 25m}",
        "description": "What nginx does for the app: sizes, times, limits, headers, paths (docs/sites.md has them by "
        "task). What is left out has the role's default.",
    },
    "egress": {
        "type": "str",
        "choices": ["direct", "proxy", "none"],
        "or_options": {**EGRESS, **ENFORCED},
        "default": "direct",
        "description": "How the app gets out: `proxy` sets the variables of `portside_egress`, `direct` none, a "
        "dictionary those of its own. Nothing is inherited from the server. `none` and `to` are enforced by the "
        "firewall: nothing goes out, or to these networks and ports alone.",
    },
    "egress_checks": {
        "type": "list",
        "elements": "str",
        "default": ["https://api.stripe.com"],
        "description": "URLs that `playbooks/diagnose.yml` asks for from inside the container, with and without its "
        "proxy. Any answer below 500 is a good one. An empty list asks nobody.",
    },
    "local_port": {
        "type": "int",
        "address": True,
        "description": "A fixed port on 127.0.0.1 for tools on the server, whichever release is live.",
    },
}
APP |= {key: field for key, field in CONTAINER.items() if key not in APP}

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
            **EGRESS,
            "apt": {
                **CONSUMER,
                "description": "How apt gets out, in runs and on its own (unattended upgrades). Left out, what the "
                "server says of it is left alone.",
            },
            "docker": {
                **CONSUMER,
                "default": "direct",
                "description": "How Docker pulls images. A change restarts the daemon, but no container.",
            },
            "certbot": {
                **CONSUMER,
                "default": "direct",
                "description": "How certbot reaches the ACME server, in runs and for the timer's renewals.",
            },
            "downloads": {
                **CONSUMER,
                "default": "direct",
                "description": "How Ansible itself downloads on the server: the key of Docker's own repository.",
            },
        },
        "description": "The outbound proxy, and who goes through it: apt, Docker, certbot and Ansible's own downloads "
        "here, apps by their `egress`.",
    },
    "portside_firewall_rules": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "description": "Firewall rules beside ssh, 80 and 443, in the form of the role ufw's `ufw_rules`.",
    },
    "portside_backup_password": {
        "type": "str",
        "default": "",
        "no_log": True,
        "description": "Encrypts what `backup.yml` writes on the controller. At least 12 characters, best vaulted.",
    },
    "portside_backup_age": {
        "type": "list",
        "elements": "str",
        "default": [],
        "description": "Public keys of age (`age1...`) that `backup.yml` encrypts for, in place of the password. The "
        "program `age` has to be on the controller.",
    },
    "portside_backup_age_identity": {
        "type": "str",
        "default": "",
        "description": "File on the controller with the secret key of age, for `restore.yml`.",
    },
    "portside_backup_dir": {
        "type": "str",
        "default": "",
        "description": "Directory on the controller for backups. Left empty, `backups` beside the inventory.",
    },
    "portside_restore_force": {
        "type": "bool",
        "default": False,
        "description": "Whether `restore.yml` may replace certificates that are on the server (set it with `-e`).",
    },
    "portside_retry": {
        "type": "str",
        "default": "",
        "description": "Apps, with commas between them, for which a release is tried again that was rolled back or did "
        "not pass its gate (set it with `-e`).",
    },
    "portside_by": {
        "type": "str",
        "default": "",
        "description": "Who releases, for the list of releases. By default the user and machine that runs Ansible, or "
        "the user whose CI job it is.",
    },
    "portside_diagnose_from": {
        "type": "str",
        "default": "localhost",
        "description": "Host of the inventory that `playbooks/diagnose.yml` looks from; by default the controller.",
    },
    "portside_diagnose_ca_file": {
        "type": "str",
        "default": "",
        "description": "CA bundle on the controller to trust in place of the usual ones when certificates are judged "
        "(a private or test CA).",
    },
    "portside_diagnose_secrets": {
        "type": "dict",
        "default": {},
        "description": "Signing secrets of webhooks by app. With one, diagnose sends a signed test event "
        "(type `portside.diagnose`) too, which shows that body and signature arrive as they were sent.",
    },
    "portside_verify_from": {
        "type": "str",
        "default": "localhost",
        "description": "Host of the inventory that `playbooks/verify_firewall.yml` tries the ports from; by default "
        "the controller.",
    },
    "portside_verify_addresses": {
        "type": "list",
        "elements": "str",
        "default": [],
        "description": "Addresses that `playbooks/verify_firewall.yml` tries. By default those on the interface that "
        "leads outside: say them for a server behind NAT, which doesn't know its public address.",
    },
    "portside_addresses": {
        "type": "list",
        "elements": "str",
        "default": [],
        "description": "Addresses under which the server is reached from outside. They stand in `NO_PROXY` of whoever "
        "uses a proxy, and `diagnose.yml` compares DNS with them. By default both take those on its outside "
        "interfaces, and `diagnose.yml` also `ansible_host`: say them for a server behind NAT or a CDN.",
    },
    "portside_hosts": {
        "type": "str",
        "default": "vps",
        "description": "Hosts or group that the playbooks run on (set it with `-e`).",
    },
}
