"""Whether an answer is one of those that the schema declares; anything else is a violation.

Pure: an answer, the declarations, and the truth (what a healthy platform answers to the same question) in; a
judgement out. What a mutation did, as against what it said, is judged in `effects.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from graphql import (
    FieldNode,
    GraphQLNonNull,
    GraphQLObjectType,
    OperationDefinitionNode,
)

from chaos.explore.answer import Answer, Body, Path
from chaos.explore.declared import Declared, Degrades, To

OPERATION_SECONDS: Final = 10.0
"""What the gateway gives an operation at most."""

SLACK_SECONDS: Final = 1.5
"""For the way there and back, and for a machine that has other things to do."""

INTERNAL: Final = "INTERNAL"
"""The code of an error that nobody foresaw: coded in form, and a defect in fact."""

VOLATILE: Final = frozenset({"Account.balanceAsOf"})
"""What differs in two answers of a healthy platform to the same question."""

NULL_BESIDE_A_COPY: Final = frozenset({"User.role"})
"""Null in a STALE object, as its description says: roles are never kept."""

NULL_WITH: Final = {"Counterparty.freshness": "name"}
"""Null when the field beside it is, as its description says; the error stands at that one."""

AGELESS: Final = frozenset({"Counterparty"})
"""Whose copies may have an age that nobody knows: a name that another service heard of."""


class Result(StrEnum):
    """How an operation was answered. In the order of severity."""

    FULL = "full"
    STALE = "stale"
    QUEUED = "queued"
    NULL = "null"
    ERROR = "error"
    VIOLATION = "violation"


SEVERITY: Final = {result: position for position, result in enumerate(Result)}
_OF_NULL: Final = {
    To.STALE: Result.NULL,
    To.NULL: Result.NULL,
    To.ERROR: Result.ERROR,
    To.QUEUED: Result.ERROR,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of an operation.

    Attributes:
        result: the worst of its fields, or VIOLATION.
        fields: what became of each field that is not full, by its path without positions in lists.
        codes: of the errors, sorted.
        violations: what is not as declared, in sentences.
    """

    result: Result
    fields: tuple[tuple[str, Result], ...] = ()
    codes: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()

    def but(self, violations: Sequence[str]) -> "Judgement":
        """This one with more violations."""
        if not violations:
            return self
        return Judgement(Result.VIOLATION, self.fields, self.codes, (*self.violations, *violations))


def judge(
    declared: Declared,
    operation: OperationDefinitionNode,
    answer: Answer,
    truth: Body | None = None,
    *,
    seconds: float = OPERATION_SECONDS,
) -> Judgement:
    """Judge one answer.

    Args:
        truth: a full answer to the same question, given before the state changed again. Without it
            (mutations) wrong nulls and unmarked copies are not looked for.
        seconds: what the operation was given.
    """
    late = (
        (f"answered after {answer.seconds:.1f} s, and {seconds:g} s were allowed",)
        if answer.seconds > seconds + SLACK_SECONDS
        else ()
    )
    if answer.body is None:
        return Judgement(Result.VIOLATION, violations=(*late, answer.trouble or "no answer"))
    walk = _Walk(declared, answer.body, truth)
    walk.operation(operation)
    found = tuple(sorted(walk.results.items()))
    worst = max((result for _, result in found), key=SEVERITY.__getitem__, default=Result.FULL)
    judgement = Judgement(worst, found, answer.codes)
    return judgement.but((*late, *dict.fromkeys(walk.violations)))


@dataclass
class _Walk:
    """One pass over an answer along its operation."""

    declared: Declared
    body: Body
    truth: Body | None
    results: dict[str, Result] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    told: set[int] = field(default_factory=set)
    """Errors that explain a null, by position."""
    marked: set[Path] = field(default_factory=set)
    """Paths of objects that say that they are stale."""

    def operation(self, operation: OperationDefinitionNode) -> None:
        root = self.declared.root(operation)
        truth = self.truth.data if self.truth else None
        self._codes()
        data = self.body.data
        if data is None:
            if not self.body.errors:
                self._wrong((), "neither data nor errors")
            data = {node.name.value: None for node in _fields(operation)}
        self._object(root, _fields(operation), data, truth, (), None, fresh=False)
        self._summary()
        for position, error in enumerate(self.body.errors):
            if position not in self.told:
                self._wrong(error.path, f"{error.code or 'an error'}, though there is data")

    def _codes(self) -> None:
        for error in self.body.errors:
            if not error.code:
                self._wrong(error.path, f"an error without a code: {error.message!r}")
            elif error.code == INTERNAL:
                self._wrong(error.path, f"an error that nobody foresaw: {error.message!r}")

    def _object(
        self,
        kind: GraphQLObjectType,
        fields: Sequence[FieldNode],
        value: dict[str, Any],
        truth: Any,
        path: Path,
        inherited: Degrades | None,
        *,
        fresh: bool,
    ) -> None:
        """Judge an object. `fresh`: what contains it says that it is current."""
        state = _state(value)
        if state == "STALE":
            self._stale(kind, value["freshness"], path, inherited)
        true = truth if isinstance(truth, dict) else None
        if state:
            fresh = state == "FRESH"
        for node in fields:
            name = node.name.value
            at = (*path, node.alias.value if node.alias else name)
            if at[-1] not in value:
                self._wrong(at, "is left out")
                continue
            here = self.declared.of_field(kind.name, name) or inherited
            true_value = true.get(str(at[-1])) if true else None
            self._value(kind, node, value, at, here, true_value, fresh=fresh)
            comparable = true is not None and _scalar(node) and value[str(at[-1])] is not None
            if fresh and comparable and f"{kind.name}.{name}" not in VOLATILE:
                self._same(value[str(at[-1])], true_value, at)

    def _value(
        self,
        kind: GraphQLObjectType,
        node: FieldNode,
        parent: dict[str, Any],
        path: Path,
        declared: Degrades | None,
        truth: Any,
        *,
        fresh: bool,
    ) -> None:
        value, name = parent[str(path[-1])], node.name.value
        if value is None:
            self._null(kind, name, parent, path, declared, truth)
            return
        if declared is not None and declared.to is To.QUEUED and len(path) == 1:
            self._payment(value, path)
        below = self.declared.object_type(kind, name)
        if below is None:
            return
        if not isinstance(value, list):
            self._object(below, _fields(node), value, truth, path, declared, fresh=fresh)
            return
        true = truth if isinstance(truth, list) else None
        if fresh and true is not None:
            self._same(len(value), len(true), path)
        for position, item in enumerate(value):
            match = _match(item, position, true or (), fresh=fresh)
            at = (*path, position)
            self._object(below, _fields(node), item, match, at, declared, fresh=fresh)

    def _null(
        self,
        kind: GraphQLObjectType,
        name: str,
        parent: dict[str, Any],
        path: Path,
        declared: Degrades | None,
        truth: Any,
    ) -> None:
        because = [
            position
            for position, error in enumerate(self.body.errors)
            if error.path[: len(path)] == path or (not error.path and len(path) == 1)
        ]
        self.told.update(because)
        coordinate = f"{kind.name}.{name}"
        if because:
            if declared is None:
                self._wrong(path, f"null with an error, and {coordinate} declares nothing")
            else:
                self._became(path, _OF_NULL[declared.to])
        elif isinstance(kind.fields[name].type, GraphQLNonNull):
            self._wrong(path, f"null, and {coordinate} never is")
        elif truth is not None and not _excused(coordinate, parent):
            self._wrong(path, "null without an error, and it is not")

    def _payment(self, value: dict[str, Any], path: Path) -> None:
        status = value.get("status")
        if status == "PENDING":
            self._became(path, Result.QUEUED)
        elif status == "FAILED":
            self._wrong(path, "FAILED, and nothing is wrong with the request")

    def _stale(
        self,
        kind: GraphQLObjectType,
        freshness: dict[str, Any],
        path: Path,
        declared: Degrades | None,
    ) -> None:
        own = self.declared.of_field(kind.name, "freshness") if "freshness" in kind.fields else None
        promise = own or declared
        self.marked.add(path)
        self._became(path, Result.STALE)
        if promise is None or promise.to is not To.STALE:
            self._wrong(path, "a copy, and none is declared")
            return
        age = freshness.get("ageSeconds")
        if age is None and kind.name not in AGELESS:
            self._wrong(path, "a copy that does not tell its age")
        if age is not None and not 0 <= age <= promise.max_stale_seconds:
            most = promise.max_stale_seconds
            self._wrong(path, f"a copy of {age} s, and {most} s are declared")

    def _summary(self) -> None:
        """`extensions.degraded` and the marks in the data must tell the same."""
        entries = [entry.path for entry in self.body.extensions.degraded]
        for path in sorted(self.marked, key=str):
            if not any(
                path[: len(entry)] == entry or self._field_of(entry, path) for entry in entries
            ):
                self._wrong(path, "a copy that `extensions.degraded` does not tell of")
        for entry in entries:
            if entry not in self.marked and not any(
                self._field_of(entry, mark) for mark in self.marked
            ):
                self._wrong(entry, "told as degraded, and not marked in the data")

    def _field_of(self, entry: Path, mark: Path) -> bool:
        """Whether `entry` is a plain field of the marked object, such as the name of a counterparty."""
        value: Any = self.body.data
        for key in entry:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return False
        return entry[:-1] == mark and not isinstance(value, dict | list)

    def _same(self, value: Any, truth: Any, path: Path) -> None:
        if value != truth:
            self._wrong(path, "said to be fresh, and is not what its service says")

    def _became(self, path: Path, result: Result) -> None:
        name = _name(path)
        before = self.results.get(name, Result.FULL)
        self.results[name] = max(before, result, key=SEVERITY.__getitem__)

    def _wrong(self, path: Path, what: str) -> None:
        self.violations.append(f"{_name(path) or 'the answer'}: {what}")


def _fields(node: FieldNode | OperationDefinitionNode) -> list[FieldNode]:
    selections = node.selection_set.selections if node.selection_set else ()
    return [selection for selection in selections if isinstance(selection, FieldNode)]


def _scalar(node: FieldNode) -> bool:
    return node.selection_set is None


def _match(item: Any, position: int, truth: Sequence[Any], *, fresh: bool) -> Any:
    """What a healthy platform has in place of a list's item; None when nobody knows.

    In a list that is a copy other things may have come before, and what is in an item may be current.
    """
    if fresh:
        return truth[position] if position < len(truth) else None
    wanted = _identity(item)
    return next((one for one in truth if wanted and _identity(one) == wanted), None)


def _identity(item: Any) -> str:
    """The id of a list's item, or of what its edge leads to; empty when it tells none."""
    item = item.get("node", item) if isinstance(item, dict) else None
    return str(item.get("id") or "") if isinstance(item, dict) else ""


def _state(value: dict[str, Any]) -> str:
    freshness = value.get("freshness")
    return str(freshness.get("state", "")) if isinstance(freshness, dict) else ""


def _excused(coordinate: str, parent: dict[str, Any]) -> bool:
    if coordinate in NULL_BESIDE_A_COPY:
        return _state(parent) == "STALE"
    beside = NULL_WITH.get(coordinate)
    return beside is not None and parent.get(beside) is None


def _name(path: Path) -> str:
    """A path for people, the same for every row of a list."""
    return ".".join(str(key) for key in path if not isinstance(key, int))
