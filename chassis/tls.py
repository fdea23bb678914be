"""Mutual TLS inside the mesh: every process has a certificate, and its name is who it is.

The files may change under a running process: cert-manager renews them, and kubelet swaps the folder
that they are in. ``TlsWatch`` has what they hold now; new connections use it, old ones stay.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from chassis.logs import get_logger
from chassis.metrics import Gauge

_LOG = get_logger(__name__)

IDENTITY_SUFFIX = ".qrpay.internal"
"""A certificate for ``wallet.qrpay.internal`` makes its holder the identity ``wallet``."""

RELOAD_SECONDS = 10.0
"""How often files are looked at, unless somebody says otherwise."""

_EXPIRY = Gauge(
    "qrpay.tls.certificate.expiry",
    unit="s",
    description="When the certificate in use ends, Unix time; of authorities, the last one.",
    attributes=("qrpay.tls.certificate",),
    series_max=2,
)
_LIFETIME = Gauge(
    "qrpay.tls.certificate.lifetime",
    unit="s",
    description="How long the certificate in use is valid, from its beginning to its end.",
    attributes=("qrpay.tls.certificate",),
    series_max=2,
)


class TlsFiles(NamedTuple):
    """The three PEM files of one identity."""

    cert_file: Path
    key_file: Path
    ca_file: Path


class TlsFault(ValueError):
    """The files are not a certificate, its key, and authorities."""


class Identity(NamedTuple):
    """What the files held at one moment, each PEM; the key is the certificate's."""

    files: TlsFiles
    cert: bytes
    key: bytes
    ca: bytes


def read_identity(files: TlsFiles) -> Identity:
    """Read the files. Raises ``TlsFault``, also if the key is not the certificate's: somebody is in
    the middle of writing them."""
    try:
        found = Identity(files, *(file.read_bytes() for file in files))
        own = x509.load_pem_x509_certificates(found.cert)[0]
        authorities = x509.load_pem_x509_certificates(found.ca)
        key = serialization.load_pem_private_key(found.key, password=None)
    except (OSError, ValueError, TypeError) as error:
        # Not the error itself: it may quote the key.
        raise TlsFault(f"{files.cert_file}: unreadable ({type(error).__name__})") from None
    if own.public_key() != key.public_key():
        raise TlsFault(f"{files.cert_file}: the key is not the certificate's")
    last = max(authorities, key=lambda authority: authority.not_valid_after_utc)
    for name, certificate in (("own", own), ("authority", last)):
        ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
        _EXPIRY.set(ends.timestamp(), name)
        _LIFETIME.set((ends - begins).total_seconds(), name)
    return found


class TlsWatch:
    """What the files hold now. A fault keeps what was there before."""

    def __init__(self, files: TlsFiles) -> None:
        """Reads them. Raises ``TlsFault``."""
        self._files = files
        self._reading = threading.Lock()  # gRPC asks from threads of its own
        # Before they are read: what changes in between is seen at the next look.
        self._seen = self._state()
        self.identity = read_identity(files)

    def look(self) -> Identity:
        """What they hold now; the same object as before if nothing changed."""
        with self._reading:
            state = self._state()
            if state != self._seen:
                self._seen = state
                self._read()
        return self.identity

    async def keep_looking(self, every_seconds: float) -> None:
        """Look again and again until cancelled: so that what is told about the certificate is true
        also while nobody connects."""
        while True:
            await asyncio.sleep(every_seconds)
            self.look()

    def _read(self) -> None:
        try:
            found = read_identity(self._files)
        except TlsFault as fault:
            _LOG.warning("certificate not renewed", fault=str(fault))
            return
        if found != self.identity:
            self.identity = found
            _LOG.info("certificate renewed", file=str(self._files.cert_file))

    def _state(self) -> tuple[object, ...]:
        """Differs when a file was written or replaced, or a link to it was turned."""
        return tuple(map(_file_state, self._files))


def _file_state(file: Path) -> tuple[int, ...]:
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def server_credentials(watch: TlsWatch) -> grpc.ServerCredentials:
    """For a server that demands a certificate of our authority from every client. What the files
    hold when a client connects is used for that connection."""
    given = watch.identity

    def configuration(identity: Identity) -> Any:
        return grpc.ssl_server_certificate_configuration(
            [(identity.key, identity.cert)], root_certificates=identity.ca
        )

    def fetch() -> Any:
        nonlocal given
        if (identity := watch.look()) is given:
            return None  # as before
        given = identity
        return configuration(identity)

    return grpc.dynamic_ssl_server_credentials(
        configuration(given), fetch, require_client_authentication=True
    )


def channel_credentials(identity: Identity) -> grpc.ChannelCredentials:
    """For a client that shows its own certificate and checks the server's."""
    return grpc.ssl_channel_credentials(
        root_certificates=identity.ca,
        private_key=identity.key,
        certificate_chain=identity.cert,
    )


class ClientContext(ssl.SSLContext):
    """For clients that want an ``ssl.SSLContext``: each connection is made with what the files hold
    when it is made, so that a client that connects again by itself uses renewed ones."""

    _watch: TlsWatch
    _made_of: Identity
    _present: ssl.SSLContext

    @classmethod
    def of(cls, files: TlsFiles) -> ClientContext:
        """Shows the identity's certificate; the server's must be of the authority, and name the
        host that was asked for. Raises ``TlsFault``."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context._watch = TlsWatch(files)
        context._made_of = context._watch.identity
        context._present = _client_context(context._made_of)
        return context

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        """Where asyncio and uvloop begin a connection."""
        identity = self._watch.look()
        if identity is not self._made_of:
            try:
                self._present, self._made_of = _client_context(identity), identity
            except (OSError, ValueError):  # they change again: the next connection will have them
                _LOG.warning("certificate not used", file=str(identity.files.cert_file))
        return self._present.wrap_bio(*arguments, **named)


def _client_context(identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=identity.ca.decode("ascii"))
    # Only from files; they are the same ones, unless they are being changed right now.
    context.load_cert_chain(identity.files.cert_file, identity.files.key_file)
    return context


def peer_identity(auth_context: Mapping[str, list[bytes]]) -> str | None:
    """Who is on the other side, from the subject alternative names of its verified certificate.

    None if there is no certificate or none of its names is one of the mesh.
    """
    for name in auth_context.get("x509_subject_alternative_name", ()):
        text = name.decode("ascii", "replace")
        if text.endswith(IDENTITY_SUFFIX):
            return text.removesuffix(IDENTITY_SUFFIX)
    return None
