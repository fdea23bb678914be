"""Query parameters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.problems import Problem
from gateway.queries import (
    EntriesQuery,
    MerchantQrQuery,
    NoQuery,
    PaymentQuery,
    PaymentsQuery,
    Query,
    parse_query,
)


def faulty_fields(query_type: type[Query], query_string: bytes) -> list[str]:
    """The parameters that are named as faulty; none if the query passes. Any exception but a
    problem fails the test."""
    try:
        parse_query(query_type, query_string)
    except Problem as problem:
        fields = [field for field, _ in problem.errors]
        return fields if problem.code == "invalid-request" and fields else [problem.code]
    return []


def test_nothing_given() -> None:
    """Without parameters the defaults hold."""
    assert parse_query(PaymentsQuery, b"") == PaymentsQuery(limit=50)
    assert parse_query(MerchantQrQuery, b"").image_format == "svg"


def test_all_parameters_of_a_list() -> None:
    """Every parameter arrives as its type; times keep their offset."""
    query = parse_query(
        PaymentsQuery,
        b"limit=200&cursor=abc%3D&status=FAILED&kind=withdraw"
        b"&from=2026-01-01T00:00:00%2B02:00&to=2026-01-02T00:00:00Z",
    )
    assert query == PaymentsQuery(
        limit=200,
        cursor="abc=",
        status="FAILED",
        kind="withdraw",
        start=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        end=datetime(2026, 1, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("query_type", "query_string", "fields"),
    [
        (PaymentsQuery, b"limit=0", ["limit"]),
        (PaymentsQuery, b"limit=201", ["limit"]),
        (PaymentsQuery, b"limit=ten", ["limit"]),
        (PaymentsQuery, b"limit=1.5", ["limit"]),
        (PaymentsQuery, b"limit=", ["limit"]),
        (PaymentsQuery, b"limit=5.0", ["limit"]),
        (PaymentsQuery, b"limit=1e1", ["limit"]),
        (PaymentsQuery, b"limit=%205", ["limit"]),
        (PaymentsQuery, b"limit=" + b"1" * 5000, ["limit"]),
        (PaymentsQuery, b"limit=%D9%A3", ["limit"]),
        (PaymentsQuery, b"cursor=", ["cursor"]),
        (PaymentsQuery, b"cursor=%00", ["cursor"]),
        (PaymentsQuery, b"cursor=" + b"a" * 513, ["cursor"]),
        (PaymentsQuery, b"cursor=%ff", ["cursor"]),
        (PaymentsQuery, b"status=pending", ["status"]),
        (PaymentsQuery, b"status=PAYMENT_STATUS_PENDING", ["status"]),
        (PaymentsQuery, b"kind=top-up", ["kind"]),
        (PaymentsQuery, b"from=yesterday", ["from"]),
        (PaymentsQuery, b"from=2026-01-01", ["from"]),
        (PaymentsQuery, b"from=2026-01-01T00:00:00", ["from"]),
        (PaymentsQuery, b"from=2026-01-01T00:00:00+02:00", ["from"]),
        (PaymentsQuery, b"from=0001-01-01T00:00:00%2B14:00", ["from"]),
        (PaymentsQuery, b"to=9999-12-31T23:59:59-14:00", ["to"]),
        (PaymentsQuery, b"from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", ["from"]),
        (PaymentsQuery, b"limit=0&status=x&what=1", ["what", "limit", "status"]),
        (PaymentsQuery, b"limit=5&limit=6", ["limit"]),
        (PaymentsQuery, b"a=" + b"&a=" * 40, [""]),
        (PaymentQuery, b"wait=31", ["wait"]),
        (PaymentQuery, b"wait=-1", ["wait"]),
        (EntriesQuery, b"after=-1", ["after"]),
        (EntriesQuery, b"after=9223372036854775808", ["after"]),
        (EntriesQuery, b"currency=usd", ["currency"]),
        (MerchantQrQuery, b"format=gif", ["format"]),
        (MerchantQrQuery, b"amount=0", ["amount"]),
        (MerchantQrQuery, b"amount=12.50", ["amount"]),
        (MerchantQrQuery, b"amount=1e3", ["amount"]),
        (MerchantQrQuery, b"ref=%E2%98%95", ["ref"]),
        (MerchantQrQuery, b"ref=" + b"a" * 26, ["ref"]),
        (NoQuery, b"x", ["x"]),
    ],
)
def test_faulty_parameters_are_named(
    query_type: type[Query], query_string: bytes, fields: list[str]
) -> None:
    """Out of range, of another type, given twice or not known here: each is named."""
    assert faulty_fields(query_type, query_string) == fields


@given(query_string=st.binary(max_size=120))
def test_any_query_string_is_a_query_or_a_problem(query_string: bytes) -> None:
    """Whatever stands behind the question mark, the outcome is a query or a problem that
    names what is wrong."""
    for query_type in (PaymentsQuery, EntriesQuery, MerchantQrQuery):
        assert "invalid-request" not in faulty_fields(query_type, query_string)


@given(text=st.text(max_size=30))
def test_any_text_as_a_parameter(text: str) -> None:
    """The same for a well-formed query string with any text as each value."""
    for name in ("limit", "cursor", "from", "status"):
        encoded = urlencode({name: text}, errors="surrogatepass").encode()
        assert faulty_fields(PaymentsQuery, encoded) in ([], [name])
