"""What the gateway answers is what its own OpenAPI document promises."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from gateway.problems import PROBLEM_TYPES
from qrpay.barcode.v1 import barcode_pb2
from qrpay.type.v1 import failure_code_pb2, money_pb2
from tests.integration.gateway.conftest import Gateway, Mesh, User
from tests.integration.gateway.fake_merchants import LOGO_SHA256, STORE_ID, TERMINAL_ID
from tests.integration.gateway.fakes import IDS, MERCHANT_ID, refusal
from tests.integration.gateway.test_event_stream import stream
from tests.integration.gateway.test_reads import an_entry

USD = {"amount": 1250, "currency": "USD"}

REASONS = {
    "REQUEST_ID_REUSED": "send",
    "REQUEST_ID_IN_FLIGHT": "send",
    "RECIPIENT_NOT_FOUND": "send",
    "SAME_WALLET": "send",
    "CURRENCY_MISMATCH": "send",
    "AMOUNT_OUT_OF_RANGE": "send",
    "WALLET_CLOSED": "send",
    "MERCHANT_CLOSED": "pay",
    "RATE_LIMITED": "send",
    "UNAVAILABLE": "send",
    "MERCHANT_NOT_FOUND": "pay",
    "QR_INVALID": "pay",
    "QR_NOT_OURS": "pay",
    "QR_EXPIRED": "pay",
    "QR_REVOKED": "pay",
    "AMOUNT_REQUIRED": "pay",
    "AMOUNT_MISMATCH": "pay",
    "BARCODE_UNKNOWN": "pay",
    "BARCODE_USED": "pay",
    "BARCODE_EXPIRED": "pay",
    "BANK_ACCOUNT_NOT_FOUND": "withdraw",
}
BODIES: dict[str, dict[str, Any]] = {
    "send": {"to": "odd", **USD},
    "pay": {"qr": "odd"},
    "withdraw": {"bank_account": "odd", **USD},
}


class Contract:
    """The document, as somebody who holds the gateway to it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.seen: set[tuple[str, str, str]] = set()

    def validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        """A validator in which references find the document's schemas."""
        whole = {**schema, "components": self.document["components"]}
        return Draft202012Validator(whole, format_checker=FormatChecker())

    def check(self, path: str, answer: httpx.Response) -> httpx.Response:
        """The answer has a status, a media type and a body that are promised for the path."""
        method = answer.request.method.lower()
        promised = self.document["paths"][path][method]["responses"]
        status = str(answer.status_code)
        assert status in promised, (path, answer.text)
        self.seen.add((method, path, status))
        content = promised[status].get("content")
        if content is None:
            assert answer.content == b""
            return answer
        media_type = answer.headers["content-type"].split(";")[0]
        assert media_type in content
        if media_type.endswith("json"):
            self.validator(content[media_type]["schema"]).validate(answer.json())
        for name in promised[status].get("headers", {}):
            if name in {"Retry-After", "WWW-Authenticate", "Location", "ETag"}:
                assert name in answer.headers, (path, status, name)
        return answer


@pytest.fixture
async def contract(gateway: Gateway) -> Contract:
    """The gateway's document, over HTTP."""
    client = await gateway.client()
    answer = await client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    contract = Contract(answer.json())
    contract.check("/openapi.json", answer)
    return contract


async def check_codes(gateway: Gateway, alice: User, contract: Contract) -> None:
    """The same for merchants' codes."""
    qr = "/merchants/{merchant_id}/qr"
    poster = "/merchants/{merchant_id}/poster"
    answer = contract.check(poster, await alice.get(f"/merchants/{MERCHANT_ID}/poster"))
    tag = {"if-none-match": answer.headers["etag"]}
    contract.check(poster, await alice.get(f"/merchants/{MERCHANT_ID}/poster", headers=tag))
    for image_format in ("svg", "png", "text"):
        params = {"format": image_format}
        answer = contract.check(qr, await alice.get(f"/merchants/{MERCHANT_ID}/qr", params=params))
    tag = {"if-none-match": answer.headers["etag"]}
    contract.check(qr, await alice.get(f"/merchants/{MERCHANT_ID}/qr", params=params, headers=tag))
    contract.check("/qr/decode", await alice.post("/qr/decode", {"qr": "code"}))
    ops = await gateway.user("operator")
    revoke = "/merchants/{merchant_id}/qr/revoke"
    contract.check(revoke, await ops.post(f"/merchants/{MERCHANT_ID}/qr/revoke", {"serial": 1}))


async def check_devices(contract: Contract, alice: User) -> None:
    """Enrol, list, renew and revoke one."""
    enrolled = await alice.post("/devices", {"name": "Alice's phone"})
    contract.check("/devices", enrolled)
    contract.check("/devices", await alice.get("/devices"))
    device_id = enrolled.json()["device"]["id"]
    for verb in ("renew", "revoke"):
        answer = await alice.post(f"/devices/{device_id}/{verb}")
        contract.check(f"/devices/{{device_id}}/{verb}", answer)


async def test_every_success_is_as_promised(
    gateway: Gateway, mesh: Mesh, contract: Contract
) -> None:
    """Every operation is called so that it succeeds in each of its ways, and every answer is valid
    after the schema that the document gives for it."""
    alice, cafe = await gateway.user(), await gateway.user("merchant")
    mesh.wallets.open(alice.id, "USD")
    entries = mesh.wallets.entries[alice.id, "USD"] = [an_entry(1, 500), an_entry(2, -3)]
    entries[1].balance_after_minor = entries[0].balance_after_minor - 3
    mesh.barcodes.decoded["code"] = barcode_pb2.DecodedQr(
        merchant=mesh.merchants.merchant,
        money=money_pb2.Money(currency_code="USD", amount_minor=1250),
    )
    mesh.payments.at_once["now"] = failure_code_pb2.FAILURE_CODE_UNSPECIFIED
    mesh.payments.at_once["never"] = failure_code_pb2.FAILURE_CODE_WALLET_FROZEN
    wait = {"prefer": "wait=1"}
    check = contract.check
    send = {"to": "bob", **USD, "note": "Hi"}
    sent = check("/payments/send", await alice.post("/payments/send", send))
    for to in ("now", "never"):
        post = await alice.post("/payments/send", {"to": to, **USD}, headers=wait)
        check("/payments/send", post)
        payment_id = post.json()["id"]
        check("/payments/{payment_id}", await alice.get(f"/payments/{payment_id}"))
    for user, body in (
        (alice, {"qr": "now"}),
        (cafe, {"barcode": "281004327719356024", **USD, "order_ref": "A-1"}),
    ):
        check("/payments/pay", await user.post("/payments/pay", body, headers=wait))
    for bank_account in ("bnk_1", "now"):
        body = {"bank_account": bank_account, **USD}
        check("/payments/withdraw", await alice.post("/payments/withdraw", body, headers=wait))
    check("/payments/{payment_id}", await alice.get(sent.headers["location"]))
    await _check_receipts(mesh, contract, alice, sent.json()["id"])
    check("/payments", await alice.get("/payments", params={"limit": "2"}))
    check("/payments", await alice.get("/payments", params={"limit": "200"}))
    check("/wallets/me", await alice.get("/wallets/me"))
    check("/wallets/me/entries", await alice.get("/wallets/me/entries"))
    check("/wallets/me/entries", await alice.get("/wallets/me/entries", params={"limit": "1"}))
    for form in ("csv", "pdf"):
        answer = await alice.get("/wallets/me/statement", params={"format": form})
        check("/wallets/me/statement", answer)
    account = {"holder": "Alice", "iban": "DE89370400440532013000"}
    check("/bank-accounts", await alice.post("/bank-accounts", account))
    check("/bank-accounts", await alice.get("/bank-accounts"))
    check("/barcodes", await alice.post("/barcodes"))
    await check_devices(contract, alice)
    check("/merchants/{merchant_id}", await alice.get(f"/merchants/{MERCHANT_ID}"))
    await check_codes(gateway, alice, contract)
    await _check_merchants(gateway, contract)
    for path in ("/healthz", "/readyz", "/docs", "/qr/keys"):
        check(path, await alice.get(path))
    promised = {
        (method, path, status)
        for path, methods in contract.document["paths"].items()
        for method, operation in methods.items()
        for status in operation["responses"]
        if status[0] in "23"
    }
    assert promised - contract.seen == {("get", "/events", "200")}


async def _check_receipts(mesh: Mesh, contract: Contract, alice: User, payment_id: str) -> None:
    mesh.ledger.receipts[payment_id] = b"{}"
    answer = await alice.get(f"/payments/{payment_id}/receipt")
    contract.check("/payments/{payment_id}/receipt", answer)
    contract.check("/receipts/keys", await alice.get("/receipts/keys"))
    answer = await alice.get(f"/payments/{payment_id}/timeline")
    contract.check("/payments/{payment_id}/timeline", answer)


async def _check_merchants(gateway: Gateway, contract: Contract) -> None:
    """Everything about merchants that succeeds, by the merchant itself."""
    cafe = await gateway.user("merchant", user_id=MERCHANT_ID)
    check, base = contract.check, f"/merchants/{MERCHANT_ID}"
    own = "/merchants/{merchant_id}"
    version = {"if-match": '"3"'}
    body = {"name": "Cafe Luna", "city": "Lisbon", "mcc": "5814", "country": "PT"}
    local = {"language": "ja", "name": "月のカフェ"}
    check("/merchants", await cafe.post("/merchants", {**body, "currency": "USD", "local": local}))
    check(own, await cafe.get(base))
    check(own, await cafe.http.patch(base, json={"name": "Luna"}, headers=version))
    check(f"{own}/close", await cafe.post(f"{base}/close"))
    check(f"{own}/changes", await cafe.get(f"{base}/changes"))
    for noun, place_id in (("store", STORE_ID), ("terminal", TERMINAL_ID)):
        body = {"name": "Harbour"} | ({"store": STORE_ID} if noun == "terminal" else {})
        places, one = f"{own}/{noun}s", f"{own}/{noun}s/{{{noun}_id}}"
        check(places, await cafe.post(f"{base}/{noun}s", body))
        check(places, await cafe.get(f"{base}/{noun}s"))
        place = f"{base}/{noun}s/{place_id}"
        check(one, await cafe.http.patch(place, json={"name": "Quay"}, headers=version))
        check(f"{one}/close", await cafe.post(f"{place}/close"))
    png = {"content-type": "image/png"}
    check(f"{own}/logo", await cafe.http.put(f"{base}/logo", content=b"file", headers=png))
    for path, asked in (
        (f"{own}/logo", f"{base}/logo"),
        (f"{own}/logo/{{sha256}}", f"{base}/logo/{LOGO_SHA256}"),
    ):
        picture = check(path, await cafe.get(asked))
        webp = {"accept": "image/webp"}
        check(path, await cafe.get(asked, headers=webp))
        tag = {"if-none-match": picture.headers["etag"]}
        check(path, await cafe.get(asked, headers=tag))


async def test_events_are_as_promised(gateway: Gateway, mesh: Mesh, contract: Contract) -> None:
    """The data of an event is a PaymentEvent."""
    alice = await gateway.user()
    validator = contract.validator({"$ref": "#/components/schemas/PaymentEvent"})
    mesh.payments.pay(alice.id, "bob")
    mesh.payments.pay(alice.id, "bob", failure_code_pb2.FAILURE_CODE_LIMIT_EXCEEDED)
    async with stream(alice, last_event_id=0) as opened:
        for _ in range(2):
            event = await opened.next()
            assert event.name in {"payment.completed", "payment.failed"}
            validator.validate(event.data)


async def test_problems_are_as_promised(gateway: Gateway, mesh: Mesh, contract: Contract) -> None:
    """Every problem that an operation of the money routes names is provoked and valid, and the
    others come only where they are promised."""
    alice, cafe, ops = [await gateway.user(it) for it in ("customer", "merchant", "operator")]
    stranger = await gateway.client()
    for reason, route in REASONS.items():
        mesh.payments.refusals["odd"] = refusal(reason)
        path = f"/payments/{route}"
        contract.check(path, await alice.post(path, BODIES[route]))
    for path in (f"/payments/{route}" for route in BODIES):
        contract.check(path, await stranger.post(path))
        contract.check(path, await ops.post(path, {}))
        contract.check(path, await alice.http.post(path, json={}))
        contract.check(path, await alice.post(path, {"odd": 1}))
        for content in (b"{", b"x" * 70_000):
            headers = {"idempotency-key": "k", "content-type": "application/json"}
            answer = await alice.http.post(path, content=content, headers=headers)
            contract.check(path, answer)
        contract.check(path, await alice.http.post(path, headers={"idempotency-key": "k"}))
    for path, asked, odd in (
        ("/payments", "/payments", {"limit": "0"}),
        ("/payments/{payment_id}", f"/payments/{IDS.make('pay')}", {}),
        ("/wallets/me", "/wallets/me", {}),
        ("/wallets/me/entries", "/wallets/me/entries", {"currency": "USD"}),
        ("/wallets/me/statement", "/wallets/me/statement", {"month": "2026-13"}),
        ("/merchants/{merchant_id}", "/merchants/x", {}),
        ("/merchants/{merchant_id}/qr", "/merchants/x/qr", {}),
        ("/merchants/{merchant_id}/qr", "/merchants/x/qr", {"format": "x"}),
        ("/merchants/{merchant_id}/poster", "/merchants/x/poster", {}),
        ("/merchants/{merchant_id}/poster", "/merchants/x/poster", {"size": "a5"}),
        ("/events", "/events", {}),
    ):
        headers = {"last-event-id": "x"}
        answer = await cafe.get(asked, params=odd, headers=headers)
        assert answer.status_code >= 400
        contract.check(path, answer)
    assert {status for _, path, status in contract.seen if path.startswith("/payments/")} == {
        str(it.status)
        for code, it in PROBLEM_TYPES.items()
        if code not in {"internal-error", "method-not-allowed", "read-only"}
        and not code.startswith("precondition-")
    }


async def test_the_page(gateway: Gateway) -> None:
    """Anybody may look; the policy forbids everything but its own style."""
    client = await gateway.client()
    answer = await client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
