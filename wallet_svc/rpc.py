"""WalletService over gRPC: messages in, an operation, messages out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from chassis import tracing
from chassis.batching import count_batch
from chassis.clock import Clock
from chassis.database import Database
from chassis.digests import ranges_of, rows_max_of
from chassis.errors import InvalidArgument, ServiceError
from chassis.ids import IdMaker
from chassis.server import RpcService
from qrpay.wallet.v1 import wallet_pb2, wallet_pb2_grpc
from wallet_svc import messages
from wallet_svc.audit import WALLET_ACTS
from wallet_svc.messages import refuse
from wallet_svc.model.owners import currency_fault
from wallet_svc.model.records import Outcome, Transfer, WalletStatus
from wallet_svc.operations import digests, owners, transfers, wallets

TRANSFERS_MAX = 256
WALLETS_MAX = 512
ENTRIES_MAX = 500
ENTRIES_DEFAULT = 50
RECORDS_MAX = 2000

_READERS = frozenset({"gateway", "payment", "operator"})
_READ_ONLY = frozenset({"gateway-reader"})
_OPERATORS = frozenset({"operator"})
_AUDITORS = frozenset({"ledger", "operator"})
ALLOWED_CALLERS = {
    "CreateOwner": _OPERATORS,
    "GetOwner": _READERS,
    "OpenWallet": _OPERATORS,
    "FreezeWallet": _AUDITORS,
    "UnfreezeWallet": _AUDITORS,
    "CloseWallet": _OPERATORS,
    "ResolveWallets": _READERS,
    "BatchGetWallets": _READERS | {"ledger"},
    "ListWallets": _READERS | _READ_ONLY,
    "ListEntries": _READERS | _READ_ONLY,
    "GetEntrySpan": _READERS | _READ_ONLY,
    "ExecuteTransfers": frozenset({"payment"}),
    "CancelTransfers": frozenset({"payment"}),
    "BatchGetTransfers": _READERS | {"ledger"},
    "DigestTransfers": _AUDITORS,
    "ListTransferRecords": _AUDITORS,
    "DigestBalances": _AUDITORS,
    "ListBalanceRecords": _AUDITORS,
    "ListNewestMoves": _AUDITORS,
}
"""Who may call what. Only payments move money."""


class WalletServicer(wallet_pb2_grpc.WalletServiceServicer):
    """Answers the RPCs.

    ``balance_minor_max`` limits every wallet that is not the system's. At most
    ``execute_concurrency_max`` batches of transfers are executed at a time, others wait their turn.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        ids: IdMaker,
        balance_minor_max: int,
        execute_concurrency_max: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._balance_minor_max = balance_minor_max
        self._executing = asyncio.Semaphore(execute_concurrency_max)

    async def CreateOwner(
        self, request: wallet_pb2.CreateOwnerRequest, _context: Any
    ) -> wallet_pb2.CreateOwnerResponse:
        """Make an owner with its wallets."""
        created = await owners.create_owner(
            messages.owner_request_of(request),
            database=self._database,
            clock=self._clock,
            ids=self._ids,
        )
        return wallet_pb2.CreateOwnerResponse(
            owner=messages.owner_message(created.owner),
            wallets=map(messages.wallet_message, created.wallets),
        )

    async def GetOwner(
        self, request: wallet_pb2.GetOwnerRequest, _context: Any
    ) -> wallet_pb2.GetOwnerResponse:
        """Find an owner by id or handle."""
        match request.WhichOneof("owner"):
            case "owner_id":
                owner = await owners.get_owner_by_id(request.owner_id, database=self._database)
            case "handle":
                owner = await owners.get_owner_by_handle(request.handle, database=self._database)
            case _:
                raise InvalidArgument([("owner_id", "must be given, or handle")])
        return wallet_pb2.GetOwnerResponse(owner=messages.owner_message(owner))

    async def OpenWallet(
        self, request: wallet_pb2.OpenWalletRequest, _context: Any
    ) -> wallet_pb2.OpenWalletResponse:
        """Open a wallet in one more currency."""
        refuse([("currency_code", currency_fault(request.currency_code))])
        wallet = await wallets.open_wallet(
            request.owner_id, request.currency_code, database=self._database, ids=self._ids
        )
        return wallet_pb2.OpenWalletResponse(wallet=messages.wallet_message(wallet))

    async def FreezeWallet(
        self, request: wallet_pb2.FreezeWalletRequest, _context: Any
    ) -> wallet_pb2.FreezeWalletResponse:
        """Stop a wallet's transfers for a time."""
        wallet = await self._change_status(request.wallet_id, WalletStatus.FROZEN)
        return wallet_pb2.FreezeWalletResponse(wallet=wallet)

    async def UnfreezeWallet(
        self, request: wallet_pb2.UnfreezeWalletRequest, _context: Any
    ) -> wallet_pb2.UnfreezeWalletResponse:
        """Let a frozen wallet take part again."""
        wallet = await self._change_status(request.wallet_id, WalletStatus.ACTIVE)
        return wallet_pb2.UnfreezeWalletResponse(wallet=wallet)

    async def CloseWallet(
        self, request: wallet_pb2.CloseWalletRequest, _context: Any
    ) -> wallet_pb2.CloseWalletResponse:
        """End an empty wallet."""
        wallet = await self._change_status(request.wallet_id, WalletStatus.CLOSED)
        return wallet_pb2.CloseWalletResponse(wallet=wallet)

    async def _change_status(self, wallet_id: str, wanted: WalletStatus) -> wallet_pb2.Wallet:
        wallet = await wallets.change_status(wallet_id, wanted, database=self._database)
        return messages.wallet_message(wallet)

    async def ResolveWallets(
        self, request: wallet_pb2.ResolveWalletsRequest, _context: Any
    ) -> wallet_pb2.ResolveWalletsResponse:
        """Find what people mean; each reference has its own answer."""
        refuse([("references", _count_fault(request.references, WALLETS_MAX))])
        resolutions = await wallets.resolve_wallets(
            messages.references_of(request.references), database=self._database
        )
        return messages.resolve_response(resolutions)

    async def BatchGetWallets(
        self, request: wallet_pb2.BatchGetWalletsRequest, _context: Any
    ) -> wallet_pb2.BatchGetWalletsResponse:
        """Read wallets by id, all or nothing."""
        refuse([("wallet_ids", _count_fault(request.wallet_ids, WALLETS_MAX))])
        found = await wallets.batch_get_wallets(request.wallet_ids, database=self._database)
        return wallet_pb2.BatchGetWalletsResponse(wallets=map(messages.wallet_message, found))

    async def ListWallets(
        self, request: wallet_pb2.ListWalletsRequest, _context: Any
    ) -> wallet_pb2.ListWalletsResponse:
        """List an owner's wallets."""
        found = await wallets.list_wallets(request.owner_id, database=self._database)
        return wallet_pb2.ListWalletsResponse(wallets=map(messages.wallet_message, found))

    async def ListEntries(
        self, request: wallet_pb2.ListEntriesRequest, _context: Any
    ) -> wallet_pb2.ListEntriesResponse:
        """List a wallet's entries in order of number."""
        refuse(
            [
                ("currency_code", currency_fault(request.currency_code)),
                ("after_number", "must not be negative" if request.after_number < 0 else None),
                ("page_size", "must not be negative" if request.page_size < 0 else None),
            ]
        )
        page = await wallets.list_entries(
            request.owner_id,
            request.currency_code,
            after_number=request.after_number,
            count_max=min(request.page_size or ENTRIES_DEFAULT, ENTRIES_MAX),
            database=self._database,
        )
        return wallet_pb2.ListEntriesResponse(
            entries=map(messages.entry_message, page.entries),
            next_after_number=page.entries[-1].number if page.has_more else 0,
        )

    async def GetEntrySpan(
        self, request: wallet_pb2.GetEntrySpanRequest, _context: Any
    ) -> wallet_pb2.GetEntrySpanResponse:
        """Find the entries of a span of time."""
        start_time, end_time = messages.span_of(request)
        span = await wallets.get_entry_span(
            request.owner_id,
            request.currency_code,
            start_time=start_time,
            end_time=end_time,
            database=self._database,
        )
        return messages.entry_span_response(span)

    async def ExecuteTransfers(
        self, request: wallet_pb2.ExecuteTransfersRequest, _context: Any
    ) -> wallet_pb2.ExecuteTransfersResponse:
        """Move money; each transfer has its own answer."""
        refuse([("transfers", _count_fault(request.transfers, TRANSFERS_MAX))])
        asked = [messages.transfer_of(message) for message in request.transfers]
        count_batch("transfer", len(asked))
        with tracing.batch(
            "execute transfers", (message.traceparent for message in request.transfers)
        ) as batch:
            async with self._executing:
                answers = await transfers.execute_transfers(
                    [item for item in asked if isinstance(item, Transfer)],
                    database=self._database,
                    clock=self._clock,
                    balance_minor_max=self._balance_minor_max,
                )
            outcomes = list(_in_order(asked, answers))
            if batch.is_traced:
                _show(batch, request.transfers, outcomes)
        response = wallet_pb2.ExecuteTransfersResponse()
        messages.fill_results(response.results.add, outcomes)
        return response

    async def CancelTransfers(
        self, request: wallet_pb2.CancelTransfersRequest, _context: Any
    ) -> wallet_pb2.CancelTransfersResponse:
        """End transfers that have not been executed; each has its own answer."""
        refuse([("transfers", _count_fault(request.transfers, TRANSFERS_MAX))])
        asked = [messages.transfer_of(message) for message in request.transfers]
        wanted = [item for item in asked if isinstance(item, Transfer)]
        answers = (
            await transfers.cancel_transfers(wanted, database=self._database, clock=self._clock)
            if wanted
            else []
        )
        response = wallet_pb2.CancelTransfersResponse()
        messages.fill_results(
            response.results.add,
            _in_order(asked, answers),
        )
        return response

    async def BatchGetTransfers(
        self, request: wallet_pb2.BatchGetTransfersRequest, _context: Any
    ) -> wallet_pb2.BatchGetTransfersResponse:
        """Read what became of transfers."""
        refuse([("payment_ids", _count_fault(request.payment_ids, WALLETS_MAX))])
        found = await transfers.get_transfers(request.payment_ids, database=self._database)
        return wallet_pb2.BatchGetTransfersResponse(
            transfers=map(messages.executed_transfer_message, found)
        )

    async def DigestTransfers(
        self, request: wallet_pb2.DigestTransfersRequest, _context: Any
    ) -> wallet_pb2.DigestTransfersResponse:
        """Add up the transfers of ranges of payment ids."""
        found = await digests.digest_transfers(
            ranges_of(request.ranges),
            rows_max=rows_max_of(request.rows_max),
            database=self._database,
        )
        return wallet_pb2.DigestTransfersResponse(digests=map(messages.transfer_digest, found))

    async def ListTransferRecords(
        self, request: wallet_pb2.ListTransferRecordsRequest, _context: Any
    ) -> wallet_pb2.ListTransferRecordsResponse:
        """List the transfers of ranges of payment ids, and entries that do not fit."""
        found, faults = await digests.list_transfers(
            ranges_of(request.ranges), count_max=RECORDS_MAX, database=self._database
        )
        return wallet_pb2.ListTransferRecordsResponse(
            transfers=map(messages.executed_transfer_message, found[:RECORDS_MAX]),
            faults=map(messages.fault_message, faults[:RECORDS_MAX]),
            too_many=max(len(found), len(faults)) > RECORDS_MAX,
        )

    async def DigestBalances(
        self, request: wallet_pb2.DigestBalancesRequest, _context: Any
    ) -> wallet_pb2.DigestBalancesResponse:
        """Add up the balances of ranges of wallet ids."""
        found = await digests.digest_balances(
            ranges_of(request.ranges),
            as_of_time=messages.as_of_time_of(request),
            rows_max=rows_max_of(request.rows_max),
            database=self._database,
        )
        return wallet_pb2.DigestBalancesResponse(digests=map(messages.balance_digest, found))

    async def ListBalanceRecords(
        self, request: wallet_pb2.ListBalanceRecordsRequest, _context: Any
    ) -> wallet_pb2.ListBalanceRecordsResponse:
        """List the balances of ranges of wallet ids."""
        found = await digests.list_balances(
            ranges_of(request.ranges),
            as_of_time=messages.as_of_time_of(request),
            count_max=RECORDS_MAX,
            database=self._database,
        )
        return wallet_pb2.ListBalanceRecordsResponse(
            records=map(messages.balance_message, found[:RECORDS_MAX]),
            too_many=len(found) > RECORDS_MAX,
        )

    async def ListNewestMoves(
        self, request: wallet_pb2.ListNewestMovesRequest, _context: Any
    ) -> wallet_pb2.ListNewestMovesResponse:
        """List what moved a wallet last."""
        count_max = messages.move_count_of(request)
        found = await digests.list_newest_moves(
            request.wallet_id, count_max=count_max, database=self._database
        )
        return messages.newest_moves_response(found, count_max=count_max)


def rpc_service(servicer: WalletServicer) -> RpcService:
    """WalletService as the server takes it."""
    return RpcService(
        descriptor=wallet_pb2.DESCRIPTOR.services_by_name["WalletService"],
        register=wallet_pb2_grpc.add_WalletServiceServicer_to_server,
        servicer=servicer,
        allowed_callers=ALLOWED_CALLERS,
        acts=WALLET_ACTS,
    )


def _in_order(
    asked: Sequence[Transfer | InvalidArgument], answers: Sequence[Outcome | ServiceError]
) -> Iterator[Outcome | ServiceError]:
    """An answer to each that was asked for: malformed ones are their own, the others are given."""
    given = iter(answers)
    return (item if isinstance(item, ServiceError) else next(given) for item in asked)


def _show(
    batch: tracing.Batch,
    asked: Sequence[wallet_pb2.Transfer],
    outcomes: Sequence[Outcome | ServiceError],
) -> None:
    """Show in the trace of each transfer what became of it."""
    for message, outcome in zip(asked, outcomes, strict=True):
        if not tracing.is_traced(message.traceparent):
            continue
        attributes, error = {"qrpay.payment.id": message.payment_id}, ""
        if isinstance(outcome, ServiceError):
            error = outcome.reason
        elif outcome.failure_code:
            # An answer, and no error.
            attributes["qrpay.payment.failure"] = outcome.failure_code.name.lower()
        batch.show("transfer", message.traceparent, attributes=attributes, error=error)


def _count_fault(items: Sequence[object], count_max: int) -> str | None:
    return None if 1 <= len(items) <= count_max else f"must be 1 to {count_max}"
