"""What can be broken on the way out of a container."""

from __future__ import annotations

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import hops
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.causes.cause import WARNING, Cause

CAUSES: tuple[Cause, ...] = (
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
        "egress-enforced",
        hops.EGRESS,
        "the firewall keeps app {app} from {host}:{port}, because {rule} declares that: {error}",
        "The app can't call {url}.{tried}",
        "If it is to be reached, name its addresses and port in `egress: {{to: [{{network: ..., port: {port}}}]}}` of "
        "app {app}, with `dns: true` where the app looks names up, then `ansible-playbook site.yml`. If not, take the "
        "URL out of `egress_checks`.",
    ),
    Cause(
        "proxy-unknown",
        hops.EGRESS,
        "the proxy {proxy} ({variable}) can't be looked up: {error}",
        "The app can't call {url}.{tried}",
        "Correct {place}{or_direct}, then `ansible-playbook playbooks/deploy.yml -e app={app}`.",
    ),
    Cause(
        "proxy-unreachable",
        hops.EGRESS,
        "the proxy {proxy} ({variable}) can't be reached: {error}",
        "The app can't call {url}.{tried}",
        "Is the proxy up, and does it take connections from this server? Correct {place}{or_direct}, then "
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
        "Put the right user and password (from a vault) into the URL: {place}{or_direct}; then `ansible-playbook "
        "playbooks/deploy.yml -e app={app}`.",
    ),
    Cause(
        "proxy-url",
        hops.EGRESS,
        "the variable {variable} is not a proxy's URL that all clients read alike",
        "It is not shown, for there may be a password in it. The app can't call {url}, or goes another way than you "
        "think.{tried}",
        "The form is `http://user:password@proxy.example.com:3128`, and in user and password all but letters, digits "
        "and `-._~` is percent-encoded (`#` is `%23`). Correct {place}{or_direct}, then `ansible-playbook "
        "playbooks/deploy.yml -e app={app}`.",
    ),
    Cause(
        "proxy-socks",
        hops.EGRESS,
        "the variable {variable} names a SOCKS proxy, which was not tried",
        "Whether the app can call {url} is not known: half of the clients can't speak SOCKS, and some pass over "
        "it.{tried}",
        "Try it in the app itself. An http proxy is what all clients can speak: {place}{or_direct}; then "
        "`ansible-playbook playbooks/deploy.yml -e app={app}`.",
        WARNING,
    ),
    Cause(
        "proxy-certificate",
        hops.EGRESS,
        "the certificate of the proxy {proxy} ({variable}) itself is not trusted inside the container: {error}",
        "The app refuses to talk to the proxy, and can't call {url}.{tried}",
        "A proxy that is spoken to without TLS is what all clients can use: `http://` in {place}{or_direct}. Else "
        "mount the authority's certificate into the container and name it (`SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`, "
        "`NODE_EXTRA_CA_CERTS` in `env`). Then `ansible-playbook playbooks/deploy.yml -e app={app}`.",
    ),
    Cause(
        "proxy-tls",
        hops.EGRESS,
        "no TLS handshake with the proxy {proxy} ({variable}) itself: {error}",
        "The app can't call {url}.{tried}",
        "Most proxies are spoken to without TLS, also for https: `http://` in {place}{or_direct}, then "
        "`ansible-playbook playbooks/deploy.yml -e app={app}`.",
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
        "`docker ps --all --filter name={container}` says whether it has ended meanwhile; else correct the URL. Then "
        "run the diagnosis again.",
    ),
)
