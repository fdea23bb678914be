"""What clients do to a running system, by mistake or on purpose."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
import redis.asyncio

from barcode_svc import offline_codes
from tests.e2e.oracle import Books
from tests.e2e.stack import Stack, User

People = Mapping[str, User]


async def transfers_of(books: Books, payment_id: str) -> int:
    """How often a payment moved money."""
    rows = await books.query(
        "wallet", "SELECT count(*) FROM entries WHERE payment_id = %s", payment_id
    )
    count: int = rows[0]["count"]
    assert count % 2 == 0
    return count // 2


@pytest.fixture
async def books(stack: Stack) -> Books:
    """The system's books."""
    return Books(await stack.server_url("postgres"))


async def test_one_key_twenty_times_at_once(people: People, books: Books) -> None:
    """One payment, money moved once, nineteen answers marked as replays."""
    alice, key = people["alice"], str(uuid4())
    before = await alice.balance()
    body = {"to": "bob", "amount": 77, "currency": "USD"}
    responses = await asyncio.gather(
        *(alice.post("/payments/send", body, key=key, wait=10) for _ in range(20))
    )
    assert {response.status_code for response in responses} == {200}
    assert len({response.json()["id"] for response in responses}) == 1
    replayed = Counter(response.headers.get("Idempotent-Replayed") for response in responses)
    assert replayed == {"true": 19, None: 1}
    assert await transfers_of(books, responses[0].json()["id"]) == 1
    assert await alice.balance() == before - 77


async def test_a_key_with_another_body_is_refused(people: People) -> None:
    """Each field that differs makes it another request."""
    alice, key = people["alice"], str(uuid4())
    body = {"to": "bob", "amount": 5, "currency": "USD"}
    first = await alice.post("/payments/send", body, key=key)
    assert first.status_code == 202
    for change in ({"amount": 6}, {"to": "cafe"}, {"currency": "EUR"}, {"note": "x"}):
        response = await alice.post("/payments/send", {**body, **change}, key=key)
        assert (response.status_code, response.json()["code"]) == (422, "idempotency-key-reused")
    quoted = await alice.post("/payments/send", body, key=f'"{key}"')
    assert quoted.json()["id"] == first.json()["id"], "plain and quoted are the same key"


async def test_sixteen_terminals_with_one_barcode(
    stack: Stack, people: People, books: Books
) -> None:
    """One wins, fifteen learn that it is used; a flushed cache does not bring it back to life."""
    code = (await people["alice"].http.post("/barcodes")).json()["code"]
    cafe = people["cafe"]

    async def charge(key: str) -> Any:
        body = {"barcode": code, "amount": 100, "currency": "USD"}
        return await cafe.post("/payments/pay", body, key=key, wait=10)

    keys = [str(uuid4()) for _ in range(16)]
    responses = await asyncio.gather(*(charge(key) for key in keys))
    assert Counter(response.status_code for response in responses) == {200: 1, 409: 15}
    assert {item.json().get("code") for item in responses if item.status_code == 409} == {
        "barcode-used"
    }
    won = next(index for index, item in enumerate(responses) if item.status_code == 200)
    payment_id = responses[won].json()["id"]
    valkey = redis.asyncio.from_url(await stack.server_url("valkey"))
    await valkey.flushall()
    await valkey.aclose()
    again = await charge(str(uuid4()))
    assert again.status_code in (409, 422)
    assert again.json()["code"] in ("barcode-used", "barcode-unknown")
    replay = await charge(keys[won])
    assert (replay.status_code, replay.json()["id"]) == (200, payment_id)
    assert await transfers_of(books, payment_id) == 1
    fresh = (await people["alice"].http.post("/barcodes")).json()["code"]
    assert fresh != code, "codes are issued again after the flush"


async def test_fifty_terminals_and_an_old_copy_of_the_cache(
    stack: Stack, people: People, books: Books
) -> None:
    """Valkey comes back as it was before a code was used, so it says yes once more: to fifty
    terminals at a time. The payment that was made stays the only one."""
    code = (await people["bob"].http.post("/barcodes", json={"device": "old"})).json()["code"]
    cafe, body = people["cafe"], {"barcode": code, "amount": 100, "currency": "USD"}
    async with redis.asyncio.from_url(await stack.server_url("valkey")) as valkey:
        keys = [key async for key in valkey.scan_iter(match="barcode:code:*")]
        copy = {key: (await valkey.dump(key)) or b"" for key in keys}
        paid = await cafe.post("/payments/pay", body, key=str(uuid4()), wait=10)
        assert paid.status_code == 200
        await valkey.flushall()
        for key, dump in copy.items():
            await valkey.restore(key, 60_000, dump)
    responses = await asyncio.gather(
        *(cafe.post("/payments/pay", body, key=str(uuid4()), wait=10) for _ in range(50))
    )
    assert {(it.status_code, it.json()["code"]) for it in responses} == {(409, "barcode-used")}
    assert await transfers_of(books, paid.json()["id"]) == 1
    of_the_code = await books.query(
        "payment",
        "SELECT count(*) FROM payments WHERE barcode_issuance_id = "
        "(SELECT barcode_issuance_id FROM payments WHERE id = %s)",
        paid.json()["id"],
    )
    assert of_the_code[0]["count"] == 1


async def test_an_offline_code_and_a_flushed_cache(
    stack: Stack, people: People, books: Books
) -> None:
    """Twenty terminals scan what a phone without network shows; one is paid. Valkey forgets, and
    the code is still used; more than an offline code may pay is refused by its own name."""
    answer = await people["alice"].http.post("/devices", json={"name": "in the tunnel"})
    offline = answer.json()["offline"]
    secret, permutation_key = (
        base64.urlsafe_b64decode(offline[name] + "=") for name in ("secret", "permutation_key")
    )
    code = offline_codes.make_code(
        secret=secret,
        handle=int(offline["handle"]),
        permutation_key=permutation_key,
        window=int(time.time()) // offline["window_seconds"],
    ).reveal()
    cafe, body = people["cafe"], {"barcode": code, "amount": 5000, "currency": "USD"}
    refused = await cafe.post("/payments/pay", {**body, "amount": 5001}, key=str(uuid4()))
    assert (refused.status_code, refused.json()["code"]) == (422, "offline-limit-exceeded")
    keys = [str(uuid4()) for _ in range(20)]
    responses = await asyncio.gather(
        *(cafe.post("/payments/pay", body, key=key, wait=10) for key in keys)
    )
    assert Counter(response.status_code for response in responses) == {200: 1, 409: 19}
    won = next(index for index, item in enumerate(responses) if item.status_code == 200)
    async with redis.asyncio.from_url(await stack.server_url("valkey")) as valkey:
        await valkey.flushall()
    again = await cafe.post("/payments/pay", body, key=str(uuid4()), wait=10)
    assert (again.status_code, again.json()["code"]) == (409, "barcode-used")
    replay = await cafe.post("/payments/pay", body, key=keys[won], wait=10)
    assert replay.json()["id"] == responses[won].json()["id"]
    assert await transfers_of(books, replay.json()["id"]) == 1


async def test_clients_that_hang_up_change_no_outcome(
    stack: Stack, people: People, books: Books
) -> None:
    """Connections cut at many moments of a payment: its key tells that it happened once."""
    token = people["alice"].http.headers["Authorization"]
    body = json.dumps({"to": "bob", "amount": 3, "currency": "USD"})
    keys = [str(uuid4()) for _ in range(40)]

    async def hang_up(number: int, key: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.http_port)
        writer.write(
            f"POST /payments/send HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\nPrefer: wait=10\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        await writer.drain()
        # From before the request is read to after the money moved.
        await asyncio.sleep(number * 0.0005)
        writer.transport.abort()
        del reader

    await asyncio.gather(*(hang_up(number, key) for number, key in enumerate(keys)))
    outcomes = [
        await people["alice"].post("/payments/send", json.loads(body), key=key, wait=10)
        for key in keys
    ]
    assert {outcome.status_code for outcome in outcomes} == {200}
    assert {outcome.json()["status"] for outcome in outcomes} == {"COMPLETED"}
    for outcome in outcomes:
        assert await transfers_of(books, outcome.json()["id"]) == 1
    await books.check()


FOREIGN_QR = (
    "00020101021126300012com.somebody0110merchant015204581453038405802US5904Shop6004Town6304E8AA"
)
GOOD = {"to": "bob", "amount": 1, "currency": "USD"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed-json"),
        (b"{", 400, "malformed-json"),
        (b"\xff\xfe", 400, "malformed-json"),
        (b'{"to":"bob"' + b" " * 66_000 + b"}", 413, "body-too-large"),
        (b"[" * 30_000, 400, "malformed-json"),
        (b"[]", 400, "invalid-request"),
        (b"null", 400, "invalid-request"),
        (b'"pay"', 400, "invalid-request"),
        ({**GOOD, "amount": 1.5}, 400, "invalid-request"),
        ({**GOOD, "amount": "1"}, 400, "invalid-request"),
        ({**GOOD, "amount": True}, 400, "invalid-request"),
        ({**GOOD, "amount": 0}, 400, "invalid-request"),
        ({**GOOD, "amount": -5}, 400, "invalid-request"),
        ({**GOOD, "amount": None}, 400, "invalid-request"),
        ({**GOOD, "amount": 2**63}, 422, "amount-out-of-range"),
        ({**GOOD, "amount": 2**70}, 422, "amount-out-of-range"),
        ({**GOOD, "amount": 10**15}, 422, "amount-out-of-range"),
        ({**GOOD, "currency": "usd"}, 400, "invalid-request"),
        ({**GOOD, "currency": "EUR", "to": "bench"}, 404, "recipient-not-found"),
        ({**GOOD, "currency": "JPY"}, 422, "currency-mismatch"),
        ({**GOOD, "to": "alice"}, 422, "same-wallet"),
        ({**GOOD, "to": "nobody"}, 404, "recipient-not-found"),
        ({**GOOD, "to": "bank"}, 404, "recipient-not-found"),
        ({**GOOD, "to": ""}, 400, "invalid-request"),
        ({**GOOD, "to": "b\x00b"}, 400, "invalid-request"),
        ({**GOOD, "note": "x" * 141}, 400, "invalid-request"),
        ({**GOOD, "note": "\x00"}, 400, "invalid-request"),
        (b'{"to":"bob","amount":1,"currency":"USD","note":"\\ud83d"}', 400, None),
        ({**GOOD, "tip": 1}, 400, "invalid-request"),
        ({"amount": 1}, 400, "invalid-request"),
    ],
)
async def test_bad_bodies_are_told_what_is_wrong(
    people: People, body: Any, status: int, code: str | None
) -> None:
    """Never a 500, never accepted; problem+json with its code, and the fields where it can."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await people["alice"].http.post(
        "/payments/send",
        content=content,
        headers={"Content-Type": "application/json", "Idempotency-Key": str(uuid4())},
    )
    assert response.status_code == status, response.text
    problem = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["code"] == code or code is None
    assert problem["type"] == f"https://qrpay.dev/problems/{problem['code']}"
    assert (problem["status"], problem["retryable"]) == (status, False)
    if problem["code"] == "invalid-request":
        assert problem["errors"]


@pytest.mark.parametrize(
    ("method", "path", "user", "headers", "body", "status", "code"),
    [
        ("POST", "/payments/send", "alice", {}, GOOD, 400, "idempotency-key-missing"),
        (
            "POST",
            "/payments/send",
            "alice",
            {"Idempotency-Key": "x" * 256},
            GOOD,
            400,
            "idempotency-key-invalid",
        ),
        (
            "POST",
            "/payments/send",
            "alice",
            {"Content-Type": "text/plain", "Idempotency-Key": "1"},
            GOOD,
            415,
            "unsupported-media-type",
        ),
        ("POST", "/payments/send", "ops", {"Idempotency-Key": "1"}, GOOD, 403, "forbidden"),
        (
            "POST",
            "/payments/pay",
            "cafe",
            {"Idempotency-Key": "1"},
            {"barcode": "0" * 18, "amount": 1, "currency": "USD"},
            422,
            "barcode-unknown",
        ),
        (
            "POST",
            "/payments/pay",
            "alice",
            {"Idempotency-Key": "1"},
            {"qr": "nonsense", "amount": 1, "currency": "USD"},
            422,
            "qr-invalid",
        ),
        (
            "POST",
            "/payments/pay",
            "alice",
            {"Idempotency-Key": "1"},
            {
                "qr": FOREIGN_QR,
                "amount": 1,
                "currency": "USD",
            },
            422,
            "qr-not-ours",
        ),
        ("PUT", "/payments/send", "alice", {}, GOOD, 405, "method-not-allowed"),
        ("DELETE", "/wallets/me", "alice", {}, None, 405, "method-not-allowed"),
        ("GET", "/nowhere", "alice", {}, None, 404, "not-found"),
        (
            "GET",
            "/payments/pay_01JD3Q9V7N8R4T2W6X0YZABCDE",
            "alice",
            {},
            None,
            404,
            "payment-not-found",
        ),
        ("GET", "/payments/%00", "alice", {}, None, 404, "payment-not-found"),
        (
            "GET",
            "/merchants/mer_01JD3Q9V7N8R4T2W6X0YZABCDE",
            "alice",
            {},
            None,
            404,
            "merchant-not-found",
        ),
        ("GET", "/payments?limit=0", "alice", {}, None, 400, "invalid-request"),
        ("GET", "/payments?cursor=made-up", "alice", {}, None, 400, "invalid-request"),
        ("POST", "/barcodes", "cafe", {}, None, 403, "forbidden"),
    ],
)
async def test_each_refusal_has_its_status_and_code(
    people: People,
    method: str,
    path: str,
    user: str,
    headers: dict[str, str],
    body: Any,
    status: int,
    code: str | None,
) -> None:
    """Rows of the error table that a client can bring about alone."""
    content = json.dumps(body).encode() if body is not None else None
    if content is not None:
        headers = {"Content-Type": "application/json", **headers}
    response = await people[user].http.request(method, path, content=content, headers=headers)
    assert response.status_code == status, response.text
    problem = response.json()
    assert problem["code"] == code or code is None
    assert response.headers["Content-Type"] == "application/problem+json"
