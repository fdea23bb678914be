"""Bugs that are planted on purpose, to see that the yard notices each of them.

They exist in this folder only: processes load them from ``site/``, and indexes are dropped by the
superuser. The faults that show a bug are the ones that its protection is there for.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.chaos.schedule import Fault


class Bug(NamedTuple):
    """A protection that is taken out."""

    says: str
    processes: tuple[str, ...] = ()
    """Where ``site/yard_bugs.py`` patches."""
    statements: tuple[tuple[str, str], ...] = ()
    """Database and statement, executed before the load."""
    faults: tuple[tuple[str, str, float], ...] = ()
    """Kind, target and seconds of what happens again and again, in place of a drawn schedule."""
    every_seconds: float = 4.0
    apart_seconds: float | None = None
    """Between the faults of one round, which then overlap; None: one begins when the other is
    over."""


_KILL_PAYMENT = ("kill", "payment", 0.0)
_REPLAY = ("replay_tasks", "payment", 0.0)
_REVIVE = ("revive_codes", "valkey", 0.0)

_BOOKED_ONCE = "uq_journal_transactions_source_id"

BUGS = {
    "ack_before_handling": Bug(
        "results are acknowledged before they are booked",
        ("ledger",),
        faults=(("kill", "ledger", 0.0), ("stall", "ledger-postgres", 6.0)),
    ),
    "no_sweeper": Bug(
        "nobody looks for what the queue lost", ("payment",), faults=(("wipe_nats", "nats", 0.0),)
    ),
    "sweeper_fails_payments": Bug(
        "what is PENDING too long is ended as failed",
        ("payment",),
        faults=(("stop", "wallet", 3.0), ("wipe_nats", "nats", 0.0)),
    ),
    "no_fingerprint": Bug("a key is not compared with its body", ("payment",)),
    "no_redemption_token": Bug(
        "a repeat does not know its own barcode",
        ("payment",),
        faults=(("deaf", "payment-barcode", 4.0), _KILL_PAYMENT),
        apart_seconds=2.0,
        every_seconds=2.0,
    ),
    "outage_is_refusal": Bug(
        "an outage becomes insufficient funds", ("payment",), faults=(("kill", "wallet", 0.0),)
    ),
    "terminal_is_not_final": Bug(
        "a late result overwrites a terminal status", ("payment",), faults=(_REPLAY,)
    ),
    "transfers_repeat": Bug(
        "transfers are not unique by payment",
        ("wallet",),
        statements=(("wallet", "ALTER TABLE transfers DROP CONSTRAINT pk_transfers"),),
        faults=(_REPLAY,),
    ),
    "no_row_locks": Bug("wallets are not locked", ("wallet",)),
    "unordered_locks": Bug("wallets are not locked in the order of ids", ("wallet",)),
    "unknown_commit_is_success": Bug(
        "an interrupted COMMIT is taken for done",
        ("payment",),
        faults=(("cut_commit", "payment-postgres", 0.0),),
        every_seconds=0.5,
    ),
    "promise_before_commit": Bug(
        "a payment is answered before it is stored", ("payment",), faults=(_KILL_PAYMENT,)
    ),
    "uncounted_events": Bug(
        "events are numbered beside the transaction that ends their payment",
        ("payment",),
        faults=(("cut_commit", "payment-postgres", 0.0),),
        every_seconds=0.5,
    ),
    "no_catching_up": Bug(
        "what the queue lost between a payment's end and its booking stays unbooked",
        ("ledger",),
        faults=(("stop", "ledger", 5.0), ("wipe_nats", "nats", 0.0)),
        apart_seconds=2.0,
    ),
    "unknown_commit_is_refusal": Bug(
        "an interrupted COMMIT is taken for failed",
        ("payment",),
        faults=(("cut_commit", "payment-postgres", 0.0),),
        every_seconds=0.5,
    ),
    "seen_is_done": Bug(
        "a task that comes again is taken for executed",
        ("payment",),
        faults=(("kill", "wallet", 0.0), ("cut", "payment-wallet", 0.0)),
    ),
    "ledger_posts_twice": Bug(
        "journal transactions are not unique by payment",
        ("ledger",),
        statements=(
            ("ledger", f"ALTER TABLE journal_transactions DROP CONSTRAINT {_BOOKED_ONCE}"),
        ),
        faults=(("replay_results", "payment", 0.0),),
    ),
    "journal_may_change": Bug(
        "the ledger's role may change what is booked",
        statements=(("ledger", "GRANT UPDATE, DELETE ON postings TO ledger_svc"),),
    ),
    "no_funds_check": Bug(
        "a wallet pays what it does not have",
        ("wallet",),
        statements=(("wallet", "ALTER TABLE wallets DROP CONSTRAINT ck_wallets_available"),),
    ),
    "refusals_use_numbers": Bug("a refused transfer takes an entry's number", ("wallet",)),
    "results_start_over": Bug(
        "a terminal payment becomes PENDING when its result comes again",
        ("payment",),
        faults=(("replay_results", "payment", 0.0),),
    ),
    "no_caller_key": Bug(
        "payments are not unique by caller and key",
        statements=(("payment", "DROP INDEX uq_payments_caller_key"),),
        faults=(("cut", "gateway-payment", 0.0),),
    ),
    "no_issuance_index": Bug(
        "payments are not unique by barcode issuance",
        statements=(("payment", "DROP INDEX uq_payments_barcode_issuance"),),
        faults=(_REVIVE,),
        every_seconds=2.0,
    ),
}


def faults_that_show(bug: Bug, minutes: float) -> list[Fault]:
    """What a bug's protection is there for, again and again."""
    found: list[Fault] = []
    at = 3.0
    while bug.faults and at < minutes * 60 - 4:
        over_at = at
        for kind, target, seconds in bug.faults:
            found.append(Fault(at, kind, target, seconds))
            over_at = max(over_at, at + seconds)
            at = (
                over_at + bug.every_seconds if bug.apart_seconds is None else at + bug.apart_seconds
            )
        at = over_at + bug.every_seconds
    return found
