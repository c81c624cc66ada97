"""What can be broken behind nginx: the loopback port, the container, the app."""

from __future__ import annotations

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import hops
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.causes.cause import WARNING, Cause

CAUSES: tuple[Cause, ...] = (
    # The loopback port.
    Cause(
        "upstream-missing",
        hops.LOOPBACK,
        "{file} names no address: nginx doesn't know where the app is",
        "nginx answers 503 for it.",
        "`ansible-playbook playbooks/deploy.yml -e app={app}` releases the app and writes the file.",
    ),
    Cause(
        "upstream-elsewhere",
        hops.LOOPBACK,
        "nginx sends requests to {upstream}; container {container} is published on {published}",
        "Nobody answers where nginx asks.",
        "Somebody replaced the container by hand. `ansible-playbook playbooks/deploy.yml -e app={app}` makes a release "
        "again, and removes that one. Publish nothing by hand.",
    ),
    Cause(
        "upstream-stranger",
        hops.LOOPBACK,
        "{upstream}, where nginx sends requests, belongs to container {owner}, not to app {app}",
        "Visitors get another program.",
        "Stop {owner}, or publish it on another port; then `ansible-playbook playbooks/deploy.yml -e app={app}`.",
    ),
    Cause(
        "published-publicly",
        hops.LOOPBACK,
        "container {container} is published on {published}, not on loopback alone",
        "It can be reached past nginx, and Docker's rules stand before ufw's.",
        "Remove the container that was started by hand; `ansible-playbook playbooks/deploy.yml -e app={app}` "
        "publishes on 127.0.0.1.",
    ),
    Cause(
        "upstream-closed",
        hops.LOOPBACK,
        "nothing answers at {upstream} ({error}), where container {container} is published",
        "nginx answers 503.",
        "`systemctl restart docker` sets up its port forwarding again; `journalctl -u docker` says what went wrong.",
    ),
    # The container.
    Cause(
        "docker-down",
        hops.CONTAINER,
        "Docker doesn't answer: {error}",
        "No container can be started or asked about.",
        "`systemctl status docker`, `journalctl -u docker -n 30`, `systemctl start docker`.",
    ),
    Cause(
        "container-missing",
        hops.CONTAINER,
        "app {app} has no container",
        "There is nobody to answer.",
        "`ansible-playbook playbooks/deploy.yml -e app={app}`",
    ),
    Cause(
        "container-dead",
        hops.CONTAINER,
        "container {container} has ended with exit status {exit_code}{reason}",
        "There is nobody to answer.",
        "Its last words are below (`docker logs {container}`). Then `docker start {container}`, or back to the "
        "release before: "
        "`ansible-playbook playbooks/rollback.yml -e app={app}`.",
    ),
    Cause(
        "container-restarting",
        hops.CONTAINER,
        "container {container} ends and is started again, {restarts} times so far (exit status {exit_code}{reason})",
        "It is never there for long.",
        "Its last words are below (`docker logs {container}`); most often a setting in `env` or `secrets` is "
        "missing. Back to the release before: "
        "`ansible-playbook playbooks/rollback.yml -e app={app}`.",
    ),
    Cause(
        "container-paused",
        hops.CONTAINER,
        "container {container} is {status}",
        "It answers nobody.",
        "`docker unpause {container}`, or `docker start {container}`.",
    ),
    Cause(
        "container-unhealthy",
        hops.CONTAINER,
        "the HEALTHCHECK of container {container} fails",
        "The image says that it can't work.",
        "`docker inspect --format '{{{{json .State.Health}}}}' {container}` shows what the check said.",
    ),
    # The app.
    Cause(
        "app-on-loopback",
        hops.APP,
        "the app listens on {listening} inside its container",
        "127.0.0.1 there is the container's own: what comes from outside it, nginx too, is not let in.",
        "Make it listen on 0.0.0.0:{port}: `--host 0.0.0.0` for uvicorn and Flask, `--bind 0.0.0.0:{port}` for "
        "gunicorn, `HOST=0.0.0.0` for many Node apps "
        "(`command` or `env` of the app).",
    ),
    Cause(
        "app-other-port",
        hops.APP,
        "the app listens on {listening} inside its container, not on port {port}",
        "The inventory says `port: {port}`, and that is where requests go.",
        "Set `port` of app {app} to the one it listens on, or tell the app to listen on {port} (`env`, `command`).",
    ),
    Cause(
        "app-not-listening",
        hops.APP,
        "the container runs, but nothing in it listens on any port",
        "The app hangs while it starts, or its command is not the server.",
        "Its last words are below (`docker logs {container}`). Is `command` right?",
    ),
    Cause(
        "app-silent",
        hops.APP,
        "the app takes the connection and gives no answer: {error}",
        "nginx answers 503.",
        "Its last words are below (`docker logs {container}`). `docker restart {container}` if it hangs.",
    ),
    Cause(
        "app-speaks-https",
        hops.APP,
        "the app speaks https on port {port}, and nginx asks it in plain http",
        "nginx gets 400 or no answer from it.",
        "`site: {{scheme: https}}` for app {app}, then `ansible-playbook site.yml`; or have it speak plain http.",
    ),
    Cause(
        "app-speaks-http",
        hops.APP,
        "the app speaks plain http on port {port}, and nginx asks it by https",
        "nginx gets no answer from it.",
        "Take `scheme: https` out of `site` (and `health`) of app {app}, then `ansible-playbook site.yml`.",
    ),
    Cause(
        "app-speaks-grpc",
        hops.APP,
        "the app speaks HTTP/2 alone on port {port}, as gRPC does, and nginx asks it in HTTP/1.1",
        "nginx gets no answer from it.",
        "`site: {{protocol: grpc}}` for app {app}, then `ansible-playbook site.yml`.",
    ),
    Cause(
        "app-unhealthy",
        hops.APP,
        "GET {path} is answered with {status} by the app; healthy is {expected}",
        "The app says that it can't work.",
        "Its last words are below (`docker logs {container}`). If the path or the status is meant so: `health` of "
        "app {app}.",
    ),
    Cause(
        "app-error",
        hops.APP,
        "POST {path} is answered with {status} by the app",
        "The sender tries again for days, and then gives up.",
        "Its last words are below (`docker logs {container}`). An unsigned event should be refused with 400, not "
        "end in an error.",
    ),
    Cause(
        "webhook-unknown",
        hops.APP,
        "POST {path} is answered with {status} by the app: it has no such webhook",
        "The event arrives at the app, which doesn't know the path or takes no POST there.",
        "Correct `webhooks[].path` of app {app} (a slash at the end counts), or the route in the app.",
    ),
    Cause(
        "webhook-prefix",
        hops.APP,
        "POST {path} is answered with {status} by the app, which has taken events below that path",
        "`webhooks[].path` holds for all below it. What is called is fine; it is not tried here.",
        "Nothing, if the sender calls a path below {path}. To have that one tried, declare it in `webhooks` of app "
        "{app}.",
        WARNING,
    ),
    Cause(
        "webhook-nobody",
        hops.APP,
        "POST {path} belongs to {who} (`site.locations` of app {app}), and nothing answers at {upstream}: {error}",
        "nginx answers 502 or 503, and the event is lost unless the sender tries again.",
        "Where it is an app: `ansible-playbook playbooks/diagnose.yml` names what is wrong with it. Else start the "
        "program, or correct the path in `site.locations` of app {app}.",
    ),
    Cause(
        "app-slow",
        hops.APP,
        "the app takes {seconds} s for POST {path}",
        "Senders give up after about 10 s, count a failure and send again: the same event is then handled twice.",
        "Answer 2xx first, and do the work after that (a queue, a background task).",
    ),
    Cause(
        "webhook-secret",
        hops.APP,
        "a signed test event is refused by the app ({status})",
        "The app has another signing secret than the one of the test, or changes the body before it checks.",
        "Compare the secret of app {app} in `secrets` with the sender's page for this endpoint (each endpoint has "
        "its own); check the raw body, not parsed "
        "and written again. docs/diagnose.md shows how.",
    ),
    Cause(
        "webhook-unchecked",
        hops.APP,
        "POST {path} without a signature is answered with {status} by the app",
        "Anybody can send it events.",
        "Check the signature (for Stripe: `stripe.Webhook.construct_event`), and answer 400 without one. "
        "examples/webhook-app does.",
        WARNING,
    ),
)
