"""Balances and entries of the caller's own wallets."""

from __future__ import annotations

from gateway import answers
from gateway.operation import Call, Reply
from gateway.payment_view import KINDS, time_of
from gateway.problems import invalid_request
from gateway.queries import EntriesQuery
from gateway.replies import json_reply
from gateway.upstream import Upstream
from qrpay.wallet.v1 import wallet_pb2


class WalletsApi:
    """Handlers of /wallets/me."""

    def __init__(self, *, upstream: Upstream) -> None:
        self._upstream = upstream

    async def list_wallets(self, call: Call) -> Reply:
        """GET /wallets/me."""
        return json_reply(
            answers.Wallets(
                items=[
                    answers.Wallet(
                        id=wallet.id,
                        currency=wallet.currency_code,
                        available=wallet.balance_minor - wallet.held_minor,
                        held=wallet.held_minor,
                    )
                    for wallet in await _wallets(self._upstream, call.user.id)
                ]
            )
        )

    async def entries(self, call: Call) -> Reply:
        """GET /wallets/me/entries. The currency may be left out by who has one wallet."""
        query: EntriesQuery = call.query
        currency = query.currency or await only_currency(self._upstream, call.user.id)
        page = await self._upstream.call(
            self._upstream.wallet.ListEntries,
            wallet_pb2.ListEntriesRequest(
                owner_id=call.user.id,
                currency_code=currency,
                after_number=query.after,
                page_size=query.limit,
            ),
        )
        return json_reply(
            answers.Entries(
                items=[_entry_answer(entry) for entry in page.entries],
                next=page.next_after_number or None,
            )
        )


async def only_currency(upstream: Upstream, owner_id: str) -> str:
    """The currency of the owner's wallet. Raises ``Problem`` if there is not exactly one."""
    wallets = await _wallets(upstream, owner_id)
    if len(wallets) != 1:
        raise invalid_request(("currency", "is required: you do not have exactly one wallet"))
    return wallets[0].currency_code


async def _wallets(upstream: Upstream, owner_id: str) -> list[wallet_pb2.Wallet]:
    response = await upstream.call(
        upstream.wallet.ListWallets, wallet_pb2.ListWalletsRequest(owner_id=owner_id)
    )
    return list(response.wallets)


def _entry_answer(entry: wallet_pb2.Entry) -> answers.Entry:
    return answers.Entry(
        number=entry.number,
        payment_id=entry.payment_id,
        amount=entry.amount_minor,
        balance_after=entry.balance_after_minor,
        at=time_of(entry.create_time),
        counterparty=answers.Party(id=entry.counterparty_id, name=entry.counterparty_name),
        kind=KINDS.get(entry.kind, "pay"),
    )
