"""A diagnosis as a user runs it, and things on the server that can be broken by hand and mended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.playbook import ROOT, Run, run

SETTINGS = ROOT / "molecule" / "diagnose" / "inventory"
SITE = "/etc/nginx/sites-enabled/portside-shop-api.conf"
HOOK = "/webhooks/stripe"
# Secrets of the apps, and the beginning of an escape code, as it is and in JSON.
NEVER_REPORTED = ("whsec_for_the_lab_only", "whsec_of_the_worker", "\x1b", "\\u001b")


@pytest.fixture(scope="session")
def inventories(lab_vars) -> list[Path]:
    return [ROOT / ".lab" / lab_vars["lab_name"] / "inventory.yml", SETTINGS]


class Diagnosed:
    """What a run said: `status` is the playbook's, `apps` the JSON report's diagnoses by app."""

    def __init__(self, done: Run, apps: dict[str, Any]) -> None:
        self.status, self.output, self.calls, self.apps = done.status, done.output, done.calls, apps

    def causes(self, app: str = "shop-api") -> list[str]:
        return [one["cause"] for one in self.apps[app]["findings"]]


@pytest.fixture
def diagnose(inventories, vps_name, tmp_path) -> Callable[..., Diagnosed]:
    """Run the playbook: `diagnose("-e", "app=shop-api", portside_apps=[…])`."""

    def ask(*arguments: str, **variables: Any) -> Diagnosed:
        file = tmp_path / "report.json"
        report = ["--limit", vps_name, "-e", f"report={file}"]
        done = run("playbooks/diagnose.yml", inventories, *report, *arguments, variables=variables)
        assert file.exists(), done.output
        assert file.stat().st_mode & 0o777 == 0o600
        text = file.read_text(encoding="utf-8")
        assert not [part for part in NEVER_REPORTED if part in text]
        whole = json.loads(text)
        return Diagnosed(done, {one["app"]: one for one in whole["hosts"][vps_name]})

    return ask


class Breaker:
    """Breaks something by hand; each method is a context in which it is broken."""

    def __init__(self, vps: Any, client: Any, domain: str, wait_until: Callable[..., None]) -> None:
        self.vps, self.client, self.name, self.wait = vps, client, f"api.{domain}", wait_until

    @contextmanager
    def shell(self, *, breaks: str, mends: str, where: Any = None) -> Iterator[None]:
        """Two commands."""
        host = where or self.vps
        host.run_expect([0], breaks)
        try:
            yield
        finally:
            host.run_expect([0], mends)

    def record(self, address: str) -> Any:
        """The name leads elsewhere for the one who looks."""
        return self.shell(
            breaks=f"cp /etc/hosts /tmp/hosts && echo '{address} {self.name}' >> /etc/hosts",
            mends="cat /tmp/hosts > /etc/hosts",
            where=self.client,
        )

    def dropped(self, port: int) -> Any:
        """As a provider's firewall does: ufw knows nothing of it."""
        rule = f"PREROUTING -p tcp --dport {port} ! -i lo -j DROP"
        both = " && ".join(f"{tool} -t raw {{0}} {rule}" for tool in ("iptables", "ip6tables"))
        return self.shell(breaks=both.format("-I"), mends=both.format("-D"))

    @contextmanager
    def nginx(self, change: str, reload: bool = True) -> Iterator[None]:
        """A command that changes files below /etc/nginx, which are put back afterwards."""
        again = "nginx -t && systemctl reload nginx && sleep 0.5" if reload else "true"
        kept = self.vps.check_output("mktemp --directory /root/nginx-XXXXXX")
        self.vps.run_expect([0], f"cp -a /etc/nginx/. {kept} && {change} && {again}")
        try:
            yield
        finally:
            back = f"find /etc/nginx -mindepth 1 -delete && cp -a {kept}/. /etc/nginx && rm -r {kept}"
            self.vps.run_expect([0], f"{back} && systemctl reload nginx && sleep 0.5")

    def in_webhook(self, directives: str) -> Any:
        """Directives in the site's location of the webhook, before its own."""
        return self.nginx(f"""sed -i 's|location = "{HOOK}" {{|&\\n{directives}|' {SITE}""")

    def certificate(self, pem: str) -> Any:
        """A shell command that writes a chain (fault.pem) and its key (fault.key) into /etc/nginx/fault."""
        change = f"mkdir /etc/nginx/fault && cd /etc/nginx/fault && {pem}"
        change += f" && sed -i 's|ssl_certificate .*|ssl_certificate /etc/nginx/fault/fault.pem;|' {SITE}"
        change += f" && sed -i 's|ssl_certificate_key .*|ssl_certificate_key /etc/nginx/fault/fault.key;|' {SITE}"
        return self.nginx(change)

    @contextmanager
    def container(self, *command: str, publish: str = "", restart: str = "no") -> Iterator[None]:
        """Another container in the place of the live one, with its name and labels."""
        inspect = "docker ps --filter label=portside.app=shop-api --format '{{.Names}} {{.Image}} {{.Ports}}'"
        name, image, ports = self.vps.check_output(inspect).split(maxsplit=2)
        place = publish or ports.partition("-")[0]
        self.vps.run_expect([0], f"docker stop {name} && docker rename {name} away")
        words = " ".join(f"'{word}'" for word in command)
        labels = "--label portside.app=shop-api --label portside.release=1"
        try:
            self.vps.run_expect(
                [0], f"docker run -d --name {name} {labels} --restart {restart} -p {place}:8000 {image} {words}"
            )
            yield
        finally:
            self.vps.run_expect([0], f"docker rm -f {name}; docker rename away {name} && docker start {name}")
            self.wait(self.healthy, "the app answers again")

    def healthy(self) -> bool:
        """Whether the site answers."""
        asked = "curl --silent --insecure --fail --max-time 5 https://%s/health"
        return bool(self.client.run(asked, self.name).rc == 0)


@pytest.fixture(scope="module")
def breaker(vps, client, domain, wait_until) -> Breaker:
    return Breaker(vps, client, domain, wait_until)
