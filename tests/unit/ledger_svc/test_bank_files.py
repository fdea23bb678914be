"""Files of banks: what is read, and what is refused with what is wrong."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_svc.bank_statements.camt import read_camt
from ledger_svc.bank_statements.csv_file import read_csv
from ledger_svc.bank_statements.matching import named_payments
from ledger_svc.bank_statements.model import LineKind, Statement, amount_minor_of
from ledger_svc.errors import StatementMalformed

DATA = Path(__file__).with_name("data")
V02 = (DATA / "camt.053.001.02.xml").read_text()
V08 = (DATA / "camt.053.001.08.xml").read_text()
CSV = (DATA / "statement.csv").read_text()
MOVEMENT, FEE = LineKind.MOVEMENT, LineKind.FEE


def read_one(text: str) -> Statement:
    """The only statement of a message."""
    (statement,) = read_camt(text.encode())
    return statement


def read_table(text: str, *, currency_code: str = "EUR") -> Statement:
    """A statement in a table."""
    return read_csv(
        text.encode(), account="DE89", currency_code=currency_code, reference="2026-211"
    )


def test_version_02() -> None:
    """Goal: account, balances, an entry with charges inside, a batch, a fee; nothing pending."""
    statement = read_one(V02)
    assert (statement.account, statement.reference) == ("DE89370400440532013000", "2026-211")
    assert (statement.currency_code, statement.opening_minor) == ("EUR", 1_000_000)
    assert (statement.start_date, statement.end_date) == (date(2026, 11, 2), date(2026, 11, 3))
    assert [(it.position, it.kind, it.amount_minor) for it in statement.lines] == [
        ("1", MOVEMENT, -10_000),
        ("1.charges", FEE, -150),
        ("2.1", MOVEMENT, 20_000),
        ("2.2", MOVEMENT, 5_000),
        ("3", FEE, -925),
    ]
    withdrawal, _, first, second, fee = statement.lines
    assert named_payments(withdrawal.texts) == ["pay_01JD3Q9V7N8R4T2W6X0YZABCDE"]
    assert named_payments(first.texts) == ["pay_01JD3Q9V7N8R4T2W6X0YZABCDF"]
    assert (withdrawal.counterparty, second.counterparty) == ("Alice Example", "Carol Example")
    assert (first.booking_date, withdrawal.bank_reference) == (date(2026, 11, 3), "2026110200001")
    assert fee.texts == "Account maintenance October"


def test_version_08() -> None:
    """Goal: other places of status, name and amount, an account without IBAN, an overdraft, another
    prefix of the namespace, charges by their word."""
    statement = read_one(V08)
    assert (statement.account, statement.opening_minor) == ("000123456789", -1230)
    assert [(it.position, it.kind, it.amount_minor) for it in statement.lines] == [
        ("1", MOVEMENT, 100_000),
        ("1.charges", FEE, -350),
    ]
    assert statement.lines[0].counterparty == "Dora Example"
    assert statement.lines[0].bank_reference == "REF-1"


@pytest.mark.parametrize("version", ["03", "04", "06", "10", "13"])
def test_other_versions(version: str) -> None:
    """Goal: a version that we have not met says the same."""
    assert read_one(V02.replace("053.001.02", f"053.001.{version}")) == read_one(V02)


def test_charges_that_are_booked_elsewhere() -> None:
    """Goal: what is only told changes no amount."""
    told = V08.replace("<ns2:ChrgInclInd>true", "<ns2:ChrgInclInd>false")
    assert [line.amount_minor for line in read_one(told).lines] == [99_650]
    bare = V02.replace('<AmtDtls><TxAmt><Amt Ccy="EUR">100.00</Amt></TxAmt></AmtDtls>', "")
    assert [line.amount_minor for line in read_one(bare).lines][:2] == [-10_150, 20_000]


def test_charges_of_a_batch() -> None:
    """Goal: a batch whose movements lack just what the bank charged of it is sound."""
    charged = V02.replace(
        '<Amt Ccy="EUR">250.00</Amt>',
        '<Amt Ccy="EUR">248.00</Amt>',
    ).replace(
        "<NtryDtls>\n          <Btch>", '<Chrgs><Amt Ccy="EUR">2.00</Amt></Chrgs><NtryDtls><Btch>'
    )
    lines = read_one(charged.replace("10139.25", "10137.25")).lines
    assert [(it.position, it.amount_minor) for it in lines[2:5]] == [
        ("2.1", 20_000),
        ("2.2", 5_000),
        ("2.charges", -200),
    ]


def test_a_batch_that_does_not_tell_its_parts() -> None:
    """Goal: one line with all the references."""
    untold = V02.replace('<AmtDtls><TxAmt><Amt Ccy="EUR">50.00</Amt></TxAmt></AmtDtls>', "")
    line = read_one(untold).lines[2]
    assert (line.position, line.amount_minor) == ("2", 25_000)
    assert "W6X0YZABCDF" in line.texts


def test_a_reversal_is_marked() -> None:
    """Goal: what the bank takes back is not taken for a payment."""
    taken_back = V02.replace("<Sts>BOOK</Sts>", "<RvslInd>true</RvslInd><Sts>BOOK</Sts>")
    assert all(line.is_reversal for line in read_one(taken_back).lines[:1])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("10139.25", "10139.26", "does not add up"),
        ("<Id>2026-211</Id>", "", "Id or the account's Id"),
        ("<IBAN>DE89370400440532013000</IBAN>", "", "Id or the account's Id"),
        ("<Cd>OPBD</Cd>", "<Cd>ITBD</Cd>", "no balance OPBD"),
        ("<Cd>CLBD</Cd>", "<Cd>ITBD</Cd>", "no balance CLBD"),
        ("<Cd>CLAV</Cd>", "<Cd>CLBD</Cd>", "more than one balance CLBD"),
        ("<Ccy>EUR</Ccy>", "<Ccy>XXX</Ccy>", "not a currency"),
        ("<Ccy>EUR</Ccy>", "<Ccy>USD</Ccy>", "not in USD"),
        ('<Amt Ccy="EUR">9.25</Amt>', "", "Amt is missing"),
        ('<Amt Ccy="EUR">9.25</Amt>', '<Amt Ccy="EUR">9.251</Amt>', "finer than EUR"),
        ('<Amt Ccy="EUR">9.25</Amt>', '<Amt Ccy="EUR">-9.25</Amt>', "not an amount"),
        ('<Amt Ccy="EUR">9.25</Amt>', '<Amt Ccy="EUR">9,25</Amt>', "not an amount"),
        ('<Amt Ccy="EUR">9.25</Amt>', '<Amt Ccy="EUR">1e3</Amt>', "not an amount"),
        ('<Amt Ccy="EUR">9.25</Amt>', "<Amt>9.25</Amt>", "not in EUR"),
        ("<Sts>BOOK</Sts>", "<Sts>NEWS</Sts>", "Sts is 'NEWS'"),
        ("<CdtDbtInd>DBIT</CdtDbtInd>", "<CdtDbtInd>X</CdtDbtInd>", "CdtDbtInd is 'X'"),
        ("<BookgDt><Dt>2026-11-02</Dt></BookgDt>", "", "not a date"),
        ("<Dt><Dt>2026-11-03</Dt></Dt>", "<Dt><Dt>2026-11-31</Dt></Dt>", "not a date"),
        ("<Dt><Dt>2026-11-03</Dt></Dt>", "<Dt><Dt>2026-11-01</Dt></Dt>", "earlier day"),
        ('<Amt Ccy="EUR">200.00</Amt>', '<Amt Ccy="EUR">201.00</Amt>', "movements do not add up"),
        ("camt.053.001.02", "camt.053.001.01", "no camt.053 message"),
        ("camt.053.001.02", "camt.052.001.02", "no camt.053 message"),
        ("<BkToCstmrStmt>", "<BkToCstmrStmt><Stmt/>", "Id or the account's Id"),
        ("</Document>", "", "not XML"),
        ('encoding="UTF-8"', 'encoding="no-such"', "not XML"),
    ],
)
def test_what_is_wrong_is_said(old: str, new: str, told: str) -> None:
    """Goal: no statement that is not sound, and who sent it reads where it is not."""
    assert old in V02
    with pytest.raises(StatementMalformed, match=re.escape(told)):
        read_one(V02.replace(old, new))


ATTACKS = {
    "a file": '<!DOCTYPE Document [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    "a parameter": '<!DOCTYPE Document [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]>',
    "somewhere": '<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/x.dtd">',
    "laughter": '<!DOCTYPE Document [<!ENTITY x "ha">'
    + "".join(f'<!ENTITY x{n} "{f"&x{n - 1 if n else str()};" * 20}">' for n in range(9))
    + "]>",
    "blow-up": f'<!DOCTYPE Document [<!ENTITY x "{"a" * 60_000}">]>',
    "nothing": "<!DOCTYPE Document>",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_document_type(attack: str, encoding: str) -> None:
    """Goal: entities are refused before they mean anything, in whatever encoding they come."""
    text = V02.replace('encoding="UTF-8"?>', f'encoding="{encoding}"?>{ATTACKS[attack]}', 1)
    text = text.replace("Account maintenance October", "&x;" * 500)
    with pytest.raises(StatementMalformed, match="document type"):
        read_camt(text.encode(encoding))


def test_deep_files() -> None:
    """Goal: a file that is all depth ends as no statement, and not in the interpreter."""
    for text in ("<a>" * 100_000, "<a>" * 100_000 + "</a>" * 100_000):
        with pytest.raises(StatementMalformed):
            read_camt(text.encode())


@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    """Goal: what is no statement is refused as that, and in no other way."""
    with pytest.raises(StatementMalformed):
        read_camt(content)
    with pytest.raises(StatementMalformed):
        read_csv(content, account="DE89", currency_code="EUR", reference="1")


@given(st.data())
def test_damaged_files(data: st.DataObject) -> None:
    """Goal: a good file with a piece missing or doubled is a statement that adds up, or refused."""
    text = data.draw(st.sampled_from([V02, V08]))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 300)))
    damaged = text[:start] + text[start:end] * data.draw(st.sampled_from([0, 2])) + text[end:]
    try:
        statements = read_camt(damaged.encode())
    except StatementMalformed:
        return
    for statement in statements:
        moved = sum(line.amount_minor for line in statement.lines)
        assert statement.opening_minor + moved == statement.closing_minor


def test_a_table() -> None:
    """Goal: the same statement as a table; a byte order mark and empty lines do no harm."""
    statement = read_table(CSV)
    assert [(it.position, it.kind, it.amount_minor) for it in statement.lines] == [
        ("1", MOVEMENT, -10_000),
        ("2", MOVEMENT, 5_000),
        ("3", FEE, -925),
    ]
    assert statement.lines[0].counterparty == "Example, Alice"
    assert statement.lines[0].value_date == date(2026, 11, 3)
    assert named_payments(statement.lines[0].texts) == ["pay_01JD3Q9V7N8R4T2W6X0YZABCDE"]
    assert read_table("\ufeff" + CSV.replace("\n", "\r\n") + "\r\n") == statement


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("940.75", "940.76", "does not add up"),
        ("opening,", "entry,", "first row must be opening"),
        ("closing,", "entry,", "first row must be opening"),
        ("fee,", "tax,", "line is 'tax'"),
        ("-9.25", "", "not an amount"),
        ("-9.25", "0.00", "amount is zero"),
        ("-9.25", "--9.25", "not an amount"),
        ("booking_date", "date", "the columns must be"),
        ("value_date", "amount", "the columns must be"),
        (",B2", "", "fields"),
        ('"Example', 'x"Exam"ple', "fields"),
        ("2026-11-02,2026-11-03", "2026-11-02,20261103", "not a date"),
    ],
)
def test_tables_that_are_none(old: str, new: str, told: str) -> None:
    """Goal: each fault is named with its row."""
    assert old in CSV
    with pytest.raises(StatementMalformed, match=re.escape(told)):
        read_table(CSV.replace(old, new, 1))


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1", "USD", 100),
        ("0.10", "USD", 10),
        ("7.500", "USD", 750),
        ("12", "JPY", 12),
        ("1.5", "KWD", 1500),
    ],
)
def test_amounts(text: str, currency: str, minor: int) -> None:
    """Goal: exact minor units of each currency."""
    assert amount_minor_of(text, currency, where="x") == minor


def test_content_hash_tells_statements_apart() -> None:
    """Goal: the same file again is the same, one cent more is not."""
    other = V02.replace("100.00", "100.01").replace("101.50", "101.51")
    assert read_one(V02).content_hash() == read_one(V02).content_hash()
    assert (
        read_one(other.replace("10139.25", "10139.24")).content_hash()
        != read_one(V02).content_hash()
    )
