"""Who is on the other side, from the names of its certificate."""

from __future__ import annotations

import pytest

from chassis.tls import peer_identity


@pytest.mark.parametrize(
    ("names", "identity"),
    [
        ([b"wallet.qrpay.internal"], "wallet"),
        ([b"localhost", b"127.0.0.1", b"wallet.qrpay.internal"], "wallet"),
        ([b"localhost"], None),
        ([b"wallet.qrpay.internal.evil.example"], None),
        ([b"wallet"], None),
        ([b"\xff\xfe"], None),
        ([], None),
    ],
)
def test_the_identity_is_a_name_of_the_mesh(names: list[bytes], identity: str | None) -> None:
    """Only names that end as ours do; other names of the machine do not matter."""
    assert peer_identity({"x509_subject_alternative_name": names}) == identity


def test_without_a_certificate_there_is_nobody() -> None:
    """Other facts about the connection name no one."""
    assert peer_identity({}) is None
    assert peer_identity({"x509_common_name": [b"wallet.qrpay.internal"]}) is None
