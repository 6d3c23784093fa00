"""Exact money at the edge."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.contract import MINOR_UNITS_LIMIT
from chassis.errors import CodedError
from graphql_api.money import Money, MoneyInput, decimal_text
from graphql_api.scalars import DecimalString


def given_money(amount: str, currency: str = "BRL") -> MoneyInput:
    return MoneyInput(amount=DecimalString(amount), currency=currency)


@given(st.integers(1, MINOR_UNITS_LIMIT))
def test_what_goes_out_comes_back_the_same(units: int) -> None:
    """Every amount survives the way out and in to the centavo."""
    assert given_money(Money.of(units, "BRL").amount).minor_units() == units


@given(st.integers(-MINOR_UNITS_LIMIT, MINOR_UNITS_LIMIT))
def test_the_text_is_the_exact_value(units: int) -> None:
    """The decimal text is the number of centavos over a hundred, negative balances too."""
    text = decimal_text(units, "BRL")
    assert Decimal(text) * 100 == units
    assert len(text.rpartition(".")[2]) == 2


@pytest.mark.parametrize(("text", "units"), [("1", 100), ("0.5", 50), ("0.01", 1), ("12.50", 1250)])
def test_fewer_decimals_are_understood(text: str, units: int) -> None:
    """Up to two decimals may be written."""
    assert given_money(text).minor_units() == units


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "0", "0.00", "-1", "-0.01", "+1", "1.", ".5", "1.234", "0.001", "1,00", "1_000", "1e3",
        "0x10", "NaN", "Infinity", "1.00 ", "01.00", "١", "1\n", "10000000000000.01",
        "99999999999999999999", "1" * 32, "'; DROP TABLE accounts; --",
    ],
)  # fmt: skip
def test_anything_else_is_an_invalid_amount(text: str) -> None:
    """Zero, negative, over-precise and over-large amounts, and whatever is no decimal, are refused."""
    with pytest.raises(CodedError) as caught:
        given_money(text).minor_units()
    assert (caught.value.code, caught.value.field) == ("INVALID_AMOUNT", "amount.amount")


@given(st.text(max_size=32))
def test_no_text_surprises(text: str) -> None:
    """Whatever is written, the outcome is a positive number of centavos or INVALID_AMOUNT."""
    try:
        assert 0 < given_money(text).minor_units() <= MINOR_UNITS_LIMIT
    except CodedError as error:
        assert error.code == "INVALID_AMOUNT"


@pytest.mark.parametrize("currency", ["USD", "brl", "", "BR", "JPY"])
def test_other_currencies_are_not_kept(currency: str) -> None:
    """A currency without known decimals is refused before the amount is read."""
    with pytest.raises(CodedError) as caught:
        given_money("1.00", currency).minor_units()
    assert caught.value.code == "UNSUPPORTED_CURRENCY"
