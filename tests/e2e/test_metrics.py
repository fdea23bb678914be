"""Metrics of a system in which something of everything has happened."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from uuid import uuid4

import pytest

from chassis.clock import SystemClock
from chassis.ids import IdMaker
from cli.mesh import Mesh
from embedded.layout import Layout
from embedded.processes import MODULES
from embedded.state import running_state
from qrpay.wallet.v1 import wallet_pb2
from tests.e2e.oracle import Books
from tests.e2e.scrapes import Scrape, scrape, scrape_until
from tests.e2e.stack import Stack, User
from tests.e2e.test_dead_letters import POISON_MINOR, TRIES, broken, letters_to_come
from tests.e2e.test_payments import IBAN, pay, qr_of

CURRENCIES = {"EUR", "USD"}
QUEUES = {
    "payment": {"executor", "payment-results", "executor-retries", "desk"},
    "ledger": {"ledger-posting"},
}
EVERYWHERE = (
    "process_uptime_seconds",
    "process_cpu_time_seconds_total",
    "process_memory_usage_bytes",
    "qrpay_event_loop_lag_seconds_count",
    "target_info",
)
WHERE = {
    "rpc_server_call_duration_seconds_bucket": {"wallet", "barcode", "payment", "ledger"},
    "rpc_client_call_duration_seconds_bucket": {"payment", "ledger", "gateway"},
    "http_server_request_duration_seconds_bucket": {"gateway"},
    "qrpay_http_requests_shed_total": {"gateway"},
    "qrpay_http_intake": {"gateway"},
    "qrpay_http_waiters": {"gateway"},
    "qrpay_http_streams": {"gateway"},
    "db_client_connection_count": {"wallet", "barcode", "payment", "ledger"},
    "db_client_connection_max": {"wallet", "barcode", "payment", "ledger"},
    "db_client_connection_pending_requests": {"wallet", "barcode", "payment", "ledger"},
    "db_client_connection_wait_time_seconds_bucket": {"wallet", "barcode", "payment", "ledger"},
    "db_client_connection_timeouts_total": {"wallet", "barcode", "payment", "ledger"},
    "qrpay_commit_unknown_total": {"wallet", "barcode", "payment", "ledger"},
    "db_client_operation_duration_seconds_bucket": {"barcode"},
    "qrpay_valkey_operations": {"barcode"},
    "qrpay_batch_size_bucket": {"gateway", "payment", "wallet", "ledger", "barcode"},
    # Beside the gateway's intake: the audit trails, of those whom an operator has called.
    "qrpay_batch_wait_seconds_bucket": {"gateway", "payment", "wallet", "barcode"},
    "messaging_client_operation_duration_seconds_bucket": {"payment", "ledger"},
    "messaging_client_consumed_messages_total": {"payment", "ledger"},
    "messaging_process_duration_seconds_bucket": {"payment", "ledger"},
    "qrpay_queue_depth": {"payment", "ledger"},
    "qrpay_queue_ack_pending": {"payment", "ledger"},
    "qrpay_queue_ack_pending_max": {"payment", "ledger"},
    "qrpay_queue_redelivered": {"payment", "ledger"},
    "qrpay_queue_oldest_age_seconds": {"payment", "ledger"},
    "qrpay_payment_accepted_total": {"payment"},
    "qrpay_payment_replayed_total": {"payment"},
    "qrpay_payment_refused_total": {"payment"},
    "qrpay_payment_completed_total": {"payment"},
    "qrpay_payment_done_duration_seconds_bucket": {"payment"},
    "qrpay_payment_pending_oldest_age_seconds": {"payment"},
    "qrpay_dead_letters_open": {"payment"},
    "qrpay_dead_letters_oldest_age_seconds": {"payment"},
    "qrpay_dead_letters_filed_total": {"payment"},
    "qrpay_sweeper_republished_total": {"payment"},
    "qrpay_wallet_balance_sum": {"wallet"},
    "qrpay_wallet_negative": {"wallet"},
    "qrpay_wallet_count": {"wallet"},
    "qrpay_ledger_trial_balance": {"ledger"},
    "qrpay_ledger_turnover": {"ledger"},
    "qrpay_reconciliation_differences": {"ledger"},
    "qrpay_reconciliation_cases_open": {"ledger"},
    "qrpay_reconciliation_behind_seconds": {"ledger"},
    "qrpay_barcodes_pool_level": {"barcode"},
    "qrpay_barcodes_scans_total": {"barcode"},
    "qrpay_barcodes_misses_total": {"barcode"},
    "qrpay_barcodes_miss_ratio": {"barcode"},
}
"""Every metric that is promised (docs/observability.md), and the processes that have it, no
others."""
SERIES_MAX = {"gateway": 1_500, "payment": 1_500, "wallet": 600, "barcode": 600, "ledger": 900}


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A system that looks at everything all the time and gives a transfer up within a second."""
    stack = Stack(
        tmp_path_factory.mktemp("watched") / "data",
        environment={
            **{f"QRPAY_{name.upper()}_READINGS_EVERY_SECONDS": "0.3" for name in MODULES},
            "QRPAY_LEDGER_RECONCILE_EVERY_SECONDS": "1",
            "QRPAY_PAYMENT_TRIES_MAX": str(TRIES),
            "QRPAY_PAYMENT_RETRY_FIRST_SECONDS": "0.2",
            "QRPAY_PAYMENT_RETRY_FACTOR": "1.5",
        },
    )
    await stack.up()
    yield stack
    await stack.down()


@pytest.fixture(scope="module")
async def users(stack: Stack) -> AsyncIterator[Mapping[str, User]]:
    """Its alice, bob and cafe."""
    names = ("alice", "bob", "cafe")
    users = {name: User(gateway=stack.gateway, token=await stack.token(name)) for name in names}
    yield users
    for user in users.values():
        await user.http.aclose()


@pytest.fixture(scope="module")
async def scrapes(stack: Stack, users: Mapping[str, User]) -> dict[str, Scrape]:
    """What every process tells after the history below, once the dust has settled."""
    await make_history(stack, users)
    return await scrape_until(stack, is_settled)


async def make_history(stack: Stack, users: Mapping[str, User]) -> None:
    """Every kind of payment once, a replay, a refusal, a failure, a dead letter, bad scans."""
    alice, bob, cafe = users["alice"], users["bob"], users["cafe"]
    body = {"to": "cafe", "amount": 300, "currency": "USD"}
    for _ in range(2):  # the second is a replay
        sent = await alice.post("/payments/send", body, key="the same", wait=10)
        assert sent.status_code == 200
    merchant_id = sent.json()["payee"]["id"]
    code = await qr_of(alice, merchant_id)
    await pay(alice, "/payments/pay", qr=code, amount=100, currency="USD")
    barcode = (await alice.http.post("/barcodes")).json()["code"]
    await pay(cafe, "/payments/pay", barcode=barcode, amount=100, currency="USD")
    holder = {"holder": "Alice", "iban": IBAN}
    account = (await alice.http.post("/bank-accounts", json=holder)).json()["id"]
    await pay(alice, "/payments/withdraw", bank_account=account, amount=100, currency="EUR")
    too_much = await bob.balance() + 1
    failed = await pay(bob, "/payments/send", to="alice", amount=too_much, currency="USD")
    assert failed["status"] == "FAILED"
    nobody = {"to": "nobody", "amount": 1, "currency": "USD"}
    assert (await alice.post("/payments/send", nobody, key="k")).status_code == 404
    for number in range(6):
        wrong = {"barcode": f"99{number:016d}", "amount": 1, "currency": "USD"}
        assert (await cafe.post("/payments/pay", wrong, key=str(uuid4()))).status_code >= 400
    async with broken(Books(await stack.server_url("postgres"))):
        poisoned = {"to": "bob", "amount": POISON_MINOR, "currency": "USD"}
        accepted = await alice.post("/payments/send", poisoned, key="poisoned")
        await letters_to_come(stack, "--payment", accepted.json()["id"])


def is_settled(found: dict[str, Scrape]) -> bool:
    """Whether the slowest are through: the letter is counted, all is posted and looked at."""
    payment, ledger = found["payment"], found["ledger"]
    return bool(
        payment.of("qrpay_dead_letters_open")
        and payment.sum("qrpay_dead_letters_open")
        and payment.of("qrpay_queue_depth")
        and ledger.of("qrpay_queue_depth")
        and not ledger.sum("qrpay_queue_depth") + ledger.sum("qrpay_queue_ack_pending")
        and ledger.of("qrpay_ledger_trial_balance")
        and ledger.of("qrpay_reconciliation_behind_seconds")
        # It publishes nothing before the first head of its book is signed.
        and ledger.of("messaging_client_operation_duration_seconds_bucket")
        and found["wallet"].of("qrpay_wallet_balance_sum")
        and payment.sum("qrpay_payment_accepted_total")
        == payment.sum("qrpay_payment_completed_total") + 1
    )


def test_every_promised_metric_is_told_by_who_knows_it(scrapes: dict[str, Scrape]) -> None:
    """Goal: each is there under the name that dashboards and alarms use, and only where it means
    something: a sum of all wallets that two processes tell would be added up."""
    for name in EVERYWHERE:
        assert all(found.of(name) for found in scrapes.values()), name
    has = {name: {p for p, found in scrapes.items() if found.of(name)} for name in WHERE}
    assert {
        name: found - wanted for name, wanted in WHERE.items() if (found := has[name]) - wanted
    } == {}
    assert {name: wanted - has[name] for name, wanted in WHERE.items() if wanted - has[name]} == {}


def test_payments_are_counted(scrapes: dict[str, Scrape]) -> None:
    """Goal: by kind, outcome and reason; what was accepted and has not ended is the dead letter."""
    payment = scrapes["payment"]
    kind, reason = "qrpay_payment_kind", "qrpay_payment_reason"
    accepted = payment.by(kind, "qrpay_payment_accepted_total")
    assert accepted == {"send": 3, "pay": 2, "withdraw": 1, "top_up": 4}
    completed = {"qrpay_payment_outcome": "completed"}
    ended = payment.by(kind, "qrpay_payment_completed_total", **completed)
    assert ended == {"send": 1, "pay": 2, "withdraw": 1, "top_up": 4}
    (failed,) = payment.of("qrpay_payment_completed_total", qrpay_payment_outcome="failed")
    assert (failed.labels[kind], failed.labels[reason]) == ("send", "insufficient_funds")
    assert failed.value == 1
    # Whoever loads the demo data asks again and again whether the top-ups are done.
    assert payment.sum("qrpay_payment_replayed_total", **{kind: "send"}) == 1
    assert payment.by(reason, "qrpay_payment_refused_total") == {
        "recipient_not_found": 1,
        "barcode_unknown": 6,
    }
    done = payment.by(kind, "qrpay_payment_done_duration_seconds_count")
    assert done == {"send": 2, "pay": 2, "withdraw": 1, "top_up": 4}


def test_the_money_adds_up(scrapes: dict[str, Scrape]) -> None:
    """Goal: what must be 0 is told as 0, in each currency, and not left out."""
    wallet, ledger = scrapes["wallet"], scrapes["ledger"]
    for found, name in (
        (wallet, "qrpay_wallet_balance_sum"),
        (wallet, "qrpay_wallet_negative"),
        (ledger, "qrpay_ledger_trial_balance"),
    ):
        zeros = {item.labels["qrpay_currency"]: item.value for item in found.of(name)}
        assert zeros == dict.fromkeys(zeros, 0), name
        assert set(zeros) >= CURRENCIES, name
    for name in ("qrpay_reconciliation_differences", "qrpay_reconciliation_cases_open"):
        assert ledger.sum(name) == 0
    for name in MODULES:
        if name != "gateway":
            assert scrapes[name].sum("qrpay_commit_unknown_total") == 0
    assert min(ledger.by("qrpay_currency", "qrpay_ledger_turnover").values()) > 0


def test_queues_and_dead_letters(scrapes: dict[str, Scrape]) -> None:
    """Goal: each consumer's state is told by one process; the letter that waits has an age."""
    payment = scrapes["payment"]
    for process, consumers in QUEUES.items():
        told = scrapes[process].of("qrpay_queue_depth")
        assert {item.labels["messaging_consumer_group_name"] for item in told} == consumers
        assert {item.labels["messaging_system"] for item in told} == {"nats"}
    assert payment.sum("qrpay_dead_letters_open") == 1
    # What waits for a person is not pending as the others are.
    assert payment.sum("qrpay_payment_pending_oldest_age_seconds") == 0
    assert payment.by("qrpay_dead_letter_reason", "qrpay_dead_letters_filed_total") == {
        "exhausted": 1
    }
    again = payment.by(
        "messaging_consumer_group_name",
        "messaging_client_consumed_messages_total",
        qrpay_queue_redelivery="true",
    )
    assert again["executor-retries"] >= TRIES - 1
    sent = payment.by(
        "messaging_destination_name", "messaging_client_operation_duration_seconds_count"
    )
    streams = {"PAYMENT_TASKS", "PAYMENT_RESULTS", "PAYMENT_RETRIES", "PAYMENT_DEAD_LETTERS"}
    assert set(sent) == streams


def test_scans_and_calls(scrapes: dict[str, Scrape]) -> None:
    """Goal: the shop where many codes miss is named; calls and requests have routes and methods."""
    barcode, gateway = scrapes["barcode"], scrapes["gateway"]
    misses = barcode.by("qrpay_merchant", "qrpay_barcodes_misses_total")
    assert sum(misses.values()) == 6
    assert [name[:4] for name in misses if name != "other"] == ["mer_"]
    assert barcode.sum("qrpay_barcodes_pool_level") > 0
    scans = barcode.by("outcome", "qrpay_barcodes_scans_total")
    assert scans == {"redeemed": 1, "barcode_unknown": 6}
    sends = gateway.by(
        "http_response_status_code",
        "http_server_request_duration_seconds_count",
        http_route="/payments/send",
        http_request_method="POST",
    )
    assert sends == {"200": 3, "202": 1, "404": 1}
    calls = gateway.of(
        "rpc_client_call_duration_seconds_count",
        rpc_method="qrpay.payment.v1.PaymentService/SubmitPayments",
    )
    served = scrapes["payment"].of(
        "rpc_server_call_duration_seconds_count",
        rpc_method="qrpay.payment.v1.PaymentService/SubmitPayments",
        rpc_response_status_code="OK",
    )
    assert 0 < sum(call.value for call in calls) <= sum(call.value for call in served)


async def test_cardinality_is_bounded(
    stack: Stack, users: Mapping[str, User], scrapes: dict[str, Scrape]
) -> None:
    """Goal: with many owners, wallets, codes, keys, paths and methods there are hardly more series
    than before, and none of them tells who or what it was."""
    ids = IdMaker(clock=SystemClock())
    secrets = await make_many(stack, users)
    for _ in range(3):
        unknown = await asyncio.gather(
            *(users["bob"].http.get(f"/payments/{ids.make('pay')}") for _ in range(10)),
            *(users["bob"].http.get(f"/{uuid4()}") for _ in range(10)),
        )
        assert {answer.status_code for answer in unknown} <= {404, 429}
    after = await scrape(stack)
    for name, found in after.items():
        assert found.series <= SERIES_MAX[name], name
        # New routes and methods were used; nothing grew with the number of things.
        assert found.series - scrapes[name].series < 250, name
        assert betrayed(found, secrets) == [], name


async def make_many(stack: Stack, users: Mapping[str, User]) -> set[str]:
    """Owners with wallets, payments between them and codes; answers what must not be told."""
    kinds = (wallet_pb2.OWNER_KIND_CUSTOMER, wallet_pb2.OWNER_KIND_MERCHANT)
    secrets = {
        "alice",
        "bob",
        "cafe",
        *(user.http.headers["authorization"] for user in users.values()),
    }
    async with Mesh(Layout(stack.data), running_state(Layout(stack.data)).ports) as mesh:
        for number in range(60):
            handle = f"many{number}"
            request = wallet_pb2.CreateOwnerRequest(
                request_id=str(uuid4()),
                kind=kinds[number % 2],
                handle=handle,
                name=f"Name {number}",
                currency_codes=sorted(CURRENCIES),
            )
            created = await mesh.wallet.CreateOwner(request, timeout=10)
            secrets |= {handle, created.owner.id, created.owner.name}
            secrets |= {wallet.id for wallet in created.wallets}
    alice = users["alice"]
    for number in range(60):
        key = str(uuid4())
        body = {"to": f"many{number}", "amount": 1, "currency": "USD", "note": f"note {number}"}
        answer = await alice.post("/payments/send", body, key=key, wait=10)
        assert answer.status_code == 200, answer.text
        secrets |= {key, answer.json()["id"], body["note"]}  # type: ignore[arg-type]
        if number % 6 == 0:
            secrets.add((await alice.http.post("/barcodes")).json()["code"])
    return {text.removeprefix("Bearer ") for text in secrets}


IDENTITY = re.compile(
    # An id of ours; a token; a UUID, but for the process's own; digits of a barcode or an account.
    r"\b(usr|mer|opr|wal|pay|iss|dev|bnk|bat|txn|rec|pol|dea)_[0-9a-z]{8,}|eyJ|[0-9]{12,}"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-|[A-Z]{2}[0-9]{16,}|://"
)
NAMES_ITS_MERCHANT = ("qrpay_barcodes_misses_total", "qrpay_merchant")
"""The one label that says whom: that is what it is for, for 49 merchants at most."""


def betrayed(found: Scrape, secrets: set[str]) -> list[tuple[str, str, str]]:
    """Labels that tell who or what it was."""
    labels = [
        (sample.name, label, value)
        for sample in found.samples
        for label, value in sample.labels.items()
        if sample.name != "target_info" and (sample.name, label) != NAMES_ITS_MERCHANT
    ]
    assert labels
    return [item for item in labels if item[2] in secrets or IDENTITY.search(item[2])]
