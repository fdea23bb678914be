"""The use cases around merchants' codes: each one read.

Barcodes have none here: ``barcodes.Barcodes`` is the whole of it. Nor have the merchants
themselves: ``merchants.Merchants``, ``places.Places`` and ``logos.Logos``.
"""

from __future__ import annotations

from collections.abc import Sequence

from barcode_svc import emvco, model
from barcode_svc.drawing import Draughtsman, Drawing, QrFormat
from barcode_svc.emvco import MerchantQr
from barcode_svc.errors import MerchantNotFound
from barcode_svc.model import Merchant, PaymentRequest, RequestedAmount
from barcode_svc.posters import Poster, PosterSize
from barcode_svc.store import merchants as store
from chassis.database import Database
from chassis.errors import ServiceError


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

    Raises ``InvalidArgument``, ``MerchantNotFound``, ``MerchantClosed``, ``CurrencyMismatch``,
    ``AmountOutOfRange``, ``Unavailable``.
    """
    model.check_reference(reference)
    merchant = await _merchant(database, merchant_id)
    qr = model.qr_of(merchant, requested=requested, reference=reference)
    return qr, await draughtsman.merchant_qr(emvco.write(qr), form, static=qr.static)


async def render_poster(
    database: Database,
    draughtsman: Draughtsman,
    *,
    merchant_id: str,
    size: PosterSize,
    language: str,
) -> Drawing:
    """A poster with the merchant's static code.

    Raises ``InvalidArgument``, ``MerchantNotFound``, ``MerchantClosed``, ``Overloaded``,
    ``Unavailable``.
    """
    model.check_poster_language(language)
    merchant = await _merchant(database, merchant_id)
    qr = model.qr_of(merchant, requested=None, reference="")
    return await draughtsman.poster(
        Poster(
            text=emvco.write(qr),
            merchant_id=merchant.id,
            name=merchant.name,
            city=merchant.city,
            size=size,
            language=language,
        )
    )


async def decode_qrs(
    database: Database, texts: Sequence[str]
) -> list[PaymentRequest | ServiceError]:
    """Read QR codes, each for itself, in order; one query for all their merchants.

    Outcomes: ``QrInvalid``, ``QrNotOurs``, ``MerchantNotFound``, ``MerchantClosed``. Raises
    ``Unavailable``.
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


async def _merchant(database: Database, merchant_id: str) -> Merchant:
    merchant = (await _merchants(database, [merchant_id])).get(merchant_id)
    if merchant is None:
        raise MerchantNotFound
    return merchant


async def _merchants(database: Database, merchant_ids: Sequence[str]) -> dict[str, Merchant]:
    # What no merchant could be called is not asked for: at best it would not be found.
    wanted = {merchant_id for merchant_id in merchant_ids if model.is_merchant_id(merchant_id)}
    if not wanted:
        return {}
    return await database.read(lambda connection: store.select_merchants(connection, wanted))


def _read(text: str) -> MerchantQr | ServiceError:
    try:
        return emvco.read(text)
    except ServiceError as error:
        return error
