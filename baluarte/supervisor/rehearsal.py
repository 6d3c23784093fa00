"""Reads every process' own settings before any process starts, as each will read them itself.

A wrong rate limit is told beside a taken port, not by a gateway that ends four times. A name that no
process asks for is a mistake too: `BALUARTE_DATABSE_URL` would quietly mean an embedded database. The
modules are loaded only where the environment says anything beyond addresses: they cost time.
"""

import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from baluarte.errors import Problem, invalid
from baluarte.migrate import LOCATIONS
from baluarte.supervisor import lookout
from baluarte.supervisor.plan import DEFAULT_PORTS, SERVICES, Plan
from chassis.secret_files import SUFFIX
from chassis.settings import SERVICES as PROCESSES
from chassis.settings import SettingsError

_MODULES = (
    "services.users.settings",
    "services.transactions.settings",
    "services.notifications.settings",
    "graphql_api.settings",
)
_CHECKED_BY_THE_PLAN = {"BALUARTE_CONSOLE", "BALUARTE_ENVIRONMENT", "BALUARTE_LOG_LEVEL"}
_ANY_DATABASE = "postgresql://127.0.0.1/rehearsal"  # required by readers, opened by nobody

_OF_TOOLS = ("BALUARTE_STAFF_", "BALUARTE_TEST_")
"""Beginnings of what our tools read (docs/proof-of-money.md), and `up` does not."""

_WITH_A_PASSWORD = (
    *("BALUARTE_DATABASE_URL", "BALUARTE_REDIS_URL", "BALUARTE_AMQP_URL"),
    *(f"BALUARTE_{name.upper()}_DATABASE_URL" for name in LOCATIONS),
)

ADDRESSES = frozenset(
    {
        *("BALUARTE_PORT", "BALUARTE_HOST", "BALUARTE_STATE_DIR", "BALUARTE_KEYS_DIR"),
        *_WITH_A_PASSWORD,
        *(f"{name}{SUFFIX}" for name in _WITH_A_PASSWORD),
        *(f"BALUARTE_{part.upper()}_PORT" for part in DEFAULT_PORTS),
        *lookout.SETTINGS,
        *(f"BALUARTE_{name.upper()}_URLS" for name in SERVICES),
    }
)
"""Settings that the plan reads or decides, and those of a process that is started by hand."""


class _Watched(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, told: Mapping[str, str]) -> None:
        super().__init__(told)
        self.asked: set[str] = set()

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(key)
        return super().get(key, default)


def rehearse(plan: Plan) -> list[Problem]:
    """What the processes would complain of, each problem once. Blocking: it imports."""
    known = set(ADDRESSES | _CHECKED_BY_THE_PLAN)
    problems: dict[Problem, None] = {}
    if set(plan.told) - known:
        environ = _Watched(
            {
                **plan.passed_on,
                **{f"BALUARTE_{name.upper()}_DATABASE_URL": _ANY_DATABASE for name in LOCATIONS},
                "BALUARTE_STATE_DIR": str(plan.state),
                "BALUARTE_KEYS_DIR": str(plan.state / "keys"),
            }
        )
        for module in _MODULES:
            read: Callable[[Mapping[str, str]], object] = importlib.import_module(module).read
            try:
                read(environ)
            except SettingsError as error:
                problems.update(dict.fromkeys(invalid(told) for told in error.problems))
        known |= environ.asked
        wrong = [invalid(told) for told in _policy_mistakes(plan.passed_on)]
        problems.update(dict.fromkeys(wrong))
    return [*problems, *_unknown(plan.told, known)]


def _policy_mistakes(environ: Mapping[str, str]) -> list[str]:
    """What is wrong with the operator's policy files, each mistake with its line."""
    folder = Path(environ.get("BALUARTE_POLICIES_DIR", ""))
    if not environ.get("BALUARTE_POLICIES_DIR") or not folder.is_dir():
        return []  # not set, or told by the settings' own readers
    from chassis import policies  # with everything that it guards: only where there are files
    from resilience.policy_file import PolicyFile

    mistakes = []
    for path in sorted(folder.glob("*.toml")):
        if path.stem not in PROCESSES:
            names = ", ".join(f"{name}.toml" for name in PROCESSES)
            mistakes.append(f"{path} is no process' policy file; there are {names}")
            continue
        try:
            policies.read(PolicyFile(path))
        except SettingsError as error:
            mistakes += error.problems
    return mistakes


def _unknown(told: Iterable[str], known: Iterable[str]) -> list[Problem]:
    names = sorted(known)
    problems = []
    for name in sorted(set(told) - set(names)):
        if name.startswith(_OF_TOOLS):
            continue
        meant = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
        way_out = f"did you mean {meant[0]}? Else unset it" if meant else "unset it"
        problems.append(Problem("SETTING_UNKNOWN", f"{name} is read by nothing here", way_out))
    return problems
