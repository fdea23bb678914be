"""The yard's own parts: its schedule is a function of the seed, and each of its checks can fail."""

from __future__ import annotations

import copy
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos import checks
from tests.chaos.answers import HISTORY_CHECKS
from tests.chaos.checks import check_all
from tests.chaos.faults import Faults
from tests.chaos.history import Answer, Operation, Outcome, read_answer
from tests.chaos.observer import Memory
from tests.chaos.planted import BUGS, faults_that_show
from tests.chaos.schedule import EDGES, PROCESSES, SERVERS, WEIGHTS, kind_of, make_schedule
from tests.chaos.site import yard_bugs
from tests.chaos.snapshot import Snapshot


@given(st.integers(0, 10_000), st.floats(0.2, 30))
def test_a_seed_replays_its_schedule(seed: int, minutes: float) -> None:
    """Goal: the same seed and length give the same faults, in order, within the run, at targets
    that there are."""
    schedule = make_schedule(seed, minutes)
    assert schedule == make_schedule(seed, minutes) == sorted(schedule)
    assert all(2 <= fault.at_seconds <= minutes * 60 for fault in schedule)
    assert {fault.target for fault in schedule} <= {*EDGES, *PROCESSES, *SERVERS}


def test_a_long_schedule_has_everything() -> None:
    """Goal: no kind of fault, no process, no server and no edge is left out; stops outlast the ack
    wait now and then."""
    schedule = [fault for seed in range(20) for fault in make_schedule(seed, 30)]
    assert {kind_of(fault) for fault in schedule} == set(WEIGHTS)
    assert all(hasattr(Faults, f"_{kind}") for kind in WEIGHTS)
    assert {fault.target for fault in schedule} == {*EDGES, *PROCESSES, *SERVERS}
    assert any(fault.kind == "stop" and fault.seconds > 60 for fault in schedule)


def test_there_are_bugs_enough_and_each_has_its_switch() -> None:
    """Goal: at least twelve planted bugs; each is a patch of some process or a statement, and is
    shown to faults that last as long as the run."""
    assert len(BUGS) >= 12
    for name, bug in BUGS.items():
        assert bug.processes or bug.statements, name
        assert not bug.processes or name in yard_bugs.BUGS, name
        assert all(fault.at_seconds < 60 for fault in faults_that_show(bug, 1.0))


PAYMENT = {
    "id": "pay_1",
    "key": "key-1",
    "status": "COMPLETED",
    "failure_code": None,
    "payer_wallet_id": "wal_a",
    "payee_wallet_id": "wal_b",
    "amount_minor": 7,
    "currency_code": "USD",
    "kind": "PAY",
    "barcode_issuance_id": "iss_1",
    "event_number": 1,
    "payer_entry_number": 1,
    "payee_entry_number": 1,
}
ENTRIES = [
    {"wallet_id": wallet, "number": number, "payment_id": "pay_1", "amount_minor": amount}
    | {"balance_after_minor": amount}
    for wallet, number, amount in (("wal_a", 1, -7), ("wal_b", 1, 7))
]
WALLETS = [
    {"id": wallet, "currency_code": "USD", "balance_minor": balance, "held_minor": 0}
    | {"last_entry_number": 1, "may_be_negative": wallet == "wal_a"}
    for wallet, balance in (("wal_a", -7), ("wal_b", 7))
]
POSTINGS = [
    {"transaction_number": "txn_1", "payment_id": "pay_1", "account_id": account}
    | {"direction": direction, "currency_code": "USD", "amount_minor": 7}
    for account, direction in (("wal_a", 1), ("wal_b", 2))
]
LINE = {"number": 1, "payment_id": "pay_1", "amount": 7, "balance_after": 7}
TRANSFER = {
    "payment_id": "pay_1",
    "debit_wallet_id": "wal_a",
    "credit_wallet_id": "wal_b",
    "amount_minor": 7,
    "currency_code": "USD",
    "failure_code": 0,
    "debit_entry_number": 1,
    "credit_entry_number": 1,
}


def good_books() -> Snapshot:
    """One payment of 7, with everything that belongs to it."""
    return copy.deepcopy(
        Snapshot(
            payments=[PAYMENT],
            transfers=[TRANSFER],
            entries=ENTRIES,
            wallets=WALLETS,
            postings=POSTINGS,
            accounts=[
                {"id": wallet["id"], "balance_minor": wallet["balance_minor"]} for wallet in WALLETS
            ],
            rights=[{"role": "ledger_svc", "table": "accounts", "right": "UPDATE"}],
            statements=[
                {"id": "wal_b", "currency": "USD", "available": 7, "held": 0, "entries": [LINE]}
            ],
        )
    )


def good_history() -> list[Operation]:
    """The operation that made it, unknown at first."""
    operation = Operation("charge", "cafe", "key-1", "/payments/pay", {"amount": 7}, barcode="123")
    operation.answers = [
        Answer(Outcome.UNKNOWN),
        Answer(Outcome.OK, 202, "pay_1", "PENDING"),
        Answer(Outcome.OK, 200, "pay_1", "COMPLETED"),
    ]
    return [operation]


def test_good_books_pass() -> None:
    """Goal: nothing is found where nothing is wrong."""
    assert check_all(good_books(), good_history()) == []


BreakIt = Callable[[Snapshot, list[Operation]], Any]


def add_answer(history: list[Operation], *answer: Any) -> None:
    """One more answer to the operation."""
    history[0].answers.append(Answer(*answer))


def add_operation(history: list[Operation], **changes: Any) -> None:
    """One more operation like the first."""
    other = copy.deepcopy(history[0])
    for name, value in changes.items():
        setattr(other, name, value)
    history.append(other)


BROKEN: list[tuple[str, BreakIt]] = [
    ("I1 sums", lambda books, _: books.entries[0].update(amount_minor=-8)),
    ("I1 sums", lambda books, _: books.wallets[1].update(balance_minor=8)),
    ("I2 no negative wallet", lambda books, _: books.wallets[0].update(may_be_negative=False)),
    ("I2 no negative wallet", lambda books, _: books.entries[1].update(balance_after_minor=-1)),
    ("I3 money moves once", lambda books, _: books.transfers.append(TRANSFER)),
    ("I3 money moves once", lambda books, _: books.transfers.clear()),
    ("I3 money moves once", lambda books, _: books.entries.append(ENTRIES[0])),
    ("I3 money moves once", lambda books, _: books.payments[0].update(amount_minor=6)),
    ("I3 money moves once", lambda books, _: books.payments.clear()),
    ("I3 money moves once", lambda books, _: books.payments[0].update(status="FAILED")),
    ("I4 everything ends", lambda books, _: books.payments[0].update(status="PENDING")),
    ("I5 issuance pays once", lambda books, _: books.payments.append(PAYMENT)),
    ("I6 journal", lambda books, _: books.postings.pop()),
    ("I6 journal", lambda books, _: books.postings.clear()),
    ("I6 journal", lambda books, _: books.postings[0].update(account_id="wal_c")),
    ("I6 journal", lambda books, _: books.payments.clear()),
    ("I7 entry numbers", lambda books, _: books.entries[0].update(number=2)),
    ("I7 entry numbers", lambda books, _: books.entries[0].update(balance_after_minor=-9)),
    (
        "I8 no dead letters",
        lambda books, _: books.dead_letters.append(
            {"id": "dea_1", "payment_id": "pay_1", "subject": "", "state": "OPEN", "last_error": ""}
        ),
    ),
    ("accounts agree", lambda books, _: books.accounts[0].update(balance_minor=0)),
    ("event numbers", lambda books, _: books.payments[0].update(event_number=2)),
    ("event numbers", lambda books, _: books.payments[0].update(event_number=None)),
    ("books agree", lambda books, _: books.payments[0].update(payer_entry_number=2)),
    ("books agree", lambda books, _: books.transfers[0].update(credit_entry_number=2)),
    ("books agree", lambda books, _: books.payments[0].update(failure_code="WALLET_CLOSED")),
    ("books agree", lambda books, _: books.payments[0].update(currency_code="EUR")),
    ("books agree", lambda books, _: books.postings[0].update(currency_code="EUR")),
    ("nothing is rewritten", lambda books, _: books.rewritten.append("payment pay_1 was ...")),
    (
        "I6 journal rights",
        lambda books, _: books.rights.append(
            {"role": "ledger_svc", "table": "postings", "right": "DELETE"}
        ),
    ),
    ("statements are right", lambda books, _: books.statements[0].update(available=8)),
    ("no deadlocks", lambda books, _: books.deadlocks.append({"database": "wallet", "n": 1})),
    ("statements are right", lambda books, _: books.statements[0]["entries"].clear()),
    ("answers hold", lambda _, history: add_answer(history, Outcome.REFUSED, 409)),
    (
        "answers hold",
        lambda _, history: history[0].__dict__.update(
            kind="send",
            answers=[Answer(Outcome.REFUSED, 422), Answer(Outcome.OK, 202, "pay_1", "PENDING")],
        ),
    ),
    ("answers hold", lambda _, history: add_answer(history, Outcome.OK, 200, "pay_2")),
    (
        "answers hold",
        lambda _, history: add_answer(history, Outcome.OK, 200, "pay_1", "FAILED", "x"),
    ),
    ("I4 ok exists once", lambda books, _: books.payments.append({**PAYMENT, "id": "pay_2"})),
    ("I4 ok exists once", lambda books, _: books.payments[0].update(id="pay_9")),
    ("I4 ok exists once", lambda _, history: history[0].body.update(amount=8)),
    ("I4 ok exists once", lambda books, _: books.payments[0].update(status="FAILED")),
    (
        "I9 refused is nothing",
        lambda _, history: setattr(history[0], "answers", [Answer(Outcome.REFUSED, 422)]),
    ),
    (
        "I9 refused is nothing",
        lambda _, history: setattr(history[0], "answers", [Answer(Outcome.UNKNOWN)]),
    ),
    (
        "I8 refusals are right",
        lambda _, history: add_answer(history, Outcome.OK, 200, "pay_1", "FAILED", "x"),
    ),
    ("I8 refusals are right", lambda _, history: setattr(history[0], "kind", "too much")),
    ("I8 refusals are right", lambda _, history: setattr(history[0], "kind", "nonsense")),
    (
        "I8 refusals are right",
        lambda _, history: history[0].__dict__.update(
            kind="tight", answers=[Answer(Outcome.OK, 200, "pay_1", "FAILED", "wallet-closed")]
        ),
    ),
    (
        "I8 refusals are right",
        lambda _, history: add_operation(
            history, kind="other body", answers=[Answer(Outcome.REFUSED, 422, failure="forbidden")]
        ),
    ),
    ("one body per key", lambda _, history: add_operation(history, body={"amount": 7})),
    (
        "I5 used is paid",
        lambda _, history: setattr(
            history[0], "answers", [Answer(Outcome.REFUSED, 409, failure="barcode-used")]
        ),
    ),
    ("I5 code pays once", lambda _, history: add_operation(history, key="key-2")),
]


@pytest.mark.parametrize(("check", "break_it"), BROKEN)
def test_each_check_can_fail(check: str, break_it: BreakIt) -> None:
    """Goal: whatever is broken, the check that is there for it says so."""
    books, history = good_books(), good_history()
    break_it(books, history)
    assert check in {violation.check for violation in check_all(books, history)}


def test_what_is_final_must_stay() -> None:
    """Goal: a row that changes or goes is noticed; new rows are none of it, nor is another kind."""
    memory = Memory()
    memory.see("payment", [{"id": "1", "content": "COMPLETED"}, {"id": "2", "content": "FAILED"}])
    memory.see("payment", [{"id": n, "content": c} for n, c in (("1", "COMPLETED"), ("3", "x"))])
    memory.see("entry", [{"id": "1", "content": "y"}])
    memory.see("payment", [{"id": "1", "content": "FAILED"}, {"id": "3", "content": "x"}])
    assert memory.changes[0] == "payment 2 was FAILED, then gone"
    assert "payment 1 was COMPLETED, then FAILED" in memory.changes
    assert not any("3" in change or "entry" in change for change in memory.changes)


def test_every_check_is_seen_to_fail() -> None:
    """Goal: no check is without an example above."""
    assert {check for check, _ in BROKEN} == {*checks.BOOK_CHECKS, *HISTORY_CHECKS}


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (202, {"id": "pay_1", "status": "PENDING"}, Outcome.OK),
        (422, {"code": "same-wallet"}, Outcome.REFUSED),
        (409, {"code": "idempotency-key-in-flight"}, Outcome.UNKNOWN),
        (429, {"code": "rate-limited"}, Outcome.UNKNOWN),
        (503, {"code": "temporarily-unavailable"}, Outcome.UNKNOWN),
        (500, "", Outcome.UNKNOWN),
    ],
)
def test_how_answers_are_read(status: int, body: Any, outcome: Outcome) -> None:
    """Goal: only a definite answer counts as one."""
    assert read_answer(status, body).outcome is outcome


def test_a_clock_is_off_as_its_file_says(tmp_path: Path) -> None:
    """Goal: the fault is one. Method: a process with the yard's folder on its path, as the yard
    starts it."""
    clock = tmp_path / "clock"
    clock.write_text("-600")
    program = "from chassis.clock import SystemClock; print(SystemClock().now().timestamp())"
    site = Path(yard_bugs.__file__).parent
    told = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={"PYTHONPATH": str(site), "YARD_CLOCK_FILE": str(clock)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert 500 < time.time() - float(told.stdout) < 700
