"""Query parameters: their shapes, and how a query string becomes one of them."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_args
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta, Struct, field

from gateway.bodies import PRINTABLE_ASCII, Amount, CurrencyCode, field_faults
from gateway.problems import invalid_request

QueryType = TypeVar("QueryType", bound=Struct)

_PARAMETERS_MAX = 32
_WHOLE_NUMBER = re.compile(r"[0-9]{1,100}")
_YEAR_MIN, _YEAR_MAX = 1970, 9998  # what google.protobuf.Timestamp and every offset can hold

Limit = Annotated[
    int,
    Meta(ge=1, le=200, description="Items per page.", extra={"rule": "must be from 1 to 200"}),
]
Instant = Annotated[
    datetime,
    Meta(
        tz=True,
        description="RFC 3339 with an offset; write its + as %2B.",
        examples=["2026-11-22T00:00:00Z"],
        extra={"rule": "must be an RFC 3339 time with an offset (its + is written %2B)"},
    ),
]


Cursor = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=512,
        pattern=PRINTABLE_ASCII,
        description="next_cursor of the page before.",
        extra={"rule": "must be the next_cursor of a page"},
    ),
]


class Query(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Query parameters. Each is given at most once; those not named here are refused."""


class NoQuery(Query, frozen=True, kw_only=True):
    """None."""


class PaymentQuery(Query, frozen=True, kw_only=True):
    """Of one payment."""

    wait: Annotated[
        int,
        Meta(
            ge=0,
            le=30,
            description="Wait up to this many seconds for a terminal status.",
            extra={"rule": "must be from 0 to 30"},
        ),
    ] = 0


class PaymentsQuery(Query, frozen=True, kw_only=True):
    """Of a list of payments."""

    limit: Limit = 50
    cursor: Cursor | None = None
    status: (
        Annotated[
            Literal["PENDING", "COMPLETED", "FAILED"],
            Meta(
                description="Only payments with this status.",
                extra={"rule": "must be PENDING, COMPLETED or FAILED"},
            ),
        ]
        | None
    ) = None
    kind: (
        Annotated[
            Literal["send", "pay", "withdraw"],
            Meta(
                description="Only payments of this kind.",
                extra={"rule": "must be send, pay or withdraw"},
            ),
        ]
        | None
    ) = None
    start: Instant | None = field(default=None, name="from")
    end: Instant | None = field(default=None, name="to")


class PageQuery(Query, frozen=True, kw_only=True):
    """Of a list."""

    limit: Limit = 50
    cursor: Cursor | None = None


class TerminalsQuery(PageQuery, frozen=True, kw_only=True):
    """Of a merchant's terminals."""

    store: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=64,
                pattern=PRINTABLE_ASCII,
                description="Only those of this store.",
                extra={"rule": "must be the id of a store"},
            ),
        ]
        | None
    ) = None


class LogoQuery(Query, frozen=True, kw_only=True):
    """Of a logo."""

    w: Annotated[
        int,
        Meta(
            ge=64,
            le=1024,
            description="Width in pixels.",
            extra={"rule": "must be from 64 to 1024"},
        ),
    ] = 256


class EntriesQuery(Query, frozen=True, kw_only=True):
    """Of a wallet's entries."""

    currency: CurrencyCode | None = None
    after: Annotated[
        int,
        Meta(
            ge=0,
            le=2**63 - 1,
            description="Entries with a higher number than this.",
            extra={"rule": "must be a number, at least 0"},
        ),
    ] = 0
    limit: Limit = 50


class StatementQuery(Query, frozen=True, kw_only=True):
    """Of a statement."""

    month: (
        Annotated[
            str,
            Meta(
                pattern=r"^(19[7-9][0-9]|[2-8][0-9]{3})-(0[1-9]|1[0-2])(?![\s\S])",
                description="The month, in UTC; this one if it is left out. Never a future one.",
                examples=["2026-11"],
                extra={"rule": "must be a month such as 2026-11, from 1970-01 on"},
            ),
        ]
        | None
    ) = None
    statement_format: Annotated[
        Literal["csv", "pdf"],
        Meta(description="For programs, or to print.", extra={"rule": "must be csv or pdf"}),
    ] = field(default="csv", name="format")
    currency: CurrencyCode | None = None


class BarcodeQuery(Query, frozen=True, kw_only=True):
    """Of a new barcode."""

    images: Annotated[
        Literal["inline", "none"],
        Meta(
            description="`none`: the app draws the code by itself, and the answer has no `svg`.",
            extra={"rule": "must be inline or none"},
        ),
    ] = "inline"


class MerchantQrQuery(Query, frozen=True, kw_only=True):
    """Of a merchant's QR code. With ``amount`` the code asks for it; ``currency`` is the
    merchant's own if it is left out."""

    image_format: Annotated[
        Literal["svg", "png", "text"],
        Meta(description="How it is drawn.", extra={"rule": "must be svg, png or text"}),
    ] = field(default="svg", name="format")
    amount: Amount | None = None
    currency: CurrencyCode | None = None
    ref: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=25,
                pattern=PRINTABLE_ASCII,
                description="The merchant's reference (EMVCo MPM, object 62-05).",
                extra={"rule": "must be 1 to 25 characters of printable ASCII"},
            ),
        ]
        | None
    ) = None


class PosterQuery(Query, frozen=True, kw_only=True):
    """Of a merchant's poster."""

    size: Annotated[
        Literal["a4", "a6"],
        Meta(description="Of the paper (ISO 216).", extra={"rule": "must be a4 or a6"}),
    ] = "a4"
    lang: Annotated[
        Literal["de", "en", "es", "fr", "id", "it", "nl", "pl", "pt", "tr", "vi"],
        Meta(
            description="What it is written in, beside English (ISO 639-1).",
            extra={"rule": "must be de, en, es, fr, id, it, nl, pl, pt, tr or vi"},
        ),
    ] = "en"


def parse_query(query_type: type[QueryType], query_string: bytes) -> QueryType:
    """The parameters. Raises ``Problem`` invalid-request that names every faulty one."""
    if not query_string:
        return query_type()
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, max_num_fields=_PARAMETERS_MAX
        )
    except ValueError:
        raise invalid_request(("", f"at most {_PARAMETERS_MAX} parameters in ASCII")) from None
    values: dict[str, Any] = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted(name for name in values if names.count(name) > 1)
        raise invalid_request(*((name, "is given more than once") for name in twice))
    for name in _whole_numbers(query_type) & values.keys():
        if _WHOLE_NUMBER.fullmatch(values[name]):
            values[name] = int(values[name])
    try:
        query = msgspec.convert(values, query_type)
    except msgspec.ValidationError:
        raise invalid_request(*field_faults(query_type, values)) from None
    _check_times(query)
    return query


@cache
def _whole_numbers(query_type: type[Struct]) -> frozenset[str]:
    """The parameters that are whole numbers. Only they are, and only in digits: msgspec's own lax
    mode would take 1e3 for a thousand."""
    return frozenset(
        field.encode_name
        for field in msgspec.structs.fields(query_type)
        if _is_whole_number(field.type)
    )


def _is_whole_number(annotation: Any) -> bool:
    return annotation is int or any(map(_is_whole_number, get_args(annotation)))


def _check_times(query: Struct) -> None:
    if not isinstance(query, PaymentsQuery):
        return
    for name, time in (("from", query.start), ("to", query.end)):
        if time is not None and not _YEAR_MIN <= time.year <= _YEAR_MAX:
            raise invalid_request((name, f"must be from {_YEAR_MIN} to {_YEAR_MAX}"))
    if query.start is not None and query.end is not None and query.start >= query.end:
        raise invalid_request(("from", "must be before to"))
