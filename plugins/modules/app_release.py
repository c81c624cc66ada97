#!/usr/bin/python
"""Ansible module: the releases of all apps of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: app_release
short_description: Releases of containerised apps, gated by health
version_added: 0.1.0
description:
  - Makes the containers of all apps of a host what the list asks for, in one call.
  - An app whose declaration is unchanged and whose container runs is left alone.
  - Otherwise a new container starts on the app's free loopback port. When it answers as it should, nginx is pointed at
    it, the requests that are still with the old container are waited for, and the old container is stopped.
  - A release that does not get healthy is removed again, and the one before it goes on serving; the other apps of the
    list are still worked on, and the module fails at the end.
  - What a run that was killed left half done is finished or undone first.
  - Needs the package C(python3-docker) on the host.
options:
  apps:
    description: The apps. All of them are checked before anything is changed.
    type: list
    elements: dict
    required: true
    suboptions:
      # apps: begin
      name:
        description: >-
          Names the app's containers and its state: a-z, 0-9 and inner hyphens, at most 40 characters.
        type: str
        required: true
      image:
        description: >-
          Image reference with a tag or digest, such as `ghcr.io/acme/shop-api:1.4.2`. Needed unless `state: absent`.
        type: str
      renamed_from:
        description: >-
          What the app was called before. The old one stops before the new one starts, on the same volumes; it goes when
          the new one serves, and comes back when that fails.
        type: str
        default: ""
      pull:
        description: >-
          When the image is fetched. `missing`: if the server has none under that reference. `always`: also if the
          registry has another one; it is asked in every run. `never`: not at all.
        type: str
        choices: ["missing", "always", "never"]
        default: "missing"
      image_archive:
        description: >-
          File on the controller with the image, as `docker save` writes it, in place of a registry. Copied only if the
          server doesn't have that image, which then gets the name that `image` says.
        type: str
        default: ""
      state:
        description: >-
          `absent` removes the app's containers and what is remembered of it. Named volumes stay.
        type: str
        choices: ["present", "absent"]
        default: "present"
      port:
        description: >-
          Port on which the app listens inside its container. Leave it out for a worker.
        type: int
      expose:
        description: >-
          Who reaches `port`. `public`: nginx, through a loopback port. `private`: the apps on the same `networks`, by
          the app's name, and nobody else; its old release stops before the new one starts.
        type: str
        choices: ["public", "private"]
        default: "public"
      depends_on:
        description: >-
          Apps of the list that have to run before this one is released.
        type: list
        elements: str
        default: []
      bind:
        description: >-
          Loopback address that the container is published on.
        type: str
        default: "127.0.0.1"
      host_ports:
        description: >-
          Two ports on `bind` that the app's releases use in turn, in place of allocated ones. One port means that the
          old release is stopped before the new one starts.
        type: list
        elements: int
        default: []
      health:
        description: >-
          When a new container is healthy.
        type: dict
        suboptions:
          check:
            description: >-
              How it is asked: `http` as nginx would ask, `tcp` a connection that is not closed at once, `grpc` gRPC's
              own health service, `image` the HEALTHCHECK of the image, also for an app without `port`. Left out, it is
              `http`, and `tcp` for an app with `expose: private` or `protocol: grpc`.
            type: str
            choices: ["http", "tcp", "grpc", "image"]
          scheme:
            description: >-
              `https` for an app that speaks nothing else. Its certificate is not looked at.
            type: str
            choices: ["http", "https"]
            default: "http"
          method:
            description: >-
              Method of the HTTP request. A POST has an empty body.
            type: str
            choices: ["GET", "HEAD", "POST", "OPTIONS"]
            default: "GET"
          path:
            description: >-
              Path that answers when the app can take traffic.
            type: str
            default: "/"
          host:
            description: >-
              Host header of the probe. Frameworks refuse names they don't know: give the public one.
            type: str
            default: "localhost"
          status:
            description: >-
              Statuses that count as healthy. A redirect is not one of them unless it is listed.
            type: list
            elements: int
            default: [200]
          interval:
            description: >-
              Seconds between two probes.
            type: float
            default: 0.2
          timeout:
            description: >-
              Seconds a new container has to become healthy before the release is given up.
            type: float
            default: 60
          request_timeout:
            description: >-
              Seconds a single probe may take.
            type: float
            default: 5
          successes:
            description: >-
              Good answers in a row that make a container healthy.
            type: int
            default: 2
          grace:
            description: >-
              Seconds a container without `port` has to stay up before it counts as started.
            type: float
            default: 2
      env:
        description: >-
          Environment of the container, names to text or numbers. Nothing else is added to it.
        type: dict
        default: {}
      secrets:
        description: >-
          Like `env`, but kept in a 0600 file and out of every log and diff; see `secrets_as`.
        type: dict
        default: {}
      volumes:
        description: >-
          `source:/path[:ro]`; the source is a named volume or an absolute path on the server.
        type: list
        elements: str
        default: []
      command:
        description: >-
          Replaces the image's command: a list, or a line that is split into words.
        type: raw
        default: []
      restart:
        description: >-
          Docker's restart policy for the live release.
        type: str
        choices: ["unless-stopped", "always", "on-failure", "no"]
        default: "unless-stopped"
      init:
        description: >-
          Run a small init as process 1. `false` is for images with an init of their own, s6 for one.
        type: bool
        default: true
      cap_add:
        description: >-
          Capabilities the container has; all others are dropped. An empty list leaves none.
        type: list
        elements: str
        default: ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"]
      host_access:
        description: >-
          Consent to rights that give the server away, each by its name: capabilities beyond the container (`SYS_ADMIN`,
          `ALL`), and files and directories of the server (`/`, `/etc`, Docker's socket). Without it they are refused;
          `playbooks/status.yml` shows them.
        type: list
        elements: str
        default: []
      log:
        description: >-
          Where the container's output goes.
        type: dict
        suboptions:
          driver:
            description: >-
              Docker's log driver for the container.
            type: str
            default: "local"
          max_size:
            description: >-
              Size at which a log file is rotated; for the drivers `local` and `json-file`.
            type: str
            default: "10m"
          max_file:
            description: >-
              Number of log files kept; for the drivers `local` and `json-file`.
            type: int
            default: 5
          options:
            description: >-
              Further options of the driver, as Docker's manual has them.
            type: dict
            default: {}
      secrets_as:
        description: >-
          How `secrets` reach the container. `env`: in its environment. `files`: each is the file `/run/secrets/<NAME>`,
          and in no environment, so that not even `docker inspect` shows it.
        type: str
        choices: ["env", "files"]
        default: "env"
      networks:
        description: >-
          Networks that the app shares with every app that names them too; they reach each other by the name of the app.
          Without one it has a network of its own, on which nobody else is.
        type: list
        elements: str
        default: []
      extra_hosts:
        description: >-
          Names for the container's /etc/hosts, each with an address, or `host-gateway` for the server.
        type: dict
        default: {}
      tmpfs:
        description: >-
          Directories in memory: `/path`, or `/path:options` such as `/tmp:size=64m,mode=1777`.
        type: list
        elements: str
        default: []
      user:
        description: >-
          User to run as: `uid`, `uid:gid`, or a name that the image knows. Left out, the image's own.
        type: str
        default: ""
      entrypoint:
        description: >-
          Replaces the image's ENTRYPOINT: a list, or a line that is split into words. As with Docker itself the image's
          own command is not used then either: `command` says what stands behind it.
        type: raw
        default: []
      hostname:
        description: >-
          Host name inside of the container, for programs that call their data by it, RabbitMQ for one. Left out, it is
          the name of the app with `expose: private` or `strategy: recreate`, and a new one in each release otherwise,
          where two run side by side. Further replicas have their number behind it: `queue-2`.
        type: str
        default: ""
      volume_owners:
        description: >-
          Whose a fresh volume is, `uid` or `uid:gid` in quotes, by its name or path. Left out, it is that of `user`,
          where that is a number. What has content is never touched.
        type: dict
        default: {}
      workdir:
        description: >-
          Directory that the command starts in; the image's own where left out.
        type: str
        default: ""
      memory:
        description: >-
          Most memory the container may use, with a unit: `512m`, `2g`. No limit where left out.
        type: str
        default: ""
      cpus:
        description: >-
          Most processor time the container may use, in cores: `0.5`, `2`. `0` is no limit.
        type: float
        default: 0
      pids:
        description: >-
          Most processes and threads the container may have. `0` is no limit.
        type: int
        default: 4096
      shm_size:
        description: >-
          Size of /dev/shm, with a unit; Docker's 64m where left out, which is little for PostgreSQL.
        type: str
        default: ""
      ulimits:
        description: >-
          Limits of setrlimit(2): a number, or `"soft:hard"`, by name.
        type: dict
        default: {}
      labels:
        description: >-
          Docker labels. Those that begin with `portside.` are taken.
        type: dict
        default: {}
      read_only:
        description: >-
          The image's file system can't be written; volumes and `tmpfs` can.
        type: bool
        default: false
      stop_signal:
        description: >-
          Signal that asks the container to stop; the image's own, or SIGTERM, where left out.
        type: str
        default: ""
      stop_timeout:
        description: >-
          Seconds between SIGTERM and SIGKILL when a release is stopped.
        type: int
        default: 30
      before:
        description: >-
          Commands that are run one after the other before a release starts, migrations for instance, each in a
          container with the new image, environment, volumes and networks. One that fails leaves the old release as it
          is. A rollback runs none.
        type: list
        elements: str
        default: []
      before_entrypoint:
        description: >-
          What runs the commands of `before`: `image`, its ENTRYPOINT (or `entrypoint`), which gets them as arguments;
          `none`, nothing, for an image whose ENTRYPOINT is the app itself and swallows them.
        type: str
        choices: ["image", "none"]
        default: "image"
      before_timeout:
        description: >-
          Seconds that each command of `before` may take.
        type: float
        default: 600
      strategy:
        description: >-
          `recreate` stops the old release before the new one starts, for what can't run twice: an app with SQLite, or a
          licence for one. Meanwhile nginx says that the service is not available.
        type: str
        choices: ["blue_green", "recreate"]
        default: "blue_green"
      replicas:
        description: >-
          Containers of the app that run side by side, 1 to 32; nginx asks them in turn. They start together, and get
          traffic when every one of them is healthy.
        type: int
        default: 1
      canary:
        description: >-
          Percentage of clients, 1 to 50, that get a new release at first; a client, known by its address, stays where
          it is. `playbooks/promote.yml` makes it the only one, `playbooks/abort.yml` takes it away. 0: all clients at
          once.
        type: int
        default: 0
      drain:
        description: >-
          Seconds to wait at most for requests that the old release is still answering, before it stops.
        type: float
        default: 30
      bridges:
        description: >-
          Bridges of networks that the firewall shuts (`ufw_docker_egress`), by the name in `networks`; under `_own`
          that of a network of the app's own, beside those it shares. A container is only started on one when the
          firewall has its rule.
        type: dict
        default: {}
      dns:
        description: >-
          Resolvers for names that are no container's, in place of the server's. `127.0.0.1` is none.
        type: list
        elements: str
        default: []
      upstream_file:
        description: >-
          File for nginx that names the live release's address, one `server` line. Written at a switch.
        type: str
        default: ""
      front:
        description: >-
          Where nginx answers for the app. After a switch it is asked there, by https on loopback, and has to send the
          request to the new release; else the one before it gets all clients again. With `upstream_file` only, and for
          an nginx of the role `nginx`: another one doesn't tell whom it asked.
        type: dict
        suboptions:
          host:
            description: >-
              Public name. Left empty, nginx is not asked.
            type: str
            default: ""
          port:
            description: >-
              Its port for https on 127.0.0.1.
            type: int
            default: 443
          protocol:
            description: >-
              What nginx speaks with the app: one that speaks gRPC is asked so.
            type: str
            choices: ["http", "grpc"]
            default: "http"
      extra:
        description: >-
          Any text, kept with the release in a 0600 file. A rollback brings it back: the module `app_releases` tells
          which one belongs to the release that is to serve. Of a site in JSON, the passwords below `basic_auth.users`
          are kept as bcrypt hashes.
        type: str
        default: ""
      # apps: end
  only:
    description: Names of the apps to work on; the others of the list are left as they are. Empty means all.
    type: list
    elements: str
    default: []
  state_dir:
    description: Where the state of each app is kept, readable by root alone.
    type: path
    default: /var/lib/portside/apps
  port_range:
    description: First and last of the ports that are given to apps without O(apps[].host_ports).
    type: str
    default: 18000-18999
  keep:
    description: How many releases of an app are remembered, with the live one. Older containers and images are removed.
    type: int
    default: 5
  check_command:
    description: Command, as a list, that checks the proxy's configuration before it is reloaded.
    type: list
    elements: str
    default: []
  reload_command:
    description: Command, as a list, that makes the proxy read its configuration.
    type: list
    elements: str
    default: []
  registries:
    description: Logins for pulling images. They are handed to Docker with the pull and stored nowhere.
    type: list
    elements: dict
    default: []
    suboptions:
      # registries: begin
      registry:
        description: >-
          Host of the registry as it stands in image references, `ghcr.io` for instance.
        type: str
        required: true
      username:
        description: >-
          User name, or what the registry takes for one.
        type: str
        required: true
      password:
        description: >-
          Password or token.
        type: str
        required: true
      # registries: end
  retry:
    description: Names of apps for which a release that was rejected before is tried again.
    type: list
    elements: str
    default: []
  rollback:
    description:
      - Name of an app to bring back an earlier release of, as it was then, with image, declaration and secrets. Nothing
        is pulled. Nothing else is done in the run.
      - The release that served until then is rejected, so that it is not deployed again as long as its declaration
        stays the same, or until O(retry) names the app.
    type: str
    default: ""
  release:
    description: Number of the release that O(rollback) brings back. 0 is the newest one before the one that serves.
    type: int
    default: 0
  promote:
    description: Name of an app whose canary is to have all clients. Nothing else is done in the run.
    type: str
    default: ""
  abort:
    description:
      - Name of an app whose canary is taken away and rejected. Nothing else is done in the run.
    type: str
    default: ""
  forget:
    description:
      - Whether secrets that were rotated are forgotten. Of the apps (of O(only), if that names any) the releases that
        don't serve and have a secret, or a password of their site, that none that serves has, lose their secrets, their
        declaration and their containers; there is no rollback to them any more. Nothing else is done in the run.
      - An app whose serving release has another secret than the declared one fails, because that is in use.
    type: bool
    default: false
  by:
    description: Who releases, for the record.
    type: str
    default: ""
  archives:
    description: What the controller knows of the images in files. Filled in by the action plugin; not for playbooks.
    type: dict
    default: {}
  purge:
    description: Remove apps that are on the host and not in the list.
    type: bool
    default: false
  lock_timeout:
    description: Seconds to wait for another run on the same host.
    type: int
    default: 300
attributes:
  check_mode: {support: full, description: Predicts releases, also on a host without Docker.}
  diff_mode: {support: full, description: Shows the declaration before and after. Of secrets it shows names only.}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: The shop runs
  portside.vps.app_release:
    apps:
      - name: shop-api
        image: ghcr.io/acme/shop-api:1.4.2
        port: 8000
        health: {path: /health, host: api.example.com}
        env: {LOG_LEVEL: info}
        secrets:
          STRIPE_WEBHOOK_SECRET: "{{ vault_stripe_webhook_secret }}"
        upstream_file: /etc/nginx/upstreams/shop-api.conf
      - name: shop-worker
        image: ghcr.io/acme/shop-api:1.4.2
        command: [python, -m, shop.worker]
    check_command: [nginx, -t]
    reload_command: [systemctl, reload, nginx]
"""

RETURN = r"""
apps:
  description: What became of each app, in the order of the list.
  type: list
  elements: dict
  returned: always
  contains:
    name: {description: The app., type: str}
    action:
      description:
        - V(unchanged), V(deployed), V(started), V(repaired), V(rolled back), V(held), V(removed) or V(failed).
        - Of canaries V(deployed as a canary), V(canary's share changed), V(canary withdrawn), V(promoted), V(aborted).
        - V(forgotten), of secrets.
      type: str
    changed: {description: Whether anything was changed for this app., type: bool}
    reason: {description: Why., type: str}
    notice:
      description: What a person has to know of an app that is held (which release was rejected, when and why), or has a
        canary, and what to do.
      type: str
    message: {description: What went wrong., type: str}
    release: {description: Number of the live release., type: int}
    image: {description: Image reference of the live release., type: str}
    image_id: {description: ID of its image on this host., type: str}
    digest: {description: Digest under which a registry knows the image; empty for one made on the host., type: str}
    container: {description: Name of its container., type: str}
    bind: {description: Address that it is published on., type: str}
    host_port: {description: Port that it is published on; none for a worker., type: int}
    host_ports: {description: The ports of all its replicas., type: list, elements: int}
    canary: {description: Number of the release that has a share of the clients., type: int}
orphans:
  description: Apps that are on the host and not in the list; removed with O(purge).
  type: list
  elements: str
  returned: always
"""

import json
import socket
import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils import shape, telltale
from ansible_collections.portside.vps.plugins.module_utils.engine.base import EngineUnavailableError
from ansible_collections.portside.vps.plugins.module_utils.engine.docker_sdk import DockerEngine, NoEngine
from ansible_collections.portside.vps.plugins.module_utils.lock import LockError
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule
from ansible_collections.portside.vps.plugins.module_utils.releases import gate, kept_site, options, spec, validate
from ansible_collections.portside.vps.plugins.module_utils.releases.front import HostFront
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Clock
from ansible_collections.portside.vps.plugins.module_utils.releases.images import Archive
from ansible_collections.portside.vps.plugins.module_utils.releases.releaser import Releaser
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Outcome, Settings
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store, StoreError
from ansible_collections.portside.vps.plugins.module_utils.telling import no_traceback

ARGUMENTS: dict[str, dict[str, Any]] = {
    "apps": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": shape.argument_spec(options.APP),
    },
    "only": {"type": "list", "elements": "str", "default": []},
    "state_dir": {"type": "path", "default": "/var/lib/portside/apps"},
    "port_range": {"type": "str", "default": "18000-18999"},
    "keep": {"type": "int", "default": 5},
    "check_command": {"type": "list", "elements": "str", "default": []},
    "reload_command": {"type": "list", "elements": "str", "default": []},
    "registries": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": shape.argument_spec(options.REGISTRY),
    },
    "retry": {"type": "list", "elements": "str", "default": []},
    "rollback": {"type": "str", "default": ""},
    "release": {"type": "int", "default": 0},
    "promote": {"type": "str", "default": ""},
    "abort": {"type": "str", "default": ""},
    "forget": {"type": "bool", "default": False},
    "by": {"type": "str", "default": ""},
    "archives": {"type": "dict", "default": {}},
    "purge": {"type": "bool", "default": False},
    "lock_timeout": {"type": "int", "default": 300},
}


# Of the result: what the controller, the summary and status go by.
FACTS = (
    "name",
    "action",
    "release",
    "image",
    "image_id",
    "digest",
    "container",
    "bind",
    "host_port",
    "host_ports",
    "canary",
    "orphans",
    "archives_needed",
)


class ArchivesNeededError(Exception):
    """The images of these apps have to be copied to the host first. Nothing was done."""

    def __init__(self, apps: list[str]) -> None:
        super().__init__(", ".join(apps))
        self.apps = apps


def _busy(address: str, port: int) -> bool:
    """Whether something listens there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


def _engine(check_mode: bool) -> Any:
    """The host's Docker; in check mode nothing, where the packages are not there yet."""
    try:
        return DockerEngine()
    except EngineUnavailableError:
        if check_mode:
            return NoEngine()
        raise


def _work(params: dict[str, Any], check_mode: bool) -> tuple[list[Outcome], list[str]]:
    apps = [spec.app(item) for item in validate.apps(params["apps"])]
    single = [params[what] for what in ("rollback", "promote", "abort") if params[what]]
    named = [*params["only"], *params["retry"], *single]
    strangers = validate.strangers(named, [app.name for app in apps])
    if strangers:
        raise shape.InvalidInputError("\n".join(strangers))
    settings = Settings(
        retry=frozenset(params["retry"]),
        by=params["by"],
        pool=validate.port_range(params["port_range"]),
        keep=max(params["keep"], 1),
        credentials=validate.registries(params["registries"]),
        archives={name: Archive(**archive) for name, archive in params["archives"].items()},
    )
    clock = Clock(time.monotonic, time.sleep)
    store = Store(Path(params["state_dir"]))
    releaser = Releaser(
        _engine(check_mode),
        HostFront(params["check_command"], params["reload_command"], clock),
        store,
        settings,
        clock=clock,
        ask=gate.probe,
        busy=_busy,
    )
    with nullcontext() if check_mode else store.lock(params["lock_timeout"]):
        if single:
            wanted = next(app for app in apps if app.name == single[0])
            return _single(releaser, params, wanted, apps, check_mode), []
        if params["forget"]:
            left = [] if params["only"] else [App(name, image="") for name in releaser.orphans(apps)]
            chosen = [app for app in apps if app.present and app.name in (params["only"] or [app.name])]
            return (releaser.predict_forget if check_mode else releaser.forget)([*chosen, *left]), []
        if not (params["only"] or check_mode):
            releaser.forget_failures(apps)
        orphans = [] if params["only"] else releaser.orphans(apps)
        gone = [App(name, image="", present=False) for name in orphans] if params["purge"] else []
        chosen = [app for app in apps if not params["only"] or app.name in params["only"]]
        needed = [] if check_mode else releaser.archives_needed(chosen)
        if needed:
            raise ArchivesNeededError(needed)
        work = releaser.predict if check_mode else releaser.run
        return work([*chosen, *gone], apps), orphans


def _single(
    releaser: Releaser, params: dict[str, Any], wanted: App, apps: list[App], check_mode: bool
) -> list[Outcome]:
    """A rollback, or the end of a canary."""
    if params["rollback"]:
        turn_back = releaser.predict_rollback if check_mode else releaser.roll_back
        return turn_back(wanted, params["release"] or None, apps)
    if check_mode:
        return releaser.predict_end(wanted, "promote" if params["promote"] else "abort")
    return releaser.promote(wanted) if params["promote"] else releaser.abort(wanted)


def _pretty(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n" if value else ""


def _result(outcomes: list[Outcome], orphans: list[str]) -> dict[str, Any]:
    shown = []
    diffs = []
    for outcome in outcomes:
        item = asdict(outcome)
        before, after, _ = item.pop("before"), item.pop("after"), item.pop("warnings")
        shown.append(item)
        if before != after:
            before, after = telltale.shown(before, after)
            header = f"app {outcome.name}"
            diffs.append(
                {
                    "before_header": header,
                    "after_header": header,
                    "before": _pretty(before),
                    "after": _pretty(after),
                }
            )
    return {
        "changed": any(outcome.changed for outcome in outcomes),
        "apps": shown,
        "orphans": orphans,
        "diff": diffs,
    }


@no_traceback
def main() -> None:
    """Entry point."""
    module = QuietModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        facts=FACTS,
    )
    module.make_public(validate.names(module.params["apps"]))
    for app in module.params["apps"]:
        module.no_log_values.update(telltale.secrets(app.get("log") or {}))
        module.no_log_values.update(kept_site.clear_passwords(app.get("extra") or ""))
    try:
        outcomes, orphans = _work(module.params, module.check_mode)
    except ArchivesNeededError as needed:
        module.exit_json(changed=False, archives_needed=needed.apps)
    except (shape.InvalidInputError, EngineUnavailableError, LockError, StoreError) as error:
        module.fail_json(msg=str(error))
    result = _result(outcomes, orphans)
    for outcome in outcomes:
        for warning in outcome.warnings:
            module.warn(warning)
    if orphans and not module.params["purge"]:
        module.warn(
            f"on this host, but not in the list of apps: {', '.join(orphans)}. They are left alone; "
            "`state: absent` or `docker_app_purge: true` removes them"
        )
    failed = [outcome for outcome in outcomes if outcome.failed]
    if failed:
        module.fail_json(msg="\n".join(f"app `{outcome.name}`: {outcome.message}" for outcome in failed), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
