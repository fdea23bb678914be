"""Passwords and keys: made once, kept in files of mode 0600, never shown."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_PASSWORD_BYTES = 24
_KEY_BYTES = 32


def make_password() -> str:
    """A new password of 192 random bits, of characters that need no escape anywhere."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def write_private(file: Path, text: str) -> None:
    """Write a file that nobody else can read; a reader sees the old content or the new, never a
    part."""
    unfinished = file.with_name(file.name + ".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        output.write(text)
        output.flush()
        os.fsync(descriptor)
    unfinished.replace(file)


def remembered_password(file: Path) -> str:
    """The password in a file; made and written on first use."""
    if not file.exists():
        write_private(file, make_password())
    return file.read_text(encoding="utf-8").strip()


def remembered_key(file: Path) -> str:
    """The private Ed25519 key in a file, 43 characters of base64url (RFC 8037, d); made and written
    on first use. Any 32 random bytes are one (RFC 8032, 5.1.5)."""
    if not file.exists():
        write_private(file, secrets.token_urlsafe(_KEY_BYTES))
    return file.read_text(encoding="utf-8").strip()
