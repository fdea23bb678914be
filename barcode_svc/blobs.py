"""Where pictures are kept: a folder, or a bucket that speaks S3.

A blob is named after the SHA-256 of its content, in hex: storing it again changes nothing, two
processes cannot disagree about it, and whoever reads it can tell whether it is whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from obstore.exceptions import BaseError
from obstore.store import S3Store

from chassis.errors import Unavailable
from chassis.logs import get_logger
from chassis.settings import Secret

if TYPE_CHECKING:
    from obstore.store import S3Config

_LOG = get_logger(__name__)


class BlobStore(Protocol):
    """Keeps blobs for ever."""

    async def put(self, content: bytes) -> str:
        """Store a blob; answers its SHA-256 when it is there to stay. Raises ``Unavailable``."""
        ...

    async def get(self, sha256: str) -> bytes | None:
        """Read a blob; None if there is none. Raises ``Unavailable``, also if it is damaged."""
        ...


class FolderBlobs:
    """Blobs as files of a folder; several processes may share it."""

    def __init__(
        self, folder: Path, *, random_hex: Callable[[int], str] = secrets.token_hex
    ) -> None:
        self._folder = folder
        self._random_hex = random_hex

    async def put(self, content: bytes) -> str:
        """See ``BlobStore``."""
        sha256 = hashlib.sha256(content).hexdigest()
        try:
            await asyncio.to_thread(self._write, sha256, content)
        except OSError as error:
            _LOG.error("blob not stored", error=error.strerror)
            raise Unavailable from error
        return sha256

    async def get(self, sha256: str) -> bytes | None:
        """See ``BlobStore``."""
        try:
            content = await asyncio.to_thread(self._path(sha256).read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            _LOG.error("blob not read", error=error.strerror)
            raise Unavailable from error
        return _whole(sha256, content)

    def _path(self, sha256: str) -> Path:
        # By its first byte: folders with very many files are slow to list and to back up.
        return self._folder / sha256[:2] / sha256

    def _write(self, sha256: str, content: bytes) -> None:
        path = self._path(sha256)
        with suppress(FileNotFoundError):
            if path.read_bytes() == content:
                return
        path.parent.mkdir(parents=True, exist_ok=True)
        # Under another name until it is whole and on the disk: a crash leaves the blob or nothing.
        draft = path.with_name(f".{sha256}.{self._random_hex(8)}")
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        for folder in (path.parent, self._folder):
            _sync_folder(folder)


class S3Blobs:
    """Blobs as objects of a bucket: Amazon's, or a server that speaks its protocol."""

    def __init__(
        self,
        *,
        bucket: str,
        region: str,
        key_id: Secret,
        key_secret: Secret,
        endpoint: str = "",
        prefix: str = "logos",
        seconds_max: float,
    ) -> None:
        config: S3Config = {
            "region": region,
            "access_key_id": key_id.reveal(),
            "secret_access_key": key_secret.reveal(),
        }
        if endpoint:
            config["endpoint"] = endpoint
        self._store = S3Store(
            bucket,
            prefix=prefix,
            config=config,
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "timeout": timedelta(seconds=seconds_max),
                "connect_timeout": timedelta(seconds=seconds_max),
            },
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=seconds_max)},
        )
        self._seconds_max = seconds_max

    async def put(self, content: bytes) -> str:
        """See ``BlobStore``."""
        sha256 = hashlib.sha256(content).hexdigest()
        try:
            async with asyncio.timeout(self._seconds_max):
                await self._store.put_async(sha256, content)
        except (BaseError, OSError) as error:  # a missing bucket is a FileNotFoundError
            _LOG.error("blob not stored", error=type(error).__name__)
            raise Unavailable from error
        return sha256

    async def get(self, sha256: str) -> bytes | None:
        """See ``BlobStore``."""
        try:
            async with asyncio.timeout(self._seconds_max):
                found = await self._store.get_async(sha256)
                content = bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            # Its name and not its text: that one quotes addresses, and what the server said.
            _LOG.error("blob not read", error=type(error).__name__)
            raise Unavailable from error
        return _whole(sha256, content)


def _whole(sha256: str, content: bytes) -> bytes:
    if hashlib.sha256(content).hexdigest() != sha256:
        _LOG.error("blob damaged", sha256=sha256)
        raise Unavailable
    return content


def _sync_folder(folder: Path) -> None:
    """The name of a new file is kept by its folder: that must reach the disk, too."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
