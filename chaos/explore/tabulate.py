"""An exploration as the resilience matrix: rows are operations, columns are faults on calls."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from graphql import FieldNode, GraphQLObjectType, OperationDefinitionNode

from chaos.explore.campaign import Exploration, words
from chaos.explore.declared import Declared, Degrades, To, only_operation
from chaos.explore.judge import SEVERITY, Judgement, Result
from chaos.explore.kinds import DOWN, KINDS
from chaos.explore.laboratory import Experiment
from chaos.explore.operations import OPERATIONS
from chaos.report.matrix_record import Cell, CellOutcome, Column, Matrix, Row

_OUTCOMES: Final = {
    result: CellOutcome(result.value) if result is not Result.VIOLATION else CellOutcome.UNDECLARED
    for result in Result
}
_FAULTS: Final = {name: position for position, name in enumerate((*KINDS, DOWN))}

_ColumnKey = tuple[str, str, str, int, str]


def tabulate(
    exploration: Exploration,
    declared: Declared,
    counterexamples: Mapping[int, str],
    *,
    depth: int,
    command: str,
) -> Matrix:
    """The matrix.

    Args:
        counterexamples: files of failures, by the experiment's position.
        depth: most faults at once.
        command: makes it again.
    """
    rows = list(dict.fromkeys(words(it.operation, it.copy) for it in exploration.experiments))
    numbered = list(enumerate(exploration.experiments))
    columns = sorted({key for _, it in numbered if (key := _column(it))}, key=_place)
    cells = []
    for row, name in enumerate(rows):
        for column, key in enumerate(columns):
            its = [
                (position, it)
                for position, it in numbered
                if words(it.operation, it.copy) == name and _column(it) == key
            ]
            if its:
                cells.append(_cell(row, column, its, counterexamples))
    first = {words(it.operation, it.copy): it for it in reversed(exploration.experiments)}
    return Matrix(
        command=command,
        runs=len(exploration.experiments),
        pruned=exploration.pruned,
        depth=depth,
        rows=tuple(_row(name, first[name], declared) for name in rows),
        columns=tuple(_shown(key) for key in columns),
        cells=tuple(cells),
    )


def _column(experiment: Experiment) -> _ColumnKey | None:
    """Where an experiment belongs: to its last fault. Earlier ones are why that call was made at all, so
    that the column of a retry tells what comes of a call that fails twice."""
    if experiment.down:
        return experiment.down, "", "", 1, DOWN
    if not experiment.faults or experiment.unmet:
        return None
    call, kind = experiment.faults[-1].call, experiment.faults[-1].kind
    return call.service, call.caller, call.route, call.nth, kind


def _place(key: _ColumnKey) -> tuple[str, bool, str, str, int, int]:
    """Calls of a service together, the whole service last."""
    service, caller, route, nth, fault = key
    return service, fault == DOWN, caller, route, nth, _FAULTS[fault]


def _shown(key: _ColumnKey) -> Column:
    service, caller, route, nth, fault = key
    return Column(service=service, caller=caller, route=route, nth=nth, fault=fault)


def _cell(
    row: int,
    column: int,
    its: Sequence[tuple[int, Experiment]],
    counterexamples: Mapping[int, str],
) -> Cell:
    _, worst = max(its, key=lambda item: SEVERITY[item[1].judgement.result])
    violations = sum(it.failed for _, it in its)
    files = (counterexamples[position] for position, _ in its if position in counterexamples)
    # While a service is down, whether it is unreachable or its breaker open is a matter of moments.
    told = sorted({code for _, it in its if not it.down for code in it.judgement.codes})
    return Cell(
        row=row,
        column=column,
        outcome=_OUTCOMES[worst.judgement.result],
        codes=tuple(told),
        as_declared=not violations,
        count=len(its),
        violations=violations,
        detail=detail(worst.judgement),
        counterexample=next(files, ""),
    )


def detail(judgement: Judgement) -> str:
    """What became of which field, and what was not as declared."""
    fields = [f"{name} {result}" for name, result in judgement.fields]
    return "; ".join([*judgement.violations, *fields])


def _row(name: str, experiment: Experiment, declared: Declared) -> Row:
    operation = OPERATIONS[experiment.operation]
    document = only_operation(operation.document)
    found = dict.fromkeys(_promises(declared, declared.root(document), document))
    kind = "query" if operation.reads else "mutation"
    return Row(operation=name, kind=kind, declared=tuple(found))


def _promises(
    declared: Declared, kind: GraphQLObjectType, node: FieldNode | OperationDefinitionNode
) -> Iterable[str]:
    for selection in node.selection_set.selections if node.selection_set else ():
        if not isinstance(selection, FieldNode):
            continue
        name = selection.name.value
        found = declared.of_field(kind.name, name)
        if found is not None:
            yield f"{kind.name}.{name}: {_said(found)}"
        below = declared.object_type(kind, name)
        if below is not None:
            yield from _promises(declared, below, selection)


def _said(degrades: Degrades) -> str:
    if degrades.to is To.STALE:
        return f"STALE ≤ {degrades.max_stale_seconds:,} s"
    return degrades.to.value
