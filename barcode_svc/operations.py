"""The use cases around merchants and their codes: each one transaction, or one read.

Barcodes have none here: ``barcodes.Barcodes`` is the whole of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from barcode_svc import merchant_qr, model, store
from barcode_svc.drawing import Draughtsman, Drawing, QrFormat
from barcode_svc.errors import MerchantExists, MerchantNotFound
from barcode_svc.merchant_qr import MerchantQr
from barcode_svc.model import Merchant, PaymentRequest, RequestedAmount
from chassis.database import Database
from chassis.errors import ServiceError


async def register_merchant(database: Database, merchant: Merchant, *, now: datetime) -> Merchant:
    """Register a merchant; a repeat with the same content changes nothing.

    Raises ``InvalidArgument``, ``MerchantExists`` (other content), ``Unavailable``.
    """
    model.check_merchant(merchant)

    async def work(connection: AsyncConnection) -> Merchant:
        if await store.insert_merchant(connection, merchant, create_time=now):
            return merchant
        # The one in our way is committed (the insert waited for it) and never changes.
        known = (await store.select_merchants(connection, [merchant.id]))[merchant.id]
        if known != merchant:
            raise MerchantExists
        return known

    return await database.transaction(work)


async def get_merchant(database: Database, merchant_id: str) -> Merchant:
    """Read a merchant. Raises ``MerchantNotFound``, ``Unavailable``."""
    merchants = await _merchants(database, [merchant_id])
    if merchant_id not in merchants:
        raise MerchantNotFound
    return merchants[merchant_id]


async def render_merchant_qr(
    database: Database,
    draughtsman: Draughtsman,
    *,
    merchant_id: str,
    form: QrFormat,
    requested: RequestedAmount | None,
    reference: str,
) -> tuple[MerchantQr, Drawing]:
    """A merchant's code: static without an amount.

    Raises ``InvalidArgument``, ``MerchantNotFound``, ``CurrencyMismatch``, ``AmountOutOfRange``,
    ``Unavailable``.
    """
    model.check_reference(reference)
    merchant = await get_merchant(database, merchant_id)
    qr = model.qr_of(merchant, requested=requested, reference=reference)
    return qr, await draughtsman.merchant_qr(merchant_qr.write(qr), form, static=qr.static)


async def decode_qrs(
    database: Database, texts: Sequence[str]
) -> list[PaymentRequest | ServiceError]:
    """Read QR codes, each for itself, in order; one query for all their merchants.

    Outcomes: ``QrInvalid``, ``QrNotOurs``, ``MerchantNotFound``. Raises ``Unavailable``.
    """
    codes = [_read(text) for text in texts]
    merchants = await _merchants(
        database, [code.merchant_id for code in codes if isinstance(code, MerchantQr)]
    )
    outcomes: list[PaymentRequest | ServiceError] = []
    for code in codes:
        if isinstance(code, ServiceError):
            outcomes.append(code)
            continue
        try:
            outcomes.append(model.payment_request(code, merchants.get(code.merchant_id)))
        except ServiceError as error:
            outcomes.append(error)
    return outcomes


async def _merchants(database: Database, merchant_ids: Sequence[str]) -> dict[str, Merchant]:
    # What no merchant could be called is not asked for: at best it would not be found.
    wanted = {merchant_id for merchant_id in merchant_ids if model.is_merchant_id(merchant_id)}
    if not wanted:
        return {}
    return await database.read(lambda connection: store.select_merchants(connection, wanted))


def _read(text: str) -> MerchantQr | ServiceError:
    try:
        return merchant_qr.read(text)
    except ServiceError as error:
        return error
