"""The certificate of the ACME server's own https endpoint, and the CA it is checked against."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=3650)
# Python 3.13 and later refuse a CA that does not say what it is for (ssl.VERIFY_X509_STRICT).
_CA_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
CA, CERTIFICATE, KEY = "acme-ca.pem", "acme-server.pem", "acme-server.key"


def ensure_endpoint(directory: Path, name: str, addresses: list[str]) -> tuple[bytes, bytes]:
    """Certificate and key (PEM) for `name` and IP addresses; made when missing or when they were for something else.

    The CA's key is thrown away: it signs this one certificate. The CA's certificate stays in `directory` for clients.
    """
    wanted: set[object] = {name, *(ipaddress.ip_address(address) for address in addresses)}
    paths = [directory / file for file in (CERTIFICATE, KEY)]
    if all(path.exists() for path in paths) and _names(paths[0].read_bytes()) == wanted:
        return paths[0].read_bytes(), paths[1].read_bytes()
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Portside lab: ACME endpoint")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    alternatives = [x509.DNSName(name), *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses)]
    ca = (
        _builder(issuer, issuer, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .add_extension(_CA_USAGE, critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    certificate = (
        _builder(subject, issuer, key, ca_key)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    paths[1].touch(mode=0o600)
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (directory / CA).write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return paths[0].read_bytes(), paths[1].read_bytes()


def _names(certificate: bytes) -> set[object]:
    extension = x509.load_pem_x509_certificate(certificate).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return {*extension.value.get_values_for_type(x509.DNSName), *extension.value.get_values_for_type(x509.IPAddress)}


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey | None = None,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer_key or key).public_key()), critical=False
        )
    )
