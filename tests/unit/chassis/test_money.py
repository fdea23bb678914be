"""Money: whole minor units, of one currency, never rounded."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import CURRENCIES, CURRENCIES_BY_NUMBER, Money, currency_exponent

CODES = st.sampled_from(sorted(CURRENCIES))
AMOUNTS = st.integers(-(2**63), 2**63 - 1)


@given(code=CODES, amount=AMOUNTS)
def test_the_decimal_is_exact(code: str, amount: int) -> None:
    """Scaled back, it is the same whole number; and it has the decimals of its currency."""
    decimal = Money(code, amount).decimal()
    exponent = currency_exponent(code)
    assert decimal * 10**exponent == amount
    assert decimal.as_tuple().exponent == -exponent


@given(code=CODES, one=AMOUNTS, other=AMOUNTS)
def test_sums_are_exact(code: str, one: int, other: int) -> None:
    """Integers do not round, and a debit undoes a credit."""
    assert (Money(code, one) + Money(code, other)).amount_minor == one + other
    assert Money(code, one) + -Money(code, one) == Money(code, 0)


@given(code=CODES, amount=AMOUNTS)
def test_its_text_can_be_read_back(code: str, amount: int) -> None:
    """For people: grouped digits, decimals, currency; nothing is left out."""
    text, shown_code = str(Money(code, amount)).split(" ")
    assert shown_code == code
    assert Decimal(text.replace(",", "")).scaleb(currency_exponent(code)) == amount


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money("USD", 123456), "1,234.56 USD"),
        (Money("JPY", 1234), "1,234 JPY"),
        (Money("KWD", -5), "-0.005 KWD"),
        (Money("EUR", 0), "0.00 EUR"),
    ],
)
def test_how_people_see_it(money: Money, text: str) -> None:
    """Two decimals, none, three, zero."""
    assert str(money) == text


def test_currencies_do_not_mix() -> None:
    """Adding dollars to euros is a mistake of ours, found at once."""
    with pytest.raises(AssertionError):
        Money("USD", 1) + Money("EUR", 1)


@pytest.mark.parametrize("amount", [1.0, True, Decimal(1), "1"])
def test_only_whole_numbers_are_money(amount: object) -> None:
    """Not even a float that happens to be whole."""
    with pytest.raises(AssertionError):
        Money("USD", amount)  # type: ignore[arg-type]


def test_unknown_currencies_are_refused() -> None:
    """Funds codes and typing errors."""
    with pytest.raises(AssertionError):
        Money("XXX", 1)
    with pytest.raises(KeyError):
        currency_exponent("usd")


def test_the_table_is_that_of_iso_4217() -> None:
    """Codes and numbers are unique and well-formed; spot checks of list one and its minor units."""
    assert len(CURRENCIES_BY_NUMBER) == len(CURRENCIES) > 60
    for code, currency in CURRENCIES.items():
        assert code == currency.code
        assert len(code) == len(currency.number) == 3
        assert code.isupper()
        assert currency.number.isdigit()
        assert currency.exponent in {0, 2, 3}
    exponents = {
        code: currency_exponent(code) for code in ("USD", "JPY", "KRW", "KWD", "TND", "ISK")
    }
    assert exponents == {"USD": 2, "JPY": 0, "KRW": 0, "KWD": 3, "TND": 3, "ISK": 0}
    numbers = {"840": "USD", "978": "EUR", "392": "JPY", "156": "CNY", "986": "BRL", "702": "SGD"}
    assert {number: CURRENCIES_BY_NUMBER[number].code for number in numbers} == numbers
