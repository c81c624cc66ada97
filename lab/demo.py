"""The demo: a bare server, the real site.yml on it, and proof from outside that it does what it should."""

import os
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from lab import app, lifecycle, outside, services, ssh, stripe
from lab.errors import LabError
from lab.identity import CHECKOUT, Lab
from lab.inventory import ROOT_CERTIFICATE
from lab.machine import say
from lab.playbook import RECAP
from lab.releases import RELEASES
from lab.services import AcmeOptions

HOST = "web1"
DOMAIN = f"api.{HOST}.test"
SECRET = "stripe_webhook_secret"
OPEN = {22, 80, 443}


@dataclass(frozen=True)
class Proof:
    """One claim, whether it held, and what was seen."""

    claim: str
    held: bool
    seen: str


def group_vars(lab: Lab) -> dict[str, Any]:
    """What a user writes, with the lab's certificate authority and registry in place of the internet's."""
    return {
        "portside_acme_email": "ops@example.com",
        "portside_acme_directory": services.ACME_DIRECTORY,
        "portside_acme_ca_file": "{{ lab_acme_ca_file }}",
        "docker_daemon_options": {"insecure-registries": [services.REGISTRY]},
        "portside_apps": [
            {
                "name": "shop-api",
                "image": f"{services.REGISTRY}/webhook-app:{app.VERSIONS['webhook-app'][0]}",
                "port": 8000,
                "domains": [DOMAIN],
                "health": {"path": "/health"},
                "secrets": {
                    "STRIPE_WEBHOOK_SECRET": "{{ lookup('ansible.builtin.file', '%s') }}" % (lab.state / SECRET)
                },
                "webhooks": [{"path": "/webhooks/stripe"}],
            }
        ],
    }


def demo(lab: Lab, release: str) -> bool:
    """Run the demo and print what it proved. Returns whether everything held; LabError when it could not be tried."""
    _start(lab, release)
    secret = _write_inventory(lab)
    changed = _site(lab)
    proofs = _prove(lab, secret)
    _print(lab, proofs, changed)
    return all(proof.held for proof in proofs)


def _start(lab: Lab, release: str) -> None:
    root = lab.state / ROOT_CERTIFICATE
    before = root.read_bytes() if root.exists() else None
    lifecycle.up(lab, {HOST: RELEASES[release]}, AcmeOptions())
    if before not in {None, root.read_bytes()}:
        say("the certificate authority was restarted and is another now: the server starts afresh")
        lifecycle.down(lab)
        lifecycle.up(lab, {HOST: RELEASES[release]}, AcmeOptions())
    app.publish(lab)


def _write_inventory(lab: Lab) -> str:
    """Write the group's variables beside the lab's inventory; returns the webhook's signing secret."""
    secret = lab.state / SECRET
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(f"whsec_{secrets.token_urlsafe(24)}")
    directory = lab.state / "group_vars"
    directory.mkdir(exist_ok=True)
    (directory / "vps.yml").write_text("---\n" + yaml.safe_dump(group_vars(lab), sort_keys=False))
    return secret.read_text()


def _site(lab: Lab) -> int:
    """Run site.yml as a user does, output and all. Returns how many tasks changed something."""
    ansible = os.path.join(os.path.dirname(sys.executable), "ansible-playbook")
    command = [ansible, "-i", str(lab.state / lifecycle.INVENTORY), "site.yml"]
    say(f"ansible-playbook {shlex.join(command[1:])}")
    environment = {**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg")}
    output = []
    with subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            output.append(line)
    if process.returncode:
        raise LabError(
            f"ansible-playbook ended with {process.returncode}; the server is still there:"
            f" python -m lab ssh --lab {lab.name} {HOST}"
        )
    return sum(int(count) for _host, count in RECAP.findall("".join(output)))


def _prove(lab: Lab, secret: str) -> list[Proof]:
    data = yaml.safe_load((lab.state / lifecycle.INVENTORY).read_text())["all"]
    server = data["children"]["vps"]["hosts"][HOST]
    return [
        *_webhooks(lab, secret),
        _certificate(lab),
        _stranger(lab, server["lab_ipv4"]),
        *(_ports(lab, family, server[key]) for family, key in (("IPv4", "lab_ipv4"), ("IPv6", "lab_ipv6_address"))),
    ]


def _ask(lab: Lab, url: str, *options: str) -> outside.Answer:
    result = ssh.run(lab, "client", outside.curl(url, *options))
    return outside.parse_answer(result.returncode, result.stdout, result.stderr)


def _webhooks(lab: Lab, secret: str) -> list[Proof]:
    url = f"https://{DOMAIN}/webhooks/stripe"
    post = ["--header", "Content-Type: application/json", "--data-binary", stripe.EVENT]

    def proof(claim: str, status: int, holds: Callable[[str], bool], *options: str) -> Proof:
        answer = _ask(lab, url, *post, *options)
        seen = f"{answer.status} {answer.body}" if answer.status else answer.error.strip()
        return Proof(claim, answer.status == status and holds(answer.body), seen)

    signed = ["--header", f"Stripe-Signature: {stripe.signature(stripe.EVENT, secret, int(time.time()))}"]
    forged = ["--header", f"Stripe-Signature: {stripe.signature(stripe.EVENT, 'whsec_other', int(time.time()))}"]
    return [
        proof("a signed Stripe webhook reaches the app", 200, lambda body: "evt_1" in body, *signed),
        proof("an unsigned one is refused by the app", 400, lambda body: "Missing Stripe-Signature header" in body),
        proof("one with a wrong signature is refused", 400, lambda body: "Invalid" in body, *forged),
    ]


def _certificate(lab: Lab) -> Proof:
    command = ["openssl", "s_client", "-connect", f"{DOMAIN}:443", "-servername", DOMAIN, "-verify_hostname", DOMAIN]
    command += ["-verify_return_error", "-CAfile", outside.ROOT_CERTIFICATE]
    result = ssh.run(lab, "client", shlex.join(command))
    verified = result.returncode == 0 and "Verify return code: 0 (ok)" in result.stdout
    issuer = next((line for line in result.stdout.splitlines() if line.startswith("issuer=")), result.stderr.strip())
    return Proof("the certificate leads to the authority's root", verified, issuer)


def _stranger(lab: Lab, address: str) -> Proof:
    answer = _ask(lab, f"https://{address}/", "--insecure")
    return Proof(
        "a request for no known name gets no answer",
        answer.exit_status == 35,
        answer.error.strip() or str(answer.status),
    )


def _ports(lab: Lab, family: str, address: str) -> Proof:
    say(f"trying all {family} ports")
    result = ssh.run(lab, "client", outside.scan(address), timeout=300)
    found = outside.parse_scan(result.stdout)
    seen = f"open: {', '.join(map(str, sorted(found))) or 'none'}" if result.returncode == 0 else result.stderr.strip()
    return Proof(f"of 65535 {family} ports 22, 80 and 443 are open, no other", found == OPEN, seen)


def _print(lab: Lab, proofs: list[Proof], changed: int) -> None:
    python = os.path.relpath(sys.executable)
    print(f"\nFrom a machine outside the server ({changed} tasks changed something in this run):\n")
    for proof in proofs:
        print(f"  {'ok ' if proof.held else 'NOT'}  {proof.claim}\n         {proof.seen}")
    print(f"""
URL        https://{DOMAIN}/webhooks/stripe   (a name of the lab: known to its client and its server)
Inventory  {os.path.relpath(lab.state / "group_vars" / "vps.yml")}   (what you would write for a server of your own)
Look       {python} -m lab ssh --lab {lab.name} {HOST}
           {python} -m lab ssh --lab {lab.name} client {outside.curl(f"https://{DOMAIN}/whoami")}
Again      make demo        (changes nothing)
Clean up   make lab-down""")
