"""The ACME endpoint's certificate: kept while it fits, checked against a CA of its own."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from lab import pki


def test_the_certificate_is_kept_until_the_addresses_change(tmp_path: Path) -> None:
    first = pki.ensure_endpoint(tmp_path, "acme.lab.test", ["198.18.7.60", "fd00::3c"])
    assert pki.ensure_endpoint(tmp_path, "acme.lab.test", ["198.18.7.60", "fd00::3c"]) == first
    assert pki.ensure_endpoint(tmp_path, "acme.lab.test", ["198.18.8.60", "fd00::3c"]) != first


def test_the_ca_signed_it_and_the_key_is_private(tmp_path: Path) -> None:
    certificate, _key = pki.ensure_endpoint(tmp_path, "acme.lab.test", ["198.18.7.60"])
    ca = x509.load_pem_x509_certificate((tmp_path / pki.CA).read_bytes())
    x509.load_pem_x509_certificate(certificate).verify_directly_issued_by(ca)
    assert isinstance(ca.public_key(), ec.EllipticCurvePublicKey)
    assert (tmp_path / pki.KEY).stat().st_mode & 0o777 == 0o600


def test_python_with_strict_checks_accepts_the_ca(tmp_path: Path) -> None:
    pki.ensure_endpoint(tmp_path, "acme.lab.test", ["198.18.7.60"])
    ca = x509.load_pem_x509_certificate((tmp_path / pki.CA).read_bytes())
    assert ca.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
