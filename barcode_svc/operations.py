"""The use cases around merchants' codes: each one read.

Barcodes have none here: ``barcodes.Barcodes`` is the whole of it. Nor have the merchants
themselves: ``merchants.Merchants``, ``places.Places`` and ``logos.Logos``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from barcode_svc import model
from barcode_svc.drawing import Draughtsman, Drawing, QrFormat
from barcode_svc.errors import MerchantNotFound
from barcode_svc.logos import Logos
from barcode_svc.merchant_qr import MerchantQr
from barcode_svc.model import Merchant, PaymentRequest, Place, QrTerms, RequestedAmount
from barcode_svc.posters import Poster, PosterSize
from barcode_svc.qr_signer import QrSigner
from barcode_svc.store import merchants, qr_serials
from chassis.database import Database
from chassis.errors import ServiceError

_POSTER_LOGO_PIXELS = 1024
_READ_AT_ONCE = 16
"""Codes whose signatures are checked before other work gets its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedQr:
    """A code that somebody asks for."""

    merchant_id: str
    store_id: str = ""
    terminal_id: str = ""
    requested: RequestedAmount | None = None
    """None: a static code."""
    reference: str = ""
    lifetime_seconds: int = 900
    """Of a dynamic code."""


async def render_merchant_qr(
    database: Database,
    draughtsman: Draughtsman,
    signer: QrSigner,
    *,
    wanted: WantedQr,
    form: QrFormat,
    now: datetime,
) -> tuple[MerchantQr, Drawing]:
    """A merchant's code: static without an amount.

    Raises ``InvalidArgument``, ``MerchantNotFound``, ``MerchantClosed``, ``CurrencyMismatch``,
    ``AmountOutOfRange``, ``Unavailable``.
    """
    model.check_reference(wanted.reference)
    place = Place(wanted.merchant_id, wanted.store_id)
    if model.is_merchant_id(place.merchant_id):
        model.check_place(
            place.merchant_id, store_id=place.store_id, terminal_id=wanted.terminal_id
        )
    found = await _places(database, [place])
    if place not in found:
        raise MerchantNotFound
    merchant, serial = found[place]
    terms = QrTerms(
        store_id=wanted.store_id,
        terminal_id=wanted.terminal_id,
        serial=serial,
        expire_time=model.expiry(now, lifetime_seconds=wanted.lifetime_seconds),
    )
    qr = model.qr_of(merchant, requested=wanted.requested, reference=wanted.reference, terms=terms)
    return qr, await draughtsman.merchant_qr(signer.write(qr), form, static=qr.static)


async def revoke_merchant_qr(
    database: Database, place: Place, *, revoked: int, now: datetime
) -> int:
    """End a place's static codes up to a serial (0: all there are); the serial that is valid now.

    Raises ``InvalidArgument``, ``MerchantNotFound``, ``Unavailable``.
    """
    if not model.is_merchant_id(place.merchant_id):
        raise MerchantNotFound
    model.check_place(place.merchant_id, store_id=place.store_id)

    async def work(connection: AsyncConnection) -> int:
        if not await merchants.select_merchants(connection, [place.merchant_id]):
            raise MerchantNotFound
        current = await qr_serials.lock_serial(connection, place, now=now)
        serial = model.serial_after(current, revoked=revoked)
        if serial != current:
            await qr_serials.update_serial(connection, place, serial=serial, now=now)
        return serial

    return await database.transaction(work)


async def render_poster(
    database: Database,
    draughtsman: Draughtsman,
    signer: QrSigner,
    logos: Logos,
    *,
    merchant_id: str,
    size: PosterSize,
    language: str,
) -> Drawing:
    """A poster with the merchant's static code, and its logo if it has one.

    Raises ``InvalidArgument``, ``MerchantNotFound``, ``MerchantClosed``, ``Overloaded``,
    ``Unavailable``.
    """
    model.check_poster_language(language)
    place = Place(merchant_id, "")
    found = await _places(database, [place])
    if place not in found:
        raise MerchantNotFound
    merchant, serial = found[place]
    qr = model.qr_of(merchant, requested=None, reference="", terms=QrTerms(serial=serial))
    return await draughtsman.poster(
        Poster(
            text=signer.write(qr),
            merchant_id=merchant.id,
            name=merchant.name,
            local_name=merchant.local.name if merchant.local else "",
            city=merchant.city,
            size=size,
            language=language,
            logo=await _logo(logos, merchant),
        )
    )


async def _logo(logos: Logos, merchant: Merchant) -> bytes | None:
    if not merchant.logo_sha256:
        return None
    rendered = await logos.render(
        merchant.id,
        sha256=merchant.logo_sha256,
        width=_POSTER_LOGO_PIXELS,
        form="png",
        known_etags=(),
    )
    return rendered.content


async def decode_qrs(
    database: Database, signer: QrSigner, texts: Sequence[str], *, now: datetime
) -> list[PaymentRequest | ServiceError]:
    """Read QR codes, each for itself, in order; one query for all their merchants.

    Outcomes: ``QrInvalid``, ``QrNotOurs``, ``QrExpired``, ``QrRevoked``, ``MerchantNotFound``,
    ``MerchantClosed``. Raises ``Unavailable``.
    """
    codes = await _read(signer, texts)
    places = [_place_of(code) for code in codes if isinstance(code, MerchantQr)]
    found = await _places(database, places)
    outcomes: list[PaymentRequest | ServiceError] = []
    for code in codes:
        if isinstance(code, ServiceError):
            outcomes.append(code)
            continue
        merchant, serial = found.get(_place_of(code), (None, model.FIRST_SERIAL))
        try:
            outcomes.append(model.payment_request(code, merchant, serial=serial, now=now))
        except ServiceError as error:
            outcomes.append(error)
    return outcomes


def _place_of(code: MerchantQr) -> Place:
    return Place(code.merchant_id, code.store_id)


async def _places(database: Database, places: Sequence[Place]) -> dict[Place, tuple[Merchant, int]]:
    # What no merchant could be called is not asked for: at best it would not be found.
    wanted = {place for place in places if model.is_merchant_id(place.merchant_id)}
    if not wanted:
        return {}
    return await database.read(lambda connection: qr_serials.select_places(connection, wanted))


async def _read(signer: QrSigner, texts: Sequence[str]) -> list[MerchantQr | ServiceError]:
    codes: list[MerchantQr | ServiceError] = []
    for number, text in enumerate(texts, 1):
        try:
            codes.append(signer.read(text))
        except ServiceError as error:
            codes.append(error)
        if number % _READ_AT_ONCE == 0:
            await asyncio.sleep(0)  # others have waited for milliseconds by now
    return codes
