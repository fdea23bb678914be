"""Mutual TLS inside the mesh: every process has a certificate, and its name is who it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import grpc

IDENTITY_SUFFIX = ".qrpay.internal"
"""A certificate for ``wallet.qrpay.internal`` makes its holder the identity ``wallet``."""


class TlsFiles(NamedTuple):
    """The three PEM files of one identity."""

    cert_file: Path
    key_file: Path
    ca_file: Path


def server_credentials(tls: TlsFiles) -> grpc.ServerCredentials:
    """For a server that demands a certificate of our authority from every client."""
    return grpc.ssl_server_credentials(
        [(tls.key_file.read_bytes(), tls.cert_file.read_bytes())],
        root_certificates=tls.ca_file.read_bytes(),
        require_client_auth=True,
    )


def channel_credentials(tls: TlsFiles) -> grpc.ChannelCredentials:
    """For a client that shows its own certificate and checks the server's."""
    return grpc.ssl_channel_credentials(
        root_certificates=tls.ca_file.read_bytes(),
        private_key=tls.key_file.read_bytes(),
        certificate_chain=tls.cert_file.read_bytes(),
    )


def peer_identity(auth_context: Mapping[str, list[bytes]]) -> str | None:
    """Who is on the other side, from the subject alternative names of its verified certificate.

    None if there is no certificate or none of its names is one of the mesh.
    """
    for name in auth_context.get("x509_subject_alternative_name", ()):
        text = name.decode("ascii", "replace")
        if text.endswith(IDENTITY_SUFFIX):
            return text.removesuffix(IDENTITY_SUFFIX)
    return None
