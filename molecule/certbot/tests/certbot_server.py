"""What the certbot tests share: the server with its role, and what it shows to a client."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lab.playbook import ROOT, run

SETTINGS = ROOT / "molecule" / "certbot" / "inventory"
PLAYBOOK = "molecule/certbot/converge.yml"
DUE = "renew_before_expiry = 100 days"


@dataclass(frozen=True)
class Served:
    """The certificate that a server shows."""

    serial: str
    names: frozenset


class Server:
    """One server of the scenario."""

    def __init__(self, request) -> None:
        self.vps = request.getfixturevalue("vps")
        self.name = request.getfixturevalue("vps_name")
        self.domain = request.getfixturevalue("domain")
        self.client = request.getfixturevalue("client")
        self.wait_until = request.getfixturevalue("wait_until")
        lab_vars = request.getfixturevalue("lab_vars")
        self.variables = {**lab_vars, **request.getfixturevalue("vps_vars")}
        self.directory = lab_vars["lab_acme_directory"]
        self.inventories = [Path(ROOT / ".lab" / lab_vars["lab_name"] / "inventory.yml"), SETTINGS]

    def address(self, variable: str) -> str:
        """An address of the lab, by the inventory's name for it."""
        return self.variables[variable]

    @property
    def certificates(self) -> list:
        """The first two of the scenario's twenty, shop and blog: enough for most tests."""
        return self.all_certificates[:2]

    @property
    def all_certificates(self) -> list:
        """The scenario's twenty."""
        text = (SETTINGS / "group_vars" / "vps.yml").read_text(encoding="utf-8")
        return yaml.safe_load(text)["certbot_certificates"]

    def converge(self, *arguments: str, **variables):
        """Run the role again: `converge("--check", certbot_email="…")`."""
        return run(PLAYBOOK, self.inventories, "--limit", self.name, *arguments, variables=variables)

    def sh(self, *argv: str) -> str:
        """A command on the server that has to succeed; returns what it prints."""
        done = self.vps.run(shlex.join(argv))
        assert done.rc == 0, f"{argv}: {done.stderr}{done.stdout}"
        return done.stdout.strip()

    def conf(self, lineage: str) -> str:
        """The text of a renewal configuration."""
        return self.sh("cat", f"/etc/letsencrypt/renewal/{lineage}.conf")

    def state(self) -> str:
        """What a test may have changed."""
        files = (
            "/etc/letsencrypt/renewal/*.conf /etc/letsencrypt/portside/*.json /etc/systemd/system/certbot.service.d/*"
        )
        return self.sh("sh", "-c", f"cat {files}; ls /etc/letsencrypt/portside; ls -l /etc/nginx/tls/*")

    def serial(self, lineage: str) -> str:
        """The serial number of a lineage's present certificate."""
        file = f"/etc/letsencrypt/live/{lineage}/cert.pem"
        return self.sh("openssl", "x509", "-noout", "-serial", "-in", file).partition("=")[2]

    def served(self, site: str) -> Served:
        """The certificate that the client is shown for a site."""
        name = f"{site}.{self.domain}"
        shown = self.client.run(
            "openssl s_client -connect %s:443 -servername %s </dev/null 2>/dev/null"
            " | openssl x509 -noout -serial -ext subjectAltName",
            name,
            name,
        )
        assert "serial=" in shown.stdout, shown.stderr
        names = re.findall(r"DNS:([^,\s]+)", shown.stdout)
        return Served(re.search(r"serial=(\w+)", shown.stdout)[1], frozenset(names))

    def wait_for_serial(self, site: str, serial: str) -> None:
        """Wait until the site shows this certificate: after a reload nginx's old processes answer a moment longer."""
        self.wait_until(lambda: self.served(site).serial == serial, f"{site} shows {serial}", seconds=30)

    def wait_for_names(self, site: str, *names: str) -> None:
        """Wait until the site shows a certificate for exactly these names under the server's domain."""
        wanted = {f"{name}.{self.domain}" for name in names}
        self.wait_until(lambda: self.served(site).names == wanted, f"{site} shows {wanted}", seconds=30)

    def acme_calls(self) -> str:
        """Size and time of certbot's log: it writes on every call, and nothing else here speaks ACME."""
        return self.sh("stat", "-c", "%s %Y", "/var/log/letsencrypt/letsencrypt.log")

    def make_due(self, lineage: str) -> None:
        """Make certbot's timer find a lineage due, as it would near its end."""
        instead = ("-e", f"1i {DUE}", "-e", "/^renew_before_expiry/d")
        self.sh("sed", "-i", *instead, f"/etc/letsencrypt/renewal/{lineage}.conf")

    def undo_due(self) -> None:
        """Nothing is due any more."""
        self.sh("sh", "-c", f"find /etc/letsencrypt -path '*/renewal/*.conf' -exec sed -i '/^{DUE}/d' {{}} +")


@pytest.fixture
def server(request, vps_name):
    """The server; whatever a test declares or breaks there, the scenario's own declaration holds again afterwards."""
    assert vps_name
    it = Server(request)
    before = it.state()
    yield it
    it.undo_due()
    if it.state() != before:
        done = it.converge()
        assert done.status == 0, done.output


@pytest.fixture
def broken_nginx(server):
    """nginx's configuration is wrong; `broken_nginx()` puts it right."""
    file = "/etc/nginx/conf.d/broken.conf"
    server.sh("sh", "-c", f"echo 'no_such_directive;' > {file}")
    yield lambda: server.sh("rm", "-f", file)
    server.sh("rm", "-f", file)


@pytest.fixture
def challtestsrv(client):
    """Make a name under dns.test what a test needs: `challtestsrv("add-a", host="x.dns.test", addresses=[…])`."""

    def say(what: str, **body) -> None:
        url = f"http://challtestsrv.lab.test:8055/{what}"
        done = client.run("curl --silent --show-error --fail --data %s %s", json.dumps(body), url)
        assert done.rc == 0, done.stderr

    return say
