"""Statements as files: what is written is read back, and what does not add up is not written."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_svc.bank_statements.camt import read_camt
from ledger_svc.exports.camt import CamtStatement
from ledger_svc.exports.csv_file import COLUMNS, CsvStatement
from ledger_svc.exports.lines import DoesNotAddUp, Head, Line, NotExportable

CREATED = datetime(2026, 4, 2, 8, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
EXPONENTS = {"USD": 2, "JPY": 0, "BHD": 3}
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def line_of(amount_minor: int, balance_minor: int, **changes: Any) -> Line:
    """A posting of a payment at noon."""
    noon = datetime(2026, 3, 5, 12, tzinfo=UTC)
    line = Line(
        transaction_id="txn_7",
        line=1,
        amount_minor=amount_minor,
        balance_minor=balance_minor,
        counter_account_ids=("wal_other",),
        source_id="pay_1",
        payment_id="pay_1",
        kind="pay",
        is_reversal=False,
        effective_time=noon - timedelta(days=1),
        book_time=noon,
        description="",
    )
    return msgspec.structs.replace(line, **changes)


def head_of(opening_minor: int, lines: Sequence[Line], **changes: Any) -> Head:
    """A statement of March with these lines."""
    head = Head(
        account_id="wal_1",
        account_class="customer",
        currency_code="USD",
        start_time=MARCH,
        end_time=APRIL,
        opening_minor=opening_minor,
        closing_minor=opening_minor + sum(line.amount_minor for line in lines),
        last_number=99,
        created_at=CREATED,
    )
    return msgspec.structs.replace(head, **changes)


def camt_of(head: Head, lines: Sequence[Line], *, size: int = 2) -> bytes:
    """A message, written by pages."""
    writer = CamtStatement(head)
    pages = [writer.lines(lines[at : at + size]) for at in range(0, len(lines), size)]
    return b"".join([writer.begin(), *pages, writer.end()])


def csv_of(head: Head, lines: Sequence[Line], *, size: int = 2) -> bytes:
    """A table, written by pages."""
    writer = CsvStatement(head)
    pages = [writer.lines(lines[at : at + size]) for at in range(0, len(lines), size)]
    return b"".join([writer.begin(), *pages, writer.end()])


def rows_of(content: bytes) -> list[dict[str, str]]:
    """The rows of a table."""
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


IDS = st.text("abcXYZ019_-", min_size=1, max_size=26)
AMOUNTS = st.integers(-(10**12), 10**12).filter(bool)


@st.composite
def statements(draw: st.DrawFn) -> tuple[Head, list[Line]]:
    """Any account's statement of March."""
    balance = opening = draw(st.integers(-(10**16), 10**16))
    lines = []
    for number, amount in enumerate(draw(st.lists(AMOUNTS, max_size=6)), 1):
        balance += amount
        is_payment = draw(st.booleans())
        source_id = f"{'pay' if is_payment else 'cor'}_{draw(IDS)}"
        lines.append(
            line_of(
                amount,
                balance,
                transaction_id=f"txn_{number}",
                source_id=source_id,
                payment_id=source_id if is_payment else "",
                is_reversal=draw(st.booleans()),
                counter_account_ids=tuple(draw(st.lists(IDS, max_size=3))),
                kind=draw(st.text(max_size=50)),
                description=draw(st.text(max_size=140)),
                effective_time=draw(st.datetimes(timezones=st.just(UTC))),
                book_time=MARCH + draw(st.timedeltas(timedelta(0), timedelta(days=30))),
            )
        )
    currency_code = draw(st.sampled_from(sorted(EXPONENTS)))
    return head_of(opening, lines, currency_code=currency_code), lines


def texts_of(line: Line) -> str:
    """What a reader must find of the texts."""
    clean = "".join(it if it.isprintable() else " " for it in line.description)
    end_to_end_id = line.payment_id or "NOTPROVIDED"
    other = "" if line.payment_id else line.source_id
    return "\n".join(dict.fromkeys(filter(None, [end_to_end_id, " ".join(clean.split()), other])))


@given(statements())
def test_camt_is_read_back(statement: tuple[Head, list[Line]]) -> None:
    """Goal: our own reader of banks' statements finds the same balances, amounts, signs, days and
    references, whatever the texts and the currency."""
    head, lines = statement
    (found,) = read_camt(camt_of(head, lines))
    assert (found.account, found.currency_code) == (head.account_id, head.currency_code)
    assert (found.opening_minor, found.closing_minor) == (head.opening_minor, head.closing_minor)
    assert (found.start_date, found.end_date) == (date(2026, 3, 1), date(2026, 3, 31))
    assert [item.amount_minor for item in found.lines] == [line.amount_minor for line in lines]
    for item, line in zip(found.lines, lines, strict=True):
        assert item.bank_reference == line.transaction_id
        assert item.booking_date == line.book_time.date()
        assert item.value_date == line.effective_time.date()
        assert item.is_reversal == line.is_reversal
        assert item.texts == texts_of(line)


@given(statements())
def test_csv_adds_up(statement: tuple[Head, list[Line]]) -> None:
    """Goal: a spreadsheet that adds the columns up comes from the opening to the closing balance,
    in the decimals of the currency; no text begins like a formula."""
    head, lines = statement
    opening, *postings, total, closing = rows_of(csv_of(head, lines))
    assert [opening["row"], total["row"], closing["row"]] == ["opening", "total", "closing"]
    balance = Decimal(opening["balance"])
    assert balance == Decimal(head.opening_minor).scaleb(-EXPONENTS[head.currency_code])
    debits = credits_ = Decimal(0)
    for row, line in zip(postings, lines, strict=True):
        debit, credit = Decimal(row["debit"] or 0), Decimal(row["credit"] or 0)
        assert min(debit, credit) == 0 < max(debit, credit)
        debits, credits_, balance = debits + debit, credits_ + credit, balance + credit - debit
        assert Decimal(row["balance"]) == balance
        assert row["transaction"] == line.transaction_id
        for column in ("kind", "source_id", "payment_id", "counter_accounts", "description"):
            assert not row[column].lstrip(" ").startswith(FORMULA_STARTS)
        assert row["description"].removeprefix("'") == line.description.removeprefix("'")
        _, _, fraction = row["balance"].partition(".")
        assert len(fraction) == EXPONENTS[head.currency_code]
    assert (Decimal(total["debit"]), Decimal(total["credit"])) == (debits, credits_)
    assert Decimal(closing["balance"]) == balance


def test_a_table_to_look_at() -> None:
    """Goal: columns, times and an empty field are where the documentation says."""
    lines = [
        line_of(-1050, -50, description='=HYPERLINK("x")', source_id="cor_1", payment_id=""),
        line_of(7, -43, counter_account_ids=("wal_a", "wal_b")),
    ]
    content = csv_of(head_of(1000, lines), lines).decode()
    assert content.splitlines() == [
        ",".join(COLUMNS),
        "opening,,,2026-03-01T00:00:00Z,,,,,,,,,10.00,USD",
        (
            "posting,txn_7,1,2026-03-05T12:00:00Z,2026-03-04T12:00:00Z,pay,cor_1,,wal_other,"
            '"\'=HYPERLINK(""x"")",10.50,,-0.50,USD'
        ),
        (
            "posting,txn_7,1,2026-03-05T12:00:00Z,2026-03-04T12:00:00Z,pay,pay_1,pay_1,wal_a wal_b,"
            ",,0.07,-0.43,USD"
        ),
        "total,,,,,,,,,,10.50,0.07,,USD",
        "closing,,,2026-04-01T00:00:00Z,,,,,,,,,-0.43,USD",
    ]


def test_a_message_to_look_at() -> None:
    """Goal: the elements, in the order in which the schema wants them."""
    lines = [
        line_of(
            -1050, -50, description="a < b\x00", source_id="cor_1", payment_id="", is_reversal=True
        )
    ]
    content = camt_of(head_of(1000, lines), lines).decode()
    head, _, rest = content.partition("<GrpHdr>")
    assert head == (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>'
    )
    _, _, reference = rest.partition("<MsgId>")
    reference = reference.partition("<")[0]
    assert reference.startswith("20260301-20260331-")
    assert rest == (
        f"<MsgId>{reference}</MsgId><CreDtTm>2026-04-02T08:00:00Z</CreDtTm></GrpHdr><Stmt>"
        f"<Id>{reference}</Id><ElctrncSeqNb>99</ElctrncSeqNb>"
        "<CreDtTm>2026-04-02T08:00:00Z</CreDtTm><FrToDt><FrDtTm>2026-03-01T00:00:00Z</FrDtTm>"
        "<ToDtTm>2026-04-01T00:00:00Z</ToDtTm></FrToDt><Acct><Id><Othr><Id>wal_1</Id></Othr></Id>"
        "<Ccy>USD</Ccy><Nm>customer</Nm></Acct>"
        '<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="USD">10.00</Amt>'
        "<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-01</Dt></Dt></Bal>"
        '<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="USD">0.50</Amt>'
        "<CdtDbtInd>DBIT</CdtDbtInd><Dt><Dt>2026-03-31</Dt></Dt></Bal>"
        "<TxsSummry><TtlNtries><NbOfNtries>1</NbOfNtries><Sum>10.50</Sum><TtlNetNtry>"
        "<Amt>10.50</Amt><CdtDbtInd>DBIT</CdtDbtInd></TtlNetNtry></TtlNtries>"
        "<TtlCdtNtries><NbOfNtries>0</NbOfNtries><Sum>0.00</Sum></TtlCdtNtries>"
        "<TtlDbtNtries><NbOfNtries>1</NbOfNtries><Sum>10.50</Sum></TtlDbtNtries></TxsSummry>"
        '<Ntry><NtryRef>1</NtryRef><Amt Ccy="USD">10.50</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
        "<RvslInd>true</RvslInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-03-05</Dt></BookgDt>"
        "<ValDt><Dt>2026-03-04</Dt></ValDt><AcctSvcrRef>txn_7</AcctSvcrRef>"
        "<BkTxCd><Prtry><Cd>pay</Cd><Issr>QRPAY</Issr></Prtry></BkTxCd>"
        "<NtryDtls><TxDtls><Refs><AcctSvcrRef>txn_7</AcctSvcrRef>"
        '<EndToEndId>NOTPROVIDED</EndToEndId></Refs><Amt Ccy="USD">10.50</Amt>'
        "<CdtDbtInd>DBIT</CdtDbtInd><RltdPties><CdtrAcct><Id><Othr><Id>wal_other</Id></Othr></Id>"
        "</CdtrAcct></RltdPties><RmtInf><Ustrd>a &lt; b</Ustrd></RmtInf>"
        "<AddtlTxInf>cor_1</AddtlTxInf></TxDtls></NtryDtls></Ntry>"
        "</Stmt></BkToCstmrStmt></Document>"
    )


def test_a_long_text_is_cut_into_lines() -> None:
    """Goal: no remittance line is longer than the 140 characters of the standard, and no word is
    lost."""
    words = [f"word{number}" for number in range(100)]
    lines = [line_of(1, 1, description=" ".join(words))]
    (found,) = read_camt(camt_of(head_of(0, lines), lines))
    _, *texts = found.lines[0].texts.split("\n")
    assert max(map(len, texts)) <= 140
    assert " ".join(texts).split() == words


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        (None, None, ("2026-03-05", "2026-04-02")),
        (MARCH, None, ("2026-03-01", "2026-04-02")),
        (MARCH, CREATED + timedelta(days=9), ("2026-03-01", "2026-04-02")),
        (APRIL, APRIL, ("2026-04-01", "2026-04-01")),
    ],
)
def test_days_of_balances(
    start: datetime | None, end: datetime | None, days: tuple[str, str]
) -> None:
    """Goal: without a beginning it is that of the first entry; the end is never after the file was
    made, nor before the beginning."""
    lines = [line_of(1, 1)]
    head = head_of(0, lines, start_time=start, end_time=end)
    (found,) = read_camt(camt_of(head, lines))
    assert (found.start_date.isoformat(), found.end_date.isoformat()) == days


def test_an_empty_statement() -> None:
    """Goal: nothing booked is a statement too, in both files."""
    head = head_of(-5, [], start_time=None, end_time=None)
    (found,) = read_camt(camt_of(head, []))
    assert (found.opening_minor, found.closing_minor, found.lines) == (-5, -5, ())
    assert [row["row"] for row in rows_of(csv_of(head, []))] == ["opening", "total", "closing"]


@pytest.mark.parametrize("write", [camt_of, csv_of])
@pytest.mark.parametrize("fault", ["a line", "the end"])
def test_what_does_not_add_up_is_not_written(write: Any, fault: str) -> None:
    """Goal: a balance that does not follow stops the file, in the middle or at its end."""
    lines = [line_of(5, 5), line_of(7, 13 if fault == "a line" else 12), line_of(1, 13)]
    head = head_of(0, lines)
    if fault == "the end":
        head = msgspec.structs.replace(head, closing_minor=14)
    with pytest.raises(DoesNotAddUp):
        write(head, lines)


def test_what_a_format_cannot_say() -> None:
    """Goal: an account's id that the standard has no room for, and a currency whose decimals nobody
    knows, are refused and not cut or guessed."""
    CamtStatement(head_of(0, [], account_id="w" * 34))
    with pytest.raises(NotExportable):
        CamtStatement(head_of(0, [], account_id="w" * 35))
    with pytest.raises(NotExportable):
        head_of(0, [], currency_code="XXX")
