"""What the commands that read the book understand and write, without a system."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest
from click.testing import CliRunner

from cli import ledger_words as words
from cli.main import main
from cli.statement import _month, _opened, _write
from embedded.errors import StackError
from ledger_svc.bank_statements.camt import read_camt
from ledger_svc.exports.lines import DoesNotAddUp, NotExportable
from qrpay.ledger.v1 import book_pb2 as pb
from qrpay.ledger.v1 import ledger_pb2
from qrpay.type.v1.money_pb2 import Money

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
MARCH = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "arguments",
    [
        ["accounts"],
        ["balance", "wal_1", "--at", "2026-03-01T12:00:00.5Z"],
        ["trial-balance", "--at", "7d"],
        ["statement", "wal_1", "--month", "2026-03"],
        ["statement", "wal_1", "--from", "2026-03-01", "--format", "camt053"],
        ["search", "--account", "wal_1", "--amount", "5", "--kind", "top-up"],
        ["search", "--from", "31d"],
    ],
)
def test_without_a_system(arguments: list[str], tmp_path: Path) -> None:
    """Goal: when nothing runs, that is said in a sentence, and is no success."""
    result = CliRunner().invoke(main, ["ledger", *arguments, "--data", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert "nothing runs on" in result.output


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["balance"], "ACCOUNT"),
        (["balance", "wal_1", "--at", "yesterday"], "--at"),
        (["trial-balance", "--at", "0001-01-01T00:00:00+14:00"], "--at"),
        (["statement", "wal_1", "--month", "2026-13"], "--month"),
        (["statement", "wal_1", "--month", "0000-01"], "--month"),
        (["statement", "wal_1", "--month", "2026-03", "--to", "1d"], "--month, or --from"),
        (["statement", "wal_1", "--json", "--format", "csv"], "--json or --format"),
        (["statement", "wal_1", "--format", "pdf"], "--format"),
        (["search", "--amount", "1.50"], "--amount"),
        (["search", "--amount", "0"], "--amount"),
        (["search", "--amount", "5", "--min", "4"], "--amount, or --min"),
        (["search", "--kind", "gift"], "--kind"),
    ],
)
def test_what_is_wrong_is_named(arguments: list[str], named: str) -> None:
    """Goal: the option that makes no sense is said before anything is asked."""
    result = CliRunner().invoke(main, ["ledger", *arguments])
    assert result.exit_code == 2
    assert named in result.output


@pytest.mark.parametrize(
    ("number", "word", "side"),
    [
        (ledger_pb2.ACCOUNT_CLASS_UNSPECIFIED, "unknown", "unknown"),
        (ledger_pb2.ACCOUNT_CLASS_CUSTOMER, "customer", "credit"),
        (ledger_pb2.ACCOUNT_CLASS_MERCHANT, "merchant", "credit"),
        (ledger_pb2.ACCOUNT_CLASS_BANK_CLEARING, "bank clearing", "debit"),
        (ledger_pb2.ACCOUNT_CLASS_FEES, "fees", "credit"),
        (ledger_pb2.ACCOUNT_CLASS_SUSPENSE, "suspense", "credit"),
        (ledger_pb2.ACCOUNT_CLASS_BANK_CHARGES, "bank charges", "debit"),
        (99, "unknown", "unknown"),
    ],
)
def test_words_of_classes(number: int, word: str, side: str) -> None:
    """Goal: the words of the documentation, and the side that raises each."""
    assert (words.class_word(number), words.normal_side(number)) == (word, side)


def test_words_of_kinds_and_amounts() -> None:
    """Goal: payments, what no payment caused, and what a later release knows; each currency with
    its decimals, and one that nobody knows with none."""
    assert words.kind_word(4, 0) == "top-up"
    assert words.kind_word(0, 103) == "bank-fee"
    assert words.kind_word(77, 0) == "77"
    assert words.amount_text(-123450, "EUR") == "-1,234.50 EUR"
    assert words.amount_text(5, "JPY") == "5 JPY"
    assert words.amount_text(5, "BHD") == "0.005 BHD"
    assert words.amount_text(5, "XXX") == "5 XXX (minor units)"


def test_a_month() -> None:
    """Goal: from its first moment to the first of the next, over the end of a year too."""
    assert _month("2026-03") == MARCH
    assert _month("2026-12") == (
        datetime(2026, 12, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    )


class Ledger:
    """A book with one account's postings, a page each."""

    def __init__(self, *amounts: int, opening: int = 100, off: int = 0) -> None:
        self.asked: list[pb.ListPostingsRequest] = []
        self._opening = opening
        self._postings: list[pb.StatementPosting] = []
        balance = opening
        for number, amount in enumerate(amounts, 1):
            balance += amount
            self._postings.append(posting(number, amount, balance + off))
        self._closing = balance

    async def ListPostings(
        self, request: pb.ListPostingsRequest, **_: Any
    ) -> pb.ListPostingsResponse:
        """The next page."""
        self.asked.append(pb.ListPostingsRequest.FromString(request.SerializeToString()))
        place = int(request.page_token or 0)
        is_last = place + 1 >= len(self._postings)
        return pb.ListPostingsResponse(
            account_id=request.account_id,
            account_class=ledger_pb2.ACCOUNT_CLASS_MERCHANT,
            opening_balance=Money(currency_code="JPY", amount_minor=self._opening),
            closing_balance=Money(currency_code="JPY", amount_minor=self._closing),
            postings=self._postings[place : place + 1],
            next_page_token="" if is_last else str(place + 1),
            last_transaction_id="txn_99",
        )


def posting(number: int, amount: int, balance: int) -> pb.StatementPosting:
    """A posting of a payment, or of a reversal if it is a debit."""
    is_debit = amount < 0
    return pb.StatementPosting(
        transaction_id=f"txn_{number}",
        line=1,
        direction=ledger_pb2.DIRECTION_DEBIT if is_debit else ledger_pb2.DIRECTION_CREDIT,
        money=Money(currency_code="JPY", amount_minor=abs(amount)),
        balance_after_minor=balance,
        counter_account_ids=["wal_other"],
        source_id="cor_1" if is_debit else "pay_1",
        payment_id="" if is_debit else "pay_1",
        kind=0 if is_debit else 2,  # type: ignore[arg-type]
        book_kind=ledger_pb2.BOOK_KIND_REVERSAL if is_debit else None,
        effective_time=NOON,
        book_time=NOON,
        description="=twice" if is_debit else "",
    )


async def written(ledger: Ledger, form: str, account_id: str = "wal_1") -> str:
    """A statement of March."""
    request = pb.ListPostingsRequest(
        account_id=account_id, start_time=MARCH[0], end_time=MARCH[1], page_size=500
    )
    file = io.BytesIO()
    mesh: Any = SimpleNamespace(book=ledger)
    await _write(mesh, request, file, form)
    return file.getvalue().decode()


async def test_a_statement_in_every_form() -> None:
    """Goal: all pages, with the same balances, whether people, spreadsheets, programs or banks read
    it."""
    ledger = Ledger(50, -20)
    (camt,) = read_camt((await written(ledger, "camt053")).encode())
    assert [request.page_token for request in ledger.asked] == ["", "1"]
    assert (camt.opening_minor, camt.closing_minor) == (100, 130)
    assert [(item.amount_minor, item.is_reversal) for item in camt.lines] == [
        *((50, False), (-20, True))
    ]
    rows = list(csv.DictReader(io.StringIO(await written(ledger, "csv"))))
    assert [(row["row"], row["balance"]) for row in rows] == [
        *(("opening", "100"), ("posting", "150"), ("posting", "130"), ("total", "")),
        ("closing", "130"),
    ]
    assert rows[2]["description"] == "'=twice"
    document = json.loads(await written(ledger, "json"))
    assert (document["class"], document["opening"], document["closing"]) == ("merchant", 100, 130)
    assert [(item["amount"], item["kind"]) for item in document["postings"]] == [
        *((50, "pay"), (-20, "reversal"))
    ]
    table = (await written(ledger, "table")).splitlines()
    assert table[0] == "wal_1 (merchant), JPY"
    last_words = [line.split()[-1] for line in table[2:]]
    assert last_words == ["100", "pay_1", "=twice", "50", "130"]


@pytest.mark.parametrize("form", ["table", "json", "csv", "camt053"])
async def test_nothing_booked(form: str) -> None:
    """Goal: an empty statement is whole."""
    text = await written(Ledger(), form)
    assert "100" in text
    if form == "json":
        assert json.loads(text)["postings"] == []


@pytest.mark.parametrize("form", ["table", "json", "csv", "camt053"])
async def test_what_does_not_add_up_is_told(form: str) -> None:
    """Goal: no form shows balances that do not follow from each other."""
    with pytest.raises(DoesNotAddUp):
        await written(Ledger(5, off=1), form)


async def test_an_account_that_camt_has_no_room_for() -> None:
    """Goal: said, before anything is written."""
    with pytest.raises(NotExportable):
        await written(Ledger(5), "camt053", account_id="w" * 35)


def give_up(file: IO[bytes]) -> None:
    """Write something, and find that it does not add up."""
    file.write(b"half")
    raise DoesNotAddUp


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    """Goal: what fails leaves the old file as it was and nothing beside it; a place that cannot be
    written to is told in a sentence."""
    path = tmp_path / "statement.csv"
    path.write_bytes(b"old")
    with pytest.raises(DoesNotAddUp), _opened(path) as file:
        give_up(file)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])
    with _opened(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"new", [path])
    with pytest.raises(StackError, match="cannot write"), _opened(tmp_path / "none" / "x"):
        pass
