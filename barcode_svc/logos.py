"""Logos: taken in once, drawn in a few sizes, remembered."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass

from cachetools import LRUCache
from PIL import __version__ as pillow_version

from barcode_svc import pictures
from barcode_svc.blobs import BlobStore
from barcode_svc.errors import LogoInvalid, LogoNotFound, MerchantClosed
from barcode_svc.merchants import Merchants
from barcode_svc.model import Merchant
from barcode_svc.pictures import NotALogo, PictureFormat
from chassis.errors import InvalidArgument, Unavailable
from chassis.logs import get_logger
from chassis.studio import Studio

WIDTH_MIN, WIDTH_MAX = pictures.WIDTHS[0], pictures.WIDTHS[-1]

_SHA256_FORM = re.compile(r"[0-9a-f]{64}")

_LOG = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedLogo:
    """A logo, ready to be sent."""

    content: bytes
    """Empty if the caller has it already."""
    etag: str
    """A strong validator without quotes."""
    not_modified: bool
    sha256: str
    """Which logo it is: names the clean picture that all sizes are drawn from."""
    width: int
    """The step that was drawn."""


class Logos:
    """Takes logos in and draws them. What was drawn is remembered, ``remembered_bytes_max`` in
    all, and what many ask for at once is drawn once."""

    def __init__(
        self, *, merchants: Merchants, blobs: BlobStore, studio: Studio, remembered_bytes_max: int
    ) -> None:
        self._merchants = merchants
        self._blobs = blobs
        self._studio = studio
        self._remembered: LRUCache[str, bytes] = LRUCache(remembered_bytes_max, getsizeof=len)
        self._drawing: dict[str, asyncio.Task[bytes]] = {}

    async def upload(self, merchant_id: str, content: bytes, *, actor: str) -> Merchant:
        """Make a file a merchant's logo. The blob is there before the merchant names it.

        Raises ``LogoInvalid``, ``InvalidArgument``, ``MerchantNotFound``, ``MerchantClosed``,
        ``Overloaded``, ``Unavailable``.
        """
        merchant = await self._merchants.get(merchant_id)
        if merchant.closed:
            raise MerchantClosed  # before the work; whether it still is not, is checked again
        if len(content) > pictures.BYTES_MAX:
            raise LogoInvalid(f"The file has more than {pictures.BYTES_MAX} bytes.")
        try:
            clean = await self._studio.run(pictures.clean, content)
        except NotALogo as error:
            raise LogoInvalid(str(error)) from error
        sha256 = await self._blobs.put(clean)
        return await self._merchants.set_logo(merchant_id, sha256, actor=actor)

    async def render(
        self,
        merchant_id: str,
        *,
        sha256: str,
        width: int,
        form: PictureFormat,
        known_etags: Collection[str],
    ) -> RenderedLogo:
        """A merchant's logo (empty ``sha256``: the current one) at the next step above ``width``.

        Raises ``InvalidArgument``, ``MerchantNotFound``, ``LogoNotFound``, ``Overloaded``,
        ``Unavailable``.
        """
        if not WIDTH_MIN <= width <= WIDTH_MAX:
            raise InvalidArgument([("width", f"must be from {WIDTH_MIN} to {WIDTH_MAX}")])
        sha256 = await self._found(merchant_id, sha256)
        step = pictures.step_of(width)
        etag = _etag(sha256, step, form)
        not_modified = etag in known_etags
        return RenderedLogo(
            content=b"" if not_modified else await self._drawn(etag, sha256, step, form),
            etag=etag,
            not_modified=not_modified,
            sha256=sha256,
            width=step,
        )

    async def _found(self, merchant_id: str, sha256: str) -> str:
        merchant = await self._merchants.get(merchant_id)
        if sha256 in ("", merchant.logo_sha256):
            if not merchant.logo_sha256:
                raise LogoNotFound
            return merchant.logo_sha256
        # Another merchant's picture is not shown under this one's address.
        known = _SHA256_FORM.fullmatch(sha256) and await self._merchants.has_logo(
            merchant_id, sha256
        )
        if not known:
            raise LogoNotFound
        return sha256

    async def _drawn(self, etag: str, sha256: str, step: int, form: PictureFormat) -> bytes:
        content = self._remembered.get(etag)
        if content is not None:
            return content
        task = self._drawing.get(etag)
        if task is None:
            task = asyncio.create_task(self._draw(etag, sha256, step, form))
            self._drawing[etag] = task
            task.add_done_callback(lambda task: self._forget(etag, task))
        # Who goes away does not take the picture from the others who wait for it.
        return await asyncio.shield(task)

    async def _draw(self, etag: str, sha256: str, step: int, form: PictureFormat) -> bytes:
        master = await self._blobs.get(sha256)
        if master is None:
            _LOG.error("blob missing", sha256=sha256)
            raise Unavailable  # the merchant names it, so it was there: a store that lost it
        content = await self._studio.run(pictures.draw, master, step, form)
        if len(content) <= self._remembered.maxsize:
            self._remembered[etag] = content
        return content

    def _forget(self, etag: str, task: asyncio.Task[bytes]) -> None:
        del self._drawing[etag]
        if not task.cancelled():
            # Nobody may be left to look at it: retrieve it, so that asyncio does not complain.
            task.exception()


def _etag(sha256: str, step: int, form: PictureFormat) -> str:
    """Known before anything is drawn. The same bytes: the same picture, size and format, drawn by
    the same version of the library."""
    return hashlib.sha256(f"{sha256}/{step}/{form}/{pillow_version}".encode()).hexdigest()[:32]
