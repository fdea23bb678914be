"""Where the queue is, and how one talks to it: in plain text, or with TLS and nothing less."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import unquote, urlsplit

import nats.errors
from nats.aio.client import Client

_SCHEMES = {"nats", "tls"}


class TlsClient(Client):
    """Tells nothing to a server that does not encrypt. nats-py would go on in plain text, with the
    password first, whatever the URL's scheme: also if somebody in between took the offer out."""

    def _connect_command(self) -> bytes:
        if not self._server_info.get("tls_required"):
            raise nats.errors.Error("the server does not demand TLS")
        command: bytes = super()._connect_command()
        return command


class NatsAddresses:
    """One or more URLs, ``nats://user:password@host:port`` or ``tls://...``, taken apart."""

    def __init__(self, url: str, *, name: str) -> None:
        """``name`` begins the inboxes of who has no user. Raises ValueError, which quotes
        nothing."""
        try:
            parts = [urlsplit(part.strip()) for part in url.split(",")]
            servers = [f"{part.scheme}://{part.hostname}:{part.port or 4222}" for part in parts]
        except ValueError:
            raise ValueError("not a NATS URL") from None  # the original error quotes the password
        if not all(part.scheme in _SCHEMES and part.hostname for part in parts):
            raise ValueError("not a NATS URL")
        schemes = {part.scheme for part in parts}
        if len(schemes) > 1:
            raise ValueError("NATS URLs must be all nats:// or all tls://")
        self.encrypted = schemes == {"tls"}
        """Whether TLS is demanded."""
        user, password = parts[0].username, parts[0].password
        self._options: dict[str, Any] = {
            "servers": servers,
            "inbox_prefix": f"_INBOX_{user or name}",
        }
        if user is not None:
            self._options.update(user=unquote(user), password=unquote(password or ""))

    def client(self) -> Client:
        """A new client, not yet connected."""
        return TlsClient() if self.encrypted else Client()

    def options(self, context: ssl.SSLContext | None) -> dict[str, Any]:
        """What the client is told: credentials apart from the addresses, which it puts into its
        errors."""
        return {**self._options, **({"tls": context} if context is not None else {})}
