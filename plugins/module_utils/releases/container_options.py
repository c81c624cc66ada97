"""What a container gets beside environment, volumes and rights: limits, networks, files, signals. Each is part of the
release: a change of one starts a new container."""

from __future__ import annotations

from ansible_collections.portside.vps.plugins.module_utils.shape import Spec

CONTAINER: Spec = {
    "secrets_as": {
        "type": "str",
        "choices": ["env", "files"],
        "default": "env",
        "description": "How `secrets` reach the container. `env`: in its environment. `files`: each is the file "
        "`/run/secrets/<NAME>`, and in no environment, so that not even `docker inspect` shows it.",
    },
    "networks": {
        "type": "list",
        "elements": "str",
        "default": [],
        "example": "[shop]",
        "description": "Networks that the app shares with every app that names them too; they reach each other by the "
        "name of the app. Without one it has a network of its own, on which nobody else is.",
    },
    "extra_hosts": {
        "type": "dict",
        "default": {},
        "example": "{db.internal: 10.0.0.5}",
        "description": "Names for the container's /etc/hosts, each with an address, or `host-gateway` for the server.",
    },
    "tmpfs": {
        "type": "list",
        "elements": "str",
        "default": [],
        "example": '["/tmp:size=64m"]',
        "description": "Directories in memory: `/path`, or `/path:options` such as `/tmp:size=64m,mode=1777`.",
    },
    "user": {
        "type": "str",
        "default": "",
        "description": "User to run as: `uid`, `uid:gid`, or a name that the image knows. Left out, the image's own.",
    },
    "entrypoint": {
        "type": "list",
        "elements": "str",
        "default": [],
        "words": True,
        "example": "[/app/serve]",
        "description": "Replaces the image's ENTRYPOINT: a list, or a line that is split into words. As with Docker "
        "itself the image's own command is not used then either: `command` says what stands behind it.",
    },
    "hostname": {
        "type": "str",
        "default": "",
        "example": "queue",
        "description": "Host name inside of the container, for programs that call their data by it, RabbitMQ for one. "
        "Left out, it is the name of the app with `expose: private` or `strategy: recreate`, and a new one in each "
        "release otherwise, where two run side by side. Further replicas have their number behind it: `queue-2`.",
    },
    "volume_owners": {
        "type": "dict",
        "default": {},
        "example": '{data: "1000:1000"}',
        "description": "Whose a fresh volume is, `uid` or `uid:gid` in quotes, by its name or path. Left out, it is "
        "that of `user`, where that is a number. What has content is never touched.",
    },
    "workdir": {
        "type": "str",
        "default": "",
        "description": "Directory that the command starts in; the image's own where left out.",
    },
    "memory": {
        "type": "str",
        "default": "",
        "example": "512m",
        "description": "Most memory the container may use, with a unit: `512m`, `2g`. No limit where left out.",
    },
    "cpus": {
        "type": "float",
        "default": 0,
        "description": "Most processor time the container may use, in cores: `0.5`, `2`. `0` is no limit.",
    },
    "pids": {
        "type": "int",
        "default": 4096,
        "description": "Most processes and threads the container may have. `0` is no limit.",
    },
    "shm_size": {
        "type": "str",
        "default": "",
        "example": "256m",
        "description": "Size of /dev/shm, with a unit; Docker's 64m where left out, which is little for PostgreSQL.",
    },
    "ulimits": {
        "type": "dict",
        "default": {},
        "example": "{nofile: 65536}",
        "description": 'Limits of setrlimit(2): a number, or `"soft:hard"`, by name.',
    },
    "labels": {
        "type": "dict",
        "default": {},
        "example": "{team: shop}",
        "description": "Docker labels. Those that begin with `portside.` are taken.",
    },
    "read_only": {
        "type": "bool",
        "default": False,
        "description": "The image's file system can't be written; volumes and `tmpfs` can.",
    },
    "stop_signal": {
        "type": "str",
        "default": "",
        "example": "SIGQUIT",
        "description": "Signal that asks the container to stop; the image's own, or SIGTERM, where left out.",
    },
}
