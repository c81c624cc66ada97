"""What one certificate may say for itself: key, DNS challenge, the user's own files, a newer certbot's abilities."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lab.playbook import ROOT

HOOK = """#!/usr/bin/python3
import json, os, sys, urllib.request
host = f"_acme-challenge.{os.environ['CERTBOT_DOMAIN']}."
body = {"host": host, "value": os.environ["CERTBOT_VALIDATION"]} if sys.argv[1] == "set-txt" else {"host": host}
urllib.request.urlopen(f"http://challtestsrv.lab.test:8055/{sys.argv[1]}", json.dumps(body).encode()).close()
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Make a certificate of one's own, signed by a private CA: `own("a.example", …)` gives text of both and key."""
    folder = tmp_path_factory.mktemp("own")

    def openssl(*argv: str) -> None:
        subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(*new, "-x509", "-days", "400", "-subj", "/CN=Own CA", "-keyout", "ca.key", "-out", "ca.pem")

    def make(*names: str) -> dict[str, str]:
        san = f"subjectAltName={','.join(f'DNS:{name}' for name in names)}"
        openssl(*new, "-subj", f"/CN={names[0]}", "-addext", san, "-keyout", "own.key", "-out", "own.csr")
        sign = ("x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "200")
        openssl(*sign, "-copy_extensions", "copy", "-in", "own.csr", "-out", "own.pem")
        chain = (folder / "own.pem").read_text() + (folder / "ca.pem").read_text()
        return {"certificate": chain, "key": (folder / "own.key").read_text()}

    return make


def key_of(server, lineage: str) -> str:
    file = f"/etc/letsencrypt/live/{lineage}/cert.pem"
    text = server.sh("openssl", "x509", "-noout", "-text", "-in", file)
    return text.partition("Public Key Algorithm: ")[2].split("\n")[0]


def test_key_dns_challenge_and_own_certificate(server, own, curl):
    shop, blog = server.certificates
    server.sh("sh", "-c", f"cat > /usr/local/sbin/dns-hook <<'EOF'\n{HOOK}\nEOF\nchmod 755 /usr/local/sbin/dns-hook")
    zone = f"{server.name}.dns.test"
    options = {"auth-hook": "/usr/local/sbin/dns-hook set-txt", "cleanup-hook": "/usr/local/sbin/dns-hook clear-txt"}
    way = {"name": "lab", "authenticator": "manual", "options": options, "credentials": "token = s3cret"}
    mine = own(f"blog.{server.domain}")
    declared = [
        {**shop, "key_type": "rsa"},
        {"name": "wild", "domains": [f"*.{zone}", zone], "dns": "lab", "served_at": []},
        {**blog, "own": mine},
    ]
    # `manual` takes no credentials: the file is there all the same, for root alone, and its text nowhere else.
    way_without = {key: value for key, value in way.items() if key != "credentials"}
    done = server.converge("--diff", certbot_certificates=declared, certbot_dns=[way_without])
    assert done.status == 0, done.output
    assert "PRIVATE KEY" not in done.output
    assert key_of(server, "shop") == "rsaEncryption"
    server.wait_for_serial("shop", server.serial("shop"))
    assert key_of(server, "wild") == "id-ecPublicKey"
    names = server.sh(
        "openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", "/etc/letsencrypt/live/wild/cert.pem"
    )
    assert f"DNS:*.{zone}" in names
    serial = (
        subprocess.run(
            ["openssl", "x509", "-noout", "-serial"],
            input=mine["certificate"],
            text=True,
            capture_output=True,
            check=True,
        )
        .stdout.strip()
        .partition("=")[2]
    )
    server.wait_for_serial("blog", serial)
    assert server.vps.run("portside-certbot-check").rc == 0
    again = server.converge(certbot_certificates=declared, certbot_dns=[way_without])
    assert (again.status, again.changed[server.name]) == (0, 0), again.output

    # The timer renews the wildcard the same way, and leaves the user's own alone.
    before = server.serial("wild")
    server.make_due("wild")
    server.sh("systemctl", "start", "certbot.service")
    assert server.serial("wild") != before
    server.undo_due()

    # Credentials are a file for root alone, and their text is in no output.
    done = server.converge(
        "--diff",
        certbot_certificates=[*declared[:1], {"name": "wild", "state": "absent"}, declared[2]],
        certbot_dns=[way],
    )
    assert done.status == 0, done.output
    assert "s3cret" not in done.output
    file = server.vps.file("/etc/letsencrypt/portside/dns/lab.ini")
    assert (file.content_string, file.user, file.mode) == ("token = s3cret\n", "root", 0o600)
    assert "s3cret" not in server.sh("journalctl", "--no-pager", "-b", "--since", "-2min")

    # Back to the ACME server: a new one is ordered, and the user's own goes when it is no longer served.
    assert server.converge().status == 0
    server.wait_for_serial("blog", server.serial("blog"))
    assert not server.vps.file("/etc/letsencrypt/portside/own/blog").exists
    assert not file.exists
    assert curl(f"https://blog.{server.domain}/").status == 200


def test_own_certificates_that_are_unfit_are_refused_all_at_once_and_the_old_ones_serve(server, own):
    _shop, blog = server.certificates
    good, other = own(f"blog.{server.domain}"), own("other.example")
    alone = good["certificate"].partition("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n"
    unfit = {
        "its key does not belong to its certificate": {**good, "key": other["key"]},
        "its chain is not complete": {**good, "certificate": alone},
        "and not for blog.": other,
        "/no/such.pem is not on this host": {"certificate": "/no/such.pem", "key": "/no/such.key"},
    }
    before = server.served("blog").serial
    declared = [{**blog, "name": f"blog{number}", "own": own} for number, own in enumerate(unfit.values())]
    done = server.converge(certbot_certificates=declared)
    assert done.status != 0
    said = " ".join(done.output.split())
    for number, words in enumerate(unfit):
        assert words in said.partition(f"certificate blog{number}: ")[2].partition("certificate blog")[0], said
    assert "PRIVATE KEY" not in done.output
    assert server.served("blog").serial == before


def test_what_the_installed_certbot_can_not_do_is_refused_by_name(server):
    shop, _blog = server.certificates
    version = server.sh("certbot", "--version").split()[-1]
    done = server.converge(certbot_certificates=[{**shop, "domains": [server.address("lab_ipv4")]}])
    assert done.status != 0
    assert f"needs certbot 5.4.0 or newer, this is {version}" in " ".join(done.output.split())
    before = server.serial("shop")
    done = server.converge(certbot_certificates=[{**shop, "profile": "shortlived"}])
    assert done.status != 0
    if version.startswith("2."):
        assert f"needs certbot 4.0.0 or newer, this is {version}" in " ".join(done.output.split())
        assert "certbot_source: pypi" in done.output
    else:
        # This one knows profiles. The lab's ACME server has none, and would ignore what it does not know.
        assert f"{server.directory} has no profile `shortlived`, it has none at all" in done.output
    assert server.serial("shop") == before


@pytest.fixture
def wheels(server, tmp_path):
    """A directory with what certbot from PyPI needs on the server's Python, as a user would fill it."""
    python = server.sh("python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--python-version", python]
    requirements = ROOT / "roles" / "certbot" / "files" / "certbot.txt"
    subprocess.run([*argv, "--requirement", requirements, "--dest", tmp_path], check=True, capture_output=True)
    return tmp_path


def test_certbot_from_pypi_knows_profiles_and_addresses(server, authority, wheels):
    ca = authority(15800, profiles=True, PEBBLE_WFE_NONCEREJECT=0)
    address = server.address("lab_ipv4")
    declared = [
        {"name": "modern", "domains": [f"modern.{server.domain}"], "profile": "shortlived", "served_at": []},
        {"name": "address", "domains": [address], "served_at": []},
    ]
    settings = {**ca.settings, "certbot_source": "pypi", "certbot_pypi_wheels": str(wheels)}
    done = server.converge(**settings, certbot_certificates=declared)
    assert done.status == 0, done.output
    assert [order.get("profile") for order in ca.orders()] == ["shortlived", None]
    names = server.sh(
        "openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", "/etc/letsencrypt/live/address/cert.pem"
    )
    assert f"IP Address:{address}" in names
    again = server.converge(**settings, certbot_certificates=declared)
    assert (again.status, again.changed[server.name]) == (0, 0), again.output

    before = server.serial("modern")
    server.make_due("modern")
    server.sh("systemctl", "start", "certbot.service")
    assert server.serial("modern") != before
    assert ca.orders()[-1]["profile"] == "shortlived"

    # Back to the distribution's, whose units are there again.
    absent = [{"name": item["name"], "state": "absent"} for item in declared]
    done = server.converge(certbot_certificates=[*server.all_certificates, *absent])
    assert done.status == 0, done.output
    assert server.sh("systemctl", "is-active", "certbot.timer") == "active"
    assert server.sh("systemctl", "show", "--property=FragmentPath", "--value", "certbot.timer").startswith(
        ("/lib/", "/usr/lib/")
    )
