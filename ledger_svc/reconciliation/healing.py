"""What is done about differences: repair by the normal path, or freeze one wallet and ask a person.

Every act may be repeated, and is noted in the case of its difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from chassis.batching import is_outage, isolate
from chassis.channel import call
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import ServiceError
from chassis.ids import IdMaker
from chassis.logs import get_logger
from ledger_svc.messages import booking_of_transfer
from ledger_svc.model import Booking
from ledger_svc.operations import Outcome, post_bookings
from ledger_svc.reconciliation import cases
from ledger_svc.reconciliation.model import Difference, Remedy
from ledger_svc.store.cases import Case, CaseAction, CaseState
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc

_LOG = get_logger(__name__)
_ITEMS_MAX = 256
_SYSTEM_OWNER_PREFIX = "sys_"
_CANNOT_BE_FROZEN = {"WALLET_NOT_FOUND", "WALLET_CLOSED"}


class Action(StrEnum):
    """What was done about a difference; see ``DifferenceAction`` of the contract."""

    NONE = "UNSPECIFIED"
    POSTED = "POSTED"
    REPUBLISHED = "REPUBLISHED"
    FROZEN = "FROZEN"
    CASE_OPENED = "CASE_OPENED"
    RESOLVED = "RESOLVED"
    FAILED = "FAILED"


class Treated(NamedTuple):
    """A difference, and what was done about it."""

    difference: Difference
    action: Action
    case_id: str
    """Empty if there is none."""


class Healing:
    """Acts on what a pass has found."""

    def __init__(
        self,
        *,
        database: Database,
        payments: payment_pb2_grpc.PaymentServiceStub,
        wallets: wallet_pb2_grpc.WalletServiceStub,
        ids: IdMaker,
        clock: Clock,
        call_seconds_max: float,
    ) -> None:
        self._database = database
        self._payments = payments
        self._wallets = wallets
        self._ids = ids
        self._clock = clock
        self._seconds = call_seconds_max

    async def only_look(self, differences: Sequence[Difference]) -> list[Treated]:
        """Do nothing; tell what was done before."""
        return [
            Treated(
                difference,
                Action.RESOLVED if case and case.state == CaseState.RESOLVED else Action.NONE,
                case.id if case else "",
            )
            for difference in differences
            for case in [await cases.find_case(self._database, difference)]
        ]

    async def heal(self, differences: Sequence[Difference]) -> list[Treated]:
        """Do what each one asks for. What is away now fails, and is done by the next pass."""
        treated: list[Treated] = []
        todo: dict[Remedy, list[tuple[Difference, Case]]] = {}
        for difference in differences:
            if difference.remedy == Remedy.LEAVE:
                treated.append(Treated(difference, Action.NONE, ""))
                continue
            case = await cases.file_case(
                self._database, difference, ids=self._ids, clock=self._clock
            )
            if case.state == CaseState.RESOLVED:
                treated.append(Treated(difference, Action.RESOLVED, case.id))
            else:
                todo.setdefault(difference.remedy, []).append((difference, case))
        for remedy, items in todo.items():
            for batch in _batches(items):
                actions = await self._act(remedy, batch)
                treated += [
                    Treated(difference, action, case.id)
                    for (difference, case), action in zip(batch, actions, strict=True)
                ]
        for item in treated:
            if item.action != Action.RESOLVED:
                _LOG.warning(
                    "books differ",
                    kind=item.difference.kind,
                    payment_id=item.difference.payment_id,
                    wallet_id=item.difference.wallet_id,
                    action=item.action,
                    case_id=item.case_id,
                )
        order = {id(difference): place for place, difference in enumerate(differences)}
        return sorted(treated, key=lambda item: order[id(item.difference)])

    async def _act(self, remedy: Remedy, items: Sequence[tuple[Difference, Case]]) -> list[Action]:
        try:
            if remedy == Remedy.POST:
                return await self._post([case for _, case in items])
            if remedy == Remedy.REPUBLISH:
                return await self._republish([case for _, case in items])
        except ServiceError as error:
            _LOG.warning("not healed", remedy=remedy, reason=error.reason)
            return [Action.FAILED] * len(items)
        if remedy == Remedy.FREEZE:
            return [await self._freeze(case) for _, case in items]
        return [Action.CASE_OPENED] * len(items)

    async def _post(self, items: Sequence[Case]) -> list[Action]:
        """Book what the journal lacks, from wallet's transfers."""
        found = await call(
            self._wallets.BatchGetTransfers,
            wallet_pb2.BatchGetTransfersRequest(payment_ids=[case.payment_id for case in items]),
            timeout_seconds=self._seconds,
        )
        bookings = [
            booking_of_transfer(item) for item in found.transfers if not item.outcome.failure_code
        ]

        async def post(batch: Sequence[Booking]) -> Sequence[Outcome | ServiceError]:
            return await post_bookings(self._database, batch)

        outcomes = await isolate(bookings, post) if bookings else []
        by_id = {
            booking.payment_id: outcome for booking, outcome in zip(bookings, outcomes, strict=True)
        }
        return [await self._note(case, by_id.get(case.payment_id)) for case in items]

    async def _note(self, case: Case, outcome: Outcome | ServiceError | None) -> Action:
        if isinstance(outcome, Outcome):
            await cases.note_action(self._database, case, CaseAction.POSTED, clock=self._clock)
            return Action.POSTED
        if outcome is not None and is_outage(outcome):
            return Action.FAILED
        # The journal refuses it, or has it otherwise: that is for a person.
        await cases.reopen(self._database, case)
        return Action.CASE_OPENED

    async def _republish(self, items: Sequence[Case]) -> list[Action]:
        answer = await call(
            self._payments.RepublishPayments,
            payment_pb2.RepublishPaymentsRequest(payment_ids=[case.payment_id for case in items]),
            timeout_seconds=self._seconds,
        )
        published = set(answer.payment_ids)
        actions = []
        for case in items:
            if case.payment_id not in published:
                # It has ended meanwhile, or was set aside: the next pass sees.
                actions.append(Action.FAILED)
                continue
            await cases.note_action(self._database, case, CaseAction.REPUBLISHED, clock=self._clock)
            actions.append(Action.REPUBLISHED)
        return actions

    async def _freeze(self, case: Case) -> Action:
        """Freeze the wallet concerned, once: who unfreezes it while the case is open means it."""
        if case.action == CaseAction.FROZEN:
            return Action.FROZEN
        try:
            found = await call(
                self._wallets.BatchGetWallets,
                wallet_pb2.BatchGetWalletsRequest(wallet_ids=[case.wallet_id]),
                timeout_seconds=self._seconds,
            )
            if found.wallets[0].owner_id.startswith(_SYSTEM_OWNER_PREFIX):
                # Every payment from or to a bank passes here: nobody would be paid any more.
                return Action.CASE_OPENED
            await call(
                self._wallets.FreezeWallet,
                wallet_pb2.FreezeWalletRequest(wallet_id=case.wallet_id),
                timeout_seconds=self._seconds,
            )
        except ServiceError as error:
            if error.reason in _CANNOT_BE_FROZEN:
                return Action.CASE_OPENED
            _LOG.warning("not frozen", wallet_id=case.wallet_id, reason=error.reason)
            return Action.FAILED
        await cases.note_action(self._database, case, CaseAction.FROZEN, clock=self._clock)
        return Action.FROZEN


def _batches(
    items: Sequence[tuple[Difference, Case]],
) -> Iterator[Sequence[tuple[Difference, Case]]]:
    for first in range(0, len(items), _ITEMS_MAX):
        yield items[first : first + _ITEMS_MAX]
