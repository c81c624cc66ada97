"""Every cause that a diagnosis can name: where on the path it is, what is seen of it, why it matters, what mends it.

This is the one table. The reports take their words from it, and so does docs/troubleshooting.md (`make docs`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import hops

BROKEN, WARNING = "broken", "warning"

# Words that a sentence has only when going without the proxy was tried.
ONLY_WHEN_TRIED = ("tried", "or_direct")


@dataclass(frozen=True)
class Cause:
    """A cause.

    Attributes:
        id: its name in JSON.
        hop: where on the path.
        seen: what is seen of it; words in braces are filled in.
        why: why that matters.
        cure: the command or the variable that mends it.
        level: a warning doesn't stop anything yet.
    """

    id: str
    hop: str
    seen: str
    why: str
    cure: str
    level: str = BROKEN


_SITE = "`ansible-playbook site.yml`"

CAUSES: tuple[Cause, ...] = (
    # The internet.
    Cause(
        "dns-missing",
        hops.DNS,
        "{name} has neither an A nor an AAAA record",
        "Nobody can find the server under that name, and no certificate can be had for it.",
        "At your DNS provider: an A record for {name} with {expected}. Done when `dig +short {name}` shows it.",
    ),
    Cause(
        "dns-failed",
        hops.DNS,
        "{name} could not be looked up: {error}",
        "The name servers of the domain don't answer, or the machine that looked has no working resolver.",
        "Ask from elsewhere: `dig +trace {name}`. If that fails too, the domain's name servers are at fault; if "
        "not, look from "
        "another machine: `-e portside_diagnose_from=<host of the inventory>`.",
    ),
    Cause(
        "dns-wrong-a",
        hops.DNS,
        "{name} has the A record {found}; this server is {expected}",
        "Browsers, senders of webhooks and the certificate authority go to another machine.",
        "At your DNS provider set the A record of {name} to {expected}. Done when `dig +short A {name}` shows it. "
        "If a CDN or NAT stands in front "
        "on purpose, say so: `portside_addresses: [{found}]`.",
    ),
    Cause(
        "dns-wrong-aaaa",
        hops.DNS,
        "{name} has the AAAA record {found}; this server is {expected}",
        "Whoever has IPv6 goes to another machine, and the certificate authority prefers IPv6: it works for some "
        "and fails for others.",
        "At your DNS provider remove the AAAA record of {name}, or set it to this server's. Done when `dig +short "
        "AAAA {name}` shows it.",
    ),
    # The firewall.
    Cause(
        "firewall-closed",
        hops.FIREWALL,
        "port {port} of {address} can't be reached from outside, and ufw doesn't open it ({rules})",
        "80 is needed for certificates and for the redirect to https, 443 for everything else.",
        f"{_SITE} opens both. By hand: `ufw allow {{port}}/tcp`. See what is open: `ufw status numbered`.",
    ),
    Cause(
        "firewall-provider",
        hops.FIREWALL,
        "port {port} of {address} can't be reached from outside ({answer}), although nginx listens there and ufw "
        "lets everybody in",
        "Something in front of the server drops it: the provider's firewall or security group, or a rule beside ufw.",
        "In your provider's console allow incoming TCP {port} from anywhere, IPv4 and IPv6. If there is no such "
        "firewall, look for other rules on "
        "the server: `iptables-save`, `ip6tables-save`, `nft list ruleset`.",
    ),
    Cause(
        "firewall-or-down",
        hops.FIREWALL,
        "port {port} of {address} can't be reached from outside ({answer}), and the server couldn't be asked why",
        "The server is off, or a firewall is closed, or Ansible can't log in.",
        "Try `ssh` to the server; look at its console at your provider; then run the diagnosis again.",
    ),
    # nginx.
    Cause(
        "nginx-missing",
        hops.NGINX,
        "nginx is not installed",
        "Nothing answers on 80 and 443.",
        f"{_SITE}",
    ),
    Cause(
        "nginx-stopped",
        hops.NGINX,
        "nginx doesn't run ({state})",
        "Nothing answers on 80 and 443.",
        "`journalctl -u nginx -n 30` says why; `systemctl start nginx` starts it.",
    ),
    Cause(
        "nginx-invalid",
        hops.NGINX,
        "nginx refuses its configuration: {said}",
        "It goes on with what it read last, or doesn't start at all; no change and no renewed certificate is taken.",
        f"Mend or remove what the message names, until `nginx -t` is content. What Portside wrote is put right by "
        f"{_SITE}.",
    ),
    Cause(
        "nginx-not-listening",
        hops.NGINX,
        "nginx runs, but port {port} belongs to {who}",
        "Requests go elsewhere or nowhere.",
        "`ss -ltnp` shows who has the port. Stop that program, then `systemctl restart nginx`.",
    ),
    Cause(
        "site-missing",
        hops.NGINX,
        "nginx has no site with the name {name}",
        "Requests for a name that no site has are refused.",
        f"Is {{name}} in `domains` of app {{app}}? Then {_SITE} writes the site.",
    ),
    Cause(
        "site-default",
        hops.NGINX,
        "nginx has no site with the name {name}; a default server answers for it ({file})",
        "Visitors get another site's pages and certificate.",
        f"Is {{name}} in `domains` of app {{app}}? Then {_SITE} writes the site. Take `default_server` out of "
        f"{{file}}.",
    ),
    Cause(
        "webhook-redirected",
        hops.NGINX,
        "POST {url} is answered with a redirect ({status}) to {location}",
        "Stripe and most senders count every redirect as a failure.",
        "Register exactly the URL that answers, with https and the first of `domains`; and declare the path: "
        "`webhooks: [{{path: {path}}}]`. A redirect "
        "of `site.redirects` or `site.extra_config` must not touch it.",
    ),
    Cause(
        "webhook-forbidden",
        hops.NGINX,
        "POST {url} is answered with 403 by nginx; the app itself answers {direct}",
        "A list of allowed or denied addresses keeps the sender out. Senders' addresses change.",
        "Declare the path, so that `site.allow` and `site.deny` leave it alone: `webhooks: [{{path: {path}}}]`. If "
        "it has `allow` of its own, take that out or "
        "complete it. Look for `allow`, `deny` and `return 403`: `nginx -T`.",
    ),
    Cause(
        "webhook-password",
        hops.NGINX,
        "POST {url} asks for a password (401) in nginx; the app itself answers {direct}",
        "Senders of webhooks have none.",
        "Declare the path, so that `site.basic_auth` leaves it alone: `webhooks: [{{path: {path}}}]`. Look for "
        "`auth_basic`: `nginx -T`.",
    ),
    Cause(
        "webhook-too-large",
        hops.NGINX,
        "POST {url} with a body of {bytes} bytes is answered with 413 by nginx; the app itself answers {direct}",
        "Larger events never arrive.",
        "`webhooks: [{{path: {path}, max_body_size: 1m}}]`, or `site.max_body_size`. Look for "
        "`client_max_body_size`: `nginx -T`.",
    ),
    Cause(
        "webhook-stopped",
        hops.NGINX,
        "POST {url} is answered with {status} by nginx; the app itself answers {direct}",
        "The event doesn't reach the app.",
        "`tail /var/log/nginx/error.log` says why; is the path in `webhooks` of app {app}, and is the site in "
        "maintenance (`site.maintenance`)?",
    ),
    Cause(
        "webhook-altered",
        hops.NGINX,
        "a signed test event is accepted by the app itself and refused ({status}) through nginx",
        "The body or the header Stripe-Signature doesn't arrive as it was sent.",
        "Look in `nginx -T` for `proxy_set_header Stripe-Signature`, `proxy_pass_request_headers off`, `sub_filter` "
        "and Lua or njs filters in that site, and "
        "take them out.",
    ),
    Cause(
        "nginx-unavailable",
        hops.NGINX,
        "https://{name}{path} is answered with {status} by nginx, while the app itself answers {direct}",
        "Visitors get an error although the app works.",
        "`tail /var/log/nginx/error.log` says why; is the site in maintenance (`site.maintenance.enabled`)?",
    ),
    # The certificate.
    Cause(
        "certificate-placeholder",
        hops.CERTIFICATE,
        "{name} has a self-signed certificate ({issuer})",
        "Nobody trusts it: it is what stands there until a certificate authority has signed one.",
        f"{_SITE} asks for one, and says why it couldn't be had. Its log: `/var/log/letsencrypt/letsencrypt.log`.",
    ),
    Cause(
        "certificate-expired",
        hops.CERTIFICATE,
        "the certificate of {name} expired on {not_after}",
        "Every client refuses it.",
        f"{_SITE} renews it. Then find out why it wasn't: `systemctl list-timers certbot.timer`, `journalctl -u "
        f"certbot`. `portside-certbot-check` says whether a newer one is on disk: then `systemctl reload nginx`.",
    ),
    Cause(
        "certificate-future",
        hops.CERTIFICATE,
        "the certificate of {name} is not valid yet",
        "Every client refuses it. Most often a clock is wrong.",
        "`timedatectl` on the server, and the clock of the machine that looked.",
    ),
    Cause(
        "certificate-name",
        hops.CERTIFICATE,
        "the certificate for {name} is one for {names}",
        "Every client refuses it.",
        f"Is {{name}} in `domains` of app {{app}}? Then {_SITE} gets a certificate for all its names. `certbot "
        f"certificates` lists them.",
    ),
    Cause(
        "certificate-chain",
        hops.CERTIFICATE,
        "the certificate of {name} comes without the intermediate ({issuer})",
        "Browsers may find the missing one by themselves; Stripe, curl and most programs don't.",
        "nginx must name `fullchain.pem`, not `cert.pem`, in `ssl_certificate`: `nginx -T | grep ssl_certificate`. "
        "What Portside wrote is put right by "
        f"{_SITE}.",
    ),
    Cause(
        "certificate-staging",
        hops.CERTIFICATE,
        "the certificate of {name} is from a staging authority ({issuer})",
        "It is for trying things out; nobody trusts it.",
        f"Take `portside_acme_directory: staging` out of the inventory, then {_SITE}.",
    ),
    Cause(
        "certificate-untrusted",
        hops.CERTIFICATE,
        "the certificate of {name} is not trusted: {error} (issuer: {issuer})",
        "Clients refuse it.",
        f"With a private authority name its root: `portside_diagnose_ca_file`. Else {_SITE} gets one from Let's "
        f"Encrypt.",
    ),
    Cause(
        "certificate-handshake",
        hops.CERTIFICATE,
        "no TLS handshake for {name} at {address}: {error}",
        "No client gets as far as the app.",
        "`nginx -t`, `tail /var/log/nginx/error.log`; from outside: `openssl s_client -connect {address}:443 "
        "-servername {name}`.",
    ),
    Cause(
        "certificate-stale",
        hops.CERTIFICATE,
        "nginx shows another certificate for {name} (serial {serial}) than the one on disk ({on_disk})",
        "A renewed certificate does not reach visitors: when the one that is shown expires, every client refuses it.",
        "`nginx -t && systemctl reload nginx`; why nginx wasn't told is in `journalctl -t portside-certbot`. "
        "`portside-certbot-check` looks at all certificates.",
    ),
    Cause(
        "certificate-soon",
        hops.CERTIFICATE,
        "the certificate of {name} has {days} days left and has not been renewed",
        "It should have been by now.",
        "`systemctl list-timers certbot.timer`, `journalctl -u certbot`, `certbot renew --dry-run`.",
        WARNING,
    ),
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
        "Somebody replaced the container by hand. Remove it (`docker rm --force {container}`); then `ansible-playbook "
        "playbooks/deploy.yml -e app={app}` starts the release again. Publish nothing by hand.",
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
    # The way out.
    Cause(
        "egress-dns",
        hops.EGRESS,
        "from inside the container {host} can't be looked up: {error}",
        "The app can't call {url}.",
        "`docker exec {container} cat /etc/resolv.conf`; on the server `getent hosts {host}`. Docker asks the "
        "server's resolvers; others: the daemon option `dns` "
        "in `docker_daemon_options`.",
    ),
    Cause(
        "egress-closed",
        hops.EGRESS,
        "from inside the container {host}:{port} can't be reached: {error}",
        "The app can't call {url}.",
        "Where there is a way out by a proxy alone, declare it (`portside_egress`) and set `egress: proxy` for app "
        "{app}. Else open outgoing TCP {port} in the firewalls: "
        "ufw, provider.",
    ),
    Cause(
        "proxy-unknown",
        hops.EGRESS,
        "the proxy {proxy} ({variable}) can't be looked up: {error}",
        "The app can't call {url}.{tried}",
        "Correct `portside_egress`{or_direct}, then `ansible-playbook playbooks/deploy.yml -e app={app}`.",
    ),
    Cause(
        "proxy-unreachable",
        hops.EGRESS,
        "the proxy {proxy} ({variable}) can't be reached: {error}",
        "The app can't call {url}.{tried}",
        "Is the proxy up, and does it take connections from this server? Correct `portside_egress`{or_direct}, then "
        "`ansible-playbook playbooks/deploy.yml -e app={app}`.",
    ),
    Cause(
        "proxy-refused",
        hops.EGRESS,
        "the proxy {proxy} ({variable}) refuses {host}: {status} {reason}",
        "That is what HTTP libraries report as `ProxyError: Tunnel connection failed: {status}`. It comes from the "
        "proxy, not from {host}.{tried}",
        "Have the proxy allow {host}:{port}{or_direct}, then `ansible-playbook playbooks/deploy.yml -e app={app}`: "
        "libraries read these variables when the process starts.",
    ),
    Cause(
        "proxy-login",
        hops.EGRESS,
        "the proxy {proxy} ({variable}) wants another login ({status} {reason})",
        "The app can't call {url}.{tried}",
        "Put user and password into the URL in `portside_egress` (in a vault){or_direct}, then `ansible-playbook "
        "playbooks/deploy.yml -e app={app}`.",
    ),
    Cause(
        "egress-certificate",
        hops.EGRESS,
        "the certificate of {host} is not trusted inside the container{through}: {error}",
        "The app refuses to talk to {url}. A proxy that opens TLS shows a certificate of its own; or the image has "
        "no CA certificates, or a wrong clock.",
        "Mount the authority's certificate into the container and name it (`SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`, "
        "`NODE_EXTRA_CA_CERTS` in `env`), or install "
        "`ca-certificates` in the image.",
    ),
    Cause(
        "egress-ca-file",
        hops.EGRESS,
        "in container {container} {error}",
        "Libraries that read the variable refuse every https connection, or trust others than you meant.",
        "Mount the file there (`volumes` of app {app}), or correct or remove the variable in `env`; then "
        "`ansible-playbook playbooks/deploy.yml -e app={app}`.",
    ),
    Cause(
        "egress-ca-none",
        hops.EGRESS,
        "container {container} has no CA certificates where programs look for them",
        "What was asked for is trusted by the server's own; curl, OpenSSL and Go in the container trust nobody. "
        "Libraries that bring certificates of their own (certifi, Java, Node) work.",
        "Install `ca-certificates` in the image, or mount a bundle and name it in `SSL_CERT_FILE`.",
        WARNING,
    ),
    Cause(
        "egress-tls",
        hops.EGRESS,
        "no TLS handshake with {host}{through}: {error}",
        "The app can't call {url}.",
        "Something in between cuts the connection. From the server: `openssl s_client -connect {host}:{port} "
        "-servername {host}`.",
    ),
    Cause(
        "egress-answer",
        hops.EGRESS,
        "{url} answers {status} {error}{through}",
        "The way is free; whoever answers has trouble.",
        "Look at the status page of {host}, and try again later.",
    ),
    Cause(
        "egress-silent",
        hops.EGRESS,
        "{url} takes the connection{through} and gives no answer: {error}",
        "A call of the app hangs until it gives up.{tried}",
        "From the server: `curl -v --max-time 20 {url}`. Silent there, too: {host} has trouble. Answered there: "
        "something on the container's way holds answers back, an MTU that is too large for instance; a proxy in "
        "between has more in its log{or_direct}.",
    ),
    Cause(
        "egress-untried",
        hops.EGRESS,
        "{url} could not be tried from inside container {container}: {error}",
        "Whether the app can call it is not known.",
        "`docker ps --all --filter name={container}` says whether it has ended meanwhile; else correct the URL, or the "
        "`*_PROXY` variable of the image, that could not be read. Then run the diagnosis again.",
    ),
)

BY_ID = {cause.id: cause for cause in CAUSES}
