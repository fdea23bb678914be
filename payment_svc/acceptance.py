"""Accepting payments: who pays whom, redeem, store, hand over to the queue. A batch at a time.

Each step asks its question for all items that need it at once; an item that is refused drops out
and its neighbours go on. Nothing is promised before the rows are stored, and everything before that
may be repeated: looking up changes nothing, and redeeming is idempotent by the redemption token.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast

from chassis import tracing
from chassis.batching import count_batch, isolate
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import InvalidArgument, ServiceError
from chassis.ids import IdMaker
from payment_svc import model, operations
from payment_svc.codes import Codes, MerchantCode, Redemption
from payment_svc.errors import (
    BankAccountNotFound,
    MerchantNotFound,
    RecipientNotFound,
    RequestIdReused,
)
from payment_svc.meters import count_answers
from payment_svc.model import Asked, Move, NewPayment, OwnerKind, Party, Request
from payment_svc.operations import Accepted
from payment_svc.parties import Parties, Reference

Answer = Accepted | ServiceError
Known = Mapping[Reference, Party | None]
Value = TypeVar("Value")
Found = TypeVar("Found")

BANK_HANDLE = "bank"
"""The system owner whose wallets stand for money at the bank, in each currency."""


class _Item:
    """A request on its way through the steps. Has an error once it is refused."""

    __slots__ = (
        *("asked", "bank", "error", "issuance_id", "order_ref", "other", "payer", "request"),
        "shown_name",
    )

    def __init__(self, request: Request) -> None:
        self.request = request
        self.asked = Asked(request.amount_minor, request.currency_code)
        self.order_ref = request.order_ref
        self.error: ServiceError | None = None
        self.other = request.target
        """Whom the caller deals with: a handle, an owner id or a wallet id."""
        self.bank: Party | None = None
        """The bank account of a withdrawal, as a side that has no wallet yet."""
        self.payer: Party | None = None
        """The owner of a redeemed barcode."""
        self.issuance_id = ""
        self.shown_name = ""
        """What the payer was told whom the code pays; empty: no code, and the owner's own name."""

    def caller_reference(self) -> Reference:
        return Reference(self.request.caller_id, self.asked.currency_code)

    def other_reference(self) -> Reference:
        return Reference(self.other, self.asked.currency_code)


class Acceptance:
    """Accepts batches of payments."""

    def __init__(
        self,
        *,
        database: Database,
        parties: Parties,
        codes: Codes,
        hand_over: Callable[[Sequence[NewPayment]], None],
        clock: Clock,
        ids: IdMaker,
        amount_minor_max: int,
        sweep_after_seconds: float,
    ) -> None:
        self._database = database
        self._parties = parties
        self._codes = codes
        self._hand_over = hand_over
        self._clock = clock
        self._ids = ids
        self._amount_minor_max = amount_minor_max
        self._sweep_after_seconds = sweep_after_seconds

    async def submit(self, requests: Sequence[Request]) -> list[Answer]:
        """Accept payments; answer each for itself, in order."""
        with tracing.batch(
            "accept payments", (request.traceparent for request in requests)
        ) as batch:
            answers = await self._submit(requests, batch)
            if batch.is_traced:
                _show(batch, requests, answers)
            return answers

    async def _submit(self, requests: Sequence[Request], batch: tracing.Batch) -> list[Answer]:
        items = [_Item(request) for request in requests]
        for item in items:
            if found := model.violations(item.request):
                item.error = InvalidArgument(found)
        await self._read_qrs(_open(items, Move.QR))
        await self._find_bank_accounts(_open(items, Move.WITHDRAW))
        known = await self._find_parties(_open(items))
        for item in _open(items):
            _try(item, self._check, known)
        await self._redeem(_open(items, Move.BARCODE), batch)
        answers = await self._store(items, known)
        await self._answer_replays(items, answers)
        count_batch("accept", len(requests))
        count_answers(requests, answers)
        self._hand_over(
            [
                answer.payment
                for answer in answers
                if isinstance(answer, Accepted) and isinstance(answer.payment, NewPayment)
            ]
        )
        return answers

    async def _read_qrs(self, items: list[_Item]) -> None:
        """What each scanned code asks for. A hot shop's code is read once for the whole batch."""
        texts = list({item.request.target for item in items})
        codes = await _ask(items, self._codes.decode_qrs, texts)
        for item in _open(items):
            _try(item, _follow_code, codes)

    async def _find_bank_accounts(self, items: list[_Item]) -> None:
        keys = [(item.request.caller_id, item.request.target) for item in items]
        accounts = await _ask(items, partial(operations.find_bank_accounts, self._database), keys)
        for item in _open(items):
            account = accounts.get((item.request.caller_id, item.request.target))
            if account is None:
                item.error = BankAccountNotFound()
                continue
            item.other = BANK_HANDLE
            item.bank = Party(account.id, OwnerKind.CUSTOMER, account.holder, "", closed=False)

    async def _find_parties(self, items: list[_Item]) -> Known:
        """Callers, and the others they deal with, except for barcodes: their owner is not known
        yet.
        """
        references = {item.caller_reference() for item in items}
        for item in items:
            if item.request.move is Move.TOP_UP:
                references.add(Reference(BANK_HANDLE, item.asked.currency_code))
            if item.request.move is not Move.BARCODE:
                references.add(item.other_reference())
        return await _ask(items, self._parties.find, references)

    def _check(self, item: _Item, known: Known) -> None:
        """Everything that can be refused before a barcode is used up or a row is written."""
        assert item.request.move is not None, "checked by violations()"
        caller = model.check_caller(item.request.move, known[item.caller_reference()])
        model.check_amount(item.asked, amount_minor_max=self._amount_minor_max)
        if item.request.move is Move.TOP_UP:
            model.check_payable(known[item.other_reference()], asked=item.asked)
            return
        if item.request.move in (Move.SEND, Move.QR):
            other = known[item.other_reference()]
            if other is None and item.request.move is Move.QR:
                raise MerchantNotFound
            model.check_payable(other, asked=item.asked)
        model.check_wallet(caller, asked=item.asked)

    async def _redeem(self, items: list[_Item], batch: tracing.Batch) -> None:
        """Use the barcodes up, and find who pays."""
        began_ns = time.time_ns()
        redemptions = [
            Redemption(
                code=item.request.target,
                redemption_token=model.redemption_token(
                    item.request.caller_id, item.request.request_id
                ),
                merchant_id=item.request.caller_id,
                amount_minor=item.asked.amount_minor,
                currency_code=item.asked.currency_code,
            )
            for item in items
        ]
        redeemed = await _ask(items, self._codes.redeem, redemptions)
        for item, answer in zip(items, redeemed, strict=False):
            if isinstance(answer, ServiceError):
                item.error = answer
            else:
                item.issuance_id, item.other = answer.issuance_id, answer.owner_id
            reason = item.error.reason if item.error else ""
            batch.show("redeem barcode", item.request.traceparent, start_ns=began_ns, error=reason)
        items = _open(items)
        owners = {item.other_reference() for item in items}
        known = await _ask(items, self._parties.find, owners)
        for item in _open(items):
            item.payer = known[item.other_reference()]
            _try(item, _check_payer)

    async def _store(self, items: list[_Item], known: Known) -> list[Answer]:
        new: list[NewPayment] = []
        stored_items: list[_Item] = []
        now = self._clock.now()
        for item in _open(items):
            payment = _try(item, self._compose, known, now)
            if payment is not None:
                new.append(payment)
                stored_items.append(item)
        answers: dict[_Item, Answer] = {}
        if new:
            accepted = await isolate(new, self._accept)
            answers = dict(zip(stored_items, accepted, strict=True))
        return [answers.get(item) or item.error or ServiceError() for item in items]

    async def _accept(self, new: Sequence[NewPayment]) -> Sequence[Answer]:
        return await operations.accept_payments(
            self._database, new, sweep_after_seconds=self._sweep_after_seconds
        )

    def _compose(self, item: _Item, known: Known, at: datetime) -> NewPayment:
        payer, payee = self._sides(item, known)
        if item.shown_name:
            payee = payee._replace(name=item.shown_name)
        return model.compose(
            item.request,
            payment_id=self._ids.make("pay"),
            payer=payer,
            payee=payee,
            asked=item.asked,
            order_ref=item.order_ref,
            barcode_issuance_id=item.issuance_id,
            at=at,
        )

    def _sides(self, item: _Item, known: Known) -> tuple[Party, Party]:
        """Who pays, and who is paid."""
        caller, other = known[item.caller_reference()], known.get(item.other_reference())
        payer, payee = caller, other
        if item.request.move is Move.BARCODE:
            payer, payee = item.payer, caller
        elif item.request.move is Move.TOP_UP:
            payer = known[Reference(BANK_HANDLE, item.asked.currency_code)]
        elif item.bank is not None and other is not None:
            payee = item.bank._replace(wallet_id=other.wallet_id)
        assert payer is not None
        assert payee is not None
        return payer, payee

    async def _answer_replays(self, items: list[_Item], answers: list[Answer]) -> None:
        """A request that was accepted before is answered as such, whatever would be said of it
        today.

        Its barcode has been used -- by itself --, its shop may have closed since. Only refused
        items cost this look: the others met their own row when it was inserted.
        """
        refused = [
            index
            for index, (item, answer) in enumerate(zip(items, answers, strict=True))
            if isinstance(answer, ServiceError)
            and not isinstance(answer, InvalidArgument | RequestIdReused)
        ]
        if not refused:
            return
        keys = [
            (request.caller_id, request.request_id, model.fingerprint(request))
            for request in (items[index].request for index in refused)
        ]
        try:
            before = await operations.find_replays(self._database, keys)
        except ServiceError:
            return  # The refusals stand; a repeat will find the payment.
        for index, answer in zip(refused, before, strict=True):
            if answer is not None:
                answers[index] = answer


def _show(batch: tracing.Batch, requests: Sequence[Request], answers: Sequence[Answer]) -> None:
    """Show in the trace of each what became of it."""
    for request, answer in zip(requests, answers, strict=True):
        if not tracing.is_traced(request.traceparent):
            continue
        if isinstance(answer, ServiceError):
            batch.show("accept payment", request.traceparent, error=answer.reason)
        elif answer.replayed:
            # The payment itself is in the trace of the request that made it.
            batch.show(
                "answer again",
                request.traceparent,
                attributes={"qrpay.replay.of": answer.payment.id},
            )
        else:
            batch.show(
                "accept payment",
                request.traceparent,
                attributes={
                    "qrpay.payment.id": answer.payment.id,
                    "qrpay.payment.kind": answer.payment.kind.lower(),
                },
            )


def _open(items: Sequence[_Item], move: Move | None = None) -> list[_Item]:
    """The items that are not refused; only those that ask for ``move``, if given."""
    return [
        item for item in items if item.error is None and (move is None or item.request.move is move)
    ]


async def _ask(
    items: Sequence[_Item], question: Callable[[Any], Awaitable[Found]], subject: Any
) -> Found:
    """Ask on behalf of ``items``. If there is no answer, they are refused and nothing is found."""
    if not items:
        return cast("Found", {})
    try:
        return await question(subject)
    except ServiceError as error:
        for item in items:
            item.error = error
        return cast("Found", {})


def _try(item: _Item, step: Callable[..., Value], *arguments: Any) -> Value | None:
    """Take one item through a step; a rule that it breaks becomes its error."""
    try:
        return step(item, *arguments)
    except ServiceError as error:
        item.error = error
        return None


def _follow_code(item: _Item, codes: Mapping[str, MerchantCode | ServiceError]) -> None:
    code = codes[item.request.target]
    if isinstance(code, ServiceError):
        raise code
    item.asked = model.asked_by_qr(
        item.request,
        code_amount_minor=code.amount_minor,
        code_currency_code=code.currency_code,
    )
    item.other = code.merchant_id
    item.shown_name = code.merchant_name
    item.order_ref = item.order_ref or code.reference


def _check_payer(item: _Item) -> None:
    if item.payer is None:
        raise RecipientNotFound("The customer of this barcode is not known here.")
    model.check_wallet(item.payer, asked=item.asked)
