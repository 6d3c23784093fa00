"""What people do, by name."""

from typing import Final

from loadtests.journeys import (
    deposit,
    double_click,
    login,
    notifications,
    overview,
    pay,
    profile,
    refresh,
    register,
    reverse,
    statement,
    withdraw,
)
from loadtests.journeys.journey import Journey

_ALL: Final = (
    overview.JOURNEY,
    statement.JOURNEY,
    notifications.JOURNEY,
    pay.JOURNEY,
    double_click.JOURNEY,
    deposit.JOURNEY,
    withdraw.JOURNEY,
    reverse.JOURNEY,
    login.JOURNEY,
    refresh.JOURNEY,
    register.JOURNEY,
    profile.JOURNEY,
)
JOURNEYS: Final[dict[str, Journey]] = {journey.name: journey for journey in _ALL}

__all__ = ["JOURNEYS", "Journey"]
