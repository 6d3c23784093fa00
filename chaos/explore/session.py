"""`baluarte chaos explore`, apart from the command line: explore, judge, write down, compare."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from chaos.explore import committed, counterexample
from chaos.explore.campaign import Exploration, Failure, Plan, explore, words
from chaos.explore.counterexample import Counterexample
from chaos.explore.declared import Declared
from chaos.explore.laboratory import BaselineNotMet, Experiment, Laboratory, new_correlation
from chaos.explore.money import complaints
from chaos.explore.operations import OPERATIONS
from chaos.explore.port import PlatformError
from chaos.explore.tabulate import detail, tabulate
from chaos.explore.wire import WirePlatform, reach
from chaos.record import EXIT_CODES, Verdict
from chaos.report.matrix_record import Matrix
from chaos.report.resilience_matrix import write_matrix
from chaos.roster import Roster

MATRIX: Final = "matrix.json"
PAGE: Final = "matrix.html"
COUNTEREXAMPLES: Final = "counterexamples"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Session:
    """What is wanted of a run.

    Attributes:
        plan: what to explore.
        out: folder for the matrix and the counterexamples.
        write: take the matrix as the new committed one, if nothing in it is a violation.
        command: says how to make it again.
        seed: of what faults draw.
        against: the committed matrix.
    """

    plan: Plan
    out: Path
    write: bool = False
    command: str = "baluarte chaos explore"
    seed: int = 0
    against: Path = committed.FILE

    @property
    def whole(self) -> bool:
        """Whether the run covers all that the committed matrix does."""
        usual = Plan()
        return not self.plan.exhaustive and (
            set(self.plan.operations),
            self.plan.depth,
            self.plan.down,
        ) == (set(usual.operations), usual.depth, usual.down)


async def run(roster: Roster, session: Session, say: Say) -> Verdict:
    """Explore a platform.

    Returns:
        PASSED: everything as declared, and as committed. DEVIATED: a violation, money that does not add
        up, or a matrix that differs. INCONCLUSIVE: a fault was not met. BASELINE_NOT_MET and PROBE_ERROR as
        everywhere.
    """
    began = time.monotonic()
    try:
        async with reach(roster, seed=session.seed) as platform:
            declared = Declared.of(await platform.gateway.sdl())
            exploration = await explore(platform, declared, session.plan, say)
        money = await complaints(roster)
    except BaselineNotMet as error:
        say(f"the platform is not well: {error}")
        return Verdict.BASELINE_NOT_MET
    except PlatformError as error:
        say(f"the platform could not be asked: {error}")
        return Verdict.PROBE_ERROR
    matrix = _write_down(exploration, declared, session, time.monotonic() - began, say)
    if exploration.stopped:
        say(f"it ended early: {exploration.stopped}")
        return Verdict.PROBE_ERROR
    for complaint in money:
        say(f"MONEY: {complaint}")
    changes = _compared(matrix, session, say) if not session.plan.exhaustive else []
    if exploration.failures or money:
        return Verdict.DEVIATED
    if exploration.unmet:
        return Verdict.INCONCLUSIVE
    if session.write and session.whole:
        session.against.parent.mkdir(parents=True, exist_ok=True)
        session.against.write_bytes(committed.content(matrix))
        say(f"written: {session.against}")
        return Verdict.PASSED
    return Verdict.DEVIATED if changes else Verdict.PASSED


async def replay(roster: Roster, wanted: Counterexample, say: Say) -> Verdict:
    """Run a counterexample again: DEVIATED when it still fails, PASSED when it does not."""
    operation = OPERATIONS[wanted.operation]
    try:
        async with reach(roster, seed=wanted.seed) as platform:
            declared = Declared.of(await platform.gateway.sdl())
            laboratory = Laboratory(platform, declared)
            if wanted.down:
                experiment = await _down(platform, laboratory, wanted)
            else:
                experiment = await laboratory.run(operation, wanted.copy, wanted.fault_set())
                experiment = await laboratory.second_look(experiment)
    except (BaselineNotMet, PlatformError) as error:
        say(f"it could not be replayed: {error}")
        return Verdict.PROBE_ERROR
    say(f"{words(experiment.operation, experiment.copy)}: {experiment.judgement.result}")
    for line in experiment.judgement.violations:
        say(f"  {line}")
    if experiment.unmet:
        say(f"not met: {', '.join(str(fault) for fault in experiment.unmet)}")
        return Verdict.INCONCLUSIVE
    return Verdict.DEVIATED if experiment.failed else Verdict.PASSED


async def _down(
    platform: WirePlatform, laboratory: Laboratory, wanted: Counterexample
) -> Experiment:
    operation = OPERATIONS[wanted.operation]
    healthy = await laboratory.run(operation, wanted.copy, ())
    scene = await laboratory.prepared(operation, wanted.copy)
    async with platform.down(wanted.down):
        answer = await platform.ask(operation, scene, new_correlation())
    judgement = await laboratory.judged(operation, scene, answer)
    return replace(healthy, answer=answer, judgement=judgement, down=wanted.down)


def _write_down(
    exploration: Exploration, declared: Declared, session: Session, seconds: float, say: Say
) -> Matrix:
    files: dict[int, str] = {}
    for number, failure in enumerate(exploration.failures, 1):
        kept = counterexample.of(failure, declared, seed=session.seed)
        path = counterexample.save(session.out / COUNTEREXAMPLES, number, kept)
        files[exploration.experiments.index(failure.experiment)] = str(
            path.relative_to(session.out)
        )
        _tell(failure, path, say)
    for experiment in exploration.unmet:
        say(f"NOT MET: {experiment.operation} under {experiment.unmet[0]}")
    matrix = tabulate(
        exploration, declared, files, depth=session.plan.depth, command=session.command
    )
    matrix = msgspec.structs.replace(matrix, seconds=round(seconds, 1), seed=session.seed)
    session.out.mkdir(parents=True, exist_ok=True)
    content = msgspec.json.format(msgspec.json.encode(matrix), indent=2)
    (session.out / MATRIX).write_bytes(content + b"\n")
    write_matrix(matrix, session.out / PAGE)
    say(
        f"{matrix.runs} runs in {seconds:.0f} s, {matrix.pruned} pruned; {len(matrix.cells)} cells, "
        f"{len(matrix.violated)} not as declared; {session.out / PAGE}"
    )
    return matrix


def _tell(failure: Failure, path: Path, say: Say) -> None:
    experiment = failure.experiment
    what = (
        f"{experiment.down} down" if experiment.down else " and ".join(map(str, failure.smallest))
    )
    say(f"NOT AS DECLARED: {words(experiment.operation, experiment.copy)} under {what}")
    say(f"  {detail(experiment.judgement)}")
    say(f"  replay: baluarte chaos explore --replay {path}")


def _compared(matrix: Matrix, session: Session, say: Say) -> list[str]:
    """What differs from the committed matrix, as far as this run goes."""
    try:
        before = committed.read(session.against)
    except committed.MatrixError as error:
        say(f"nothing to compare with: {error}")
        return ["there is no committed matrix"]
    if not session.whole:
        columns = None if session.plan == _usual(session.plan) else matrix.columns
        before = committed.part(before, session.plan.operations, columns)
    changes = committed.differences(before, matrix)
    for change in changes:
        say(f"CHANGED: {change}")
    if changes and not session.write:
        say(f"{len(changes)} cells differ from {session.against}; `--write` accepts them")
    return changes


def _usual(plan: Plan) -> Plan:
    """The plan of a whole run, for the same operations."""
    return Plan(operations=plan.operations, lanes=plan.lanes)


def exit_code(verdict: Verdict) -> int:
    """Of the command."""
    return EXIT_CODES[verdict]
