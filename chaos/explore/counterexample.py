"""A failure as a file that another run can replay."""

from pathlib import Path
from typing import Any, Final

import msgspec

from chaos.explore.calls import CallKey, FaultSet, Injected
from chaos.explore.campaign import Failure, words
from chaos.explore.declared import Declared, only_field, only_operation
from chaos.explore.kinds import KINDS
from chaos.explore.laboratory import Copy
from chaos.explore.operations import OPERATIONS

FORMAT: Final = "baluarte-counterexample"
VERSION: Final = 1


class _Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base: camelCase, nothing unknown."""


class KeptFault(_Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault of it."""

    caller: str
    service: str
    route: str
    nth: int
    kind: str


class Counterexample(_Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was done, what was declared, and what came instead."""

    format: str = FORMAT
    version: int = VERSION
    operation: str
    copy: Copy
    faults: tuple[KeptFault, ...]
    """As few as show it; none for `down`."""
    down: str = ""
    """The service that was down."""
    seed: int = 0
    """Of what a fault draws, such as the bytes that it corrupts."""
    declared: str
    violations: tuple[str, ...]
    seen: dict[str, Any]
    """The answer, without tokens."""

    def fault_set(self) -> FaultSet:
        """The faults, as the search has them."""
        return tuple(
            Injected(CallKey(it.caller, it.service, it.route, it.nth), it.kind)
            for it in self.faults
        )


class CounterexampleError(Exception):
    """A file that should hold a counterexample does not. Says which and why."""


def of(failure: Failure, declared: Declared, *, seed: int = 0) -> Counterexample:
    """The counterexample of a failure."""
    experiment = failure.experiment
    document = only_operation(OPERATIONS[experiment.operation].document)
    root = declared.root(document).name
    degrades = declared.of_field(root, only_field(document).name.value)
    return Counterexample(
        operation=experiment.operation,
        copy=experiment.copy,
        faults=tuple(
            KeptFault(
                caller=it.call.caller,
                service=it.call.service,
                route=it.call.route,
                nth=it.call.nth,
                kind=it.kind,
            )
            for it in failure.smallest
        ),
        down=experiment.down,
        seed=seed,
        declared=f"{root}.{experiment.operation}: {degrades.to if degrades else 'nothing'}",
        violations=experiment.judgement.violations,
        seen={
            "status": experiment.answer.status,
            "trouble": experiment.answer.trouble,
            "body": _without_tokens(msgspec.to_builtins(experiment.answer.body)),
        },
    )


def save(folder: Path, number: int, counterexample: Counterexample) -> Path:
    """Write it under a name that tells it from others. The folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    name = words(counterexample.operation, counterexample.copy).replace(", ", "-").replace(" ", "-")
    path = folder / f"{number:03}-{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(counterexample), indent=2) + b"\n")
    return path


def load(path: Path) -> Counterexample:
    """Read one. Raises `CounterexampleError`."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Counterexample)
    except (OSError, msgspec.DecodeError) as error:
        raise CounterexampleError(f"{path} is no counterexample: {error}") from None
    if (found.format, found.version) != (FORMAT, VERSION):
        raise CounterexampleError(f"{path} is {found.format} {found.version}")
    if found.operation not in OPERATIONS or any(it.kind not in KINDS for it in found.faults):
        raise CounterexampleError(f"{path} names an operation or a kind of fault that is unknown")
    return found


_TOKENS: Final = frozenset({"accessToken", "refreshToken"})


def _without_tokens(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "…" if key in _TOKENS and item else _without_tokens(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without_tokens(item) for item in value]
    return value
