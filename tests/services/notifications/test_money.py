"""Amounts in texts."""

import pytest

from services.notifications.money import written


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1, "BRL", "R$ 0,01"),
        (100, "BRL", "R$ 1,00"),
        (123_456, "BRL", "R$ 1.234,56"),
        (10**15, "BRL", "R$ 10.000.000.000.000,00"),
        (-5_00, "BRL", "-R$ 5,00"),
        (123_456, "USD", "USD 1.234,56"),
    ],
)
def test_written(amount: int, currency: str, text: str) -> None:
    """Minor units become an amount with points for thousands and a comma for cents, exactly."""
    assert written(amount, currency) == text
