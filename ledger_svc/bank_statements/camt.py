"""Statements in ISO 20022: BankToCustomerStatement, camt.053.001.02 and later.

Versions differ in little of what is read here: where a status, a name or the amount of one movement
stands. Whatever is read must be sound; the rest of the message, which is most of it, is not looked
at. Files come from outside: one with a document type, and so with entities, is refused before any
of it is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ledger_svc.bank_statements.model import (
    LineKind,
    Statement,
    StatementLine,
    amount_minor_of,
    check_statement,
    date_of,
    joined,
    known_currency,
)
from ledger_svc.errors import StatementMalformed

_NAMESPACE = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.(?!01)[0-9]{2}\}")
_STATEMENTS_MAX = 100
_DETAILS_MAX = 10_000
# External code set of bank transaction sub-families: charges, fees, commission.
_FEE_SUB_FAMILIES = frozenset({"CHRG", "FEES", "COMM"})
_OPENING, _CLOSING = ("OPBD", "PRCD"), ("CLBD",)


def read_camt(content: bytes) -> list[Statement]:
    """The statements of a message, each of which adds up. Raises ``StatementMalformed``."""
    try:
        root = fromstring(content, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise StatementMalformed("the file has a document type: no statement has") from error
    except (ParseError, ValueError, LookupError) as error:
        # LookupError: an encoding that nobody knows.
        raise StatementMalformed(f"the file is not XML: {error}") from error
    namespace = _NAMESPACE.match(root.tag)
    if namespace is None or root.tag != f"{namespace[0]}Document":
        raise StatementMalformed("the file is no camt.053 message of version 02 or later")
    document = _Node(root, namespace[0])
    statements = document.all("BkToCstmrStmt/Stmt")
    if not 1 <= len(statements) <= _STATEMENTS_MAX:
        raise StatementMalformed(f"the message must have 1 to {_STATEMENTS_MAX} statements")
    return [check_statement(_statement(node)) for node in statements]


class _Node:
    """An element, and the namespace in which its parts are looked for."""

    def __init__(self, element: Element, namespace: str) -> None:
        self._element = element
        self._namespace = namespace

    def all(self, path: str) -> list[_Node]:
        """The elements at a path."""
        return [_Node(found, self._namespace) for found in self._element.findall(self._in(path))]

    def text(self, *paths: str) -> str:
        """The text at the first of the paths that has one; empty if none has."""
        for path in paths:
            if text := (self._element.findtext(self._in(path)) or "").strip():
                return text
        return ""

    def texts(self, *paths: str) -> Iterator[str]:
        """All texts at all paths."""
        for path in paths:
            for found in self._element.findall(self._in(path)):
                yield found.text or ""

    def attribute(self, path: str, name: str) -> str:
        """An attribute of the element at a path; empty if there is none."""
        found = self._element.find(self._in(path))
        return "" if found is None else found.get(name, "")

    def amount(self, path: str, currency_code: str, *, where: str) -> int | None:
        """The amount at a path, minor units; None if there is none. Must be in the currency."""
        found = self._element.find(self._in(path))
        if found is None:
            return None
        if found.get("Ccy") != currency_code:
            raise StatementMalformed(f"{where}: {path} is not in {currency_code}")
        return amount_minor_of(found.text or "", currency_code, where=f"{where}: {path}")

    def _in(self, path: str) -> str:
        return "/".join(f"{self._namespace}{name}" for name in path.split("/"))


def _statement(node: _Node) -> Statement:
    reference = node.text("Id")
    where = f"statement {reference or '(without an id)'}"
    account = node.text("Acct/Id/IBAN", "Acct/Id/Othr/Id")
    if not 1 <= len(reference) <= 64 or not 1 <= len(account) <= 34:
        raise StatementMalformed(f"{where}: Id or the account's Id is missing or too long")
    balances = node.all("Bal")
    opening = _balance(balances, _OPENING, where)
    closing = _balance(balances, _CLOSING, where)
    currency = node.text("Acct/Ccy") or opening.attribute("Amt", "Ccy")
    known_currency(currency, where=where)
    lines = [
        line
        for number, entry in enumerate(node.all("Ntry"), start=1)
        for line in _entry(entry, currency, number, where=f"{where}, entry {number}")
    ]
    return Statement(
        account=account,
        reference=reference,
        currency_code=currency,
        start_date=_day(opening, "Dt", where=f"{where}: opening balance"),
        end_date=_day(closing, "Dt", where=f"{where}: closing balance"),
        opening_minor=_signed(opening, "Amt", currency, where=f"{where}: opening balance"),
        closing_minor=_signed(closing, "Amt", currency, where=f"{where}: closing balance"),
        lines=tuple(lines),
    )


def _balance(balances: Sequence[_Node], codes: Sequence[str], where: str) -> _Node:
    """The one balance of the first of these codes that is there."""
    for code in codes:
        found = [node for node in balances if node.text("Tp/CdOrPrtry/Cd") == code]
        if len(found) == 1:
            return found[0]
        if found:
            raise StatementMalformed(f"{where}: it has more than one balance {code}")
    raise StatementMalformed(f"{where}: it has no balance {codes[0]}")


def _entry(entry: _Node, currency: str, number: int, *, where: str) -> list[StatementLine]:
    """The lines of an entry: itself, or the movements of its batch; and what was charged of it."""
    # The code stands one level deeper since version 08.
    status = entry.text("Sts/Cd", "Sts")
    if status in {"PDNG", "INFO", "FUTR"}:
        return []
    if status != "BOOK":
        raise StatementMalformed(f"{where}: Sts is {status[:8]!r}")
    amount = _signed(entry, "Amt", currency, where=where)
    if not amount:
        return []
    details = entry.all("NtryDtls/TxDtls")
    if len(details) > _DETAILS_MAX:
        raise StatementMalformed(f"{where}: it has more than {_DETAILS_MAX} movements")
    common = _Common(entry, currency, where)
    parts = _batch(details, amount, currency, where=where)
    if not parts:
        texts = [text for node in (entry, *details) for text in _texts(node)]
        sources = [*details, entry] if len(details) == 1 else [entry]
        charged = _charges(sources, amount, common)
        return common.lines(str(number), amount, charged, details[:1], texts)
    lines = []
    for place, (node, part) in enumerate(parts, start=1):
        charged = _charges([node], part, common)
        lines += common.lines(f"{number}.{place}", part, charged, [node], [*_texts(node)])
    if rest := amount - sum(part for _, part in parts):
        if rest != sum(_told_charges(entry, common)):
            raise StatementMalformed(f"{where}: its movements do not add up to its amount")
        lines.append(common.fee(str(number), rest, joined([*_texts(entry)])))
    return lines


class _Common:
    """What all lines of an entry have in common."""

    def __init__(self, entry: _Node, currency: str, where: str) -> None:
        self.currency = currency
        self.where = where
        self._entry = entry
        self._booking_date = _day(entry, "BookgDt", where=where)
        self._value_date = _day(entry, "ValDt", where=where) if entry.all("ValDt") else None

    def lines(
        self,
        position: str,
        amount: int,
        charged: int,
        details: Sequence[_Node],
        texts: Sequence[str],
    ) -> list[StatementLine]:
        """A movement, and a fee if something of it was charged (negative)."""
        node = details[0] if details else self._entry
        family = [source.text("BkTxCd/Domn/Fmly/SubFmlyCd") for source in (node, self._entry)]
        is_fee = bool(_FEE_SUB_FAMILIES & {next(filter(None, family), "")})
        moved = StatementLine(
            position=position,
            kind=LineKind.FEE if is_fee else LineKind.MOVEMENT,
            amount_minor=amount - charged,
            booking_date=self._booking_date,
            value_date=self._value_date,
            is_reversal=self._entry.text("RvslInd") in {"true", "1"},
            bank_reference=joined(
                [node.text("Refs/AcctSvcrRef") or self._entry.text("AcctSvcrRef")]
            ),
            counterparty=_counterparty(node, incoming=amount > 0),
            texts=joined(texts),
        )
        if not charged:
            return [moved]
        fee = self.fee(position, charged, moved.texts)
        return [moved, fee] if moved.amount_minor else [fee]

    def fee(self, position: str, amount: int, texts: str) -> StatementLine:
        """What was charged of the line at a position."""
        return StatementLine(
            position=f"{position}.charges",
            kind=LineKind.FEE,
            amount_minor=amount,
            booking_date=self._booking_date,
            value_date=self._value_date,
            bank_reference=joined([self._entry.text("AcctSvcrRef")]),
            texts=texts,
        )


def _batch(
    details: Sequence[_Node], amount: int, currency: str, *, where: str
) -> list[tuple[_Node, int]]:
    """The movements of a batch with their amounts; none if the entry is one movement, or does not
    tell the amounts of its parts."""
    parts: list[tuple[_Node, int]] = []
    if len(details) < 2:
        return parts
    for place, node in enumerate(details, start=1):
        inside = f"{where}, movement {place}"
        part = node.amount("Amt", currency, where=inside)
        if part is None:
            part = node.amount("AmtDtls/TxAmt/Amt", currency, where=inside)
        if part is None:
            return []
        indicator = node.text("CdtDbtInd") or ("CRDT" if amount > 0 else "DBIT")
        parts.append((node, _with_sign(part, indicator, where=inside)))
    return [(node, part) for node, part in parts if part]


def _charges(sources: Sequence[_Node], amount: int, common: _Common) -> int:
    """What the bank took of this amount, negative (or gave back, positive); 0 if it does not say.

    The first of the sources that tells of charges counts. Charges that are only told, and booked
    elsewhere, are none of this line's. A record says by ``ChrgInclInd`` whether they are inside.
    Version 02 has no such word: there they are inside if the movement's own amount and they make up
    the entry's.
    """
    told = next(filter(any, (_told_charges(source, common) for source in sources)), (0, 0))
    inside, untold = told
    if inside or not untold:
        return inside
    for source in sources:
        own = source.amount("AmtDtls/TxAmt/Amt", common.currency, where=common.where)
        if own is not None:
            return untold if (own if amount > 0 else -own) + untold == amount else 0
    return 0


def _told_charges(source: _Node, common: _Common) -> tuple[int, int]:
    """Charges that are inside of the amount, and those of which that is not said; negative."""
    inside = untold = 0
    for charges in source.all("Chrgs"):
        for record in charges.all("Rcrd") or [charges]:
            value = record.amount("Amt", common.currency, where=common.where)
            if value is None:
                continue
            signed = value if record.text("CdtDbtInd") == "CRDT" else -value
            match record.text("ChrgInclInd"):
                case "true" | "1":
                    inside += signed
                case "":
                    untold += signed
    return inside, untold


def _texts(node: _Node) -> Iterator[str]:
    """Everything in which somebody could have written a payment's id."""
    yield from node.texts(
        "Refs/EndToEndId",
        "Refs/InstrId",
        "Refs/PmtInfId",
        "RmtInf/Ustrd",
        "RmtInf/Strd/CdtrRefInf/Ref",
        "RmtInf/Strd/AddtlRmtInf",
        "AddtlTxInf",
        "AddtlNtryInf",
    )


def _counterparty(node: _Node, *, incoming: bool) -> str:
    party = "Dbtr" if incoming else "Cdtr"
    # The name stands one level deeper since version 08.
    return joined([node.text(f"RltdPties/{party}/Nm", f"RltdPties/{party}/Pty/Nm")])


def _signed(node: _Node, path: str, currency: str, *, where: str) -> int:
    amount = node.amount(path, currency, where=where)
    if amount is None:
        raise StatementMalformed(f"{where}: {path} is missing")
    return _with_sign(amount, node.text("CdtDbtInd"), where=where)


def _with_sign(amount: int, indicator: str, *, where: str) -> int:
    if indicator not in {"CRDT", "DBIT"}:
        raise StatementMalformed(f"{where}: CdtDbtInd is {indicator[:8]!r}")
    return amount if indicator == "CRDT" else -amount


def _day(node: _Node, name: str, *, where: str) -> date:
    return date_of(node.text(f"{name}/Dt", f"{name}/DtTm"), where=f"{where}: {name}")
