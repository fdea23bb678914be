"""The rules of a payment, each tried with what keeps it and what breaks it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import PermissionDenied
from payment_svc import model
from payment_svc.errors import (
    AmountMismatch,
    AmountOutOfRange,
    AmountRequired,
    CallerNotFound,
    CurrencyMismatch,
    RecipientNotFound,
    SameWallet,
    WalletClosed,
)
from payment_svc.model import Asked, Kind, Move, OwnerKind, Party, Request

ALICE = Party("usr_alice", OwnerKind.CUSTOMER, "Alice", "wal_alice", closed=False)
CAFE = Party("mer_cafe", OwnerKind.MERCHANT, "Cafe", "wal_cafe", closed=False)
OPS = Party("opr_ops", OwnerKind.OPERATOR, "Ops", "", closed=False)
BANK = Party("sys_bank", OwnerKind.SYSTEM, "Bank", "wal_bank", closed=False)
TEN_DOLLARS = Asked(1000, "USD")


def a_request(**changes: object) -> Request:
    """A well-formed request to send ten dollars."""
    request = Request(
        caller_id="usr_alice",
        request_id="key-1",
        move=Move.SEND,
        target="bob",
        amount_minor=1000,
        currency_code="USD",
        note="lunch",
        order_ref="",
        traceparent="",
    )
    return request._replace(**changes)  # type: ignore[arg-type]


def test_a_well_formed_request_has_no_violations() -> None:
    """The builder that every other test changes is sound itself."""
    assert model.violations(a_request()) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"caller_id": ""}, "caller_id"),
        ({"request_id": ""}, "request_id"),
        ({"request_id": "x" * 256}, "request_id"),
        ({"request_id": "a\x00b"}, "request_id"),
        ({"move": None}, "move"),
        ({"target": ""}, "to"),
        ({"target": "b\nob"}, "to"),
        ({"move": Move.WITHDRAW, "target": ""}, "bank_account"),
        ({"move": Move.BARCODE, "target": "12345678901234567"}, "barcode"),
        ({"move": Move.BARCODE, "target": "12345678901234567x"}, "barcode"),
        ({"move": Move.BARCODE, "target": "١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦٧٨"}, "barcode"),
        ({"move": Move.QR, "target": "x" * 513}, "qr"),
        ({"amount_minor": 0}, "amount"),
        ({"amount_minor": -1}, "amount"),
        ({"move": Move.QR, "amount_minor": -1}, "amount"),
        ({"currency_code": "XXX"}, "currency"),
        ({"currency_code": ""}, "currency"),
        ({"note": "x" * 141}, "note"),
        ({"note": "bell\x07"}, "note"),
        ({"note": "half \ud83d"}, "note"),
        ({"order_ref": "x" * 65}, "order_ref"),
    ],
)
def test_each_broken_field_is_named(changes: dict[str, object], field: str) -> None:
    """A request with one broken field names that field and no other."""
    assert [item.field for item in model.violations(a_request(**changes))] == [field]


def test_all_broken_fields_are_named_at_once() -> None:
    """Whoever sends a bad request learns everything about it in one answer."""
    broken = a_request(request_id="", target="", amount_minor=0, currency_code="usd", note="\x00")
    assert {item.field for item in model.violations(broken)} == {
        "request_id",
        "to",
        "amount",
        "currency",
        "note",
    }


def test_a_qr_request_may_leave_amount_and_currency_to_the_code() -> None:
    """A dynamic code carries both."""
    request = a_request(move=Move.QR, target="000201", amount_minor=0, currency_code="")
    assert model.violations(request) == []


@given(st.text())
def test_printable_refuses_exactly_controls_and_surrogates(text: str) -> None:
    """The fast path and the definition agree on every text."""
    expected = not any(
        ord(character) < 32 or 127 <= ord(character) < 160 or 0xD800 <= ord(character) <= 0xDFFF
        for character in text
    )
    assert model.printable(text) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"move": Move.TOP_UP},
        {"target": "carol"},
        {"amount_minor": 1001},
        {"currency_code": "EUR"},
        {"note": "dinner"},
        {"order_ref": "17"},
    ],
)
def test_the_fingerprint_tells_different_requests_apart(changes: dict[str, object]) -> None:
    """The same key with any other content is another request."""
    assert model.fingerprint(a_request(**changes)) != model.fingerprint(a_request())


def test_the_fingerprint_is_the_request_and_not_its_trace_or_key() -> None:
    """A retry has another trace and is the same request."""
    again = a_request(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert model.fingerprint(again) == model.fingerprint(a_request())


@given(st.text(), st.text(), st.text(), st.text())
def test_redemption_tokens_differ_between_requests(
    caller: str, key: str, other_caller: str, other_key: str
) -> None:
    """One token per caller and key; ids have no line breaks, so no two pairs meet."""
    one = model.redemption_token(f"usr_{caller!r}", repr(key))
    other = model.redemption_token(f"usr_{other_caller!r}", repr(other_key))
    assert (one == other) == ((caller, key) == (other_caller, other_key))


@pytest.mark.parametrize(
    ("amount", "currency", "code_amount", "expected"),
    [
        (500, "USD", 0, Asked(500, "USD")),
        (500, "", 0, Asked(500, "USD")),
        (0, "", 700, Asked(700, "USD")),
        (700, "USD", 700, Asked(700, "USD")),
    ],
)
def test_what_a_code_asks_for(
    amount: int, currency: str, code_amount: int, expected: Asked
) -> None:
    """The code and the customer together say how much."""
    request = a_request(move=Move.QR, amount_minor=amount, currency_code=currency)
    asked = model.asked_by_qr(request, code_amount_minor=code_amount, code_currency_code="USD")
    assert asked == expected


@pytest.mark.parametrize(
    ("amount", "currency", "code_amount", "error"),
    [
        (0, "", 0, AmountRequired),
        (500, "EUR", 0, CurrencyMismatch),
        (500, "USD", 700, AmountMismatch),
    ],
)
def test_what_contradicts_a_code_is_refused(
    amount: int, currency: str, code_amount: int, error: type[Exception]
) -> None:
    """A customer never pays another amount than the code shows, nor in another currency."""
    request = a_request(move=Move.QR, amount_minor=amount, currency_code=currency)
    with pytest.raises(error):
        model.asked_by_qr(request, code_amount_minor=code_amount, code_currency_code="USD")


@pytest.mark.parametrize("amount", [0, -1, 1001])
def test_amounts_out_of_range_are_refused(amount: int) -> None:
    """One payment moves something, and not more than the limit; the limit itself is within."""
    model.check_amount(Asked(1000, "USD"), amount_minor_max=1000)
    with pytest.raises(AmountOutOfRange):
        model.check_amount(Asked(amount, "USD"), amount_minor_max=1000)


@pytest.mark.parametrize(
    ("move", "allowed"),
    [
        (Move.SEND, {OwnerKind.CUSTOMER, OwnerKind.MERCHANT}),
        (Move.WITHDRAW, {OwnerKind.CUSTOMER, OwnerKind.MERCHANT}),
        (Move.QR, {OwnerKind.CUSTOMER}),
        (Move.BARCODE, {OwnerKind.MERCHANT}),
        (Move.TOP_UP, {OwnerKind.OPERATOR}),
    ],
)
def test_who_may_ask_for_what(move: Move, allowed: set[OwnerKind]) -> None:
    """Every kind of owner is tried on every move."""
    for kind in OwnerKind:
        caller = ALICE._replace(owner_kind=kind)
        if kind in allowed:
            assert model.check_caller(move, caller) is caller
        else:
            with pytest.raises(PermissionDenied):
                model.check_caller(move, caller)


def test_nobody_may_ask_for_nothing() -> None:
    """An unknown caller is told so."""
    with pytest.raises(CallerNotFound):
        model.check_caller(Move.SEND, None)


@pytest.mark.parametrize(
    ("party", "error"),
    [
        (None, RecipientNotFound),
        (BANK, RecipientNotFound),
        (OPS, CurrencyMismatch),
        (ALICE._replace(closed=True), WalletClosed),
    ],
)
def test_who_cannot_be_paid(party: Party | None, error: type[Exception]) -> None:
    """Nobody, the system itself, somebody without a wallet, and a closed wallet."""
    with pytest.raises(error):
        model.check_payable(party, asked=TEN_DOLLARS)


def test_a_payment_has_one_shape_for_every_way_of_asking() -> None:
    """What was asked for and who the sides are end up in the row."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    payment = model.compose(
        a_request(move=Move.QR),
        payment_id="pay_1",
        payer=ALICE,
        payee=CAFE,
        asked=Asked(700, "EUR"),
        order_ref="17",
        barcode_issuance_id="",
        at=at,
    )
    assert (payment.kind, payment.amount_minor, payment.currency_code) == (Kind.PAY, 700, "EUR")
    assert (payment.payer_wallet_id, payment.payee_wallet_id) == ("wal_alice", "wal_cafe")
    assert (payment.order_ref, payment.create_time) == ("17", at)


def test_nobody_pays_themselves() -> None:
    """The same wallet on both sides moves nothing and is refused."""
    with pytest.raises(SameWallet):
        model.compose(
            a_request(),
            payment_id="pay_1",
            payer=ALICE,
            payee=ALICE,
            asked=TEN_DOLLARS,
            order_ref="",
            barcode_issuance_id="",
            at=datetime(2026, 1, 1, tzinfo=UTC),
        )
