"""The development authority and the certificates it signs."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from embedded.certificates import IDENTITIES, ensure_certificates, tls_files

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def load(directory: Path, name: str) -> x509.Certificate:
    """Read one certificate."""
    return x509.load_pem_x509_certificate((directory / f"{name}.pem").read_bytes())


@pytest.mark.parametrize("identity", IDENTITIES)
def test_each_identity_has_its_name_and_this_machines(tmp_path: Path, identity: str) -> None:
    """Goal: whoever checks a certificate finds the identity, signed by our authority."""
    ensure_certificates(tmp_path, now=NOW)
    certificate = load(tmp_path, identity)
    certificate.verify_directly_issued_by(load(tmp_path, "ca"))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = names.get_values_for_type(x509.DNSName)
    assert dns == [f"{identity}.qrpay.internal", "localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_private_keys_are_private(tmp_path: Path) -> None:
    """Goal: no key can be read by anybody else."""
    ensure_certificates(tmp_path, now=NOW)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("*.key")}
    assert modes == {0o600}


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    """Goal: certificates stay as they are over restarts, so that running clients keep trusting."""
    ensure_certificates(tmp_path, now=NOW)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    ensure_certificates(tmp_path, now=NOW + timedelta(days=300))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_what_is_about_to_expire_is_made_anew(tmp_path: Path) -> None:
    """Goal: a start never begins with a certificate that ends within a month; the authority
    stays."""
    ensure_certificates(tmp_path, now=NOW)
    authority, first = load(tmp_path, "ca"), load(tmp_path, "wallet")
    later = NOW + timedelta(days=340)
    ensure_certificates(tmp_path, now=later)
    assert load(tmp_path, "ca") == authority
    assert load(tmp_path, "wallet") != first
    assert load(tmp_path, "wallet").not_valid_after_utc > later + timedelta(days=300)


def test_a_new_authority_signs_everything_anew(tmp_path: Path) -> None:
    """Goal: when the authority is about to expire, no certificate of the old one is left."""
    ensure_certificates(tmp_path, now=NOW)
    authority = load(tmp_path, "ca")
    ensure_certificates(tmp_path, now=authority.not_valid_after_utc - timedelta(days=390))
    assert load(tmp_path, "ca") != authority
    for identity in IDENTITIES:
        load(tmp_path, identity).verify_directly_issued_by(load(tmp_path, "ca"))


def test_a_lost_authority_is_replaced_with_all_it_signed(tmp_path: Path) -> None:
    """Goal: certificates that are young, but of an authority that is gone, are not kept."""
    ensure_certificates(tmp_path, now=NOW)
    (tmp_path / "ca.pem").unlink()
    ensure_certificates(tmp_path, now=NOW)
    for identity in IDENTITIES:
        load(tmp_path, identity).verify_directly_issued_by(load(tmp_path, "ca"))


def test_a_broken_pair_is_mended(tmp_path: Path) -> None:
    """Goal: a start that was cut off between key and certificate does not break the next one."""
    ensure_certificates(tmp_path, now=NOW)
    files = tls_files(tmp_path, "payment")
    files.cert_file.unlink()
    ensure_certificates(tmp_path, now=NOW)
    key = files.key_file.read_text(encoding="ascii")
    assert "PRIVATE KEY" in key
    load(tmp_path, "payment").verify_directly_issued_by(load(tmp_path, "ca"))
