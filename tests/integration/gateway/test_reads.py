"""Everything that is read: payments, wallets, entries, merchants, codes, accounts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from chassis.errors import to_item_error
from qrpay.barcode.v1 import barcode_pb2
from qrpay.type.v1 import money_pb2, transfer_kind_pb2
from qrpay.wallet.v1 import wallet_pb2
from tests.integration.gateway.conftest import Gateway, Mesh, User
from tests.integration.gateway.fakes import IDS, MERCHANT_ID, refusal

STATIC_CACHE = "public, max-age=86400, stale-if-error=604800"


async def test_who_may_read_a_payment(gateway: Gateway, mesh: Mesh) -> None:
    """Payer, payee and operators see the same payment; for everybody else there is none."""
    payer, payee = await gateway.user(), await gateway.user("merchant")
    operator, stranger = await gateway.user("operator"), await gateway.user()
    payment = mesh.payments.pay(payer.id, payee.id).payment
    seen = [await user.get(f"/payments/{payment.id}") for user in (payer, payee, operator)]
    assert [answer.status_code for answer in seen] == [200] * 3
    assert len({answer.text for answer in seen}) == 1
    assert seen[0].json()["completed_at"] is not None
    answer = await stranger.get(f"/payments/{payment.id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "payment-not-found")


async def test_pages_of_payments(alice: User, mesh: Mesh) -> None:
    """All own payments are listed once, newest first, page by page; others' are not."""
    mine = [mesh.payments.pay(alice.id, "bob").payment.id for _ in range(5)]
    mesh.payments.pay("eve", "bob")
    listed: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await alice.get("/payments", params=params)).json()
        listed += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert listed == mine[::-1]


async def test_filters_of_payments(alice: User, mesh: Mesh) -> None:
    """Status, kind and time narrow the list."""
    done = mesh.payments.pay(alice.id, "bob").payment
    pending = await alice.post("/payments/send", {"to": "x", "amount": 1, "currency": "USD"})
    body = {"bank_account": "bnk_1", "amount": 1, "currency": "USD"}
    withdrawal = await alice.post("/payments/withdraw", body)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

    async def ids(**params: str) -> set[str]:
        answer = await alice.get("/payments", params=params)
        return {item["id"] for item in answer.json()["items"]}

    everything = {done.id, pending.json()["id"], withdrawal.json()["id"]}
    assert await ids() == everything
    assert await ids(status="COMPLETED") == {done.id}
    assert await ids(kind="withdraw") == {withdrawal.json()["id"]}
    assert await ids(status="PENDING", kind="send") == {pending.json()["id"]}
    assert await ids(to=later) == everything
    assert await ids(**{"from": later}) == set()


async def test_a_cursor_that_is_not_ours(alice: User) -> None:
    """payment_svc refuses it, and the client's own parameter is named."""
    answer = await alice.get("/payments", params={"cursor": "made-up"})
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"field": "cursor", "message": "is not from here"}]


async def test_balances(alice: User, mesh: Mesh) -> None:
    """What can be spent is the balance without what is held."""
    mesh.wallets.open(alice.id, "EUR", "USD")
    items = (await alice.get("/wallets/me")).json()["items"]
    assert [(it["currency"], it["available"], it["held"]) for it in items] == [
        ("EUR", 950, 50),
        ("USD", 950, 50),
    ]
    assert items[0].keys() == {"id", "currency", "available", "held"}


async def test_a_caller_without_an_owner(alice: User) -> None:
    """A good token for somebody whom we do not know: forbidden, not found would be of no use."""
    answer = await alice.get("/wallets/me")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def an_entry(number: int, amount: int) -> wallet_pb2.Entry:
    """A line of a wallet."""
    entry = wallet_pb2.Entry(
        number=number,
        payment_id=IDS.make("pay"),
        amount_minor=amount,
        balance_after_minor=1000 + amount,
        counterparty_id="usr_bob",
        counterparty_name="Bob",
        kind=(
            transfer_kind_pb2.TRANSFER_KIND_TOP_UP
            if amount > 0
            else transfer_kind_pb2.TRANSFER_KIND_SEND
        ),
    )
    entry.create_time.FromDatetime(datetime(2026, 11, 22, 10, 15, 30, 123456, tzinfo=UTC))
    return entry


async def test_entries(alice: User, mesh: Mesh) -> None:
    """Entries come in order, with sign, counterparty and kind; `next` continues."""
    mesh.wallets.open(alice.id, "USD")
    entries = [an_entry(1, 500), an_entry(2, -200), an_entry(3, -1)]
    mesh.wallets.entries[alice.id, "USD"] = entries
    page = (await alice.get("/wallets/me/entries", params={"limit": "2"})).json()
    assert page["next"] == 2
    assert page["items"][1] == {
        "number": 2,
        "payment_id": entries[1].payment_id,
        "amount": -200,
        "balance_after": 800,
        "at": "2026-11-22T10:15:30.123456Z",
        "counterparty": {"id": "usr_bob", "name": "Bob"},
        "kind": "send",
    }
    assert page["items"][0]["kind"] == "top-up"
    rest = (await alice.get("/wallets/me/entries", params={"after": "2"})).json()
    assert [it["number"] for it in rest["items"]] == [3]
    assert rest["next"] is None


async def test_whose_entries(alice: User, mesh: Mesh) -> None:
    """With several wallets, or none, the currency must be said; one that is not there is a
    mismatch."""
    for currencies in ((), ("EUR", "USD")):
        mesh.wallets.open(alice.id, *currencies)
        answer = await alice.get("/wallets/me/entries")
        assert answer.status_code == 400
        assert [it["field"] for it in answer.json()["errors"]] == ["currency"]
    answer = await alice.get("/wallets/me/entries", params={"currency": "EUR"})
    assert answer.status_code == 200
    answer = await alice.get("/wallets/me/entries", params={"currency": "JPY"})
    assert (answer.status_code, answer.json()["code"]) == (422, "currency-mismatch")


async def test_a_barcode(alice: User) -> None:
    """A customer gets code, end and images, which nobody may store; a body is not needed."""
    for content, headers in ((b"", {}), (b"{}", {"content-type": "application/json"})):
        answer = await alice.http.post("/barcodes", content=content, headers=headers)
        assert answer.status_code == 201, answer.text
        assert answer.headers["cache-control"] == "no-store"
        issued = answer.json()
        assert issued.keys() == {"code", "expires_at", "ttl_seconds", "svg"}
        assert len(issued["code"]) == 18
        assert issued["svg"] == {"qr": "<svg>qr</svg>", "code128": "<svg>128</svg>"}
    answer = await alice.http.post("/barcodes", json={"amount": 1})
    assert answer.status_code == 400
    answer = await alice.http.post("/barcodes", content=b"x")
    assert answer.status_code == 415


async def test_a_barcode_for_one_device_without_images(mesh: Mesh, alice: User) -> None:
    """Goal: the device is handed on, and an app that draws by itself need not load pictures."""
    mesh.barcodes.issues.clear()
    answer = await alice.http.post("/barcodes?images=none", json={"device": "pixel-8"})
    assert answer.status_code == 201, answer.text
    assert answer.json().keys() == {"code", "expires_at", "ttl_seconds"}
    [issue] = mesh.barcodes.issues
    assert (issue.owner_id, issue.device, issue.without_images) == (alice.id, "pixel-8", True)
    for device in ("", "x" * 65, "a b", "é"):
        answer = await alice.http.post("/barcodes", json={"device": device})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "device")


async def test_barcodes_asked_for_together_share_a_call(mesh: Mesh, alice: User) -> None:
    """Goal: under load it is the number of batches that costs, not the number of customers."""
    mesh.barcodes.faults.calls.clear()
    mesh.barcodes.issues.clear()
    answers = await asyncio.gather(*(alice.http.post("/barcodes") for _ in range(40)))
    assert {answer.status_code for answer in answers} == {201}
    assert len(mesh.barcodes.issues) == 40
    assert len(mesh.barcodes.faults.calls) < 40


async def test_a_merchant(alice: User) -> None:
    """Anyone signed in reads a merchant; one that is not there is not found."""
    answer = await alice.get(f"/merchants/{MERCHANT_ID}")
    assert answer.json() == {
        "id": MERCHANT_ID,
        "name": "Cafe Luna",
        "city": "Lisbon",
        "mcc": "5814",
        "currency": "USD",
    }
    answer = await alice.get(f"/merchants/{IDS.make('mer')}")
    assert (answer.status_code, answer.json()["code"]) == (404, "merchant-not-found")


@pytest.mark.parametrize(
    ("params", "content_type", "content", "cache"),
    [
        ({}, "image/svg+xml", "code 2:0:", STATIC_CACHE),
        (
            {"format": "png"},
            "image/png",
            "code 3:0:",
            STATIC_CACHE,
        ),
        (
            {"format": "text"},
            "text/plain; charset=utf-8",
            "code 1:0:",
            STATIC_CACHE,
        ),
        ({"amount": "1250", "ref": "T 7"}, "image/svg+xml", "code 2:1250:T 7", "no-cache"),
    ],
)
async def test_a_merchants_code(
    gateway: Gateway, params: dict[str, str], content_type: str, content: str, cache: str
) -> None:
    """Anybody may have a merchant's code, without a token. A static one may be kept for long, one
    with an amount is asked for again; who has it already is told so. Opened on its own, an image
    can do nothing."""
    anybody = await gateway.client()
    path = f"/merchants/{MERCHANT_ID}/qr"
    answer = await anybody.get(path, params=params)
    assert (answer.status_code, answer.text) == (200, content)
    assert answer.headers["content-type"] == content_type
    assert answer.headers["cache-control"] == cache
    assert "sandbox" in answer.headers["content-security-policy"]
    tag = answer.headers["etag"]
    for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await anybody.get(path, params=params, headers={"if-none-match": header})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["cache-control"] == cache
    for header in ('"other"', "nonsense", tag.strip('"')):
        again = await anybody.get(path, params=params, headers={"if-none-match": header})
        assert again.status_code == 200


async def test_a_merchants_poster(gateway: Gateway) -> None:
    """Anybody may have a poster and keep it for long; who has it already is told so. It has the
    name of a file, and size and language are those that were asked for."""
    anybody = await gateway.client()
    path = f"/merchants/{MERCHANT_ID}/poster"
    answer = await anybody.get(path)
    assert (answer.status_code, answer.text) == (200, "poster 1-en")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["cache-control"] == "public, max-age=86400, stale-if-error=604800"
    name = f"{MERCHANT_ID}-a6-de.pdf"
    tag = {"if-none-match": answer.headers["etag"]}
    again = await anybody.get(path, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    other = await anybody.get(path, params={"size": "a6", "lang": "de"}, headers=tag)
    assert (other.status_code, other.text) == (200, "poster 2-de")
    assert other.headers["content-disposition"] == f'inline; filename="{name}"'


@pytest.mark.parametrize(("field", "value"), [("size", "a5"), ("size", "A4"), ("lang", "xx")])
async def test_posters_that_there_are_not(gateway: Gateway, field: str, value: str) -> None:
    """A size or a language that we do not have is named."""
    anybody = await gateway.client()
    answer = await anybody.get(f"/merchants/{MERCHANT_ID}/poster", params={field: value})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-request")
    assert [it["field"] for it in answer.json()["errors"]] == [field]


async def test_too_many_posters(gateway: Gateway, mesh: Mesh) -> None:
    """When the service draws as many as it can, the client is told to come again."""
    anybody = await gateway.client()
    overloaded = refusal("OVERLOADED", grpc.StatusCode.RESOURCE_EXHAUSTED)
    mesh.barcodes.faults.raises = overloaded
    answer = await anybody.get(f"/merchants/{MERCHANT_ID}/poster")
    assert (answer.status_code, answer.json()["code"]) == (503, "temporarily-unavailable")
    assert answer.headers["retry-after"]


async def test_the_currency_of_a_merchants_code(gateway: Gateway, mesh: Mesh) -> None:
    """It is the merchant's own if it is not said, and pointless without an amount."""
    anybody = await gateway.client()
    path = f"/merchants/{MERCHANT_ID}/qr"
    mesh.barcodes.render_requests.clear()
    await anybody.get(path, params={"amount": "5"})
    await anybody.get(path, params={"amount": "5", "currency": "EUR"})
    assert [it.money.currency_code for it in mesh.barcodes.render_requests] == ["", "EUR"]
    answer = await anybody.get(path, params={"currency": "EUR"})
    assert [it["field"] for it in answer.json()["errors"]] == ["amount"]


async def test_what_a_code_says(gateway: Gateway, mesh: Mesh) -> None:
    """Any user may look at a code: the merchant from our records, and what it asks for."""
    mesh.barcodes.decoded["static"] = barcode_pb2.DecodedQr(
        merchant=mesh.merchants.merchant, money=money_pb2.Money(currency_code="USD"), static=True
    )
    mesh.barcodes.decoded["dynamic"] = barcode_pb2.DecodedQr(
        merchant=mesh.merchants.merchant,
        money=money_pb2.Money(currency_code="USD", amount_minor=1250),
        reference="T7",
    )
    pinned = (await (await gateway.user()).get(f"/merchants/{MERCHANT_ID}")).json()
    assert pinned.keys() == {"id", "name", "city", "mcc", "currency"}
    for role in ("customer", "merchant", "operator"):
        user = await gateway.user(role)
        answer = (await user.post("/qr/decode", {"qr": "static"})).json()
        assert answer == {
            "merchant": pinned,
            "currency": "USD",
            "static": True,
        }
        answer = (await user.post("/qr/decode", {"qr": "dynamic"})).json()
        assert (answer["amount"], answer["currency"], answer["static"]) == (1250, "USD", False)


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [
        ("QR_INVALID", 422, "qr-invalid"),
        ("QR_NOT_OURS", 422, "qr-not-ours"),
        ("QR_EXPIRED", 410, "qr-expired"),
        ("QR_REVOKED", 410, "qr-revoked"),
        ("MERCHANT_NOT_FOUND", 404, "merchant-not-found"),
    ],
)
async def test_codes_that_cannot_be_paid(
    alice: User, mesh: Mesh, reason: str, status: int, code: str
) -> None:
    """Each reason has its problem."""
    error = to_item_error(refusal(reason))
    mesh.barcodes.decoded["odd"] = barcode_pb2.DecodedQr(error=error)
    answer = await alice.post("/qr/decode", {"qr": "odd"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_printed_codes_are_revoked(gateway: Gateway, mesh: Mesh, cafe: User) -> None:
    """The merchant itself or an operator, for a shop or without, up to a serial or all."""
    path = f"/merchants/{MERCHANT_ID}/qr/revoke"
    mesh.barcodes.revocations.clear()
    operator = await gateway.user("operator")
    mine = await gateway.user("merchant", user_id=MERCHANT_ID)
    answer = await mine.post(path, {"store": "baixa", "serial": 3})
    assert (answer.status_code, answer.json()) == (200, {"serial": 4})
    assert (await operator.post(path, {})).json() == {"serial": 2}
    assert [(it.merchant_id, it.store_id, it.serial) for it in mesh.barcodes.revocations] == [
        (MERCHANT_ID, "baixa", 3),
        (MERCHANT_ID, "", 0),
    ]
    mesh.barcodes.revocations.clear()
    customer = await gateway.user("customer")
    for somebody in (customer, cafe):
        refused = await somebody.post(path, {})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    unknown = await operator.post("/merchants/mer_01JD3QB5X7Z9A1C3E5G7J9M1P3/qr/revoke", {})
    assert unknown.json()["code"] == "merchant-not-found"
    for body, field in (({"serial": 0}, "serial"), ({"store": "x" * 31}, "store")):
        refused = await operator.post(path, body)
        assert [it["field"] for it in refused.json()["errors"]] == [field]
    assert mesh.barcodes.revocations == []


async def test_the_keys_of_codes_are_public(gateway: Gateway) -> None:
    """A JSON Web Key Set for apps that are offline, without a token, kept for minutes."""
    anybody = await gateway.client()
    answer = await anybody.get("/qr/keys")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.json() == {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "kid": "kPrK_qmx",
                "alg": "EdDSA",
                "use": "sig",
            }
        ]
    }


async def test_bank_accounts(alice: User, cafe: User) -> None:
    """An account is stored, shown masked, and listed for its owner alone."""
    body = {"holder": "Alice Example", "iban": "DE89 3704 0044 0532 0130 00"}
    created = await alice.post("/bank-accounts", body)
    assert created.status_code == 201, created.text
    assert created.json().keys() == {"id", "holder", "iban"}
    assert "0532" not in created.text
    listed: dict[str, Any] = (await alice.get("/bank-accounts")).json()
    assert listed == {"items": [created.json()]}
    assert (await cafe.get("/bank-accounts")).json() == {"items": []}
    refused = await alice.post("/bank-accounts", {**body, "iban": "XX00 0000 0000 0000"})
    assert refused.status_code == 400
    assert {it["field"] for it in refused.json()["errors"]} == {"iban", "request"}


async def test_health_and_readiness(gateway: Gateway) -> None:
    """Both answer anybody, and a gateway that has everything is ready."""
    anybody = await gateway.client()
    assert (await anybody.get("/healthz")).json() == {"status": "ok"}
    answer = await anybody.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "waiting_for": []})
