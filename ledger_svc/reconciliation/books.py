"""The three books, asked the same questions: payment and wallet over gRPC, the journal here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.channel import call
from chassis.database import Database
from chassis.digests import IdRange, digest_message
from ledger_svc.errors import TooManyRows
from ledger_svc.reconciliation.balances import Comparison, compare_moves
from ledger_svc.reconciliation.model import (
    AccountRow,
    BalanceRow,
    EntryFault,
    PaymentRow,
    Status,
    Terms,
    TransactionRow,
    TransferRow,
    Trio,
)
from ledger_svc.store import digests as store
from qrpay.payment.v1 import payment_pb2, payment_pb2_grpc
from qrpay.type.v1 import digest_pb2, money_pb2
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc

ROWS_MAX = 50_000
"""Rows of a range that are added up in one go: about half a second in the slowest of the books."""
LISTED_MAX = 2_000
"""Rows of a request that are listed."""
RANGES_MAX = 64
"""Ranges that one request may name."""

_NEWEST_MOVES = 10_000
"""Of a wallet, looked for in the journal."""

_PENDING, _COMPLETED = payment_pb2.PAYMENT_STATUS_PENDING, payment_pb2.PAYMENT_STATUS_COMPLETED


class Counts(NamedTuple):
    """How many rows were added up."""

    payments: int = 0
    transfers: int = 0
    transactions: int = 0


class Digests(NamedTuple):
    """What each book says of one range; of balances, payment says nothing."""

    payment: digest_pb2.RangeDigest
    wallet: digest_pb2.RangeDigest
    ledger: digest_pb2.RangeDigest

    @property
    def too_many(self) -> bool:
        """Some book has more rows than it was to read."""
        return any(item.too_many for item in self)

    @property
    def agree(self) -> bool:
        """The books hold the same, and nothing of it is open."""
        moved = _set(self.wallet.moved)
        return (
            moved == _set(self.payment.moved)
            and moved == _set(self.ledger.moved)
            and _set(self.payment.refused) == _set(self.wallet.refused)
            and not self.payment.pending_count
            and not self.wallet.fault_count
        )

    @property
    def counts(self) -> Counts:
        """How many rows each has."""
        return Counts(
            _rows(self.payment) + self.payment.pending_count,
            _rows(self.wallet),
            _rows(self.ledger),
        )


class Rows(NamedTuple):
    """What the books have of some payments, by payment id."""

    trios: dict[str, Trio]
    faults: list[EntryFault]


class Balances(NamedTuple):
    """What the books say that some wallets had, by wallet id."""

    wallets: dict[str, BalanceRow]
    accounts: dict[str, AccountRow]


class Books:
    """Asks them. Raises ``Unavailable`` and the like when one of them cannot be asked."""

    def __init__(
        self,
        *,
        database: Database,
        payments: payment_pb2_grpc.PaymentServiceStub,
        wallets: wallet_pb2_grpc.WalletServiceStub,
        call_seconds_max: float,
    ) -> None:
        self._database = database
        self._payments = payments
        self._wallets = wallets
        self._seconds = call_seconds_max

    async def digest_payments(
        self, ranges: Sequence[IdRange], *, rows_max: int = ROWS_MAX
    ) -> list[Digests]:
        """What the books say of ranges of payment ids, in their order. All three work at once."""
        asked = [_range_message(ids) for ids in ranges]
        payments, wallets, transactions = await asyncio.gather(
            call(
                self._payments.DigestPayments,
                payment_pb2.DigestPaymentsRequest(ranges=asked, rows_max=rows_max),
                timeout_seconds=self._seconds,
            ),
            call(
                self._wallets.DigestTransfers,
                wallet_pb2.DigestTransfersRequest(ranges=asked, rows_max=rows_max),
                timeout_seconds=self._seconds,
            ),
            self._digest_transactions(ranges, rows_max),
        )
        answers = zip(payments.digests, wallets.digests, transactions, strict=True)
        return [Digests(*answer) for answer in answers]

    async def list_payments(self, ranges: Sequence[IdRange]) -> Rows:
        """What the books have in ranges of payment ids. Raises ``TooManyRows``.

        Payment is asked first, and wallet last: whatever says that money moved can then be
        found there, because it moved before that was written.
        """
        asked = [_range_message(ids) for ids in ranges]
        payments = await call(
            self._payments.ListPaymentRecords,
            payment_pb2.ListPaymentRecordsRequest(ranges=asked),
            timeout_seconds=self._seconds,
        )
        transactions = await self._list_transactions(ranges)
        transfers = await call(
            self._wallets.ListTransferRecords,
            wallet_pb2.ListTransferRecordsRequest(ranges=asked),
            timeout_seconds=self._seconds,
        )
        if payments.too_many or transfers.too_many or len(transactions) > LISTED_MAX:
            raise TooManyRows
        by_payment = {row.payment_id: row for row in map(_payment_row, payments.records)}
        by_transfer = {row.payment_id: row for row in map(_transfer_row, transfers.transfers)}
        by_transaction = {row.payment_id: row for row in transactions}
        return Rows(
            {
                item: Trio(by_payment.get(item), by_transfer.get(item), by_transaction.get(item))
                for item in sorted({*by_payment, *by_transfer, *by_transaction})
            },
            [_fault(item) for item in transfers.faults],
        )

    async def digest_balances(
        self, ranges: Sequence[IdRange], *, as_of_time: datetime, rows_max: int = ROWS_MAX
    ) -> list[Digests]:
        """What wallet and ledger say that ranges of wallets had, in their order."""
        wallets, books = await asyncio.gather(
            call(
                self._wallets.DigestBalances,
                wallet_pb2.DigestBalancesRequest(
                    ranges=map(_range_message, ranges),
                    as_of_time=_timestamp(as_of_time),
                    rows_max=rows_max,
                ),
                timeout_seconds=self._seconds,
            ),
            self._digest_accounts(ranges, as_of_time, rows_max),
        )
        return [
            # Payment knows no balances: it says what wallet says.
            Digests(digest_pb2.RangeDigest(moved=wallet.moved), wallet, ledger)
            for wallet, ledger in zip(wallets.digests, books, strict=True)
        ]

    async def list_balances(self, ranges: Sequence[IdRange], *, as_of_time: datetime) -> Balances:
        """What wallet and ledger say that each wallet had. Raises ``TooManyRows``."""
        wallets, books = await asyncio.gather(
            call(
                self._wallets.ListBalanceRecords,
                wallet_pb2.ListBalanceRecordsRequest(
                    ranges=map(_range_message, ranges), as_of_time=_timestamp(as_of_time)
                ),
                timeout_seconds=self._seconds,
            ),
            self._list_accounts(ranges, as_of_time),
        )
        if wallets.too_many or len(books) > LISTED_MAX:
            raise TooManyRows
        return Balances(
            {row.wallet_id: row for row in map(_balance_row, wallets.records)},
            {row.wallet_id: row for row in books},
        )

    async def compare_wallet(self, wallet_id: str) -> Comparison:
        """A wallet beside its account, exactly, whatever happens to both meanwhile and whoever's
        clock is wrong.

        The account is read first, with the number of the newest transaction in it. All that is in
        it has moved the wallet before, so the wallet's newest moves have it; those of them that are
        not in the journal up to that number are what the account cannot have yet.
        """
        account = await self._database.read(
            lambda connection: store.account_now(connection, wallet_id)
        )
        newest = await call(
            self._wallets.ListNewestMoves,
            wallet_pb2.ListNewestMovesRequest(wallet_id=wallet_id, count_max=_NEWEST_MOVES),
            timeout_seconds=self._seconds,
        )
        moves = [(move.payment_id, move.amount_minor) for move in newest.moves]
        number_max = account.last_number if account else 0
        booked = await self._database.read(
            lambda connection: store.booked(
                connection, [payment_id for payment_id, _ in moves], number_max=number_max
            )
        )
        return compare_moves(
            moves,
            balance_minor=newest.balance_minor,
            is_complete=newest.is_complete,
            account_minor=account.balance_minor if account else 0,
            booked=booked,
        )

    async def first_payment(self, ids: IdRange) -> str | None:
        """The oldest payment of a range that is booked."""
        return await self._database.read(lambda connection: store.first_payment(connection, ids))

    async def _digest_transactions(
        self, ranges: Sequence[IdRange], rows_max: int
    ) -> list[digest_pb2.RangeDigest]:
        async def work(connection: AsyncConnection) -> list[digest_pb2.RangeDigest]:
            found = []
            for ids in ranges:
                count = await store.count_transactions(connection, ids, count_max=rows_max + 1)
                sums = None if count > rows_max else await store.sum_transactions(connection, ids)
                found.append(_digest_of(sums))
            return found

        return await self._database.read(work)

    async def _list_transactions(self, ranges: Sequence[IdRange]) -> list[TransactionRow]:
        async def work(connection: AsyncConnection) -> list[TransactionRow]:
            found: list[TransactionRow] = []
            for ids in ranges:
                left = LISTED_MAX + 1 - len(found)
                found += await store.list_transactions(connection, ids, count_max=left)
            return found

        return await self._database.read(work)

    async def _digest_accounts(
        self, ranges: Sequence[IdRange], as_of_time: datetime, rows_max: int
    ) -> list[digest_pb2.RangeDigest]:
        async def work(connection: AsyncConnection) -> list[digest_pb2.RangeDigest]:
            found = []
            for ids in ranges:
                count = await store.count_accounts(connection, ids, count_max=rows_max + 1)
                found.append(
                    _digest_of(
                        None
                        if count > rows_max
                        else await store.sum_balances(connection, ids, as_of_time=as_of_time)
                    )
                )
            return found

        return await self._database.read(work)

    async def _list_accounts(
        self, ranges: Sequence[IdRange], as_of_time: datetime
    ) -> list[AccountRow]:
        async def work(connection: AsyncConnection) -> list[AccountRow]:
            found: list[AccountRow] = []
            for ids in ranges:
                left = LISTED_MAX + 1 - len(found)
                found += await store.list_balances(
                    connection, ids, as_of_time=as_of_time, count_max=left
                )
            return found

        return await self._database.read(work)


def _set(digests: Iterable[digest_pb2.Digest]) -> set[tuple[str, int, int, int]]:
    return {(item.currency_code, item.count, item.amount_minor, item.hash) for item in digests}


def _rows(digest: digest_pb2.RangeDigest) -> int:
    return sum(item.count for item in (*digest.moved, *digest.refused))


def _digest_of(sums: Sequence[store.Sum] | None) -> digest_pb2.RangeDigest:
    if sums is None:
        return digest_pb2.RangeDigest(too_many=True)
    return digest_pb2.RangeDigest(moved=[digest_message(*item) for item in sums])


def _range_message(ids: IdRange) -> digest_pb2.IdRange:
    return digest_pb2.IdRange(start_id=ids.start_id, end_id=ids.end_id)


def _timestamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def _time(message: Timestamp) -> datetime:
    return message.ToDatetime(tzinfo=UTC)


def _terms(kind: int, debit_wallet_id: str, credit_wallet_id: str, money: money_pb2.Money) -> Terms:
    return Terms(kind, debit_wallet_id, credit_wallet_id, money.currency_code, money.amount_minor)


def _payment_row(record: payment_pb2.PaymentRecord) -> PaymentRow:
    if record.status == _PENDING:
        status = Status.PENDING
    else:
        status = Status.COMPLETED if record.status == _COMPLETED else Status.FAILED
    return PaymentRow(
        record.payment_id,
        _terms(record.kind, record.debit_wallet_id, record.credit_wallet_id, record.money),
        status,
        record.failure_code,
        _time(record.create_time),
        _time(record.complete_time) if record.HasField("complete_time") else None,
        record.is_set_aside,
    )


def _transfer_row(item: wallet_pb2.ExecutedTransfer) -> TransferRow:
    transfer, outcome = item.transfer, item.outcome
    return TransferRow(
        transfer.payment_id,
        _terms(transfer.kind, transfer.debit_wallet_id, transfer.credit_wallet_id, transfer.money),
        outcome.failure_code,
        _time(outcome.execute_time),
    )


def _fault(item: wallet_pb2.EntryFault) -> EntryFault:
    return EntryFault(
        item.payment_id, item.wallet_id, item.number, item.is_chain, item.expected, item.found
    )


def _balance_row(record: wallet_pb2.BalanceRecord) -> BalanceRow:
    return BalanceRow(
        record.wallet_id,
        record.money.currency_code,
        record.money.amount_minor,
        record.balance_minor,
        record.last_entry_number,
        record.entry_number,
        record.entry_balance_minor,
    )
