"""A development certificate authority and one certificate per identity of the mesh.

Private keys (ECDSA P-256) have mode 0600. Everything is kept over restarts and made anew when it is
about to expire, does not fit its authority or lacks a name.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chassis.tls import IDENTITY_SUFFIX, TlsFiles
from embedded.layout import certificate_files
from embedded.passwords import write_private

IDENTITIES = ("wallet", "payment", "ledger", "barcode", "gateway", "gateway-reader", "operator")

_AUTHORITY_LIFE = timedelta(days=5 * 365)
_AUTHORITY_RENEWAL = timedelta(days=400)
_LIFE = timedelta(days=365)
_RENEWAL = timedelta(days=30)
"""A certificate with less life than this left is made anew at the next start; the authority's
margin is longer than the life of what it signs."""
_CLOCK_SKEW = timedelta(minutes=5)


def tls_files(directory: Path, identity: str) -> TlsFiles:
    """The files of an identity in a directory that `ensure_certificates` filled."""
    return TlsFiles(*certificate_files(directory, identity))


def ensure_certificates(
    directory: Path, *, now: datetime, identities: Sequence[str] = IDENTITIES
) -> None:
    """Make what is missing or about to expire: the authority and each identity's certificate."""
    authority_file, authority_key_file = directory / "ca.pem", directory / "ca.key"
    authority = _load(authority_file, now=now, margin=_AUTHORITY_RENEWAL)
    if authority is None or not authority_key_file.exists():
        authority = _make_authority(authority_file, authority_key_file, now=now)
    authority_key = _load_key(authority_key_file)
    for identity in identities:
        files = tls_files(directory, identity)
        certificate = _load(files.cert_file, now=now, margin=_RENEWAL)
        if (
            certificate is None
            or not files.key_file.exists()
            or not _is_signed_by(certificate, authority)
            or certificate.subject != _subject(identity)
        ):
            _make_certificate(identity, files, authority, authority_key, now=now)


def _load(file: Path, *, now: datetime, margin: timedelta) -> x509.Certificate | None:
    """The certificate in a file; None if there is none or it is about to expire."""
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return certificate if certificate.not_valid_after_utc - margin > now else None


def _load_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey), f"{file} is not of our making"
    return key


def _is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _make_authority(file: Path, key_file: Path, *, now: datetime) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "qrpay development authority")])
    certificate = (
        _builder(name, name, key, now=now, life=_AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(file, key_file, certificate, key)
    return certificate


def _make_certificate(
    identity: str,
    files: TlsFiles,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    *,
    now: datetime,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [
        x509.DNSName(identity + IDENTITY_SUFFIX),
        # So that grpcurl and the like need no override on this machine.
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        _builder(_subject(identity), authority.subject, key, now=now, life=_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    _write(files.cert_file, files.key_file, certificate, key)


def _subject(identity: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identity + IDENTITY_SUFFIX)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write(
    file: Path, key_file: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    # The certificate goes away first and comes back last: whoever is interrupted in between leaves
    # none, and the next start makes a pair that fits.
    file.unlink(missing_ok=True)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(key_file, pem.decode())
    write_private(file, certificate.public_bytes(serialization.Encoding.PEM).decode())
