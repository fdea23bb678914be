"""`qrpay ledger statement`: an account's postings, on the screen or as a file."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal, Protocol

import click

from chassis.channel import call
from cli import ledger_words as words
from cli.mesh import Mesh, run_with_mesh
from cli.options import Moment, data_option, json_option
from embedded.errors import StackError
from ledger_svc.exports.camt import CamtStatement
from ledger_svc.exports.csv_file import CsvStatement
from ledger_svc.exports.lines import DoesNotAddUp, Head, Line, NotExportable, Totals, amount_text
from qrpay.ledger.v1 import book_pb2 as pb
from qrpay.ledger.v1 import ledger_pb2

_CALL_SECONDS = 5.0
_PAGE_SIZE = 500
_SPOOL_BYTES_MAX = 8 * 1024 * 1024
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


class Writer(Protocol):
    """Writes a statement piece by piece: ``begin``, ``lines`` as often as needed, ``end``."""

    def begin(self) -> bytes:
        """What goes before the lines."""
        ...

    def lines(self, lines: Iterable[Line]) -> bytes:
        """The next lines."""
        ...

    def end(self) -> bytes:
        """What goes after them."""
        ...


@click.command()
@click.argument("account_id", metavar="ACCOUNT")
@data_option
@click.option("--month", metavar="YYYY-MM", help="All of a month, in UTC.")
@click.option(
    "--from",
    "start_time",
    type=Moment(),
    help="Booked then or later: a time, or how long ago (15m, 7d).",
)
@click.option("--to", "end_time", type=Moment(), help="Booked before.  [default: now]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "camt053"]),
    help="What to write; camt053 is the XML of ISO 20022, for bank people.  [default: table]",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file to write it to, all or nothing.  [default: standard output]",
)
@json_option
def statement(
    account_id: str,
    data: Path,
    month: str | None,
    start_time: datetime | None,
    end_time: datetime | None,
    form: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Print an account's statement: its balances, and every posting between them.

    Times are booking times. Without --month, --from and --to it is the whole book.
    """
    if month is not None:
        if start_time or end_time:
            raise click.UsageError("Give --month, or --from and --to.")
        start_time, end_time = _month(month)
    if as_json and form is not None:
        raise click.UsageError("Give --json or --format.")
    request = pb.ListPostingsRequest(
        account_id=account_id,
        start_time=start_time,
        end_time=end_time,
        page_size=_PAGE_SIZE,
    )
    try:
        with _opened(output) as file:
            form = "json" if as_json else form or "table"
            run_with_mesh(data, lambda mesh: _write(mesh, request, file, form))
    except DoesNotAddUp as error:
        raise StackError(f"{error} does not add up. See: qrpay ledger verify") from error
    except NotExportable as error:
        raise StackError(str(error)) from error


async def _write(mesh: Mesh, request: pb.ListPostingsRequest, file: IO[bytes], form: str) -> None:
    """Write a statement as it comes in. Raises ``DoesNotAddUp``, ``NotExportable``."""
    pages = _pages(mesh, request)
    page = await anext(pages)
    head = _head(page, request)
    if form in _WRITERS:
        writer = _WRITERS[form](head)
        file.write(writer.begin())
        file.write(writer.lines(map(_line, page.postings)))
        async for page in pages:
            file.write(writer.lines(map(_line, page.postings)))
        file.write(writer.end())
        return
    # Its head has the sums of what comes after it.
    camt = CamtStatement(head)
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES_MAX) as spool:
        spool.write(camt.lines(map(_line, page.postings)))
        async for page in pages:
            spool.write(camt.lines(map(_line, page.postings)))
        spool.seek(0)
        file.write(camt.begin())
        shutil.copyfileobj(spool, file)
        file.write(camt.end())


async def _pages(
    mesh: Mesh, request: pb.ListPostingsRequest
) -> AsyncIterator[pb.ListPostingsResponse]:
    while True:
        page = await call(mesh.book.ListPostings, request, timeout_seconds=_CALL_SECONDS)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes]]:
    """Where to write to; a file is there when it is whole."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    part = path.with_name(f".{path.name}.part")
    try:
        file = part.open("wb")
    except OSError as error:
        raise StackError(f"cannot write {path}: {error.strerror}") from error
    try:
        with file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class _Table:
    """Lines for people; of any length, so no column waits for the widest."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._totals = Totals(head)

    def begin(self) -> bytes:
        head = self._head
        return "".join(
            [
                f"{head.account_id} ({head.account_class}), {head.currency_code}\n",
                _row("BOOKED (UTC)", "TRANSACTION", "KIND", ("DEBIT", "CREDIT", "BALANCE"), "OF"),
                self._amounts("opening", balance=head.opening_minor),
            ]
        ).encode()

    def lines(self, lines: Iterable[Line]) -> bytes:
        return "".join(map(self._line, lines)).encode()

    def end(self) -> bytes:
        self._totals.finish()
        totals = self._totals
        total = self._amounts("total", debit=totals.debits_minor, credit=totals.credits_minor)
        closing = self._amounts("closing", balance=self._head.closing_minor)
        return f"{total}{closing}".encode()

    def _line(self, line: Line) -> str:
        self._totals.add(line)
        return self._amounts(
            line.transaction_id,
            time=line.book_time.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "seconds"),
            kind=line.kind,
            debit=-line.amount_minor if line.amount_minor < 0 else None,
            credit=line.amount_minor if line.amount_minor > 0 else None,
            balance=line.balance_minor,
            texts=" ".join(filter(None, [line.source_id, line.description])),
        )

    def _amounts(
        self,
        name: str,
        *,
        time: str = "",
        kind: str = "",
        debit: int | None = None,
        credit: int | None = None,
        balance: int | None = None,
        texts: str = "",
    ) -> str:
        code = self._head.currency_code
        amounts = ["" if it is None else amount_text(it, code) for it in (debit, credit, balance)]
        return _row(time, name, kind, amounts, texts)


class _Json:
    """One JSON document, written as it comes in."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._totals = Totals(head)
        self._separator = ""

    def begin(self) -> bytes:
        head = self._head
        fields = {
            "account": head.account_id,
            "class": head.account_class,
            "currency": head.currency_code,
            "from": head.start_time.isoformat() if head.start_time else None,
            "to": head.end_time.isoformat() if head.end_time else None,
            "opening": head.opening_minor,
            "closing": head.closing_minor,
        }
        return f'{json.dumps(fields)[:-1]}, "postings": ['.encode()

    def lines(self, lines: Iterable[Line]) -> bytes:
        return "".join(map(self._line, lines)).encode()

    def end(self) -> bytes:
        self._totals.finish()
        return b"\n]}\n"

    def _line(self, line: Line) -> str:
        self._totals.add(line)
        fields = {
            "transaction_id": line.transaction_id,
            "line": line.line,
            "amount": line.amount_minor,
            "balance": line.balance_minor,
            "kind": line.kind,
            "source_id": line.source_id,
            "payment_id": line.payment_id or None,
            "counter_accounts": line.counter_account_ids,
            "effective_at": line.effective_time.isoformat(),
            "booked_at": line.book_time.isoformat(),
            "description": line.description or None,
        }
        separator, self._separator = self._separator, ","
        return f"{separator}\n{json.dumps(fields)}"


_WRITERS: dict[str, Callable[[Head], Writer]] = {
    "table": _Table,
    "json": _Json,
    "csv": CsvStatement,
}


def _row(time: str, name: str, kind: str, amounts: Sequence[str], texts: str) -> str:
    numbers = "  ".join(f"{amount:>14}" for amount in amounts)
    return f"{time:<19}  {name:<13}  {kind:<10}  {numbers}  {texts}".rstrip() + "\n"


def _month(text: str) -> tuple[datetime, datetime]:
    found = _MONTH.fullmatch(text)
    if found is None or int(found[1]) in (0, 9999):
        raise click.BadParameter("must be a month, such as 2026-03", param_hint="--month")
    year, month = int(found[1]), int(found[2])
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return datetime(year, month, 1, tzinfo=UTC), datetime(*following, 1, tzinfo=UTC)


def _head(page: pb.ListPostingsResponse, request: pb.ListPostingsRequest) -> Head:
    def asked(field: Literal["start_time", "end_time"]) -> datetime | None:
        if not request.HasField(field):
            return None
        moment: datetime = getattr(request, field).ToDatetime(tzinfo=UTC)
        return moment

    return Head(
        account_id=page.account_id,
        account_class=words.class_word(page.account_class),
        currency_code=page.opening_balance.currency_code,
        start_time=asked("start_time"),
        end_time=asked("end_time"),
        opening_minor=page.opening_balance.amount_minor,
        closing_minor=page.closing_balance.amount_minor,
        last_number=int(page.last_transaction_id.removeprefix("txn_") or 0),
        created_at=datetime.now(UTC),
    )


def _line(posting: pb.StatementPosting) -> Line:
    amount = posting.money.amount_minor
    return Line(
        transaction_id=posting.transaction_id,
        line=posting.line,
        amount_minor=-amount if posting.direction == ledger_pb2.DIRECTION_DEBIT else amount,
        balance_minor=posting.balance_after_minor,
        counter_account_ids=tuple(posting.counter_account_ids),
        source_id=posting.source_id,
        payment_id=posting.payment_id,
        kind=words.kind_word(posting.kind, posting.book_kind),
        is_reversal=posting.book_kind == ledger_pb2.BOOK_KIND_REVERSAL,
        effective_time=posting.effective_time.ToDatetime(tzinfo=UTC),
        book_time=posting.book_time.ToDatetime(tzinfo=UTC),
        description=posting.description,
    )


COMMANDS = {"statement": statement}
"""By name."""
