"""Who paid whom and when. Pure, and the same every time for the same plan: a run that was
interrupted tells its story again from the beginning and writes only what is missing."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from chassis.ids import IdMaker
from payment_svc.model import Move, Request, fingerprint

GROUP = 100
"""Payments of one moment. Services work in batches of up to 256: one moment of acceptance, of
execution, of completion and of booking for all of a batch."""
_AMOUNT_MINOR_MAX = 2_000
_SHOP_EVERY = 10
"""Every tenth payment is made at the shop: one wallet with as many entries as 1,000 others."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXECUTED_AFTER, _BOOKED_AFTER, _COMPLETED_AFTER = 12_000, 21_000, 22_000
"""Microseconds since the acceptance, as on an idle system."""


class Plan(msgspec.Struct, frozen=True):
    """What the history is to be. Kept in the payment database until it is written."""

    payments: int
    start_microseconds: int
    end_microseconds: int
    seed: int


class Side(NamedTuple):
    """One side of a payment."""

    owner_id: str
    name: str
    wallet_id: str


class Customer(NamedTuple):
    """Somebody who pays and is paid."""

    handle: str
    side: Side


class Shop(NamedTuple):
    """Where everybody pays."""

    qr: str
    """The text of its code."""
    side: Side


class Order(NamedTuple):
    """A payment that was asked for: all of it that says nothing about when."""

    caller_id: str
    request_id: str
    fingerprint: bytes
    kind: str
    payer: Side
    payee: Side
    amount_minor: int
    currency_code: str
    note: str
    order_ref: str


class Line(NamedTuple):
    """A payment that was made."""

    payment_id: str
    order: Order
    debit_entry_number: int
    credit_entry_number: int
    debit_balance_after_minor: int
    credit_balance_after_minor: int
    event_number: int
    """0 for a top-up, which is nobody's event."""


class Group(NamedTuple):
    """Payments of one moment."""

    number: int
    """1, 2, 3 ..."""
    create_time: datetime
    execute_time: datetime
    book_time: datetime
    complete_time: datetime
    lines: list[Line]


class Tally:
    """A wallet while the story is told."""

    __slots__ = ("balance_minor", "credits_minor", "currency_code", "debits_minor", "entries")

    def __init__(self, currency_code: str) -> None:
        self.currency_code = currency_code
        self.balance_minor = self.debits_minor = self.credits_minor = self.entries = 0


class Story:
    """The payments of a plan, the first orders before all others."""

    def __init__(
        self, plan: Plan, *, first: Sequence[Order], customers: Sequence[Customer], shop: Shop
    ) -> None:
        self._plan = plan
        self._first = first
        self._customers = customers
        self._shop = shop
        self.tallies: dict[str, Tally] = {}
        """By wallet id, as of what was told."""
        self.events = 0
        """The last event number that was told."""
        self.payments = len(first) + plan.payments

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return -(-self.payments // GROUP)

    def tell(self) -> Iterator[Group]:
        """Every group, in order. Once."""
        dice = random.Random(self._plan.seed)
        clock = _Clock()
        ids = IdMaker(clock=clock, random_bytes=dice.randbytes)
        orders = self._orders(dice)
        step = (self._plan.end_microseconds - self._plan.start_microseconds) // self.groups
        left = self.payments
        for number in range(1, self.groups + 1):
            jitter = dice.randrange(max(1, step // 2))
            moment = self._plan.start_microseconds + (number - 1) * step + jitter
            clock.microseconds = moment
            count = min(GROUP, left)
            left -= count
            # In the order of their ids, in which payment_svc ends them.
            payment_ids = sorted([ids.make("pay") for _ in range(count)])
            yield Group(
                number,
                clock.now(),
                _at(moment + _EXECUTED_AFTER),
                _at(moment + _BOOKED_AFTER),
                _at(moment + _COMPLETED_AFTER),
                [self._line(payment_id, next(orders)) for payment_id in payment_ids],
            )

    def _orders(self, dice: random.Random) -> Iterator[Order]:
        yield from self._first
        customers, shop = self._customers, self._shop
        for number in range(self._plan.payments):
            payer = customers[int(dice.random() * len(customers))]
            amount_minor = 1 + int(dice.random() * _AMOUNT_MINOR_MAX)
            if number % _SHOP_EVERY == 0:
                move, kind, target, payee = Move.QR, "PAY", shop.qr, shop.side
            else:
                other = customers[int(dice.random() * len(customers))]
                if other is payer:
                    other = customers[0] if payer is not customers[0] else customers[1]
                move, kind, target, payee = Move.SEND, "SEND", other.handle, other.side
            request_id = f"history-{number}"
            request = Request(
                payer.side.owner_id, request_id, move, target, amount_minor, "USD", "", "", ""
            )
            yield Order(
                payer.side.owner_id,
                request_id,
                fingerprint(request),
                kind,
                payer.side,
                payee,
                amount_minor,
                "USD",
                "",
                "",
            )

    def _line(self, payment_id: str, order: Order) -> Line:
        debit = self._tally(order.payer.wallet_id, order.currency_code)
        credit = self._tally(order.payee.wallet_id, order.currency_code)
        amount_minor, event_number = order.amount_minor, 0
        debit.balance_minor -= amount_minor
        debit.debits_minor += amount_minor
        debit.entries += 1
        credit.balance_minor += amount_minor
        credit.credits_minor += amount_minor
        credit.entries += 1
        if order.kind != "TOP_UP":
            assert debit.balance_minor >= 0, "customers begin with far more than they can spend"
            self.events += 1
            event_number = self.events
        return Line(
            payment_id,
            order,
            debit.entries,
            credit.entries,
            debit.balance_minor,
            credit.balance_minor,
            event_number,
        )

    def _tally(self, wallet_id: str, currency_code: str) -> Tally:
        tally = self.tallies.get(wallet_id)
        if tally is None:
            tally = self.tallies[wallet_id] = Tally(currency_code)
        return tally


class _Clock:
    """Stands where it was set."""

    microseconds = 0

    def now(self) -> datetime:
        """That moment."""
        return _at(self.microseconds)

    def monotonic(self) -> float:
        """Nobody asks."""
        return self.microseconds / 1e6


def _at(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
