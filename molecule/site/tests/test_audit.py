"""What auditors say of the TLS that a finished server offers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# What testssl.sh may find, because the lab's certificate authority is a private one or the machine a lab.
MEANT = {
    "cert_revocation": "Pebble's certificates name neither CRL nor OCSP",
    "cert_expirationStatus": "a test certificate may live less than 60 days",
    "DNS_CAArecord": "the lab's zones have no CAA record",
}
# WARN is not among them: testssl.sh says it of a check that it could not make.
BAD = {"LOW", "MEDIUM", "HIGH", "CRITICAL"}


@pytest.fixture(scope="session")
def reports(client, servers):
    """What testssl.sh finds on every server's app, at once: {domain: {id: {severity, finding}}}."""
    options = "--quiet --color 0 --warnings off --ip one --add-ca /etc/ssl/acme-root.pem"
    paths = {server["lab_domain"]: f"/tmp/testssl-{server['lab_domain']}.json" for server in servers.values()}
    scans = [f"(rm -f {path}; testssl {options} --jsonfile {path} api.{name}) &" for name, path in paths.items()]
    said = client.run(" ".join([*scans, "wait"])).stdout
    for path in paths.values():
        assert client.file(path).exists, said
    return {
        name: {item["id"]: item for item in json.loads(client.file(path).content_string)}
        for name, path in paths.items()
    }


@pytest.fixture(scope="session")
def findings(reports, domain):
    """What testssl.sh finds on this server's app."""
    return reports[domain]


def test_testssl_gives_the_best_grade_on_ipv4(findings):
    assert findings["overall_grade"]["finding"] == "A+", findings


def test_testssl_finds_nothing_to_mend(findings):
    bad = {name: item for name, item in findings.items() if item["severity"] in BAD and name not in MEANT}
    assert bad == {}


def test_the_chain_is_trusted_and_complete(findings):
    assert findings["cert_chain_of_trust"]["finding"] == "passed."


def test_sslyze_says_it_complies_with_mozillas_intermediate_configuration(vps_vars, domain, lab_vars):
    # The exit status says nothing: it is 0 for a configuration that sslyze could not compare with at all.
    result = subprocess.run(
        [
            str(ROOT / ".build" / "audit" / "bin" / "sslyze"),
            *("--mozilla_config", "intermediate", "--certinfo_ca_file", lab_vars["lab_acme_root"]),
            *("--sni", f"api.{domain}", f"{vps_vars['lab_ipv4']}:443"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{vps_vars['lab_ipv4']}:443: OK - Compliant." in result.stdout, result.stdout + result.stderr
