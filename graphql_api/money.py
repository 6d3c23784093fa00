"""Money at the edge: an exact decimal text and a currency outside, integer minor units inside."""

import re

import strawberry

from chassis import codes
from chassis.contract import MINOR_UNITS_LIMIT
from graphql_api.scalars import DecimalString

DECIMALS = {"BRL": 2}
"""Currencies that are kept here, with the digits after the point of each."""

_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,15})(?:\.([0-9]{1,2}))?\Z")


@strawberry.type(description="An exact amount of money.")
class Money:
    amount: DecimalString = strawberry.field(
        description='Decimal text with two decimals for BRL, such as "12.50"; negative only in balances.'
    )
    currency: str = strawberry.field(description="ISO 4217 code; BRL is the one that is kept here.")

    @classmethod
    def of(cls, minor_units: int, currency: str) -> "Money":
        """Money of `minor_units` (centavos) in `currency`."""
        return cls(amount=decimal_text(minor_units, currency), currency=currency)


@strawberry.input(description="An exact, positive amount of money.")
class MoneyInput:
    amount: DecimalString = strawberry.field(
        description='Positive decimal text with at most two decimals for BRL, such as "12.50".'
    )
    currency: str = strawberry.field(description="ISO 4217 code; BRL is the one that is kept here.")

    def minor_units(self, field: str = "amount") -> int:
        """The amount in minor units.

        Raises:
            CodedError: UNSUPPORTED_CURRENCY, INVALID_AMOUNT.
        """
        decimals = DECIMALS.get(self.currency)
        if decimals is None:
            raise codes.UNSUPPORTED_CURRENCY.error(field=f"{field}.currency")
        found = _AMOUNT.match(self.amount)
        if found is None:
            raise codes.INVALID_AMOUNT.error(field=f"{field}.amount")
        whole, fraction = found.groups(default="")
        units: int = int(whole) * 10**decimals + int(fraction.ljust(decimals, "0") or "0")
        if not 0 < units <= MINOR_UNITS_LIMIT:
            largest = decimal_text(MINOR_UNITS_LIMIT, self.currency)
            raise codes.INVALID_AMOUNT.error(
                f"The amount must be more than zero and at most {largest}.", field=f"{field}.amount"
            )
        return units


def decimal_text(minor_units: int, currency: str) -> DecimalString:
    """`minor_units` as decimal text, exactly: -5 centavos is "-0.05"."""
    decimals = DECIMALS.get(currency, 2)
    whole, fraction = divmod(abs(minor_units), 10**decimals)
    sign = "-" if minor_units < 0 else ""
    return DecimalString(f"{sign}{whole}.{fraction:0{decimals}d}")
