"""What the process is told from outside."""

from pathlib import Path

import pytest

from chassis.settings import SettingsError
from services.transactions import settings
from services.transactions.requests import DEFAULT_RAIL_CAP, DemoRail


def environ(**more: str) -> dict[str, str]:
    return {
        "BALUARTE_TRANSACTIONS_DATABASE_URL": "postgresql://u:p@h/d",
        "BALUARTE_STATE_DIR": str(Path("state")),
    } | {f"BALUARTE_{key}": value for key, value in more.items()}


@pytest.mark.parametrize(
    ("given", "rail"),
    [
        ({}, DemoRail(enabled=True, cap=DEFAULT_RAIL_CAP)),
        ({"DEMO_RAIL": "off"}, DemoRail(enabled=False)),
        ({"DEMO_RAIL_CAP": "500"}, DemoRail(cap=500)),
        ({"ENVIRONMENT": "production"}, DemoRail(enabled=False)),
        ({"ENVIRONMENT": "production", "DEMO_RAIL": "off"}, DemoRail(enabled=False)),
    ],
)
def test_demo_rail(given: dict[str, str], rail: DemoRail) -> None:
    """The rail is on with a cap while developing, off on request, and off in production."""
    assert settings.read(environ(**given)).rail == rail


def test_no_money_out_of_nothing_in_production() -> None:
    """In production the rail cannot be turned on: the process does not start."""
    with pytest.raises(SettingsError, match="BALUARTE_DEMO_RAIL is on"):
        settings.read(environ(ENVIRONMENT="production", DEMO_RAIL="on"))


def test_all_problems_at_once() -> None:
    """Everything that is wrong is told in one error."""
    wrong = environ(DEMO_RAIL="perhaps", DEMO_RAIL_CAP="0", LEDGER_URLS="ftp://x")
    del wrong["BALUARTE_TRANSACTIONS_DATABASE_URL"]
    with pytest.raises(SettingsError) as refused:
        settings.read(wrong)
    keys = ("DEMO_RAIL ", "DEMO_RAIL_CAP", "LEDGER_URLS", "TRANSACTIONS_DATABASE_URL")
    assert len(refused.value.problems) == 4
    for key in keys:
        assert f"BALUARTE_{key}" in str(refused.value)
