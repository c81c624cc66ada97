"""25 orders from an ACME server that rejects a share of all nonces, and how many certificates come of them.

    make orders                                # Debian 12 and 13, 20 % and 50 %
    .venv/bin/python -m soak.orders debian13   # one of them

certbot alone tries a rejected nonce once more and then gives up: 20 of 25 orders succeed at 20 %, 2 of 25 at 50 %.
Writes .build/orders.json; the exit status is 0 when all 25 come at 20 %, and at least 24 at 50 %.
"""

from __future__ import annotations

import json
import sys

from lab import lifecycle, ssh
from lab.identity import CHECKOUT, Lab
from lab.playbook import run
from lab.releases import parse_hosts
from lab.services import AcmeOptions

RELEASES = ("debian12", "debian13")
ORDERS = 25
# Percent of nonces that are rejected, and how many of the orders have to succeed.
LEAST = {20: 25, 50: 24}


def orders(releases: list[str], rejected: int) -> dict[str, dict[str, int]]:
    """Order on servers of a lab of its own; the certificates and the seconds, by server."""
    lab = Lab(f"orders-{rejected}")
    environment = (("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", str(rejected)))
    lifecycle.up(lab, parse_hosts(",".join(releases)), AcmeOptions(environment=environment))
    try:
        return {release: order(lab, release) for release in releases}
    finally:
        lifecycle.down(lab)


def order(lab: Lab, release: str) -> dict[str, int]:
    """25 certificates in one call of the role; how many there are afterwards, and how long it took."""
    inventories = [lab.state / "inventory.yml", CHECKOUT / "molecule" / "certbot" / "inventory"]
    wanted = [{"name": f"n{number}", "domains": [f"n{number}.{release}.test"]} for number in range(ORDERS)]
    variables = {"certbot_certificates": wanted}
    run("molecule/certbot/prepare.yml", inventories, "--limit", release, variables=variables)
    done = run("molecule/certbot/converge.yml", inventories, "--limit", release, variables=variables, limit=3600)
    live = ssh.run(lab, release, "sh", "-c", "'ls -d /etc/letsencrypt/live/n*/fullchain.pem | wc -l'")
    if done.status != 0:
        print(done.output)
    return {"certificates": int(live.stdout or 0), "seconds": round(done.seconds)}


def main() -> int:
    """Run, print, write; returns the exit status."""
    releases = sys.argv[1:] or list(RELEASES)
    found = {rejected: orders(releases, rejected) for rejected in LEAST}
    path = CHECKOUT / ".build" / "orders.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for rejected, servers in found.items():
        for release, seen in servers.items():
            print(
                f"{release}, {rejected} % of nonces rejected: {seen['certificates']} of {ORDERS}, {seen['seconds']} s"
            )
    return 0 if all(seen["certificates"] >= LEAST[share] for share in found for seen in found[share].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
