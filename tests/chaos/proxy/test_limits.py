"""The bounds."""

from dataclasses import fields

import pytest

from chaos.proxy.limits import Limits


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_a_bound_is_above_zero(name: str) -> None:
    """No bound can be turned into none, and the error names it."""
    with pytest.raises(ValueError, match=name):
        Limits(**{name: 0})


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_a_bound_has_a_reason(name: str) -> None:
    """Every bound is explained where it is declared."""
    assert f"{name}: " in (Limits.__doc__ or "")


def test_a_thousand_connections_fit() -> None:
    """The default takes the thousand connections of the long proof, twice."""
    assert Limits().connections >= 2_000
