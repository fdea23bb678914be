"""Printed codes are ended and printed anew: in the database, and over mutual TLS."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from barcode_svc import model, operations
from barcode_svc.drawing import Draughtsman, QrFormat
from barcode_svc.errors import MerchantNotFound, QrExpired, QrRevoked
from barcode_svc.merchants import Merchants
from barcode_svc.model import PaymentRequest, Place, RequestedAmount
from barcode_svc.operations import WantedQr
from chassis.clock import SystemClock
from chassis.database import Database
from chassis.errors import InvalidArgument, ServiceError
from qrpay.barcode.v1 import barcode_pb2
from qrpay.type.v1 import money_pb2
from tests.integration.barcode_svc.mesh import Mesh, refusal_of, render
from tests.integration.barcode_svc.signers import SIGNER
from tests.integration.barcode_svc.test_merchants import CAFE, KIOSK, NOW, register

HERE = Place(CAFE.id, "")


async def printed(database: Database, *, store_id: str = "", **changes: Any) -> str:
    """A code of the cafe, as it is handed out now."""
    wanted = WantedQr(merchant_id=CAFE.id, store_id=store_id, **changes)
    _, drawing = await operations.render_merchant_qr(
        database, Draughtsman(), SIGNER, wanted=wanted, form=QrFormat.TEXT, now=NOW
    )
    return drawing.content.decode()


async def scanned(database: Database, *texts: str, now: datetime = NOW) -> list[Any]:
    """For each text the merchant that it pays, or the class of the refusal."""
    outcomes = await operations.decode_qrs(database, SIGNER, texts, now=now)
    return [
        outcome.merchant if isinstance(outcome, PaymentRequest) else type(outcome)
        for outcome in outcomes
    ]


async def revoke(database: Database, place: Place = HERE, revoked: int = 0) -> int:
    """End its codes."""
    return await operations.revoke_merchant_qr(database, place, revoked=revoked, now=NOW)


async def test_a_code_is_replaced(database: Database) -> None:
    """Goal: the old sticker is refused, the new one is taken, as often as that is done."""
    await register(Merchants(database=database, clock=SystemClock()), CAFE)
    codes = [await printed(database)]
    for serial in (2, 3):
        assert await revoke(database) == serial
        codes.append(await printed(database))
        *old, newest = await scanned(database, *codes)
        assert (old, newest) == ([QrRevoked] * (serial - 1), CAFE)
    assert SIGNER.read(codes[2]).serial == 3


async def test_shops_are_revoked_one_by_one(database: Database) -> None:
    """Goal: who finds a forged sticker in one shop need not print those of the others anew."""
    for merchant in (CAFE, KIOSK):
        await register(Merchants(database=database, clock=SystemClock()), merchant)
    kiosk = SIGNER.write(model.qr_of(KIOSK, requested=None, reference=""))
    stores = ("", "baixa", "chiado")
    codes = [await printed(database, store_id=store_id) for store_id in stores]
    assert await revoke(database, Place(CAFE.id, "baixa")) == 2
    assert await scanned(database, *codes, kiosk) == [CAFE, QrRevoked, CAFE, KIOSK]
    assert await revoke(database) == 2
    assert await scanned(database, *codes, kiosk) == [QrRevoked, QrRevoked, CAFE, KIOSK]


async def test_revoking_again_changes_nothing(database: Database) -> None:
    """Goal: a repeat with the serial, also from many at once, leaves the new code alone."""
    await register(Merchants(database=database, clock=SystemClock()), CAFE)
    answers = await asyncio.gather(*(revoke(database, revoked=1) for _ in range(16)))
    assert answers == [2] * 16
    new = await printed(database)
    assert await revoke(database, revoked=1) == 2
    assert await scanned(database, new) == [CAFE]
    answers = await asyncio.gather(*(revoke(database) for _ in range(16)))
    assert sorted(answers) == list(range(3, 19))


@pytest.mark.parametrize(
    ("place", "revoked", "refusal"),
    [
        (Place("mer_nobody", ""), 0, MerchantNotFound),
        (Place("\x00", ""), 0, MerchantNotFound),
        (Place(CAFE.id, "a b"), 0, InvalidArgument),
        (HERE, 2, InvalidArgument),
        (HERE, -1, InvalidArgument),
    ],
)
async def test_what_cannot_be_revoked_is_refused(
    database: Database, place: Place, revoked: int, refusal: type[ServiceError]
) -> None:
    """Goal: each broken rule has its own error, and the codes stay valid."""
    await register(Merchants(database=database, clock=SystemClock()), CAFE)
    code = await printed(database)
    with pytest.raises(refusal):
        await revoke(database, place, revoked)
    assert await scanned(database, code) == [CAFE]


async def test_a_dynamic_code_ends_by_itself(database: Database) -> None:
    """Goal: at the boundary, by the clock of who reads; revoking ends no payment under way."""
    await register(Merchants(database=database, clock=SystemClock()), CAFE)
    amount = RequestedAmount(currency_code="", amount_minor=5)
    code = await printed(database, requested=amount, lifetime_seconds=1)
    await revoke(database)
    end = datetime.fromtimestamp(SIGNER.read(code).expire_time, NOW.tzinfo)
    assert NOW + timedelta(seconds=1) <= end < NOW + timedelta(seconds=61)
    assert await scanned(database, code, now=end - timedelta(microseconds=1)) == [CAFE]
    assert await scanned(database, code, now=end) == [QrExpired]


async def test_unknown_merchants_are_told_apart(database: Database) -> None:
    """Goal: a signed code of a merchant that is not in this database is no reason to fail."""
    nobody = dataclasses.replace(CAFE, id="mer_nobody")
    code = SIGNER.write(model.qr_of(nobody, requested=None, reference=""))
    assert await scanned(database, code) == [MerchantNotFound]


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        (("mer_nobody", "", 1), "fk_qr_serials_merchant_id"),
        ((CAFE.id, "a b", 1), "ck_qr_serials_store_id"),
        ((CAFE.id, "", 0), "ck_qr_serials_serial"),
        ((CAFE.id, "", 100_000_000), "ck_qr_serials_serial"),
    ],
)
async def test_the_database_keeps_the_rules_too(
    database: Database, barcode_database: Any, values: tuple[Any, ...], constraint: str
) -> None:
    """Goal: should the check before it fail, what no code can carry is still not stored."""
    await register(Merchants(database=database, clock=SystemClock()), CAFE)
    async with await psycopg.AsyncConnection.connect(barcode_database.url) as connection:
        with pytest.raises(psycopg.errors.IntegrityError) as violation:
            await connection.execute("INSERT INTO qr_serials VALUES (%s, %s, %s, now())", values)
    assert violation.value.diag.constraint_name == constraint


async def test_over_the_wire(mesh: Mesh, cafe: Any) -> None:
    """Goal: print, revoke, scan, print anew: the fields and reasons are those of the contract."""
    first = await mesh.call("gateway", "RenderMerchantQr", render(store_id="pier"))
    assert (first.static, first.serial, first.HasField("expire_time")) == (True, 1, False)
    request = barcode_pb2.RevokeMerchantQrRequest(merchant_id=cafe.id, store_id="pier", serial=1)
    for identity in ("operator", "gateway"):
        assert (await mesh.call(identity, "RevokeMerchantQr", request)).serial == 2
    second = await mesh.call("gateway", "RenderMerchantQr", render(store_id="pier"))
    assert second.serial == 2
    assert second.etag != first.etag
    texts = [first.content.decode(), second.content.decode()]
    decode = barcode_pb2.DecodeQrsRequest(texts=texts)
    revoked, taken = (await mesh.call("payment", "DecodeQrs", decode)).results
    assert (revoked.error.reason, revoked.error.code) == ("QR_REVOKED", 9)
    assert (taken.merchant, taken.store_id) == (cafe, "pier")
    error = await refusal_of(
        mesh.call(
            "operator",
            "RevokeMerchantQr",
            barcode_pb2.RevokeMerchantQrRequest(merchant_id=cafe.id, serial=77),
        )
    )
    assert [item.field for item in error.violations] == ["serial"]


async def test_lifetimes_over_the_wire(mesh: Mesh, cafe: Any) -> None:
    """Goal: a dynamic code says when it ends; how long it may live has a bound."""
    before = SystemClock().now()
    amount = money_pb2.Money(amount_minor=5)
    for asked, seconds in ((0, 900), (3600, 3600)):
        rendered = await mesh.call(
            "gateway",
            "RenderMerchantQr",
            render(money=amount, lifetime_seconds=asked, terminal_id="till-3"),
        )
        left = rendered.expire_time.ToDatetime(before.tzinfo) - before
        assert timedelta(seconds=seconds) <= left <= timedelta(seconds=seconds + 120)
        request = barcode_pb2.DecodeQrsRequest(texts=[rendered.content.decode()])
        [decoded] = (await mesh.call("gateway", "DecodeQrs", request)).results
        assert decoded.expire_time == rendered.expire_time
        assert decoded.terminal_id == "till-3"
    for asked in (-1, 86_401):
        error = await refusal_of(
            mesh.call("gateway", "RenderMerchantQr", render(lifetime_seconds=asked))
        )
        assert [item.field for item in error.violations] == ["lifetime_seconds"]


async def test_the_keys_over_the_wire(mesh: Mesh) -> None:
    """Goal: apps are told the key that codes are signed with, and never the private one."""
    response = await mesh.call("gateway", "ListQrKeys", barcode_pb2.ListQrKeysRequest())
    assert [(key.key_id, key.public_key) for key in response.keys] == [
        (key.id, key.content) for key in SIGNER.keys
    ]
