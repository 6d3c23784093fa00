"""Reads every process' own settings before any process starts, as each will read them itself.

A wrong rate limit is told beside a taken port, not by a gateway that ends four times. The modules
are loaded only where the environment says anything beyond addresses: they cost time.
"""

import importlib
from collections.abc import Callable, Mapping

from baluarte.errors import Problem
from baluarte.migrate import LOCATIONS
from baluarte.supervisor.plan import Plan, invalid
from chassis.settings import SettingsError

_MODULES = (
    "services.users.settings",
    "services.transactions.settings",
    "services.notifications.settings",
    "graphql_api.settings",
)
_CHECKED_BY_THE_PLAN = {"BALUARTE_ENVIRONMENT", "BALUARTE_LOG_LEVEL"}
_ANY_DATABASE = "postgresql://127.0.0.1/rehearsal"  # required by readers, opened by nobody


def rehearse(plan: Plan) -> list[Problem]:
    """What the processes would complain of, each problem once. Blocking: it imports."""
    if not set(plan.passed_on) - _CHECKED_BY_THE_PLAN:
        return []
    environ = {
        **plan.passed_on,
        **{f"BALUARTE_{name.upper()}_DATABASE_URL": _ANY_DATABASE for name in LOCATIONS},
        "BALUARTE_STATE_DIR": str(plan.state),
        "BALUARTE_KEYS_DIR": str(plan.state / "keys"),
    }
    told: dict[str, None] = {}
    for module in _MODULES:
        read: Callable[[Mapping[str, str]], object] = importlib.import_module(module).read
        try:
            read(environ)
        except SettingsError as error:
            told.update(dict.fromkeys(error.problems))
    return [invalid(problem) for problem in told]
