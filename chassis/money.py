"""Money: an integer in a currency's minor unit. Never a float, never rounded."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

AMOUNT_MINOR_MAX = 10**15
"""The largest amount a single movement may have: ten trillion dollars in cents. Far below 2^63, so
that the sum of a whole batch of them still fits a 64-bit integer."""


class Currency(NamedTuple):
    """A currency of ISO 4217."""

    code: str
    """Alphabetic code, for example ``"USD"``."""
    number: str
    """Numeric code, three digits, for example ``"840"``."""
    exponent: int
    """How many decimals its minor unit has: 2 for USD, 0 for JPY, 3 for KWD."""


# ISO 4217 (list one): the currencies in circulation that QR schemes use. Funds codes, metals and
# test codes are left out on purpose: nobody pays with them.
_ISO_4217 = """
AED 784 2|AUD 036 2|ARS 032 2|BDT 050 2|BGN 975 2|BHD 048 3|BRL 986 2|CAD 124 2|CHF 756 2|CLP 152 0
CNY 156 2|COP 170 2|CZK 203 2|DKK 208 2|EGP 818 2|EUR 978 2|GBP 826 2|GHS 936 2|HKD 344 2|HUF 348 2
IDR 360 2|ILS 376 2|INR 356 2|ISK 352 0|JOD 400 3|JPY 392 0|KES 404 2|KHR 116 2|KRW 410 0|KWD 414 3
KZT 398 2|LAK 418 2|LKR 144 2|MAD 504 2|MMK 104 2|MUR 480 2|MXN 484 2|MYR 458 2|NGN 566 2|NOK 578 2
NPR 524 2|NZD 554 2|OMR 512 3|PEN 604 2|PHP 608 2|PKR 586 2|PLN 985 2|PYG 600 0|QAR 634 2|RON 946 2
RSD 941 2|SAR 682 2|SEK 752 2|SGD 702 2|THB 764 2|TND 788 3|TRY 949 2|TWD 901 2|TZS 834 2|UAH 980 2
UGX 800 0|USD 840 2|UYU 858 2|VND 704 0|XAF 950 0|XOF 952 0|ZAR 710 2|ZMW 967 2
"""

CURRENCIES: dict[str, Currency] = {
    code: Currency(code, number, int(exponent))
    for code, number, exponent in (
        row.split() for line in _ISO_4217.strip().splitlines() for row in line.split("|")
    )
}
"""Known currencies by alphabetic code."""

CURRENCIES_BY_NUMBER: dict[str, Currency] = {item.number: item for item in CURRENCIES.values()}
"""Known currencies by numeric code."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency.

    ``amount_minor`` is in the currency's minor unit and may be negative (a balance, an entry).
    """

    currency_code: str
    amount_minor: int

    def __post_init__(self) -> None:
        assert type(self.amount_minor) is int, "money is a whole number of minor units"
        assert self.currency_code in CURRENCIES, "unknown currency"

    def __add__(self, other: Money) -> Money:
        assert self.currency_code == other.currency_code, "only the same currency adds up"
        return Money(self.currency_code, self.amount_minor + other.amount_minor)

    def __neg__(self) -> Money:
        return Money(self.currency_code, -self.amount_minor)

    def decimal(self) -> Decimal:
        """The amount in the major unit, with as many decimals as the currency has."""
        return Decimal(self.amount_minor).scaleb(-CURRENCIES[self.currency_code].exponent)

    def __str__(self) -> str:
        exponent = CURRENCIES[self.currency_code].exponent
        return f"{self.decimal():,.{exponent}f} {self.currency_code}"


def currency_exponent(currency_code: str) -> int:
    """How many decimals a currency's minor unit has. Raises KeyError for an unknown one."""
    return CURRENCIES[currency_code].exponent
