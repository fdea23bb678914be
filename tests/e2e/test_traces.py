"""One payment is one trace, from the phone's request to Payment Done, through every process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tests.e2e.oracle import Books
from tests.e2e.stack import Stack, User
from tests.e2e.test_dead_letters import POISON_MINOR, broken, letter_about, status
from tests.e2e.test_payments import IBAN, qr_of
from tests.otlp import Collector, Span, collecting

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CLIENT_SPAN_ID = "b7ad6b7169203331"

ASKED = {
    ("gateway", "submit payment", "POST {route}"),
    ("payment", "accept payment", "POST {route}"),
    ("payment", "payment", "POST {route}"),
}
TAKEN = {
    ("payment", "send PAYMENT_TASKS", "payment"),
    ("payment", "wait PAYMENT_TASKS", "payment"),
}
TRIED = {
    ("payment", "process PAYMENT_TASKS", "payment"),
    ("wallet", "transfer", "process PAYMENT_TASKS"),
}
ENDED = {
    ("payment", "send PAYMENT_RESULTS", "payment"),
    ("payment", "wait PAYMENT_RESULTS", "payment"),
    ("payment", "process PAYMENT_RESULTS", "payment"),
    ("payment", "send payments.event", "payment"),
}
POSTED = {("ledger", "post transaction", "payment")}
REDEEMED = {("payment", "redeem barcode", "POST {route}")}
RETRIED = {
    ("payment", "send PAYMENT_RETRIES", "payment"),
    ("payment", "wait PAYMENT_RETRIES", "payment"),
    ("payment", "process PAYMENT_RETRIES", "payment"),
    ("wallet", "transfer", "process PAYMENT_RETRIES"),
}
GIVEN_UP = {
    ("payment", "send PAYMENT_DEAD_LETTERS", "payment"),
    ("payment", "dead letter", "payment"),
    ("payment", "redrive dead letter", "payment"),
}


@pytest.fixture(scope="module")
async def collector() -> AsyncIterator[Collector]:
    """Where all processes send their spans."""
    async with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
async def traced(
    tmp_path_factory: pytest.TempPathFactory, collector: Collector
) -> AsyncIterator[Stack]:
    """A system that traces everything, and gives a transfer up after three quick tries."""
    stack = Stack(
        tmp_path_factory.mktemp("traced") / "data",
        environment={
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
            "OTEL_TRACES_SAMPLER_ARG": "1",
            "QRPAY_PAYMENT_TRIES_MAX": "3",
            "QRPAY_PAYMENT_RETRY_FIRST_SECONDS": "0.2",
            "QRPAY_PAYMENT_RETRY_FACTOR": "1.5",
        },
    )
    await stack.up()
    yield stack
    await stack.down()


@pytest.fixture(scope="module")
async def users(traced: Stack) -> AsyncIterator[Mapping[str, User]]:
    """Its alice, bob and cafe."""
    names = ("alice", "bob", "cafe")
    users = {name: User(gateway=traced.gateway, token=await traced.token(name)) for name in names}
    yield users
    for user in users.values():
        await user.http.aclose()


async def ask(user: User, path: str, key: str, **body: Any) -> dict[str, Any]:
    """Ask for a payment; its answer is not waited for, so that the request is one call."""
    answer = await user.post(path, body, key=key)
    assert answer.status_code == 202, answer.text
    payment: dict[str, Any] = answer.json()
    return payment


async def trace_of(
    collector: Collector, payment_id: str, steps: set[tuple[str, str, str]]
) -> list[Span]:
    """The one trace of a payment, once it has these steps (service, name, parent's name)."""

    try:
        await collector.until(lambda: steps <= steps_of(collector, payment_id))
    except TimeoutError:
        seen = steps_of(collector, payment_id)
        assert steps - seen == set(), sorted(seen)
    (trace_id,) = collector.traces_of(payment_id)
    return collector.trace(trace_id)


def steps_of(collector: Collector, payment_id: str) -> set[tuple[str, str, str]]:
    """The steps in the traces of a payment."""
    return {
        step for trace_id in collector.traces_of(payment_id) for step in tree(collector, trace_id)
    }


def tree(collector: Collector, trace_id: str) -> set[tuple[str, str, str]]:
    """The steps of a trace: service, name, and the parent's name."""
    spans = collector.trace(trace_id)
    names = {span.span_id: span.name for span in spans}
    return {(span.service, span.name, names.get(span.parent_id, "")) for span in spans}


def on(route: str, *parts: set[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Steps after a request to a route, the request included."""
    asked = {
        (service, name, parent.format(route=route))
        for part in parts
        for service, name, parent in part
    }
    return {("gateway", f"POST {route}", ""), *asked}


def check_links(collector: Collector, spans: list[Span]) -> None:
    """Each step that was done in a batch has a link to the batch's span, which has one back."""
    by_id = {(span.trace_id, span.span_id): span for span in collector.spans}
    (trace_id,) = {span.trace_id for span in spans}
    linked = [span for span in spans if span.links]
    names = {span.name for span in linked}
    assert {"submit payment", "accept payment", "process PAYMENT_TASKS", "transfer"} <= names
    for span in linked:
        for link in span.links:
            assert trace_id in {there for there, _ in by_id[link].links}, span.name
    for span in spans:
        assert span.start_ns <= span.end_ns, span.name


async def test_every_kind_of_payment_is_one_trace(
    traced: Stack, collector: Collector, users: Mapping[str, User]
) -> None:
    """Goal: send, both ways to pay, withdraw and top-up: one trace each, with every step."""
    alice, cafe = users["alice"], users["cafe"]
    money = {"amount": 5, "currency": "USD"}
    body = {"holder": "Alice Liddell", "iban": IBAN}
    account = (await alice.http.post("/bank-accounts", json=body)).json()
    code = (await alice.http.post("/barcodes")).json()["code"]
    sent = await ask(alice, "/payments/send", "send", to="cafe", note="for lunch", **money)
    text = await qr_of(alice, sent["payee"]["id"])
    scanned = await ask(alice, "/payments/pay", "scan", qr=text, **money)
    charged = await ask(cafe, "/payments/pay", "charge", barcode=code, **money)
    out = await ask(alice, "/payments/withdraw", "withdraw", bank_account=account["id"], **money)
    whole = (ASKED, TAKEN, TRIED, ENDED, POSTED)
    for payment, steps in (
        (sent, on("/payments/send", *whole)),
        (scanned, on("/payments/pay", *whole)),
        (charged, on("/payments/pay", REDEEMED, *whole)),
        (out, on("/payments/withdraw", *whole)),
    ):
        spans = await trace_of(collector, payment["id"], steps)
        assert [span.name for span in spans if not span.parent_id] == [
            next(name for _, name, parent in steps if not parent)
        ]
        check_links(collector, spans)
        assert not any(span.failed for span in spans)
        (own,) = [span for span in spans if span.name == "payment"]
        assert own.attributes["qrpay.payment.outcome"] == "completed"

    secrets = [
        code,
        text,
        IBAN,
        account["id"],
        "alice",
        "Liddell",
        "for lunch",
        sent["payee"]["id"],
    ]
    secrets.append(str(alice.http.headers["Authorization"]).removeprefix("Bearer "))
    for span in collector.spans:
        told = [secret for secret in secrets if secret in span.text]
        assert not told, span.name


async def test_a_top_up_is_one_trace(traced: Stack, collector: Collector) -> None:
    """Goal: what an operator asks for over gRPC begins a trace too."""
    books = Books(await traced.server_url("postgres"))
    rows = await books.query("payment", "SELECT id FROM payments WHERE kind = 'TOP_UP' LIMIT 1")
    asked = "qrpay.payment.v1.PaymentService/SubmitPayments"
    steps = {
        ("payment", asked, ""),
        ("payment", "payment", asked),
        *TAKEN,
        *TRIED,
        *ENDED,
        *POSTED,
    }
    await trace_of(collector, rows[0]["id"], steps)


async def test_a_client_that_traces_is_the_root(
    collector: Collector, users: Mapping[str, User]
) -> None:
    """Goal: the trace is the client's, and its decision not to sample counts."""
    alice = users["alice"]
    body = {"to": "bob", "amount": 5, "currency": "USD"}
    headers = {"Idempotency-Key": "traced", "traceparent": f"00-{TRACE_ID}-{CLIENT_SPAN_ID}-01"}
    payment = (await alice.http.post("/payments/send", json=body, headers=headers)).json()
    silent = {
        "Idempotency-Key": "silent",
        "traceparent": f"00-{TRACE_ID[::-1]}-{CLIENT_SPAN_ID}-00",
    }
    unseen = (await alice.http.post("/payments/send", json=body, headers=silent)).json()
    spans = await trace_of(
        collector, payment["id"], on("/payments/send", ASKED, TAKEN, TRIED, ENDED, POSTED)
    )
    assert {span.trace_id for span in spans} == {TRACE_ID}
    (root,) = [span for span in spans if span.name == "POST /payments/send"]
    assert root.parent_id == CLIENT_SPAN_ID
    assert (await status(alice, unseen["id"]))["status"] == "COMPLETED"
    # The same processes would have sent them at the latest with those of a later payment.
    later = await ask(alice, "/payments/send", "later", **body)
    await trace_of(collector, later["id"], on("/payments/send", ASKED, TAKEN, TRIED, ENDED, POSTED))
    assert not collector.trace(TRACE_ID[::-1])


async def test_a_failure_is_found_though_nobody_sampled_it(
    collector: Collector, users: Mapping[str, User]
) -> None:
    """Goal: a payment that failed has a trace also if its client wanted none."""
    bob = users["bob"]
    body = {"to": "alice", "amount": 2_000_000_000, "currency": "USD"}
    failed = await ask(bob, "/payments/send", "too much", **body)
    headers = {
        "Idempotency-Key": "too much, silently",
        "traceparent": f"00-{'7' * 32}-{CLIENT_SPAN_ID}-00",
    }
    silent = (await bob.http.post("/payments/send", json=body, headers=headers)).json()
    spans = await trace_of(
        collector, failed["id"], on("/payments/send", ASKED, TAKEN, TRIED, ENDED)
    )
    (own,) = [span for span in spans if span.name == "payment"]
    assert own.attributes["qrpay.payment.failure"] == "insufficient_funds"
    late = await trace_of(
        collector,
        silent["id"],
        {
            ("payment", "payment", ""),
            ("payment", "wait PAYMENT_TASKS", "payment"),
            ("payment", "transfer", "payment"),
            ("payment", "process PAYMENT_RESULTS", "payment"),
        },
    )
    assert {span.trace_id for span in late} == {"7" * 32}


async def test_retries_dead_letters_and_redrives_stay_in_the_trace(
    traced: Stack, collector: Collector, users: Mapping[str, User]
) -> None:
    """Goal: one that is tried again, and two that are given up and redriven, of which nobody had
    sampled one until then: one trace each, over all tries."""
    alice = users["alice"]
    books = Books(await traced.server_url("postgres"))
    body = {"to": "bob", "amount": POISON_MINOR, "currency": "USD"}
    async with broken(books):
        dead = await ask(alice, "/payments/send", "dead", **body)
        headers = {
            "Idempotency-Key": "dead, silently",
            "traceparent": f"00-{'6' * 32}-{CLIENT_SPAN_ID}-00",
        }
        silent = (await alice.http.post("/payments/send", json=body, headers=headers)).json()
        for payment in (dead, silent):
            await letter_about(traced, payment["id"])
        again = await ask(alice, "/payments/send", "again", **body)
        # Until the payment ends, its steps have a parent that is still to come.
        retried = ("payment", "send PAYMENT_RETRIES", "")
        await collector.until(lambda: retried in steps_of(collector, again["id"]))
    for payment in (dead, silent, again):
        letters = json.loads(
            await traced.command("dead-letters", "list", "--json", "--payment", payment["id"])
        )
        for letter in letters:
            await traced.command(
                *("dead-letters", "redrive", letter["id"], "--actor", "eve", "--why", "mended")
            )
        assert (await status(alice, payment["id"]))["status"] == "COMPLETED"
    whole = on("/payments/send", ASKED, TAKEN, TRIED, RETRIED, ENDED, POSTED)
    spans = await trace_of(collector, again["id"], whole)
    tries = [span for span in spans if span.name.startswith("process PAYMENT_")]
    assert any(
        span.failed and span.attributes["error.type"] == "TRANSFER_NOT_EXECUTED" for span in tries
    )
    await trace_of(collector, dead["id"], whole | GIVEN_UP)
    late = await trace_of(collector, silent["id"], GIVEN_UP | TRIED | ENDED | POSTED)
    assert {span.trace_id for span in late} == {"6" * 32}
    log = (traced.data / "logs" / "payment.log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    about = {line["event"]: line for line in lines if line.get("payment_id") == silent["id"]}
    told = {"transfer failed, again later", "transfer given up", "dead letter filed"}
    assert about.keys() >= told
    assert {line["trace_id"] for line in about.values()} == {"6" * 32}
