"""Every way to pay, through the gateway of a running system, until it is done."""

from __future__ import annotations

import asyncio
import binascii
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.oracle import Books
from tests.e2e.stack import Stack, User

People = Mapping[str, User]
IBAN = "DE89370400440532013000"


async def pay(user: User, path: str, **body: Any) -> dict[str, Any]:
    """Move money, wait until it is done, and answer the payment."""
    response = await user.post(path, body, key=str(uuid4()), wait=10)
    assert response.status_code == 200, response.text
    payment: dict[str, Any] = response.json()
    assert response.headers["Location"] == f"/payments/{payment['id']}"
    return payment


async def qr_of(user: User, merchant_id: str, **query: Any) -> str:
    """A merchant's QR code as text."""
    response = await user.http.get(
        f"/merchants/{merchant_id}/qr", params={"format": "text", **query}
    )
    assert response.status_code == 200, response.text
    return response.text


@pytest.fixture
async def cafe_id(people: People) -> str:
    """The merchant's id, as a customer finds it in a payment."""
    payment = await pay(people["alice"], "/payments/send", to="cafe", amount=1, currency="USD")
    merchant_id: str = payment["payee"]["id"]
    return merchant_id


async def test_alice_sends_bob_money(people: People) -> None:
    """Both balances change by the amount, both see the payment, a stranger does not."""
    alice, bob = people["alice"], people["bob"]
    before = await alice.balance(), await bob.balance()
    payment = await pay(
        alice, "/payments/send", to="bob", amount=1250, currency="USD", note="lunch"
    )
    assert payment["status"] == "COMPLETED"
    assert (payment["kind"], payment["amount"], payment["currency"]) == ("send", 1250, "USD")
    assert payment["note"] == "lunch"
    assert (await alice.balance(), await bob.balance()) == (before[0] - 1250, before[1] + 1250)
    for user, status in (("alice", 200), ("bob", 200), ("ops", 200), ("cafe", 404)):
        response = await people[user].http.get(f"/payments/{payment['id']}")
        assert response.status_code == status
    listed = (await bob.http.get("/payments", params={"limit": 1})).json()["items"]
    assert [item["id"] for item in listed] == [payment["id"]]


async def test_a_customer_pays_a_shop_by_its_static_code(people: People, cafe_id: str) -> None:
    """The code names the shop, the customer the amount; name and city come from our records."""
    alice = people["alice"]
    text = await qr_of(alice, cafe_id)
    shown = (await alice.http.post("/qr/decode", json={"qr": text})).json()
    assert (shown["merchant"]["id"], shown["static"]) == (cafe_id, True)
    before = await people["cafe"].balance()
    payment = await pay(alice, "/payments/pay", qr=text, amount=420, currency="USD")
    assert (payment["status"], payment["payee"]["id"]) == ("COMPLETED", cafe_id)
    assert await people["cafe"].balance() == before + 420


async def test_a_dynamic_code_carries_the_amount_and_the_reference(
    people: People, cafe_id: str
) -> None:
    """The customer only confirms; another amount is refused."""
    alice = people["alice"]
    text = await qr_of(alice, cafe_id, amount=333, currency="USD", ref="TABLE7")
    payment = await pay(alice, "/payments/pay", qr=text)
    assert (payment["amount"], payment["order_ref"]) == (333, "TABLE7")
    response = await alice.post(
        "/payments/pay", {"qr": text, "amount": 1, "currency": "USD"}, key=str(uuid4())
    )
    assert (response.status_code, response.json()["code"]) == (422, "amount-mismatch")


async def test_a_shop_replaces_its_printed_code(people: People, cafe_id: str) -> None:
    """The old sticker is refused wherever it is scanned, the new one pays; an edited one never
    did, and the app could have known by itself."""
    alice, cafe = people["alice"], people["cafe"]
    old = await qr_of(alice, cafe_id)
    keys = (await alice.http.get("/qr/keys")).json()["keys"]
    assert f"0108{keys[0]['kid']}" in old
    revoked = await cafe.http.post(f"/merchants/{cafe_id}/qr/revoke")
    assert revoked.status_code == 200, revoked.text
    forbidden = await alice.http.post(f"/merchants/{cafe_id}/qr/revoke")
    assert forbidden.json()["code"] == "forbidden"
    body = {"amount": 5, "currency": "USD"}
    for response in (
        await alice.http.post("/qr/decode", json={"qr": old}),
        await alice.post("/payments/pay", {"qr": old, **body}, key=str(uuid4())),
    ):
        assert (response.status_code, response.json()["code"]) == (410, "qr-revoked")
    new = await qr_of(alice, cafe_id)
    edited = new[:-4].replace("010211", "010212")
    edited += f"{binascii.crc_hqx(edited.encode(), 0xFFFF):04X}"
    refused = await alice.http.post("/qr/decode", json={"qr": edited})
    assert (refused.status_code, refused.json()["code"]) == (422, "qr-invalid")
    assert (await pay(alice, "/payments/pay", qr=new, **body))["status"] == "COMPLETED"


async def test_a_shop_charges_a_customers_barcode(people: People) -> None:
    """The payer is the barcode's owner, not the caller."""
    barcode = (await people["alice"].http.post("/barcodes")).json()
    assert len(barcode["code"]) == 18
    payment = await pay(
        people["cafe"],
        "/payments/pay",
        barcode=barcode["code"],
        amount=999,
        currency="USD",
        order_ref="A-17",
    )
    assert (payment["status"], payment["order_ref"]) == ("COMPLETED", "A-17")
    mine = (await people["alice"].http.get(f"/payments/{payment['id']}")).json()
    assert mine["payer"]["id"] == payment["payer"]["id"]


async def test_a_customer_withdraws(people: People) -> None:
    """Money leaves for a bank account of the customer's own."""
    alice = people["alice"]
    body = {"holder": "Alice", "iban": IBAN}
    account = (await alice.http.post("/bank-accounts", json=body)).json()
    assert IBAN not in json.dumps(account)
    before = await alice.balance()
    payment = await pay(
        alice, "/payments/withdraw", bank_account=account["id"], amount=100, currency="USD"
    )
    assert (payment["kind"], payment["status"]) == ("withdraw", "COMPLETED")
    assert await alice.balance() == before - 100
    refused = await people["bob"].post(
        "/payments/withdraw",
        {"bank_account": account["id"], "amount": 1, "currency": "USD"},
        key=str(uuid4()),
    )
    assert (refused.status_code, refused.json()["code"]) == (404, "bank-account-not-found")


async def test_who_has_too_little_fails_and_keeps_it(people: People) -> None:
    """Found when the payment executes: FAILED with its reason, and no money moved."""
    bob = people["bob"]
    before = await bob.balance()
    payment = await pay(bob, "/payments/send", to="alice", amount=before + 1, currency="USD")
    assert payment["status"] == "FAILED"
    assert payment["failure"]["code"] == "insufficient-funds"
    assert await bob.balance() == before


async def test_entries_are_numbered_without_gaps(people: People) -> None:
    """A wallet's lines, page by page, count 1, 2, 3 ... and end at the balance."""
    alice = people["alice"]
    numbers, last, after = [], 0, 0
    while True:
        page = (
            await alice.http.get(
                "/wallets/me/entries", params={"currency": "USD", "after": after, "limit": 3}
            )
        ).json()
        numbers += [item["number"] for item in page["items"]]
        if page["items"]:
            last = page["items"][-1]["balance_after"]
        if page["next"] is None:
            break
        after = page["next"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert last == await alice.balance()


async def events_of(user: User, *, after: str | None = None) -> AsyncGenerator[dict[str, Any]]:
    """The Server-Sent Events of a user, as they come."""
    headers = {"Last-Event-ID": after} if after else {}
    async with user.http.stream("GET", "/events", headers=headers, timeout=30) as response:
        assert response.status_code == 200
        event: dict[str, Any] = {}
        async for line in response.aiter_lines():
            field, _, value = line.partition(": ")
            if not line and "data" in event:
                yield event
                event = {}
            elif field in ("id", "event"):
                event[field] = value
            elif field == "data":
                event["data"] = json.loads(value)


async def test_events_arrive_and_resume_where_they_stopped(people: People) -> None:
    """Payment Done reaches the payee; a stream that was cut resumes without a gap or a double."""
    alice, bob = people["alice"], people["bob"]
    stream = events_of(bob)
    first_event = asyncio.ensure_future(anext(stream))
    # Until the stream is open nothing is sent to it: pay until it hears of one.
    heard: dict[str, Any] | None = None
    async with asyncio.timeout(30):
        while heard is None:
            await pay(alice, "/payments/send", to="bob", amount=1, currency="USD")
            done, _ = await asyncio.wait([first_event], timeout=0.5)
            heard = first_event.result() if done else None
    await stream.aclose()
    assert heard["event"] == "payment.completed"
    missed = [
        await pay(alice, "/payments/send", to="bob", amount=2 + step, currency="USD")
        for step in range(3)
    ]
    resumed = events_of(bob, after=heard["id"])
    seen = []
    async with asyncio.timeout(30):
        async for event in resumed:
            seen.append(event)
            if event["data"]["id"] == missed[-1]["id"]:
                break
    await resumed.aclose()
    ids = [event["data"]["id"] for event in seen]
    assert ids[-3:] == [payment["id"] for payment in missed]
    assert len(set(ids)) == len(ids)
    numbers = [event["data"]["number"] for event in seen]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_a_stranger_gets_the_page_and_the_code(stack: Stack, cafe_id: str) -> None:
    """What anyone may see: health, the contract, its page, a shop's printed code."""
    async with httpx.AsyncClient(base_url=stack.gateway) as anyone:
        for path in ("/healthz", "/readyz", "/openapi.json", "/docs"):
            assert (await anyone.get(path)).status_code == 200, path
        code = await anyone.get(f"/merchants/{cafe_id}/qr", params={"format": "png"})
        assert code.content.startswith(b"\x89PNG")
        assert (await anyone.get("/wallets/me")).status_code == 401


async def test_the_books_are_right(stack: Stack) -> None:
    """After all this, every invariant holds."""
    await Books(await stack.server_url("postgres")).check()
