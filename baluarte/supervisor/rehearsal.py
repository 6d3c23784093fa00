"""Reads every process' own settings before any process starts, as each will read them itself.

A wrong rate limit is told beside a taken port, not by a gateway that ends four times. The modules
are loaded only where the environment says anything beyond addresses: they cost time.
"""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path

from baluarte.errors import Problem
from baluarte.migrate import LOCATIONS
from baluarte.supervisor.plan import Plan, invalid
from chassis.settings import SERVICES, SettingsError

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
    told.update(dict.fromkeys(_policy_problems(environ)))
    return [invalid(problem) for problem in told]


def _policy_problems(environ: Mapping[str, str]) -> list[str]:
    """What is wrong with the operator's policy files, each mistake with its line."""
    folder = Path(environ.get("BALUARTE_POLICIES_DIR", ""))
    if not environ.get("BALUARTE_POLICIES_DIR") or not folder.is_dir():
        return []  # not set, or told by the settings' own readers
    from chassis import policies  # with everything that it guards: only where there are files
    from resilience.policy_file import PolicyFile

    problems = []
    for path in sorted(folder.glob("*.toml")):
        if path.stem not in SERVICES:
            names = ", ".join(f"{name}.toml" for name in SERVICES)
            problems.append(f"{path} is no process' policy file; there are {names}")
            continue
        try:
            policies.read(PolicyFile(path))
        except SettingsError as error:
            problems += error.problems
    return problems
