"""``GET /wallets/me/statement``: one month of the caller's own wallet, as CSV or PDF.

Both are made of pages of entries that wallet_svc lists. CSV goes out page by page and is never
whole anywhere; if something fails on the way, the connection is cut, so that nobody takes a part
for all of it. A PDF is drawn in a process beside ours: seconds of CPU are not for an event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from functools import partial

from starlette.types import Receive, Send

from chassis import channel
from chassis.clock import Clock
from chassis.errors import Unavailable
from chassis.studio import Studio
from gateway import statement_csv
from gateway.endpoint import ClientGone
from gateway.operation import Call, Headers, Stream
from gateway.payment_view import KINDS, time_of
from gateway.problems import Problem, invalid_request
from gateway.queries import StatementQuery
from gateway.settings import GatewaySettings
from gateway.statement import DoesNotAddUp, Head, Line, Month, file_name
from gateway.statement_csv import CsvStatement
from gateway.statement_pdf import statement_pdf
from gateway.upstream import Upstream
from gateway.wallets_api import only_currency
from qrpay.wallet.v1 import wallet_pb2

_PAGE_SIZE = 500
"""Entries that wallet_svc is asked for at a time: as many as it gives."""


class StatementsApi:
    """Handler of /wallets/me/statement."""

    def __init__(
        self, *, upstream: Upstream, studio: Studio, clock: Clock, settings: GatewaySettings
    ) -> None:
        self._upstream = upstream
        self._studio = studio
        self._clock = clock
        self._settings = settings
        self._busy: set[str] = set()
        """Owners whose statement is being made."""

    async def read(self, call: Call) -> Stream:
        """GET /wallets/me/statement."""
        return Stream(partial(self._write, call))

    async def _write(self, call: Call, receive: Receive, send: Send) -> None:
        # It takes longer than other answers, and has a clock of its own.
        channel.deadline.set(None)
        gone = asyncio.create_task(_until_gone(receive), name="watch client")
        try:
            with self._place(call.user.id):
                async with asyncio.timeout(self._settings.statement_seconds):
                    await self._answer(call, gone, send)
        except TimeoutError:
            raise Unavailable from None
        finally:
            gone.cancel()

    @contextmanager
    def _place(self, owner_id: str) -> Iterator[None]:
        """One of the places that there are for statements under way."""
        if owner_id in self._busy:
            raise Problem(
                "rate-limited",
                detail="One statement at a time: your last one is still on its way.",
                retry_after_seconds=1,
            )
        if len(self._busy) >= self._settings.statements_max:
            raise Unavailable
        self._busy.add(owner_id)
        try:
            yield
        finally:
            self._busy.remove(owner_id)

    async def _answer(self, call: Call, gone: asyncio.Task[None], send: Send) -> None:
        query: StatementQuery = call.query
        settings = self._settings
        head = await self._head(call.user.id, query)
        if query.statement_format == "pdf":
            _refuse_if_long(head, settings.statement_pdf_entries_max, "Ask for it with format=csv.")
            write = self._write_pdf
        else:
            _refuse_if_long(
                head, settings.statement_csv_entries_max, "Read /wallets/me/entries instead."
            )
            write = self._write_csv
        async with aclosing(self._pages(head, gone)) as pages:
            await write(head, pages, send)

    async def _write_pdf(self, head: Head, pages: AsyncIterator[list[Line]], send: Send) -> None:
        lines = [line async for page in pages for line in page]
        content = await self._studio.run(statement_pdf, head, lines)
        length = (b"content-length", b"%d" % len(content))
        await self._begin(send, head, "application/pdf", "pdf", length)
        await self._send(send, content, more=False)

    async def _write_csv(self, head: Head, pages: AsyncIterator[list[Line]], send: Send) -> None:
        statement = CsvStatement(head)
        await self._begin(send, head, statement_csv.MEDIA_TYPE, "csv")
        await self._send(send, statement.begin())
        async for page in pages:
            await self._send(send, statement.lines(page))
        await self._send(send, statement.end(), more=False)

    async def _head(self, owner_id: str, query: StatementQuery) -> Head:
        made_at = self._clock.now()
        this_month = Month.of(made_at)
        month = Month.parse(query.month) if query.month else this_month
        if month > this_month:
            raise invalid_request(("month", "must not be in the future"))
        currency = query.currency or await only_currency(self._upstream, owner_id)
        request = wallet_pb2.GetEntrySpanRequest(owner_id=owner_id, currency_code=currency)
        request.start_time.FromDatetime(month.start)
        request.end_time.FromDatetime(month.end)
        span = await self._upstream.call(self._upstream.wallet.GetEntrySpan, request)
        return Head(
            owner_id=span.owner.id,
            owner_name=span.owner.name,
            wallet_id=span.wallet_id,
            currency=currency,
            month=month,
            made_at=made_at,
            after_number=span.after_number,
            last_number=span.last_number,
            opening_minor=span.opening_balance_minor,
            closing_minor=span.closing_balance_minor,
        )

    async def _pages(self, head: Head, gone: asyncio.Task[None]) -> AsyncGenerator[list[Line]]:
        """All entries of the month. Raises ``ClientGone`` as soon as nobody waits for them."""
        after = head.after_number
        while after < head.last_number:
            if gone.done():
                raise ClientGone
            page = await self._upstream.call(
                self._upstream.wallet.ListEntries,
                wallet_pb2.ListEntriesRequest(
                    owner_id=head.owner_id,
                    currency_code=head.currency,
                    after_number=after,
                    page_size=min(_PAGE_SIZE, head.last_number - after),
                ),
            )
            if not page.entries:
                raise DoesNotAddUp(f"entries of {head.wallet_id} after {after}")
            yield list(map(_line, page.entries))
            after = page.entries[-1].number

    async def _begin(
        self, send: Send, head: Head, media_type: str, extension: str, *more: tuple[bytes, bytes]
    ) -> None:
        disposition = f'attachment; filename="{file_name(head, extension)}"'
        headers: Headers = [
            (b"content-type", media_type.encode("ascii")),
            (b"content-disposition", disposition.encode("ascii")),
            *more,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _send(self, send: Send, content: bytes, *, more: bool = True) -> None:
        """Raises ``TimeoutError`` if the client takes nothing."""
        async with asyncio.timeout(self._settings.stream_send_seconds):
            await send({"type": "http.response.body", "body": content, "more_body": more})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _refuse_if_long(head: Head, count_max: int, advice: str) -> None:
    if head.count > count_max:
        raise Problem(
            "statement-too-long",
            detail=f"The month has {head.count} entries, and this format takes {count_max}. "
            f"{advice}",
        )


def _line(entry: wallet_pb2.Entry) -> Line:
    return Line(
        entry.number,
        time_of(entry.create_time),
        KINDS.get(entry.kind, "pay"),
        entry.counterparty_id,
        entry.counterparty_name,
        entry.payment_id,
        entry.amount_minor,
        entry.balance_after_minor,
    )
