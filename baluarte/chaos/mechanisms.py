"""The mechanisms that a scenario may guard, and the control arm: policy files with some of them off.

A mechanism is `process.downstream.policy`, such as `gateway.users.retry`: a table of that process' policy
file. What no setting turns off (idempotency, outbox, …) exists only as a composition root in the tests, and
is named `mutant:NAME`.
"""

import difflib
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from baluarte.errors import BaluarteError

HOUSES: Final = Path(__file__).resolve().parents[2]

POLICY_FILES: Final = {
    "gateway": HOUSES / "graphql_api" / "policies.toml",
    **{
        name: HOUSES / "services" / name / "policies.toml"
        for name in ("users", "ledger", "transactions", "notifications")
    },
}

FAULT_TOLERANCE: Final = frozenset(
    {"retry", "breaker", "fallback", "hedge", "bulkhead", "budget", "shedding"}
)
"""What `--ft off` turns off. Deadlines and timeouts stay: without them a run would not end."""

SINGLE_FLIGHT: Final = "single_flight"  # a switch of the downstream, and no table

MUTANT: Final = "mutant:"
"""Before the name of a composition root in `tests/mutants/`."""


def all_mechanisms() -> list[str]:
    """Every mechanism that is on in some process' own policy file."""
    return [
        f"{process}.{downstream}.{policy}"
        for process, path in POLICY_FILES.items()
        for downstream, policies in _read(path).items()
        for policy, table in policies.items()
        if _is_on(table)
    ]


def fault_tolerance() -> list[str]:
    """All mechanisms that `--ft off` turns off."""
    return [name for name in all_mechanisms() if name.rpartition(".")[2] in FAULT_TOLERANCE]


def problems(names: Iterable[str]) -> list[str]:
    """What is wrong with the names of mechanisms, each in a sentence."""
    known = all_mechanisms()
    wrong = []
    for name in names:
        if name in known or name.startswith(MUTANT):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        wrong.append(f"there is no mechanism {name!r} in docs/policies.md{hint}")
    return wrong


def refuse_unknown(names: Collection[str]) -> None:
    """Raise `BaluarteError` for names of no mechanism, and for those that only tests can turn off."""
    if wrong := problems(names):
        raise BaluarteError.of(
            "MECHANISM_UNKNOWN",
            "; ".join(wrong),
            "name process.downstream.policy, for example gateway.users.retry",
        )
    if mutants := [name for name in names if name.startswith(MUTANT)]:
        raise BaluarteError.of(
            "MECHANISM_UNKNOWN",
            f"no setting turns off {', '.join(mutants)}: it exists only in the tests",
            "make prove runs the scenarios against it",
        )


def write_policies(folder: Path, off: Collection[str]) -> None:
    """Policy files for `BALUARTE_POLICIES_DIR`, in which the mechanisms of `off` are off."""
    folder.mkdir(parents=True, exist_ok=True)
    for process, path in POLICY_FILES.items():
        tables = [name.split(".", 1)[1] for name in off if name.startswith(f"{process}.")]
        if tables:
            text = without(path.read_text(encoding="utf-8"), tables)
            (folder / f"{process}.toml").write_text(text, encoding="utf-8")


def without(text: str, tables: Iterable[str]) -> str:
    """A policy file with the tables (`users.retry`) off; reasons stay, and the file stays valid."""
    for table in tables:
        downstream, _, policy = table.rpartition(".")
        if policy == SINGLE_FLIGHT:
            text = _set(text, downstream, {SINGLE_FLIGHT: "false"})
        elif policy == "budget":
            text = _set(text, table, _NO_BUDGET)
        else:
            text = _set(text, table, _OFF)
        if policy == "bulkhead" and f"[{downstream}.shedding]" in text:
            text = _set(text, f"{downstream}.shedding", _OFF)  # it measures the load there
    return text


_OFF: Final = {"enabled": "false"}
_NO_BUDGET: Final = {"ratio": "1.0", "minimum_per_second": "1e9", "burst": "1e9"}
"""Retries without a budget are refused as a mistake; this one is never spent."""


def _set(text: str, table: str, values: Mapping[str, str]) -> str:
    """The values in a table, in place of what they were."""
    head = re.search(rf"^\[{re.escape(table)}\]\n", text, re.M)
    if head is None:
        raise LookupError(f"there is no table [{table}]")
    rest = text[head.end() :]
    end = re.search(r"^\[", rest, re.M)
    body, after = (rest, "") if end is None else (rest[: end.start()], rest[end.start() :])
    for key in values:
        body = re.sub(rf"^{key} *=.*\n", "", body, flags=re.M)
    lines = "".join(f"{key} = {value}\n" for key, value in values.items())
    return f"{text[: head.end()]}{lines}{body}{after}"


def _read(path: Path) -> dict[str, dict[str, Any]]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _is_on(table: object) -> bool:
    return table.get("enabled", True) is True if isinstance(table, dict) else table is True
