"""Merchants in PostgreSQL: registered once, found for the codes that name them."""

from __future__ import annotations

import asyncio
import dataclasses
from itertools import count
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.exc import IntegrityError

from barcode_svc import emvco, model, operations
from barcode_svc.drawing import Draughtsman, QrFormat
from barcode_svc.errors import (
    AmountOutOfRange,
    CurrencyMismatch,
    MerchantExists,
    MerchantNotFound,
    QrInvalid,
    QrNotOurs,
)
from barcode_svc.merchants import Merchants
from barcode_svc.model import Merchant, PaymentRequest, RequestedAmount
from barcode_svc.operations import WantedQr
from barcode_svc.store import merchants as store
from barcode_svc.tables import METADATA
from chassis.clock import SystemClock
from chassis.database import Database, constraint_name
from chassis.errors import InvalidArgument, ServiceError
from tests.integration.barcode_svc.signers import SIGNER

NOW = SystemClock().now()
CAFE = Merchant(
    id="mer_01JD3Q9V7N8R4T2W6X0YZABCDE",
    name="Cafe Aurora",
    city="Lisbon",
    category_code="5814",
    country_code="PT",
    currency_code="EUR",
)
KIOSK = dataclasses.replace(CAFE, id="mer_kiosk", name="Kiosk", currency_code="JPY")


_REQUESTS = count()


class CountingDatabase:
    """A database that counts what is asked of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.reads = 0

    async def read(self, work: Any) -> Any:
        self.reads += 1
        return await self._database.read(work)


def qr_text(merchant: Merchant, **changes: Any) -> str:
    """A code of the merchant, with fields of the code replaced."""
    qr = model.qr_of(merchant, requested=None, reference="")
    return SIGNER.write(dataclasses.replace(qr, **changes))


async def register(merchants: Merchants, merchant: Merchant) -> Merchant:
    """Register a merchant, each time by another request."""
    request_id = f"request {next(_REQUESTS)}"
    registered, _ = await merchants.register(merchant, request_id=request_id, actor="opr_1")
    return registered


async def rows(database: Database) -> dict[str, Merchant]:
    """The merchants that are stored, by id."""
    return await database.read(lambda c: store.select_merchants(c, [CAFE.id, KIOSK.id]))


async def test_a_merchant_is_registered_and_read(database: Database, merchants: Merchants) -> None:
    """Goal: what was registered is what is read."""
    assert await register(merchants, CAFE) == CAFE
    assert await merchants.get(CAFE.id) == CAFE


async def test_registering_again_changes_nothing(database: Database, merchants: Merchants) -> None:
    """Goal: the same content is the same merchant, also from many at once."""
    answers = await asyncio.gather(*(register(merchants, CAFE) for _ in range(16)))
    assert answers == [CAFE] * 16
    assert await rows(database) == {CAFE.id: CAFE}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Other"},
        {"city": "Porto"},
        {"category_code": "5411"},
        {"country_code": "ES"},
        {"currency_code": "USD"},
    ],
)
async def test_other_content_is_refused(
    database: Database, merchants: Merchants, change: dict[str, Any]
) -> None:
    """Goal: a merchant never changes under an id that stickers carry, in any of its fields."""
    await register(merchants, CAFE)
    with pytest.raises(MerchantExists):
        await register(merchants, dataclasses.replace(CAFE, **change))
    assert await merchants.get(CAFE.id) == CAFE


async def test_of_different_contents_at_once_one_wins(
    database: Database, merchants: Merchants
) -> None:
    """Goal: sixteen registrations of one id that differ: one is stored, the others are told."""
    cafes = [dataclasses.replace(CAFE, name=f"Cafe {number}") for number in range(16)]
    answers = await asyncio.gather(
        *(register(merchants, merchant) for merchant in cafes),
        return_exceptions=True,
    )
    winners = [answer for answer in answers if isinstance(answer, Merchant)]
    assert sum(isinstance(answer, MerchantExists) for answer in answers) == 15
    assert [await merchants.get(CAFE.id)] == winners


async def test_a_bad_merchant_is_not_stored(database: Database, merchants: Merchants) -> None:
    """Goal: the rules are checked before the database is asked."""
    with pytest.raises(InvalidArgument):
        await register(merchants, dataclasses.replace(CAFE, name="x" * 26))
    assert await rows(database) == {}


@pytest.mark.parametrize(
    "merchant_id", ["mer_nobody", "", "usr_alice", "mer_\x00", "é", "x" * 9999]
)
async def test_an_unknown_merchant_is_not_found(
    database: Database, merchants: Merchants, merchant_id: str
) -> None:
    """Goal: any text may be asked for, also one that PostgreSQL could not store."""
    with pytest.raises(MerchantNotFound):
        await merchants.get(merchant_id)


@pytest.mark.parametrize(
    ("form", "media_type", "beginning"),
    [
        (QrFormat.TEXT, "text/plain", b"000201"),
        (QrFormat.SVG, "image/svg+xml", b"<svg "),
        (QrFormat.PNG, "image/png", b"\x89PNG"),
    ],
)
async def test_a_code_is_rendered(
    database: Database, merchants: Merchants, form: QrFormat, media_type: str, beginning: bytes
) -> None:
    """Goal: each format is what it says, and the same request gives the same bytes."""
    await register(merchants, CAFE)
    draughtsman = Draughtsman()
    drawings = []
    for _ in range(2):
        qr, drawing = await operations.render_merchant_qr(
            database, draughtsman, SIGNER, wanted=WantedQr(merchant_id=CAFE.id), form=form, now=NOW
        )
        assert qr.static
        drawings.append(drawing)
    assert drawings[0] == drawings[1]
    assert drawings[0].content_type == media_type
    assert drawings[0].content.startswith(beginning)


async def test_what_is_rendered_is_decoded(database: Database, merchants: Merchants) -> None:
    """Goal: a till's code comes back as the request that it was made for."""
    await register(merchants, KIOSK)
    _, drawing = await operations.render_merchant_qr(
        database,
        Draughtsman(),
        SIGNER,
        wanted=WantedQr(
            merchant_id=KIOSK.id,
            store_id="north",
            terminal_id="till-3",
            requested=RequestedAmount(currency_code="JPY", amount_minor=1250),
            reference="Table 7",
            lifetime_seconds=60,
        ),
        form=QrFormat.TEXT,
        now=NOW,
    )
    [decoded] = await operations.decode_qrs(database, SIGNER, [drawing.content.decode()], now=NOW)
    assert decoded == PaymentRequest(
        merchant=KIOSK,
        amount_minor=1250,
        reference="Table 7",
        static=False,
        store_id="north",
        terminal_id="till-3",
        expire_time=model.expiry(NOW, lifetime_seconds=60),
    )


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"merchant_id": "mer_nobody"}, MerchantNotFound),
        ({"merchant_id": "\x00"}, MerchantNotFound),
        ({"requested": RequestedAmount(currency_code="USD", amount_minor=1)}, CurrencyMismatch),
        ({"requested": RequestedAmount(currency_code="", amount_minor=0)}, AmountOutOfRange),
        ({"reference": "x" * 26}, InvalidArgument),
        ({"store_id": "a b"}, InvalidArgument),
        ({"terminal_id": "x" * 31}, InvalidArgument),
    ],
)
async def test_what_cannot_be_rendered_is_refused(
    database: Database, merchants: Merchants, changes: dict[str, Any], refusal: type[ServiceError]
) -> None:
    """Goal: each broken rule has its own error."""
    await register(merchants, CAFE)
    wanted = WantedQr(**{"merchant_id": CAFE.id, **changes})
    with pytest.raises(refusal):
        await operations.render_merchant_qr(
            database, Draughtsman(), SIGNER, wanted=wanted, form=QrFormat.SVG, now=NOW
        )


async def test_a_batch_of_codes_is_one_query(database: Database, merchants: Merchants) -> None:
    """Goal: many codes, few merchants, one query; each is answered for itself, in order."""
    for merchant in (CAFE, KIOSK):
        await register(merchants, merchant)
    foreign = "00020102164000123456789012" + "6304"
    foreign += emvco.checksum(foreign)
    counting = CountingDatabase(database)
    outcomes = await operations.decode_qrs(
        counting,  # type: ignore[arg-type]
        SIGNER,
        [
            qr_text(CAFE),
            "not a code",
            qr_text(KIOSK, name="Forged Name", city="Nowhere"),
            foreign,
            qr_text(CAFE, merchant_id="mer_nobody"),
            qr_text(CAFE, merchant_id="somebody else"),
            qr_text(KIOSK, currency_code="USD"),
            qr_text(CAFE, amount_minor=5, static=False),
        ],
        now=NOW,
    )
    assert counting.reads == 1
    assert [
        outcome.merchant if isinstance(outcome, PaymentRequest) else type(outcome)
        for outcome in outcomes
    ] == [
        CAFE,
        QrInvalid,
        KIOSK,
        QrNotOurs,
        MerchantNotFound,
        MerchantNotFound,
        QrInvalid,
        CAFE,
    ]


async def test_nothing_to_look_up_is_no_query(database: Database) -> None:
    """Goal: rubbish costs the database nothing."""
    counting = CountingDatabase(database)
    outcomes = await operations.decode_qrs(
        counting,  # type: ignore[arg-type]
        SIGNER,
        ["", "x" * 4096],
        now=NOW,
    )
    assert [type(outcome) for outcome in outcomes] == [QrInvalid, QrInvalid]
    assert counting.reads == 0


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"id": "usr_alice"}, "ck_merchants_id"),
        ({"name": "Café"}, "ck_merchants_name"),
        ({"name": "a\nb"}, "ck_merchants_name"),
        ({"city": "x" * 16}, "ck_merchants_city"),
        ({"category_code": "581"}, "ck_merchants_category_code"),
        ({"country_code": "pt"}, "ck_merchants_country_code"),
        ({"currency_code": "EURO"}, "ck_merchants_currency_code"),
    ],
)
async def test_the_database_keeps_the_rules_too(
    database: Database, change: dict[str, Any], constraint: str
) -> None:
    """Goal: should the check before it fail, what no code can carry is still not stored."""
    merchant = dataclasses.replace(CAFE, **change)
    with pytest.raises(IntegrityError) as violation:
        await database.transaction(lambda c: store.insert_merchant(c, merchant, create_time=NOW))
    assert constraint_name(violation.value) == constraint


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE merchants SET id = 'mer_other'",
        "UPDATE merchants SET currency_code = 'USD'",
        "DELETE FROM merchants",
        "UPDATE places SET merchant_id = 'mer_other'",
        "UPDATE places SET store_id = 'sto_other'",
        "DELETE FROM places",
        "UPDATE logos SET sha256 = ''",
        "DELETE FROM logos",
        "UPDATE creations SET subject_id = 'mer_other'",
        "DELETE FROM creations",
        "UPDATE merchant_changes SET actor = 'opr_other'",
        "DELETE FROM merchant_changes",
        "TRUNCATE merchant_changes",
        "DELETE FROM qr_serials",
        "UPDATE qr_serials SET store_id = 'other'",
        "TRUNCATE merchants",
        "ALTER TABLE merchants ADD COLUMN extra text",
        "CREATE TABLE other (id text)",
    ],
)
async def test_the_service_cannot_change_what_stays(barcode_database: Any, statement: str) -> None:
    """Goal: even a process that was taken over cannot turn another shop's stickers into its own,
    or what was done into something else."""
    async with await psycopg.AsyncConnection.connect(barcode_database.url) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(statement)


def test_the_tables_are_as_the_migrations_leave_them(barcode_database: Any) -> None:
    """Goal: the code's idea of the tables, types and collations included, is the database's."""
    url = barcode_database.owner_url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url)
    try:
        found = inspect(engine)
        names = set(found.get_table_names()) - {"schema_migrations"}
        assert names == set(METADATA.tables)
        for name, table in METADATA.tables.items():
            columns = {
                column["name"]: (column["type"].compile(engine.dialect), column["nullable"])
                for column in found.get_columns(name)
            }
            assert columns == {
                column.name: (
                    column.type.compile(engine.dialect),
                    column.nullable,
                )
                for column in table.columns
            }
            key = found.get_pk_constraint(name)
            assert key["name"] == table.primary_key.name
            assert key["constrained_columns"] == [column.name for column in table.primary_key]
    finally:
        engine.dispose()
