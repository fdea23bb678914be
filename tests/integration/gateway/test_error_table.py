"""Every row of the contract's error table, as a client meets it."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import grpc
import httpx
import pytest

from chassis.errors import DeadlineExceeded, Overloaded, ServiceError, Unavailable
from gateway.problems import PROBLEM_TYPES
from tests.integration.gateway.conftest import Gateway, Mesh, User, running_gateway
from tests.integration.gateway.fakes import IDS, MERCHANT_ID, refusal

USD = {"amount": 1250, "currency": "USD"}
SEND = {"to": "bob", **USD}


def check(answer: httpx.Response, code: str) -> dict[str, Any]:
    """The answer is this problem, complete and consistent, and tells nothing internal."""
    problem: dict[str, Any] = answer.json()
    assert problem["code"] == code, answer.text
    expected = PROBLEM_TYPES[code]
    assert answer.status_code == problem["status"] == expected.status
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"https://qrpay.dev/problems/{code}"
    assert problem["retryable"] == expected.retryable
    assert problem["title"]
    assert problem["detail"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
    for internal in ("internal words", "_svc", "Traceback", "grpc", "REQUEST_ID", "127.0.0.1"):
        assert internal not in answer.text
    if expected.status in {429, 503}:
        assert int(answer.headers["retry-after"]) >= 1
    return problem


FAILED = grpc.StatusCode.FAILED_PRECONDITION
ITEM_ERRORS = [
    ("RECIPIENT_NOT_FOUND", "recipient-not-found"),
    ("BANK_ACCOUNT_NOT_FOUND", "bank-account-not-found"),
    ("MERCHANT_NOT_FOUND", "merchant-not-found"),
    ("CALLER_NOT_FOUND", "forbidden"),
    ("PERMISSION_DENIED", "forbidden"),
    ("REQUEST_ID_REUSED", "idempotency-key-reused"),
    ("REQUEST_ID_IN_FLIGHT", "idempotency-key-in-flight"),
    ("SAME_WALLET", "same-wallet"),
    ("CURRENCY_MISMATCH", "currency-mismatch"),
    ("AMOUNT_OUT_OF_RANGE", "amount-out-of-range"),
    ("AMOUNT_REQUIRED", "amount-required"),
    ("AMOUNT_MISMATCH", "amount-mismatch"),
    ("WALLET_CLOSED", "wallet-closed"),
    ("MERCHANT_CLOSED", "merchant-closed"),
    ("QR_INVALID", "qr-invalid"),
    ("QR_NOT_OURS", "qr-not-ours"),
    ("QR_EXPIRED", "qr-expired"),
    ("QR_REVOKED", "qr-revoked"),
    ("BARCODE_UNKNOWN", "barcode-unknown"),
    ("BARCODE_USED", "barcode-used"),
    ("BARCODE_EXPIRED", "barcode-expired"),
    ("OFFLINE_LIMIT_EXCEEDED", "offline-limit-exceeded"),
    ("RATE_LIMITED", "rate-limited"),
    ("UNAVAILABLE", "temporarily-unavailable"),
    ("INTERNAL", "temporarily-unavailable"),
    ("TRANSFER_SOMETHING_NEW", "temporarily-unavailable"),
]


@pytest.mark.parametrize(("reason", "code"), ITEM_ERRORS)
async def test_what_payment_svc_refuses(alice: User, mesh: Mesh, reason: str, code: str) -> None:
    """Each reason of an item becomes its problem."""
    mesh.payments.refusals["bob"] = refusal(reason)
    check(await alice.post("/payments/send", SEND), code)


async def test_fields_that_payment_svc_refuses(alice: User, mesh: Mesh) -> None:
    """Its field names become the public ones."""
    error = refusal("INVALID_ARGUMENT", grpc.StatusCode.INVALID_ARGUMENT)
    error.violations = (("money.amount_minor", "must be even"), ("send.recipient", "is odd"))
    mesh.payments.refusals["bob"] = error
    problem = check(await alice.post("/payments/send", SEND), "invalid-request")
    assert sorted(problem["errors"], key=lambda it: it["field"]) == [
        {"field": "amount", "message": "must be even"},
        {"field": "to", "message": "is odd"},
    ]


async def test_the_wait_that_a_service_asks_for(alice: User, mesh: Mesh) -> None:
    """Its number of seconds becomes Retry-After."""
    error = refusal("RATE_LIMITED", grpc.StatusCode.RESOURCE_EXHAUSTED)
    error.metadata = {"retry_after_seconds": "17"}
    mesh.payments.refusals["bob"] = error
    answer = await alice.post("/payments/send", SEND)
    check(answer, "rate-limited")
    assert answer.headers["retry-after"] == "17"


WHOLE_CALLS: list[ServiceError] = [
    Unavailable(),
    Overloaded(),
    DeadlineExceeded(),
    ServiceError(),
    refusal("INTERNAL", grpc.StatusCode.INTERNAL),
    refusal("PERMISSION_DENIED", grpc.StatusCode.PERMISSION_DENIED),
    refusal("UNIMPLEMENTED", grpc.StatusCode.UNIMPLEMENTED),
]


@pytest.mark.parametrize("error", WHOLE_CALLS, ids=lambda error: error.code.name)
async def test_a_service_that_fails(alice: User, mesh: Mesh, error: ServiceError) -> None:
    """Whatever is wrong with a service as a whole, it is 503 with Retry-After, on the money routes
    and on the others. That the mesh refuses the gateway is not the user's fault either."""
    for fake in (mesh.payments, mesh.wallets, mesh.barcodes):
        fake.faults.raises = error
    for answer in (
        await alice.post("/payments/send", SEND),
        await alice.get(f"/payments/{IDS.make('pay')}"),
        await alice.get("/wallets/me"),
        await alice.post("/barcodes"),
        await alice.get("/events"),
    ):
        check(answer, "temporarily-unavailable")


async def test_a_service_that_crashes(alice: User, mesh: Mesh) -> None:
    """A defect in a service does not show its words."""
    mesh.payments.faults.raises = RuntimeError("internal words: password=hunter2")
    answer = await alice.post("/payments/send", SEND)
    check(answer, "temporarily-unavailable")
    assert "hunter2" not in answer.text


async def test_a_service_that_hangs(alice: User, mesh: Mesh) -> None:
    """503 comes within the promised five seconds, on a money route and on one that makes two calls
    in a row."""
    mesh.wallets.open(alice.id, "USD")
    mesh.payments.faults.hangs = mesh.wallets.faults.hangs = asyncio.Event()
    began = time.monotonic()
    answers = await asyncio.gather(
        alice.post("/payments/send", SEND),
        alice.get("/wallets/me/entries"),
        alice.get(f"/payments/{IDS.make('pay')}"),
    )
    for answer in answers:
        check(answer, "temporarily-unavailable")
    assert time.monotonic() - began < 5
    mesh.payments.faults.hangs.set()


async def test_no_or_bad_token(gateway: Gateway) -> None:
    """401 with a challenge, on every route that needs somebody."""
    stranger = await gateway.client()
    routes = [
        ("POST", "/payments/send"),
        ("POST", "/payments/pay"),
        ("POST", "/payments/withdraw"),
        ("GET", "/payments"),
        ("GET", f"/payments/{IDS.make('pay')}"),
        ("GET", "/wallets/me"),
        ("GET", "/wallets/me/entries"),
        ("GET", "/wallets/me/statement"),
        ("POST", "/barcodes"),
        ("GET", f"/merchants/{MERCHANT_ID}"),
        ("POST", "/merchants"),
        ("PATCH", f"/merchants/{MERCHANT_ID}"),
        ("PUT", f"/merchants/{MERCHANT_ID}/logo"),
        ("POST", f"/merchants/{MERCHANT_ID}/stores"),
        ("POST", f"/merchants/{MERCHANT_ID}/qr/revoke"),
        ("POST", "/qr/decode"),
        ("POST", "/bank-accounts"),
        ("GET", "/bank-accounts"),
        ("GET", "/events"),
    ]
    for method, path in routes:
        answer = await stranger.request(method, path)
        check(answer, "unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="qrpay"'
        answer = await stranger.request(method, path, headers={"authorization": "Bearer a.b.c"})
        check(answer, "unauthenticated")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_an_expired_token(gateway: Gateway, mesh: Mesh) -> None:
    """It has its own code: the client knows to get a new one."""
    token = mesh.token("usr_1", "customer", life=timedelta(minutes=-1))
    client = await gateway.client(headers={"authorization": f"Bearer {token}"})
    answer = await client.get("/wallets/me")
    check(answer, "token-expired")
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize(
    ("role", "method", "path", "body"),
    [
        ("operator", "POST", "/payments/send", SEND),
        ("operator", "POST", "/payments/pay", {"qr": "000201"}),
        ("operator", "POST", "/payments/withdraw", {"bank_account": "bnk_1", **USD}),
        ("customer", "POST", "/payments/pay", {"barcode": "281004327719356024", **USD}),
        ("merchant", "POST", "/payments/pay", {"qr": "000201"}),
        ("merchant", "POST", "/barcodes", None),
        ("operator", "POST", "/barcodes", None),
        ("operator", "POST", "/bank-accounts", {"holder": "O", "iban": "DE89370400440532013000"}),
        ("operator", "GET", "/bank-accounts", None),
    ],
)
async def test_roles(gateway: Gateway, role: str, method: str, path: str, body: Any) -> None:
    """Who may not do a thing is told 403, and nothing is asked of any service."""
    user = await gateway.user(role)
    answer = await user.http.request(method, path, json=body, headers={"idempotency-key": "k"})
    check(answer, "forbidden")
    assert gateway.mesh.payments.requests == []


async def test_keys(alice: User) -> None:
    """The key is needed, and must be one; given twice it is none."""
    for path in ("/payments/send", "/payments/pay", "/payments/withdraw"):
        check(await alice.http.post(path, json=SEND), "idempotency-key-missing")
        answer = await alice.post(path, SEND, headers={"idempotency-key": "ü".encode()})
        check(answer, "idempotency-key-invalid")
        twice = [("idempotency-key", "a"), ("idempotency-key", "b")]
        check(await alice.http.post(path, json=SEND, headers=twice), "idempotency-key-invalid")
    answer = await alice.post("/payments/send", SEND, headers={"idempotency-key": "reused"})
    assert answer.status_code == 202
    answer = await alice.post(
        "/payments/send", {**SEND, "amount": 1}, headers={"idempotency-key": "reused"}
    )
    check(answer, "idempotency-key-reused")


async def test_bodies(alice: User, cafe: User) -> None:
    """Broken JSON and broken rules; all faults are named at once."""
    key = {"idempotency-key": "k", "content-type": "application/json"}
    answer = await alice.http.post("/payments/send", content=b"{", headers=key)
    check(answer, "malformed-json")
    answer = await alice.post("/payments/send", {"amount": 1.5, "currency": "usd", "from": "eve"})
    problem = check(answer, "invalid-request")
    assert [it["field"] for it in problem["errors"]] == ["from", "to", "amount", "currency"]
    for body, missing in (
        ({"qr": "0", "amount": 5}, "currency"),
        ({"qr": "0", "currency": "USD"}, "amount"),
    ):
        problem = check(await alice.post("/payments/pay", body), "invalid-request")
        assert [it["field"] for it in problem["errors"]] == [missing]
    problem = check(await cafe.post("/payments/pay", {"barcode": "123"}), "invalid-request")
    assert [it["field"] for it in problem["errors"]] == ["barcode", "amount", "currency"]


@pytest.mark.parametrize("amount", [2**63, 2**70, 10**30])
async def test_amounts_beyond_everything(alice: User, amount: int) -> None:
    """More than our services can count is out of range, not malformed."""
    check(await alice.post("/payments/send", {**SEND, "amount": amount}), "amount-out-of-range")
    answer = await alice.get(f"/merchants/{MERCHANT_ID}/qr", params={"amount": str(amount)})
    check(answer, "amount-out-of-range")


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        (None, "unsupported-media-type"),
        ("text/plain", "unsupported-media-type"),
        ("application/x-www-form-urlencoded", "unsupported-media-type"),
        ("application/json; charset=latin-1", "unsupported-media-type"),
        ("application/json-patch+json", "unsupported-media-type"),
        ("application/jsonx", "unsupported-media-type"),
        ("application/json", None),
        ("Application/JSON", None),
        ("application/json; charset=utf-8", None),
        ('application/json;charset="UTF-8"', None),
        ("application/json ; charset = UTF-8", None),
    ],
)
async def test_content_types(alice: User, content_type: str | None, code: str | None) -> None:
    """JSON in UTF-8, however it is written; nothing else."""
    headers = {"idempotency-key": IDS.make("key")}
    if content_type is not None:
        headers["content-type"] = content_type
    body = b'{"to":"bob","amount":1,"currency":"USD"}'
    answer = await alice.http.post("/payments/send", content=body, headers=headers)
    if code is None:
        assert answer.status_code == 202, answer.text
    else:
        check(answer, code)


async def test_large_bodies(alice: User) -> None:
    """64 KiB pass, one byte more does not: with a length and without one. The connection stays
    usable."""
    head = b'{"to":"bob","amount":1,"currency":"USD","note":"x"'
    headers = {"idempotency-key": "k", "content-type": "application/json"}

    async def chunks(body: bytes) -> Any:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    fits = head + b" " * (65_536 - len(head) - 1) + b"}"
    for content in (fits, chunks(fits)):
        answer = await alice.http.post("/payments/send", content=content, headers=headers)
        assert answer.status_code == 202, answer.text
    for content in (fits + b" ", chunks(fits + b" "), chunks(fits * 3), fits * 3):
        answer = await alice.http.post("/payments/send", content=content, headers=headers)
        check(answer, "body-too-large")


async def test_methods_and_paths(alice: User, gateway: Gateway) -> None:
    """What is not there is 404; what is there with another method is 405 and says which."""
    for path in (
        "/",
        "/payment",
        "/payments/",
        "/payments/send/",
        "//payments",
        "/payments/a/b",
        "/merchant",
        "/wallets/usr_1",
        "/PAYMENTS",
    ):
        check(await alice.get(path), "not-found")
    for method, path, allow in (
        ("GET", "/payments/send", "POST"),
        ("PUT", "/payments/send", "POST"),
        ("POST", "/payments", "GET, HEAD"),
        ("DELETE", f"/payments/{IDS.make('pay')}", "GET, HEAD"),
        ("OPTIONS", "/bank-accounts", "GET, HEAD, POST"),
        ("POST", "/events", "GET"),
        ("HEAD", "/events", "GET"),
        ("TRACE", "/wallets/me", "GET, HEAD"),
        ("GET", "/merchants", "POST"),
        ("DELETE", f"/merchants/{MERCHANT_ID}", "GET, HEAD, PATCH"),
        ("POST", f"/merchants/{MERCHANT_ID}/logo", "GET, HEAD, PUT"),
    ):
        answer = await alice.http.request(method, path)
        assert answer.status_code == 405
        assert answer.headers["allow"] == allow
        if method != "HEAD":
            check(answer, "method-not-allowed")
    head = await alice.http.head("/healthz")
    assert (head.status_code, head.content) == (200, b"")


async def test_ids_that_are_none(alice: User, mesh: Mesh) -> None:
    """A path's id that cannot be one is not found, and no service is asked."""
    for odd in (
        "1",
        "pay_1",
        "pay_" + "0" * 25,
        "pay_" + "u" * 26,
        "mer_" + "0" * 26,
        "%00",
        "%F0%9F%92%A9",
        "pay_%2e%2e",
        "x" * 5000,
        "'; DROP TABLE payments; --",
    ):
        check(await alice.get(f"/payments/{odd}"), "payment-not-found")
        other = odd.replace("mer_", "pay_")
        check(await alice.get(f"/merchants/{other}"), "merchant-not-found")
        check(await alice.get(f"/merchants/{other}/qr"), "merchant-not-found")
    assert mesh.payments.faults.calls == mesh.barcodes.faults.calls == []


async def test_the_rate_of_one_caller(mesh: Mesh) -> None:
    """A caller who floods is told when to come back; others go on. Method: one request per 100 s,
    after three at once, so that no machine is too slow to flood."""
    limits = {"caller_requests_per_second": 0.01, "caller_requests_burst": 3}
    async with running_gateway(mesh, **limits) as gateway:
        flood, quiet = await gateway.user(), await gateway.user()
        mesh.wallets.open(flood.id, "USD")
        mesh.wallets.open(quiet.id, "USD")
        answers = [await flood.get("/wallets/me") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        check(answers[-1], "rate-limited")
        assert (await quiet.get("/wallets/me")).status_code == 200
