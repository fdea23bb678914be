"""The whole process, over mutual TLS, as gateway, payment and operator see it."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from barcode_svc import offline_codes
from barcode_svc.codes import CodeSeal
from chassis.clock import SystemClock
from chassis.errors import from_item_error
from chassis.settings import Secret
from qrpay.barcode.v1 import barcode_pb2, device_pb2, merchant_pb2
from qrpay.type.v1 import money_pb2
from tests.integration.barcode_svc.mesh import CAFE, HMAC_KEY, SIGNING_KEY, Mesh, refusal_of, render

_POOL = "barcode:pool:*"


async def test_a_customer_pays_with_a_code(mesh: Mesh) -> None:
    """Goal: issue, scan, repeat: the fields are those of the contract."""
    before = SystemClock().now()
    issued = await mesh.issue()
    assert re.fullmatch("[0-9]{18}", issued.code)
    assert issued.ttl_seconds == 60
    expire_time = issued.expire_time.ToDatetime(before.tzinfo)
    ttl = timedelta(seconds=60)
    assert before + ttl <= expire_time <= SystemClock().now() + ttl
    assert issued.qr_svg.startswith("<svg ")
    assert issued.code128_svg.startswith("<svg ")
    assert issued.qr_svg != issued.code128_svg
    result = await mesh.redeem(issued.code)
    assert result.barcode.owner_id == "usr_alice"
    assert result.barcode.issuance_id.startswith("iss_")
    assert await mesh.redeem(issued.code) == result


async def test_refused_codes_say_why(mesh: Mesh) -> None:
    """Goal: reasons, codes and metadata of items are those of the contract."""
    first, second = await mesh.issue("usr_bob"), await mesh.issue("usr_bob")
    await mesh.redeem(second.code)
    record = f"barcode:code:{CodeSeal(Secret(HMAC_KEY)).digest_of(Secret(first.code))}"
    async with Redis.from_url(mesh.valkey.url) as administrator:
        await administrator.hset(record, "expire_us", "1")  # a minute later
        await administrator.hdel(record, "retired")
    results = {
        "BARCODE_EXPIRED": await mesh.redeem(first.code),
        "BARCODE_USED": await mesh.redeem(second.code, redemption_token="two"),
        "BARCODE_UNKNOWN": await mesh.redeem("4006381333931"),
        "INVALID_ARGUMENT": await mesh.redeem(first.code, redemption_token="", merchant_id=" "),
    }
    numbers = {"BARCODE_EXPIRED": 9, "BARCODE_USED": 6, "BARCODE_UNKNOWN": 5, "INVALID_ARGUMENT": 3}
    for reason, result in results.items():
        assert (result.error.reason, result.error.code) == (reason, numbers[reason])
        assert first.code not in str(result)
        assert second.code not in str(result)
    fields = [item.field for item in from_item_error(results["INVALID_ARGUMENT"].error).violations]
    assert fields == ["merchant_id", "redemption_token"]


async def test_a_guessing_merchant_is_stopped(mesh: Mesh) -> None:
    """Goal: thirty misses in a minute are answered, the next is told how long to wait."""
    items = [
        barcode_pb2.BarcodeRedemption(
            code=f"{number:018}", redemption_token="one", merchant_id="mer_guesser"
        )
        for number in range(11)
    ]
    request = barcode_pb2.RedeemBarcodesRequest(items=items)
    results = (await mesh.call("payment", "RedeemBarcodes", request)).results
    assert [result.error.reason for result in results[:10]] == ["BARCODE_UNKNOWN"] * 10
    limited = results[10].error
    assert (limited.reason, limited.code, limited.retryable) == ("RATE_LIMITED", 8, True)
    assert 1 <= int(limited.metadata["retry_after_seconds"]) <= 60


async def test_a_bad_item_does_not_fail_its_neighbours(mesh: Mesh) -> None:
    """Goal: payments of many merchants share a batch; one that is malformed stands alone."""
    issued = await mesh.issue("usr_neighbour")
    good = barcode_pb2.BarcodeRedemption(
        code=issued.code, redemption_token="one", merchant_id=CAFE.id
    )
    request = barcode_pb2.RedeemBarcodesRequest(
        items=[barcode_pb2.BarcodeRedemption(), good, barcode_pb2.BarcodeRedemption()]
    )
    results = (await mesh.call("payment", "RedeemBarcodes", request)).results
    assert [result.error.reason for result in results] == [
        "INVALID_ARGUMENT",
        "",
        "INVALID_ARGUMENT",
    ]
    assert results[1].barcode.owner_id == "usr_neighbour"


async def test_a_batch_is_issued_item_by_item(mesh: Mesh) -> None:
    """Goal: many customers share a call; one whose name is malformed stands alone, and whoever
    draws by itself gets no images."""
    request = barcode_pb2.IssueBarcodesRequest(
        items=[
            barcode_pb2.BarcodeIssue(owner_id="usr_one", device="phone"),
            barcode_pb2.BarcodeIssue(device="x" * 65),
            barcode_pb2.BarcodeIssue(owner_id="usr_two", without_images=True),
        ]
    )
    one, bad, two = (await mesh.call("gateway", "IssueBarcodes", request)).results
    assert one.barcode.qr_svg.startswith("<svg ")
    assert one.barcode.code128_svg.startswith("<svg ")
    assert (bad.error.reason, bad.error.code) == ("INVALID_ARGUMENT", 3)
    assert two.barcode.qr_svg == two.barcode.code128_svg == ""
    for result, owner_id in ((one, "usr_one"), (two, "usr_two")):
        assert re.fullmatch("8[0-9]{17}", result.barcode.code)
        assert (await mesh.redeem(result.barcode.code)).barcode.owner_id == owner_id
    for items in ([], [barcode_pb2.BarcodeIssue(owner_id="usr_one")] * 257):
        many = barcode_pb2.IssueBarcodesRequest(items=items)
        refused = await refusal_of(mesh.call("gateway", "IssueBarcodes", many))
        assert refused.reason == "INVALID_ARGUMENT"


async def test_a_device_pays_offline(mesh: Mesh) -> None:
    """Goal: what enrolment answers is all that a device needs; without an amount, and beyond its
    limit, its code pays nothing."""
    enroll = device_pb2.EnrollDeviceRequest(owner_id="usr_offline", name="phone")
    answer = await mesh.call("gateway", "EnrollDevice", enroll)
    code = offline_codes.make_code(
        secret=answer.secret,
        handle=answer.material.handle,
        permutation_key=answer.material.permutation_key,
        window=offline_codes.window_of(SystemClock().now()),
    ).reveal()
    assert (await mesh.redeem(code)).error.reason == "INVALID_ARGUMENT"
    too_much = money_pb2.Money(currency_code="EUR", amount_minor=5001)
    assert (await mesh.redeem(code, money=too_much)).error.reason == "OFFLINE_LIMIT_EXCEEDED"
    money = money_pb2.Money(currency_code="EUR", amount_minor=5000)
    first = await mesh.redeem(code, money=money)
    assert first.barcode.owner_id == "usr_offline"
    assert await mesh.redeem(code, money=money) == first
    named = device_pb2.RenewDeviceRequest(owner_id="usr_offline", device_id=answer.device.id)
    renewed = await mesh.call("gateway", "RenewDevice", named)
    assert renewed.material == answer.material
    mine = device_pb2.ListDevicesRequest(owner_id="usr_offline")
    assert [it.id for it in (await mesh.call("gateway", "ListDevices", mine)).devices] == [
        answer.device.id
    ]
    revoke = device_pb2.RevokeDeviceRequest(owner_id="usr_offline", device_id=answer.device.id)
    assert (await mesh.call("gateway", "RevokeDevice", revoke)).device.HasField("revoke_time")
    assert not (await mesh.call("gateway", "ListDevices", mine)).devices


async def test_a_merchant_prints_and_is_paid(mesh: Mesh, cafe: Any) -> None:
    """Goal: a printed code is decoded to the record of its merchant."""
    assert cafe == CAFE
    found = await mesh.call(
        "gateway", "GetMerchant", merchant_pb2.GetMerchantRequest(merchant_id=CAFE.id)
    )
    assert found.merchant == CAFE
    static = await mesh.call(
        "gateway",
        "RenderMerchantQr",
        barcode_pb2.RenderMerchantQrRequest(merchant_id=CAFE.id, format=barcode_pb2.QR_FORMAT_TEXT),
    )
    dynamic = await mesh.call(
        "gateway",
        "RenderMerchantQr",
        barcode_pb2.RenderMerchantQrRequest(
            merchant_id=CAFE.id,
            format=barcode_pb2.QR_FORMAT_TEXT,
            money=money_pb2.Money(amount_minor=1250),
            reference="Table 7",
        ),
    )
    assert (static.static, dynamic.static) == (True, False)
    assert (static.content_type, len(static.etag)) == ("text/plain", 32)
    request = barcode_pb2.DecodeQrsRequest(
        texts=[static.content.decode(), "no code", dynamic.content.decode()]
    )
    for identity in ("gateway", "payment"):
        results = (await mesh.call(identity, "DecodeQrs", request)).results
        assert list(results) == [
            barcode_pb2.DecodedQr(
                merchant=CAFE, money=money_pb2.Money(currency_code="EUR"), static=True
            ),
            barcode_pb2.DecodedQr(error=results[1].error),
            barcode_pb2.DecodedQr(
                merchant=CAFE,
                money=money_pb2.Money(currency_code="EUR", amount_minor=1250),
                reference="Table 7",
                expire_time=dynamic.expire_time,
            ),
        ]
        assert results[1].error.reason == "QR_INVALID"


@pytest.mark.parametrize(
    ("form", "beginning"),
    [(barcode_pb2.QR_FORMAT_SVG, b"<svg "), (barcode_pb2.QR_FORMAT_PNG, b"\x89PNG")],
)
async def test_images_come_over_the_wire(
    mesh: Mesh, cafe: Any, form: Any, beginning: bytes
) -> None:
    """Goal: the formats of the contract are those of the drawings, equal at each request."""
    request = barcode_pb2.RenderMerchantQrRequest(merchant_id=CAFE.id, format=form)
    first = await mesh.call("gateway", "RenderMerchantQr", request)
    assert first.content.startswith(beginning)
    assert await mesh.call("gateway", "RenderMerchantQr", request) == first


async def test_printed_codes_outlive_valkey(mesh: Mesh, cafe: Any) -> None:
    """Goal: without Valkey barcodes are unavailable, merchants' codes are not: even a process that
    starts now is healthy and serves them. Afterwards the first barcode works."""
    request = render()
    await mesh.valkey.process.kill()
    try:
        assert (await refusal_of(mesh.issue())).reason == "UNAVAILABLE"
        await mesh.process.stop()
        await mesh.start_again()
        assert (await refusal_of(mesh.issue())).reason == "UNAVAILABLE"
        assert (await refusal_of(mesh.redeem("1" * 18))).reason == "UNAVAILABLE"
        text = (await mesh.call("gateway", "RenderMerchantQr", request)).content.decode()
        decode = barcode_pb2.DecodeQrsRequest(texts=[text])
        decoded = (await mesh.call("payment", "DecodeQrs", decode)).results[0]
        assert decoded.merchant == CAFE
    finally:
        await mesh.valkey.process.start()
    issued = await mesh.issue("usr_after")
    assert (await mesh.redeem(issued.code)).barcode.owner_id == "usr_after"


async def test_no_code_and_no_secret_is_logged(mesh: Mesh) -> None:
    """Goal: at level DEBUG, after use, misuse and an outage, the log has nothing to pay with."""
    issued = await mesh.issue("usr_log")
    await mesh.redeem(issued.code)
    await mesh.redeem(issued.code, redemption_token="two")
    await mesh.redeem(issued.code[::-1])
    await mesh.valkey.process.kill()
    await refusal_of(mesh.redeem(issued.code))
    await mesh.valkey.process.start()
    log = mesh.log_file.read_text()
    assert '"event": "serving"' in log
    assert "valkey unavailable" in log
    assert not re.findall(r"(?<![0-9])[0-9]{18}(?![0-9])", log)
    password = urlsplit(mesh.valkey.barcode_url).password
    for secret in (issued.code, HMAC_KEY, SIGNING_KEY, password, "usr_log"):
        assert secret
        assert secret not in log


async def test_its_pool_is_kept_filled(mesh: Mesh) -> None:
    """Goal: the process fills a pool of its own in the background, also after Valkey lost it."""
    async with (
        asyncio.timeout(20),
        Redis.from_url(mesh.valkey.url, decode_responses=True) as administrator,
    ):
        await administrator.flushall()
        await mesh.issue()  # finds the pool low
        levels: list[int] = []
        while levels != [2_000]:
            await asyncio.sleep(0.01)
            levels = [await administrator.llen(key) async for key in administrator.scan_iter(_POOL)]


async def test_migrating_again_changes_nothing(mesh: Mesh) -> None:
    """Goal: the subcommand works with the files of the stack and may be repeated."""
    command = mesh.process.command
    again = await asyncio.create_subprocess_exec(
        *command.arguments,
        "migrate",
        cwd=command.directory,
        env=dict(command.environment),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await again.communicate()
    assert (again.returncode, output) == (0, b"")


async def test_it_stops_when_told(mesh: Mesh) -> None:
    """Goal: SIGTERM ends it in good order, the loop of its pool included; then it starts again."""
    await mesh.process.stop()
    log = mesh.log_file.read_text().splitlines()
    await mesh.start_again()
    assert '"event": "stopped"' in log[-1]
    assert not any("did not stop in time" in line for line in log)
