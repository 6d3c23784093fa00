"""Check 6: a retry names the same transfer, and the same status once it is final.

Answers of one key are compared in the order that a client could rely on: an answer binds those that
were asked for after it had come. Answers that crossed may differ in how far they saw, but never in
whether the transfer was carried out. Finding nothing after an acknowledgement is a change too.
Copies that the platform itself marked as stale bind nobody.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from chaos.history.case import Case, Kind, Operation
from chaos.history.events import Op, Status
from chaos.history.verdict import Check, Findings

_RANK: Final = {
    None: 0,
    Status.PENDING: 1,
    Status.COMPLETED: 2,
    Status.FAILED: 2,
    Status.REVERSED: 3,
}
_CARRIED_OUT: Final = {Status.COMPLETED: True, Status.REVERSED: True, Status.FAILED: False}


def run(case: Case, findings: Findings) -> None:
    for (user, key), operations in case.by_owner.items():
        answers = [operation for operation in operations if _tells(operation)]
        if len(answers) > 1:
            findings.saw()
            problem = _problem(answers)
            if problem:
                findings.violated(f"key {key} of user {user}: {problem}")
    for (user, key), rows in case.rows_by_owner.items():
        if len(rows) > 1:
            ids = ", ".join(row.id for row in rows[:4])
            findings.violated(f"key {key} of user {user} made {len(rows)} transfers: {ids}")


def _tells(operation: Operation) -> bool:
    """Whether the answer says what became of the key."""
    answer = operation.answer
    if operation.kind is Kind.INFO or answer.stale:
        return False
    return answer.transfer is not None or (operation.op is Op.FIND and operation.kind is Kind.OK)


def _problem(answers: list[Operation]) -> str | None:
    named = {answer.answer.transfer for answer in answers} - {None}
    if len(named) > 1:
        return f"was answered with {len(named)} transfers: {', '.join(sorted(map(str, named))[:4])}"
    fates = {_CARRIED_OUT[s] for s in (a.answer.status for a in answers) if s in _CARRIED_OUT}
    if len(fates) > 1:
        return "was answered both as carried out and as FAILED"
    return _went_back(answers)


def _went_back(answers: list[Operation]) -> str | None:
    """Return the first answer that knows less than one which had come before it was asked for."""
    known = _known(sorted(answers, key=lambda answer: answer.completed))
    bound: Operation | None = None
    ahead = next(known, None)
    for answer in sorted(answers, key=lambda answer: answer.invoked):
        while ahead is not None and ahead.completed < answer.invoked:
            bound, ahead = ahead, next(known, None)
        if bound is not None and _rank(answer) < _rank(bound) and _binds(bound):
            return f"was {bound.answer.status}, then {answer.answer.status or 'not found'}"
    return None


def _known(ended: Iterable[Operation]) -> Iterator[Operation]:
    """Yield the answers that told more than every earlier one."""
    furthest = -1
    for answer in ended:
        if _rank(answer) > furthest:
            furthest = _rank(answer)
            yield answer


def _rank(operation: Operation) -> int:
    answer = operation.answer
    if answer.transfer is not None and answer.status is None:
        return 1
    return _RANK[answer.status]


def _binds(operation: Operation) -> bool:
    return operation.answer.transfer is not None


CHECK = Check(
    number=6,
    name="same-answer",
    law="a retry names the same transfer, and the same status once final",
    counts="keys answered more than once",
    run=run,
)
