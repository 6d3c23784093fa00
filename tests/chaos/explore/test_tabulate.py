"""The matrix: how an exploration becomes one, how it is kept, and what a new one changes."""

from pathlib import Path

import msgspec
import pytest

from chaos.explore import committed
from chaos.explore.campaign import Plan, explore
from chaos.explore.tabulate import tabulate
from chaos.report.matrix_record import Cell, CellOutcome, Matrix
from tests.chaos.explore.paper_bank import ACCOUNT, DECLARED, PaperBank

PLAN = Plan(operations=("account", "deposit"))


async def matrix(broken: str = "", plan: Plan = PLAN) -> Matrix:
    exploration = await explore(PaperBank(broken=broken), DECLARED, plan, lambda _: None)
    files = {
        exploration.experiments.index(it.experiment): f"counterexamples/{number}.json"
        for number, it in enumerate(exploration.failures)
    }
    return tabulate(exploration, DECLARED, files, depth=plan.depth, command="explore")


def cell(found: Matrix, operation: str, call: str, fault: str) -> Cell:
    row = next(n for n, it in enumerate(found.rows) if it.operation == operation)
    column = next(
        n for n, it in enumerate(found.columns) if it.call.strip() == call and it.fault == fault
    )
    return next(it for it in found.cells if (it.row, it.column) == (row, column))


async def test_rows_are_operations_with_their_promises() -> None:
    """Each operation has a row, with and without a copy where it makes a difference."""
    found = await matrix()

    assert [row.operation for row in found.rows] == ["account", "account, no copy", "deposit"]
    assert [row.kind for row in found.rows] == ["query", "query", "mutation"]
    assert found.rows[0].declared == ("Query.account: STALE ≤ 3,600 s",)
    assert found.rows[2].declared[0] == "Mutation.deposit: QUEUED"


async def test_the_column_of_a_retry_tells_what_comes_of_a_second_failure() -> None:
    """A fault is in the column of its call: the first is mended by the retry, the second is not."""
    found = await matrix()
    call = f"gateway → ledger {ACCOUNT}"

    assert cell(found, "account", call, "error").outcome is CellOutcome.FULL
    second = cell(found, "account", f"{call} #2", "error")
    assert (second.outcome, second.detail) == (CellOutcome.STALE, "account stale")
    bare = cell(found, "account, no copy", f"{call} #2", "error")
    assert (bare.outcome, bare.codes) == (CellOutcome.NULL, ("UNAVAILABLE",))
    assert bare.as_declared


async def test_columns_of_a_service_stand_together_and_its_outage_last() -> None:
    """The heat map groups by the service that is called."""
    found = await matrix()

    services = [column.service for column in found.columns]
    assert services == sorted(services)
    ledger = [column for column in found.columns if column.service == "ledger"]
    assert (ledger[-1].fault, ledger[-1].route) == ("down", "")


async def test_a_violation_is_undeclared_with_what_was_wrong_and_its_file() -> None:
    """A broken cell says what was seen, and where its counterexample is."""
    found = await matrix("unmarked copies")

    assert found.violated
    for broken in found.violated:
        assert broken.outcome is CellOutcome.UNDECLARED
        assert "said to be fresh" in broken.detail
    assert any(broken.counterexample.startswith("counterexamples/") for broken in found.violated)


async def test_what_is_kept_is_the_same_in_every_run(tmp_path: Path) -> None:
    """Two runs of the same platform make the same file: no times, no ids, no order of their own."""
    first, second = await matrix(), await matrix()

    assert committed.content(first) == committed.content(second)
    path = tmp_path / "kept.json"
    path.write_bytes(committed.content(first))
    assert committed.differences(committed.read(path), second) == []
    assert len(path.read_text().splitlines()) > len(first.cells)


async def test_a_change_is_told_cell_by_cell(tmp_path: Path) -> None:
    """What became of which cell is said as a sentence, and nothing else is."""
    before, after = await matrix(), await matrix("ancient copies")

    told = committed.differences(before, after)
    assert told
    assert all("STALE" not in line or "→" in line for line in told)
    call = f"gateway → ledger {ACCOUNT} #2"
    assert any(
        line.startswith(f"account under error on {call}: stale") and "undeclared" in line
        for line in told
    )


async def test_cells_that_come_and_go_are_told() -> None:
    """A call that is made no more, or a new one, is a change, too."""
    whole = await matrix()
    less = await matrix(plan=Plan(operations=("account", "deposit"), kinds=("error",)))

    assert any("is gone; was" in line for line in committed.differences(whole, less))
    assert any(": is new: " in line for line in committed.differences(less, whole))


async def test_another_promise_is_a_change() -> None:
    """The declaration belongs to the matrix: who weakens it must accept it here, too."""
    found = await matrix()
    weaker = msgspec.structs.replace(found.rows[0], declared=("Query.account: NULL",))
    changed = msgspec.structs.replace(found, rows=(weaker, *found.rows[1:]))

    assert committed.differences(found, changed) == [
        "account: declares Query.account: NULL; before: Query.account: STALE ≤ 3,600 s"
    ]


async def test_a_part_is_compared_with_the_same_part() -> None:
    """A run of some operations, or with one fault at a time, is held to its share of the matrix."""
    whole = await matrix()
    some = await matrix(plan=Plan(operations=("account",), depth=1, down=False))

    part = committed.part(whole, ("account",), some.columns)
    assert committed.differences(part, some) == []
    assert [row.operation for row in part.rows] == ["account", "account, no copy"]


def test_a_file_that_is_no_matrix_is_told(tmp_path: Path) -> None:
    """A missing or foreign file is an error that says what to do, not an empty matrix."""
    with pytest.raises(committed.MatrixError, match="--write"):
        committed.read(tmp_path / "nothing.json")
    foreign = tmp_path / "foreign.json"
    foreign.write_text('{"format": "other", "version": 1}')
    with pytest.raises(committed.MatrixError, match="is other 1"):
        committed.read(foreign)
