"""Which fault happens when: a pure function of the seed and the length of the run."""

from __future__ import annotations

import random
from typing import NamedTuple

PROCESSES = ("gateway", "payment", "wallet", "ledger", "barcode")
SERVERS = ("postgres", "nats", "valkey")
EDGES = (
    "gateway-payment",
    "gateway-wallet",
    "gateway-barcode",
    "payment-wallet",
    "ledger-payment",
    "ledger-wallet",
    "payment-barcode",
    "payment-postgres",
    "wallet-postgres",
    "ledger-postgres",
    "barcode-postgres",
    "payment-nats",
    "ledger-nats",
    "gateway-nats",
    "barcode-valkey",
)
LONG_STOP_SECONDS = 70.0
"""Longer than a delivery may stay without a sign of life (60 s): others get the messages."""
_LONG_RUN_SECONDS = 240
_DATABASE_EDGES = tuple(edge for edge in EDGES if edge.endswith("-postgres"))
_TARGETS = {
    "quit": "postgres",
    "wipe_nats": "nats",
    "flush_valkey": "valkey",
    "restore_valkey": "valkey",
    "revive_codes": "valkey",
    "replay_tasks": "payment",
    "replay_results": "payment",
}
"""What there is one of only."""


class Fault(NamedTuple):
    """One thing that goes wrong."""

    at_seconds: float
    """After the start of the load."""
    kind: str
    target: str
    seconds: float
    """How long it lasts; 0 if it is over at once."""

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at_seconds:7.1f} s  {self.kind} {self.target}{lasting}"


WEIGHTS = {
    "kill": 6,
    "stop": 4,
    "terminate": 3,
    "quit": 1,
    "wipe_nats": 1,
    "flush_valkey": 1,
    "restore_valkey": 1,
    "revive_codes": 1,
    "replay_tasks": 2,
    "replay_results": 2,
    "cut": 3,
    "cut_commit": 3,
    "stall": 3,
    "half_open": 2,
    "deaf": 3,
    "slow": 2,
    "clock": 2,
}
"""How often each kind is drawn."""


def make_schedule(seed: int, minutes: float) -> list[Fault]:
    """The faults of a run, in order of time; the same for the same seed and length."""
    dice = random.Random(f"{seed} {minutes:g}")
    end = minutes * 60
    faults: list[Fault] = []
    at = 2.0
    while at < end - 4:
        fault = _draw(dice, at, may_be_long=end >= _LONG_RUN_SECONDS)
        faults.append(fault)
        # Some overlap, most do not: a system that never gets up shows nothing.
        at += dice.uniform(0.5, 3.0) + fault.seconds * dice.choice((0.3, 1.0, 1.0))
    return faults


def _draw(dice: random.Random, at: float, *, may_be_long: bool) -> Fault:
    kind = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    if kind in ("kill", "terminate"):
        return Fault(at, kind, dice.choice(PROCESSES + SERVERS), 0)
    if kind == "stop":
        is_long = may_be_long and dice.random() < 0.08
        seconds = LONG_STOP_SECONDS if is_long else dice.uniform(1, 9)
        return Fault(at, kind, dice.choice(PROCESSES + SERVERS), seconds)
    if kind in ("stall", "half_open", "deaf", "slow"):
        return Fault(at, kind, dice.choice(EDGES), dice.uniform(1, 8))
    if kind == "cut":
        return Fault(at, kind, dice.choice(EDGES), 0)
    if kind == "cut_commit":
        return Fault(at, kind, dice.choice(_DATABASE_EDGES), 0)
    if kind == "clock":
        minutes = dice.choice((-7, -2, 3, 11))
        return Fault(at, f"clock{minutes:+d}min", dice.choice(PROCESSES), dice.uniform(3, 9))
    return Fault(at, kind, _TARGETS[kind], 0)


def kind_of(fault: Fault) -> str:
    """The kind without its measure: a clock may be off by -7 or by +11 minutes."""
    return "clock" if fault.kind.startswith("clock") else fault.kind
