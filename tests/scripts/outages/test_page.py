"""The page shows what was recorded, the same for the same answers, and belongs to the promises of today."""

from dataclasses import replace

import pytest

from scripts.outages.course import PARTS
from scripts.outages.observations import Observation
from scripts.outages.page import BEGIN, END, PAGE, compact, markdown, speed, written
from scripts.outages.promises import PROMISES
from tests.scripts.outages.recorded import STALE, honest, overview, refused


def test_figures_that_differ_in_each_run_are_not_shown() -> None:
    """Another age, instant or number of milliseconds makes no other page."""

    def shown(age: int, instant: str, seconds: float) -> str:
        seen = overview(account=STALE)
        seen.data["account"]["freshness"]["ageSeconds"] = age
        seen.data["account"]["balanceAsOf"] = instant
        seen = replace(seen, degraded=({**seen.degraded[0], "ageSeconds": age},), seconds=seconds)
        true = honest("ledger")
        return markdown([replace(true, during={**true.during, "overview": seen})])

    page = shown(3, "2026-01-01T00:00:00+00:00", 0.01)
    assert page == shown(77, "2027-01-01T00:00:00+00:00", 0.05)
    assert "77" not in page


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.05, "below 1 s"), (4.0, "within its deadline"), (6.1, "LATE")],
)
def test_times_are_classes(seconds: float, shown: str) -> None:
    """What is late is never shown as anything else."""
    assert speed(replace(refused("login"), seconds=seconds)) == shown


def test_only_what_took_long_says_so() -> None:
    """The table names the time where there is something to say about it."""
    true = honest("users")
    assert "below 1 s" not in markdown([true])
    late = replace(true.during["login"], seconds=9.0)
    assert "| `UNAVAILABLE` · LATE |" in markdown(
        [replace(true, during={**true.during, "login": late})]
    )


def test_what_has_no_answer_is_said() -> None:
    """A client without an answer is the worst that can be seen, and not left out."""
    true = honest("users")
    mute = replace(true, during={**true.during, "statement": Observation("statement", 0)})
    assert "| no answer |" in markdown([mute])


def test_only_the_section_is_replaced() -> None:
    """What people wrote around it stays, and a page without marks is refused."""
    text = f"before\n{BEGIN}\nold\n{END}\nafter"
    section = markdown([honest("users")])
    assert written(text, section) == f"before\n{section}\nafter"
    assert written(written(text, section), section) == written(text, section)
    with pytest.raises(ValueError, match="marks"):
        written("no marks", section)


def test_json_keeps_short_things_on_a_line() -> None:
    """Objects that fit stand on one line; the whole stays the same JSON."""
    assert compact({"a": [1, 2], "b": {"c": "…"}}) == '{"a": [1, 2], "b": {"c": "…"}}'
    long = {"a": "x" * 60, "b": {"c": ["y" * 60]}}
    assert compact(long).splitlines()[0] == "{"
    assert len(compact(long).splitlines()) > 3


def test_the_page_is_of_todays_promises() -> None:
    """Every outage and every promise stands on the committed page: a new one needs a new run."""
    text = PAGE.read_text()
    section = text[text.index(BEGIN) : text.index(END)]
    for promise in PROMISES:
        assert promise.sentence in section
    for line in markdown([honest(part) for part in PARTS]).splitlines():
        if line.startswith(("### ", "- ", "Promised: ", "| asked")):
            assert line in section
