"""A statement in ISO 20022: BankToCustomerStatement, camt.053.001.08.

The account is one of the book, seen as the book sees it: a credit raises what we owe its owner
(``CRDT``), and of an account of money at the bank, which is an asset, the balance is a debit
(``DBIT``). Days are those of UTC. The message tells the number and sum of the entries before the
entries themselves, so ``lines`` come first here, and ``begin`` is what goes before them.
"""

from __future__ import annotations

import hashlib
import io
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from ledger_svc.exports.lines import Head, Line, NotExportable, Totals, amount_text, time_text

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
NOT_PROVIDED = "NOTPROVIDED"
"""What stands for an end-to-end id if there is none."""
# Lengths of ISO 20022: Max34Text of an account's id, Max35Text of references, Max140Text of
# remittance information, Max500Text of what is added to a transaction.
_ACCOUNT_CHARACTERS_MAX = 34
_REFERENCE_CHARACTERS_MAX = 35
_USTRD_CHARACTERS_MAX = 140
_ADDED_CHARACTERS_MAX = 500
_MICROSECOND = timedelta(microseconds=1)


class CamtStatement:
    """Writes one statement: ``lines`` as often as needed, then ``begin``, which belongs before
    them, and ``end``.

    Raises ``NotExportable`` of an account whose id is too long for the format.
    """

    def __init__(self, head: Head) -> None:
        if len(head.account_id) > _ACCOUNT_CHARACTERS_MAX:
            raise NotExportable(
                f"camt.053 has {_ACCOUNT_CHARACTERS_MAX} characters for an account's id, and"
                f" {head.account_id} is longer"
            )
        self._head = head
        self._totals = Totals(head)
        self._count = 0
        self._first_book_time: datetime | None = None

    def lines(self, lines: Iterable[Line]) -> bytes:
        """The next entries. Raises ``DoesNotAddUp``."""
        xml = _Xml()
        for line in lines:
            self._totals.add(line)
            self._count += 1
            self._first_book_time = self._first_book_time or line.book_time
            self._entry(xml, line)
        return xml.content()

    def begin(self) -> bytes:
        """What goes before the entries. Raises ``DoesNotAddUp``."""
        self._totals.finish()
        head = self._head
        start = head.start_time or self._first_book_time or head.created_at
        end = min(head.end_time or head.created_at, head.created_at)
        start_day = _day(start)
        end_day = max(start_day, _day(end - _MICROSECOND))
        reference = _reference(head, start_day, end_day)
        xml = _Xml()
        xml.declare()
        xml.open("Document", xmlns=NAMESPACE)
        xml.open("BkToCstmrStmt")
        with xml.inside("GrpHdr"):
            xml.leaf("MsgId", reference)
            xml.leaf("CreDtTm", time_text(head.created_at))
        xml.open("Stmt")
        xml.leaf("Id", reference)
        # Rises from statement to statement, as far as the book has grown.
        xml.leaf("ElctrncSeqNb", str(head.last_number))
        xml.leaf("CreDtTm", time_text(head.created_at))
        with xml.inside("FrToDt"):
            xml.leaf("FrDtTm", time_text(start))
            xml.leaf("ToDtTm", time_text(max(start, end)))
        with xml.inside("Acct"):
            xml.path("Id", "Othr", "Id", text=head.account_id)
            xml.leaf("Ccy", head.currency_code)
            if head.account_class:
                xml.leaf("Nm", head.account_class)
        self._balance(xml, "OPBD", head.opening_minor, start_day)
        self._balance(xml, "CLBD", head.closing_minor, end_day)
        self._summary(xml)
        return xml.content()

    def end(self) -> bytes:
        """What goes after the entries."""
        xml = _Xml()
        for name in ("Stmt", "BkToCstmrStmt", "Document"):
            xml.close(name)
        return xml.content()

    def _balance(self, xml: _Xml, code: str, balance_minor: int, day: date) -> None:
        with xml.inside("Bal"):
            xml.path("Tp", "CdOrPrtry", "Cd", text=code)
            self._amount(xml, balance_minor)
            xml.path("Dt", "Dt", text=day.isoformat())

    def _summary(self, xml: _Xml) -> None:
        totals = self._totals
        net = totals.credits_minor - totals.debits_minor
        with xml.inside("TxsSummry"):
            with xml.inside("TtlNtries"):
                xml.leaf("NbOfNtries", str(self._count))
                xml.leaf("Sum", self._decimal(totals.credits_minor + totals.debits_minor))
                with xml.inside("TtlNetNtry"):
                    xml.leaf("Amt", self._decimal(net))
                    xml.leaf("CdtDbtInd", _indicator(net))
            for name, count, total in (
                ("TtlCdtNtries", totals.credit_count, totals.credits_minor),
                ("TtlDbtNtries", totals.debit_count, totals.debits_minor),
            ):
                with xml.inside(name):
                    xml.leaf("NbOfNtries", str(count))
                    xml.leaf("Sum", self._decimal(total))

    def _entry(self, xml: _Xml, line: Line) -> None:
        with xml.inside("Ntry"):
            xml.leaf("NtryRef", str(self._count))
            self._amount(xml, line.amount_minor)
            if line.is_reversal:
                xml.leaf("RvslInd", "true")
            xml.path("Sts", "Cd", text="BOOK")
            xml.path("BookgDt", "Dt", text=_day(line.book_time).isoformat())
            xml.path("ValDt", "Dt", text=_day(line.effective_time).isoformat())
            xml.leaf("AcctSvcrRef", line.transaction_id)
            with xml.inside("BkTxCd", "Prtry"):
                xml.leaf("Cd", _clean(line.kind)[:_REFERENCE_CHARACTERS_MAX])
                xml.leaf("Issr", "QRPAY")
            with xml.inside("NtryDtls", "TxDtls"):
                self._details(xml, line)

    def _details(self, xml: _Xml, line: Line) -> None:
        end_to_end_id = line.payment_id
        if not 1 <= len(end_to_end_id) <= _REFERENCE_CHARACTERS_MAX:
            end_to_end_id = NOT_PROVIDED
        with xml.inside("Refs"):
            xml.leaf("AcctSvcrRef", line.transaction_id)
            xml.leaf("EndToEndId", end_to_end_id)
        self._amount(xml, line.amount_minor)
        others = line.counter_account_ids
        if len(others) == 1 and len(others[0]) <= _ACCOUNT_CHARACTERS_MAX:
            side = "DbtrAcct" if line.amount_minor > 0 else "CdtrAcct"
            xml.path("RltdPties", side, "Id", "Othr", "Id", text=others[0])
        if texts := textwrap.wrap(_clean(line.description), _USTRD_CHARACTERS_MAX):
            with xml.inside("RmtInf"):
                for text in texts:
                    xml.leaf("Ustrd", text)
        if line.source_id != end_to_end_id:
            xml.leaf("AddtlTxInf", _clean(line.source_id)[:_ADDED_CHARACTERS_MAX])

    def _amount(self, xml: _Xml, amount_minor: int) -> None:
        xml.leaf("Amt", self._decimal(amount_minor), Ccy=self._head.currency_code)
        xml.leaf("CdtDbtInd", _indicator(amount_minor))

    def _decimal(self, amount_minor: int) -> str:
        return amount_text(abs(amount_minor), self._head.currency_code)


class _Xml:
    """Pieces of a document; the generator of the standard library escapes."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self._generator = XMLGenerator(self._text, encoding="utf-8")

    def declare(self) -> None:
        self._generator.startDocument()

    def open(self, name: str, **attributes: str) -> None:
        self._generator.startElement(name, AttributesImpl(attributes))

    def close(self, name: str) -> None:
        self._generator.endElement(name)

    def leaf(self, name: str, text: str, **attributes: str) -> None:
        self.open(name, **attributes)
        self._generator.characters(text)
        self.close(name)

    @contextmanager
    def inside(self, *names: str) -> Iterator[None]:
        for name in names:
            self.open(name)
        yield
        for name in reversed(names):
            self.close(name)

    def path(self, *names: str, text: str) -> None:
        with self.inside(*names[:-1]):
            self.leaf(names[-1], text)

    def content(self) -> bytes:
        return self._text.getvalue().encode()


def _reference(head: Head, start_day: date, end_day: date) -> str:
    """The same for the same account, time and state of the book; 30 characters."""
    facts = (head.account_id, head.start_time, head.end_time, head.last_number)
    digest = hashlib.sha256("/".join(map(str, facts)).encode()).hexdigest()
    return f"{start_day:%Y%m%d}-{end_day:%Y%m%d}-{digest[:12]}"


def _indicator(amount_minor: int) -> str:
    return "DBIT" if amount_minor < 0 else "CRDT"


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _clean(text: str) -> str:
    """Without what XML cannot have, and without blanks that its readers drop."""
    return " ".join("".join(it if it.isprintable() else " " for it in text).split())
