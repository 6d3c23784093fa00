"""The heat map of an exploration."""

import re
from pathlib import Path

import msgspec
import pytest

from chaos.report.matrix_record import Cell, CellOutcome, Column, Matrix, Row
from chaos.report.resilience_matrix import LETTERS, page, write_matrix
from tests.chaos.report import examples, matrices, pages


def test_every_cell_is_drawn_with_its_letter(tmp_path: Path) -> None:
    """As many cells of each outcome are on the map as in the record, each with a letter beside its colour."""
    matrix = matrices.matrix()
    write_matrix(matrix, tmp_path / "matrix.html")
    html = (tmp_path / "matrix.html").read_text()
    for outcome in CellOutcome:
        drawn = re.findall(rf'class="cell cell-{outcome}[ "].*?<b[^>]*>(.)</b>', html)
        assert len(drawn) == sum(cell.outcome is outcome for cell in matrix.cells)
        assert set(drawn) <= {LETTERS[outcome]}


def test_the_summary_counts_combinations_and_violations() -> None:
    """So many combinations, so many as declared, so many violations, at the top."""
    matrix = matrices.matrix(violations=3)
    found = pages.read(page(matrix))
    assert f"{len(matrix.cells)} combinations of 6 operations and 42 faults" in found.text
    assert f"{len(matrix.cells) - 3} as declared, 3 violations" in found.text
    assert not found.unclosed
    assert len(found.ids) == len(set(found.ids))


def test_a_violation_is_framed_told_and_replayed() -> None:
    """Each is in a table with what was wanted, framed on the map, and links its counterexample twice."""
    matrix = matrices.matrix(violations=3)
    html = page(matrix)
    found = pages.read(html)
    assert len(re.findall(r'class="cell cell-\w+ violated"', html)) == 3
    assert html.count("NOT AS DECLARED") == 2 * 3, "in the title and for who cannot see"
    links = [link["href"] for link in found.all("a")]
    for number in range(3):
        assert links.count(f"counterexamples/{number}.json") == 2
    assert found.text.count("wanted NULL with a code, got an error without one") == 3


def test_columns_stand_by_service_and_call() -> None:
    """The heads span just their columns, in the order of first appearance, though columns come mixed."""
    found = page(matrices.matrix())
    spans = [int(span) for span in re.findall(r'<th scope="colgroup" colspan="(\d+)">', found)]
    assert spans == [14, 14, 7, 7] + [7] * 6
    services = re.findall(r'colspan="\d+">(\w+)</th>', found)
    assert services == ["users", "ledger", "transactions", "notifications"]
    assert len(re.findall(r'<th scope="row">', found)) == 6


@pytest.mark.parametrize(
    ("matrix", "told"),
    [(Matrix(), "Nothing was explored"), (matrices.matrix(violations=0), "All as declared")],
    ids=["nothing", "good"],
)
def test_good_news_needs_a_cell(matrix: Matrix, told: str) -> None:
    """An exploration that reached nothing is not called good."""
    assert told in pages.read(page(matrix)).text


def test_hostile_names_stay_texts() -> None:
    """Names of operations, routes and files cannot become markup or leave the folder's scheme."""
    bad = examples.HOSTILE
    cell = Cell(row=0, column=0, outcome=CellOutcome.ERROR, as_declared=False, detail=bad, codes=(bad,),
                counterexample="javascript:alert(1)")  # fmt: skip
    matrix = Matrix(
        rows=(Row(operation=bad, declared=(bad,)),),
        columns=(Column(service=bad, caller=bad, route=bad, fault=bad),),
        cells=(cell,),
        commit=bad,
        command=bad,
    )
    found = pages.read(page(matrix))
    assert len(found.all("script")) == 1
    assert {link["href"] for link in found.all("a")} == {"javascript%3Aalert%281%29"}


def test_a_matrix_survives_its_file() -> None:
    """What is written is read back the same, with the defaults left out."""
    matrix = matrices.matrix()
    text = msgspec.json.encode(matrix)
    assert msgspec.json.decode(text, type=Matrix) == matrix
    assert b'"count":1' not in text


def test_a_call_is_named_as_people_read_it() -> None:
    """The second call of the same kind, and a fault on a whole service, have their own names."""
    again = Column(service="users", caller="gateway", route="/known", nth=2, fault="error")
    whole = Column(service="users", caller="gateway", route="", fault="down")
    assert again.call == "gateway → users /known #2"
    assert whole.call == "gateway → users"
