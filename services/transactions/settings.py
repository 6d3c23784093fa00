"""What only this process is told from outside."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.contract import MINOR_UNITS_LIMIT
from chassis.settings import Reader, Settings, read_settings, switch, whole_number
from services.transactions.contract import SERVICE
from services.transactions.requests import DEFAULT_RAIL_CAP, DemoRail


@dataclass(frozen=True, slots=True)
class TransactionsSettings:
    """All settings of this process."""

    common: Settings
    rail: DemoRail


def read(environ: Mapping[str, str]) -> TransactionsSettings:
    """The settings in `environ`.

    Keys of its own: `BALUARTE_DEMO_RAIL` (on or off; off in production, where it cannot be turned on)
    and `BALUARTE_DEMO_RAIL_CAP` (minor units).

    Raises:
        SettingsError: with everything that is wrong.
    """
    reader = Reader(environ)
    common = read_settings(environ, SERVICE, peers=("ledger", "users"), reader=reader)
    production = common.in_production
    enabled = reader.get("BALUARTE_DEMO_RAIL", parse=switch, default=not production)
    if production and enabled:
        reader.problems.append(
            "BALUARTE_DEMO_RAIL is on, which in production would let customers make money out of"
            " nothing; turn it off or leave it out"
        )
    cap = reader.get(
        "BALUARTE_DEMO_RAIL_CAP",
        parse=whole_number(1, MINOR_UNITS_LIMIT),
        default=DEFAULT_RAIL_CAP,
    )
    reader.finish()
    return TransactionsSettings(common, DemoRail(enabled=enabled and not production, cap=cap))
