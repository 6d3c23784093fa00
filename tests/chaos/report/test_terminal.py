"""The summary for the terminal."""

from collections.abc import Callable

import pytest

from chaos.record import Run
from chaos.report import summary, words
from chaos.report.terminal import MAX_LINES, MAX_WIDTH
from tests.chaos.report import examples


@pytest.mark.parametrize("make", examples.ALL.values(), ids=examples.ALL.keys())
def test_a_summary_fits_a_screen_and_begins_with_the_verdict(make: Callable[[], Run]) -> None:
    """25 lines at most, all printable, none wider than the bound but the command, the verdict first."""
    run = make()
    lines = summary(run).split("\n")
    assert len(lines) <= MAX_LINES
    assert lines[0].startswith(
        f"{words.VERDICTS[run.verdict].sign} {words.VERDICTS[run.verdict].word.upper()}"
    )
    assert all(line.isprintable() for line in lines)
    assert all(len(line) <= MAX_WIDTH for line in lines if "again: " not in line)


def test_a_summary_says_what_went_wrong_and_how_to_see_it_again() -> None:
    """What did not hold is told with its line, what is unknown apart from it, and the command is whole."""
    text = summary(examples.deviated())
    assert "✕ during: availability of at least 80 %: 61.7 % of 488 (line 14)" in text
    assert "? during: retry amplification" in text
    assert "6 of 9 expectations held" in text
    assert "✕ money: 9 settled" in text
    assert "control arm, off: gateway.users.fallback" in text
    assert text.endswith(f"again: {examples.deviated().command}")


def test_the_command_survives_a_long_run() -> None:
    """However much there is to tell, the last line is the command."""
    assert summary(examples.huge()).split("\n")[-1] == f"  again: {examples.huge().command}"


def test_laws_that_nobody_checked_are_not_counted_as_proved() -> None:
    """A law without evidence is missing from the number proved."""
    assert "money: 9 of 11 laws proved" in summary(examples.deviated())
    assert "✓ money: 11 of 11 laws proved" in summary(examples.passed())
