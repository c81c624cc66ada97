"""What an item of `docker_app_list` may say: the one list from which the module's argument spec, its documentation and
the messages about bad input come."""

from __future__ import annotations

from ansible_collections.portside.vps.plugins.module_utils.releases.container_options import CONTAINER
from ansible_collections.portside.vps.plugins.module_utils.shape import Spec

# What a container keeps of root's rights when everything else is dropped: what the entry points of the common images
# (postgres, redis, mariadb, nginx, anything with gosu or setpriv) need to hand their data directory to an unprivileged
# user, to become that user, and to stop it again. Docker's default has seven more.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")

HEALTH: Spec = {
    "check": {
        "type": "str",
        "choices": ["http", "tcp", "grpc", "image"],
        "description": "How it is asked: `http` as nginx would ask, `tcp` a connection that is not closed at once, "
        "`grpc` gRPC's own health service, `image` the HEALTHCHECK of the image, also for an app without `port`. Left "
        "out, it is `http`, and `tcp` for an app with `expose: private` or `protocol: grpc`.",
    },
    "scheme": {
        "type": "str",
        "choices": ["http", "https"],
        "default": "http",
        "description": "`https` for an app that speaks nothing else. Its certificate is not looked at.",
    },
    "method": {
        "type": "str",
        "choices": ["GET", "HEAD", "POST", "OPTIONS"],
        "default": "GET",
        "description": "Method of the HTTP request. A POST has an empty body.",
    },
    "path": {"type": "str", "default": "/", "description": "Path that answers when the app can take traffic."},
    "host": {
        "type": "str",
        "default": "localhost",
        "description": "Host header of the probe. Frameworks refuse names they don't know: give the public one.",
    },
    "status": {
        "type": "list",
        "elements": "int",
        "default": [200],
        "description": "Statuses that count as healthy. A redirect is not one of them unless it is listed.",
    },
    "interval": {
        "type": "float",
        "default": 0.2,
        "description": "Seconds between two probes.",
    },
    "timeout": {
        "type": "float",
        "default": 60,
        "description": "Seconds a new container has to become healthy before the release is given up.",
    },
    "request_timeout": {
        "type": "float",
        "default": 5,
        "description": "Seconds a single probe may take.",
    },
    "successes": {
        "type": "int",
        "default": 2,
        "description": "Good answers in a row that make a container healthy.",
    },
    "grace": {
        "type": "float",
        "default": 2,
        "description": "Seconds a container without `port` has to stay up before it counts as started.",
    },
}

LOG: Spec = {
    "driver": {
        "type": "str",
        "default": "local",
        "description": "Docker's log driver for the container.",
    },
    "max_size": {
        "type": "str",
        "default": "10m",
        "description": "Size at which a log file is rotated; for the drivers `local` and `json-file`.",
    },
    "max_file": {
        "type": "int",
        "default": 5,
        "description": "Number of log files kept; for the drivers `local` and `json-file`.",
    },
    "options": {
        "type": "dict",
        "default": {},
        "example": "{tag: shop}",
        "description": "Further options of the driver, as Docker's manual has them.",
    },
}

FRONT: Spec = {
    "host": {"type": "str", "default": "", "description": "Public name. Left empty, nginx is not asked."},
    "port": {"type": "int", "address": True, "default": 443, "description": "Its port for https on 127.0.0.1."},
    "protocol": {
        "type": "str",
        "choices": ["http", "grpc"],
        "default": "http",
        "description": "What nginx speaks with the app: one that speaks gRPC is asked so.",
    },
}

APP: Spec = {
    "name": {
        "type": "str",
        "required": True,
        "description": "Names the app's containers and its state: a-z, 0-9 and inner hyphens, at most 40 characters.",
    },
    "image": {
        "type": "str",
        "description": "Image reference with a tag or digest, such as `ghcr.io/acme/shop-api:1.4.2`. "
        "Needed unless `state: absent`.",
    },
    "renamed_from": {
        "type": "str",
        "default": "",
        "example": "db",
        "description": "What the app was called before. The old one stops before the new one starts, on the same "
        "volumes; it goes when the new one serves, and comes back when that fails.",
    },
    "pull": {
        "type": "str",
        "choices": ["missing", "always", "never"],
        "default": "missing",
        "description": "When the image is fetched. `missing`: if the server has none under that reference. `always`: "
        "also if the registry has another one; it is asked in every run. `never`: not at all.",
    },
    "image_archive": {
        "type": "str",
        "default": "",
        "example": "build/shop-1.4.2.tar",
        "description": "File on the controller with the image, as `docker save` writes it, in place of a registry. "
        "Copied only if the server doesn't have that image, which then gets the name that `image` says.",
    },
    "state": {
        "type": "str",
        "choices": ["present", "absent"],
        "default": "present",
        "description": "`absent` removes the app's containers and what is remembered of it. Named volumes stay.",
    },
    "port": {
        "type": "int",
        "address": True,
        "description": "Port on which the app listens inside its container. Leave it out for a worker.",
    },
    "expose": {
        "type": "str",
        "choices": ["public", "private"],
        "default": "public",
        "description": "Who reaches `port`. `public`: nginx, through a loopback port. `private`: the apps on the same "
        "`networks`, by the app's name, and nobody else; its old release stops before the new one starts.",
    },
    "depends_on": {
        "type": "list",
        "elements": "str",
        "default": [],
        "example": "[db]",
        "description": "Apps of the list that have to run before this one is released.",
    },
    "bind": {
        "type": "str",
        "default": "127.0.0.1",
        "description": "Loopback address that the container is published on.",
    },
    "host_ports": {
        "type": "list",
        "elements": "int",
        "address": True,
        "default": [],
        "description": "Two ports on `bind` that the app's releases use in turn, in place of allocated ones. "
        "One port means that the old release is stopped before the new one starts.",
    },
    "health": {
        "type": "dict",
        "options": HEALTH,
        "default": {},
        "example": "{path: /health}",
        "description": "When a new container is healthy.",
    },
    "env": {
        "type": "dict",
        "default": {},
        "example": "{NAME: value}",
        "description": "Environment of the container, names to text or numbers. Nothing else is added to it.",
    },
    "secrets": {
        "type": "dict",
        "default": {},
        "no_log": True,
        "example": "{NAME: value}",
        "description": "Like `env`, but kept in a 0600 file and out of every log and diff; see `secrets_as`.",
    },
    "volumes": {
        "type": "list",
        "elements": "str",
        "default": [],
        "description": "`source:/path[:ro]`; the source is a named volume or an absolute path on the server.",
    },
    "command": {
        "type": "list",
        "elements": "str",
        "default": [],
        "words": True,
        "description": "Replaces the image's command: a list, or a line that is split into words.",
    },
    "restart": {
        "type": "str",
        "choices": ["unless-stopped", "always", "on-failure", "no"],
        "default": "unless-stopped",
        "description": "Docker's restart policy for the live release.",
    },
    "init": {
        "type": "bool",
        "default": True,
        "description": "Run a small init as process 1. `false` is for images with an init of their own, s6 for one.",
    },
    "cap_add": {
        "type": "list",
        "elements": "str",
        "default": list(CAPABILITIES),
        "description": "Capabilities the container has; all others are dropped. An empty list leaves none.",
    },
    "host_access": {
        "type": "list",
        "elements": "str",
        "default": [],
        "example": "[/var/run/docker.sock, SYS_ADMIN]",
        "description": "Consent to rights that give the server away, each by its name: capabilities beyond the "
        "container (`SYS_ADMIN`, `ALL`), and files and directories of the server (`/`, `/etc`, Docker's socket). "
        "Without it they are refused; `playbooks/status.yml` shows them.",
    },
    "log": {"type": "dict", "options": LOG, "default": {}, "description": "Where the container's output goes."},
    **CONTAINER,
    "stop_timeout": {
        "type": "int",
        "default": 30,
        "description": "Seconds between SIGTERM and SIGKILL when a release is stopped.",
    },
    "before": {
        "type": "list",
        "elements": "str",
        "default": [],
        "description": "Commands that are run one after the other before a release starts, migrations for instance, "
        "each in a container with the new image, environment, volumes and networks. One that fails leaves the old "
        "release as it is. A rollback runs none.",
    },
    "before_entrypoint": {
        "type": "str",
        "choices": ["image", "none"],
        "default": "image",
        "description": "What runs the commands of `before`: `image`, its ENTRYPOINT (or `entrypoint`), which gets them "
        "as arguments; `none`, nothing, for an image whose ENTRYPOINT is the app itself and swallows them.",
    },
    "before_timeout": {
        "type": "float",
        "default": 600,
        "description": "Seconds that each command of `before` may take.",
    },
    "strategy": {
        "type": "str",
        "choices": ["blue_green", "recreate"],
        "default": "blue_green",
        "description": "`recreate` stops the old release before the new one starts, for what can't run twice: an app "
        "with SQLite, or a licence for one. Meanwhile nginx says that the service is not available.",
    },
    "replicas": {
        "type": "int",
        "default": 1,
        "description": "Containers of the app that run side by side, 1 to 32; nginx asks them in turn. They start "
        "together, and get traffic when every one of them is healthy.",
    },
    "canary": {
        "type": "int",
        "default": 0,
        "description": "Percentage of clients, 1 to 50, that get a new release at first; a client, known by its "
        "address, stays where it is. `playbooks/promote.yml` makes it the only one, `playbooks/abort.yml` takes it "
        "away. 0: all clients at once.",
    },
    "drain": {
        "type": "float",
        "default": 30,
        "description": "Seconds to wait at most for requests that the old release is still answering, before it stops.",
    },
    "bridges": {
        "type": "dict",
        "default": {},
        "example": "{backend: br-0123456789ab}",
        "description": "Bridges of networks that the firewall shuts (`ufw_docker_egress`), by the name in `networks`; "
        "under `_own` that of a network of the app's own, beside those it shares. A container is only started on one "
        "when the firewall has its rule.",
    },
    "dns": {
        "type": "list",
        "elements": "str",
        "default": [],
        "example": '["127.0.0.1"]',
        "description": "Resolvers for names that are no container's, in place of the server's. `127.0.0.1` is none.",
    },
    "upstream_file": {
        "type": "str",
        "default": "",
        "description": "File for nginx that names the live release's address, one `server` line. Written at a switch.",
    },
    "front": {
        "type": "dict",
        "options": FRONT,
        "default": {},
        "example": "{host: shop.example.com}",
        "description": "Where nginx answers for the app. After a switch it is asked there, by https on loopback, and "
        "has to send the request to the new release; else the one before it gets all clients again. With "
        "`upstream_file` only, and for an nginx of the role `nginx`: another one doesn't tell whom it asked.",
    },
    "extra": {
        "type": "str",
        "default": "",
        "no_log": True,
        "description": "Any text, kept with the release in a 0600 file. A rollback brings it back: the module "
        "`app_releases` tells which one belongs to the release that is to serve. Of a site in JSON, the passwords "
        "below `basic_auth.users` are kept as bcrypt hashes.",
    },
}

REGISTRY: Spec = {
    "registry": {
        "type": "str",
        "required": True,
        "description": "Host of the registry as it stands in image references, `ghcr.io` for instance.",
    },
    "username": {"type": "str", "required": True, "description": "User name, or what the registry takes for one."},
    "password": {"type": "str", "required": True, "no_log": True, "description": "Password or token."},
}
