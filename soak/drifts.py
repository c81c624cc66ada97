"""What can be changed by hand on a server that Portside manages: how, and how to look whether it is as it was.

The server is that of the Molecule scenario `egress`: the apps shop-api and reports with their sites, and a worker.
"""

from __future__ import annotations

from dataclasses import dataclass

SITES = "/etc/nginx/sites-enabled"
UPSTREAMS = "/etc/nginx/upstreams"
LETSENCRYPT = "/etc/letsencrypt"
UNITS = "/etc/systemd/system"
STATE = "/var/lib/portside/apps"
# Asks an app where nginx would: "200" when it answers.
ASK = (
    'python3 -c "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).status)"'
    " http://$(grep -m 1 -o '127.0.0.1:[0-9]*' {file})/health 2>&1 | tail -n 1"
)


@dataclass(frozen=True)
class Drift:
    """One thing that somebody changes by hand.

    Attributes:
        name: what is wrong then.
        part: what answers for it; several things that are changed at once are of different parts.
        change: the command that changes it.
        look: a command whose output says how it is.
        said: words that the run has to say of it.
        alone: whether it gets in the way of others.
    """

    name: str
    part: str
    change: str
    look: str
    said: str
    alone: bool = False


def file(path: str) -> str:
    """Kind, mode, owner, target or content of what stands at a path; nothing is an answer too."""
    return (
        f"if [ -L {path} ]; then readlink {path}; "
        f"elif [ -e {path} ]; then stat -c '%F %a %U:%G' {path}; [ -d {path} ] || sha256sum < {path}; "
        "else echo none; fi"
    )


def unit(name: str) -> str:
    """Whether a unit runs, and starts at boot."""
    return f"systemctl show --property=LoadState,ActiveState,UnitFileState {name}"


def package(name: str) -> str:
    """Whether a package is installed."""
    return f"dpkg-query --show --showformat '${{db:Status-Abbrev}}' {name}"


def lineage(name: str) -> str:
    """Whether certbot's files of a certificate are whole, shut, and belong together."""
    live = f"{LETSENCRYPT}/live/{name}"
    return (
        f"stat -L -c %a {live}/privkey.pem; certbot certificates --cert-name {name} 2>&1 | grep -c 'VALID: '; "
        f"openssl x509 -noout -ext subjectAltName -in {live}/fullchain.pem; "
        f"openssl pkey -pubout -in {live}/privkey.pem 2>&1 | cmp - <(openssl x509 -noout -pubkey -in {live}/cert.pem)"
        f" && echo a pair"
    )


def containers(app: str) -> str:
    """The states of an app's containers."""
    return f"docker ps --all --filter label=portside.app={app} --format '{{{{.State}}}}' | sort"


def live(app: str) -> str:
    """The name of an app's container that runs, for use in a command."""
    return f"$(docker ps --quiet --filter label=portside.app={app})"


def answers(app: str) -> str:
    """What the app says where nginx asks it."""
    return ASK.format(file=f"{UPSTREAMS}/{app}.conf")


def append(path: str) -> str:
    """A line more at the end of a file."""
    return f"echo '# by hand' >> {path}"


UFW_RULES = "ufw status verbose"
DROP_IN = f"{UNITS}/docker.service.d/portside-environment.conf"
RENEWAL = f"{UNITS}/certbot.service.d/portside.conf"
PROXIES = "/etc/apt/apt.conf.d/95portside-proxy"
CHECK = "portside-certbot-check"
SNIPPETS = "/etc/nginx/snippets"
HTTP = "/etc/nginx/conf.d/portside.conf"
SANDBOX = f"{UNITS}/nginx.service.d/portside-sandbox.conf"
BOOT = "/usr/local/lib/portside/nginx-boot"
TLS = "/etc/nginx/tls"
OWN = f"{LETSENCRYPT}/portside"
HOOK = f"{LETSENCRYPT}/renewal-hooks/deploy/portside"
CONF = f"{LETSENCRYPT}/renewal/reports.conf"

DRIFTS = (
    Drift("a package removed", "apt", "apt-get -qq -y remove logrotate", package("logrotate"), "logrotate"),
    Drift("apt's proxies changed", "apt", append(PROXIES), file(PROXIES), PROXIES),
    Drift("apt's proxies gone", "apt", f"rm {PROXIES}", file(PROXIES), PROXIES),
    Drift("apt's proxies unreadable", "apt", f"chmod 600 {PROXIES}", file(PROXIES), PROXIES),
    Drift("the web server removed", "apt", "apt-get -qq -y remove nginx", unit("nginx"), "nginx", alone=True),
    Drift("certbot removed", "apt", "apt-get -qq -y remove certbot", package("certbot"), "certificate", alone=True),
    Drift("a rule removed", "ufw", "ufw delete allow 443/tcp", UFW_RULES, "443/tcp"),
    Drift("a rule turned round", "ufw", "ufw deny 443/tcp", UFW_RULES, "443/tcp"),
    Drift("no logging", "ufw", "ufw logging off", UFW_RULES, "logging: low"),
    Drift("everything let in", "ufw", "ufw default allow incoming", UFW_RULES, "default incoming: deny"),
    Drift("the firewall off", "ufw", "ufw disable", UFW_RULES, "enabled: yes"),
    Drift("the firewall not at boot", "ufw", "systemctl disable ufw", unit("ufw"), "at boot"),
    Drift("the firewall masked", "ufw", "systemctl mask ufw", unit("ufw"), "at boot"),
    Drift(
        "rules flushed in the kernel",
        "ufw",
        "iptables -F ufw-user-input",
        "iptables -S ufw-user-input",
        "rules in the kernel",
    ),
    Drift("Docker's guard flushed", "ufw", "iptables -F DOCKER-USER", "iptables -S DOCKER-USER", "running: "),
    Drift(
        "Docker's guard for IPv6 flushed", "ufw", "ip6tables -F DOCKER-USER", "ip6tables -S DOCKER-USER", "running: "
    ),
    Drift(
        "the cloud's credentials opened to containers",
        "ufw",
        "iptables -D ufw-docker-guard -d 169.254.0.0/16 -p tcp -m tcp ! --dport 53 -j REJECT"
        " --reject-with icmp-admin-prohibited",
        "iptables -S ufw-docker-guard",
        "rules in the kernel",
    ),
    Drift(
        "Docker's guard taken from its file",
        "ufw",
        "sed -i '/ufw-docker-guard/d' /etc/ufw/after.rules",
        "grep ufw-docker-guard /etc/ufw/after.rules",
        "IPv4 guard",
    ),
    Drift(
        "an option of Docker",
        "docker",
        """sed -i '0,/{/s/{/{ "debug": true,/' /etc/docker/daemon.json""",
        file("/etc/docker/daemon.json"),
        "/etc/docker/daemon.json",
    ),
    Drift(
        "Docker's options gone",
        "docker",
        "rm /etc/docker/daemon.json",
        file("/etc/docker/daemon.json"),
        "/etc/docker/daemon.json",
    ),
    Drift(
        "Docker's options open to all",
        "docker",
        "chmod 666 /etc/docker/daemon.json",
        file("/etc/docker/daemon.json"),
        "/etc/docker/daemon.json",
    ),
    Drift(
        "Docker's options are somebody else's",
        "docker",
        "chown nobody /etc/docker/daemon.json",
        file("/etc/docker/daemon.json"),
        "/etc/docker/daemon.json",
    ),
    Drift("Docker's environment changed", "docker", append(DROP_IN), file(DROP_IN), DROP_IN),
    Drift("Docker's environment open to all", "docker", f"chmod 644 {DROP_IN}", file(DROP_IN), DROP_IN),
    Drift("Docker not at boot", "docker", "systemctl disable docker.service", unit("docker"), "docker.service"),
    Drift(
        "Docker stopped",
        "docker",
        "systemctl stop docker.socket docker.service",
        unit("docker"),
        "docker.service",
        alone=True,
    ),
    Drift(
        "Docker masked",
        "docker",
        "systemctl mask --now docker.service",
        unit("docker"),
        "docker.service",
        alone=True,
    ),
    Drift(
        "a site changed",
        "nginx",
        append(f"{SITES}/portside-shop-api.conf"),
        file(f"{SITES}/portside-shop-api.conf"),
        "portside-shop-api.conf",
    ),
    Drift(
        "a site gone",
        "nginx",
        f"rm {SITES}/portside-reports.conf",
        file(f"{SITES}/portside-reports.conf"),
        "portside-reports.conf",
    ),
    Drift(
        "a site too many",
        "nginx",
        f"cp {SITES}/portside-reports.conf {SITES}/portside-old.conf",
        file(f"{SITES}/portside-old.conf"),
        "portside-old.conf",
    ),
    Drift(
        "a site that only root may read",
        "nginx",
        f"chmod 600 {SITES}/portside-reports.conf",
        file(f"{SITES}/portside-reports.conf"),
        "portside-reports.conf",
    ),
    Drift(
        "a site is somebody else's",
        "nginx",
        f"chown nobody {SITES}/portside-reports.conf",
        file(f"{SITES}/portside-reports.conf"),
        "portside-reports.conf",
    ),
    Drift(
        "the distribution's site is back",
        "nginx",
        f"ln -s /etc/nginx/sites-available/default {SITES}/default",
        file(f"{SITES}/default"),
        f"{SITES}/default",
    ),
    Drift(
        "a site is a link to a file of somebody's",
        "nginx",
        f"cd {SITES}; mv portside-reports.conf /root/r.conf; ln -s /root/r.conf portside-reports.conf",
        file(f"{SITES}/portside-reports.conf"),
        "portside-reports.conf",
    ),
    Drift("a snippet gone", "nginx", f"rm {SNIPPETS}/portside-tls.conf", file(f"{SNIPPETS}/portside-tls.conf"), "tls"),
    Drift("strangers let in", "nginx", f"rm {HTTP}", file(HTTP), HTTP),
    Drift("nginx's sandbox changed", "nginx", append(SANDBOX), file(SANDBOX), SANDBOX),
    Drift("nginx's program for boots", "nginx", f"chmod 644 {BOOT}", file(BOOT), BOOT),
    Drift(
        "the challenges' directory gone", "challenges", "rm -r /var/www/acme", file("/var/www/acme"), "/var/www/acme"
    ),
    Drift(
        "the challenges' directory shut",
        "challenges",
        "chmod 700 /var/www/acme",
        file("/var/www/acme"),
        "/var/www/acme",
    ),
    Drift("nginx not at boot", "web server", "systemctl disable nginx.service", unit("nginx"), "enabled"),
    Drift("nginx stopped", "web server", "systemctl stop nginx.service", unit("nginx"), "inactive"),
    Drift("nginx masked", "web server", "systemctl mask --now nginx.service", unit("nginx"), "nginx.service"),
    Drift("a container stopped", "worker", f"docker stop {live('worker')}", containers("worker"), "started"),
    Drift("a container paused", "worker", f"docker pause {live('worker')}", containers("worker"), "started"),
    Drift("a container removed", "worker", f"docker rm --force {live('worker')}", containers("worker"), "deployed"),
    Drift(
        "a container with a site removed",
        "reports",
        f"docker rm --force {live('reports')}",
        answers("reports"),
        "deployed",
    ),
    Drift(
        "a container that stays down after a boot",
        "worker",
        f"docker update --restart no {live('worker')}",
        f"docker inspect --format '{{{{.HostConfig.RestartPolicy.Name}}}}' {live('worker')}",
        "repaired",
    ),
    Drift(
        "a container off its network",
        "reports",
        f"docker network disconnect portside.app.reports {live('reports')}",
        f"docker inspect --format '{{{{range $name, $_ := .NetworkSettings.Networks}}}}{{{{$name}}}}{{{{end}}}}'"
        f" {live('reports')}; {answers('reports')}",
        "deployed",
    ),
    Drift(
        "nginx pointed elsewhere",
        "reports",
        f"sed -i s/127.0.0.1:[0-9]*/127.0.0.1:9/ {UPSTREAMS}/reports.conf",
        answers("reports"),
        "repaired",
    ),
    Drift("an upstream gone", "reports", f"rm {UPSTREAMS}/reports.conf", answers("reports"), "upstreams/reports.conf"),
    Drift(
        "an app's secrets open to all",
        "state",
        f"chmod 644 {STATE}/shop-api/secrets/r*.json",
        f"stat -c '%a %U' $(ls {STATE}/shop-api/secrets/*.json | tail -n 1)",
        "repaired",
    ),
    Drift("the apps' state open to all", "state", f"chmod 755 {STATE}", file(STATE), "repaired", alone=True),
    Drift(
        "an app's state gone",
        "worker",
        f"rm {STATE}/worker/state.json",
        f"test -s {STATE}/worker/state.json && echo there",
        "repaired",
    ),
    Drift("the timer off", "timers", "systemctl disable --now certbot.timer", unit("certbot.timer"), "certbot.timer"),
    Drift("the timer masked", "timers", "systemctl mask --now certbot.timer", unit("certbot.timer"), "certbot.timer"),
    Drift("the check's timer stopped", "timers", f"systemctl stop {CHECK}.timer", unit(f"{CHECK}.timer"), CHECK),
    Drift("the check's unit gone", "renewal", f"rm {UNITS}/{CHECK}.service", file(f"{UNITS}/{CHECK}.service"), CHECK),
    Drift("certbot's hook changed", "hook", append(HOOK), file(HOOK), HOOK),
    Drift("certbot's hook can't be run", "hook", f"chmod 644 {HOOK}", file(HOOK), HOOK),
    Drift("certbot's hook is somebody else's", "hook", f"chown nobody {HOOK}", file(HOOK), HOOK),
    Drift("the renewal's unit changed", "renewal", append(RENEWAL), file(RENEWAL), RENEWAL),
    Drift("the authority's CA gone", "renewal", f"rm {OWN}/ca-bundle.pem", file(f"{OWN}/ca-bundle.pem"), "ca-bundle"),
    Drift(
        "the check's settings open to all", "renewal", f"chmod 644 {OWN}/check.json", file(f"{OWN}/check.json"), "check"
    ),
    Drift(
        "a link to a certificate gone", "certificate", f"rm {TLS}/reports", file(f"{TLS}/reports"), f"{TLS}/reports ->"
    ),
    Drift(
        "a link to another certificate",
        "certificate",
        f"ln -sfn {LETSENCRYPT}/live/shop-api {TLS}/reports",
        file(f"{TLS}/reports"),
        f"{TLS}/reports ->",
    ),
    Drift("a renewal's settings gone", "certificate", f"rm {CONF}", lineage("reports"), "certificate reports"),
    Drift(
        "a renewal by another way",
        "certificate",
        f"sed -i 's/^authenticator = .*/authenticator = standalone/' {CONF}",
        f"grep ^authenticator {CONF}",
        "certificate reports",
    ),
    Drift(
        "a renewal from another directory",
        "certificate",
        f"sed -i 's#/var/www/acme#/srv/www#' {CONF}",
        f"grep /var/www/acme {CONF}",
        "certificate reports",
    ),
    Drift(
        "a certificate's key gone",
        "certificate",
        f"rm {LETSENCRYPT}/archive/reports/privkey*.pem",
        lineage("reports"),
        "certificate reports",
    ),
    Drift(
        "a certificate's key open to all",
        "certificate",
        f"chmod 644 {LETSENCRYPT}/archive/reports/privkey*.pem",
        lineage("reports"),
        "/archive/reports/privkey",
    ),
    Drift(
        "the key of another certificate",
        "certificate",
        f"cp {LETSENCRYPT}/live/shop-api/privkey.pem {LETSENCRYPT}/live/reports/privkey.pem",
        lineage("reports"),
        "certificate reports",
        # nginx, which comes first, would refuse any other change of its files.
        alone=True,
    ),
)
