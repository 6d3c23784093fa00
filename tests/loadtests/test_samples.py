"""The file of samples: whole lines, and what becomes of one that was not finished."""

from pathlib import Path

import pytest

from chaos.record import Outcome, Sample
from loadtests.samples import SampleWriter, read_samples

SAMPLE = Sample(
    intended=1.0,
    started=1.5,
    ended=2.0,
    journey="pay",
    step="transfer",
    outcome=Outcome.UNKNOWN,
    codes=("OUTCOME_UNKNOWN",),
    cohort="b",
    attempt=2,
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """One sample a line, there as soon as `write` returns."""
    path = tmp_path / "samples.jsonl"
    with SampleWriter(path) as writer:
        writer.write(SAMPLE)
        writer.write(SAMPLE)
        assert read_samples(path) == [SAMPLE, SAMPLE]


def test_a_torn_line_is_left_out(tmp_path: Path) -> None:
    """Its writer died in the middle of it; all before it counts."""
    path = tmp_path / "samples.jsonl"
    with SampleWriter(path) as writer:
        writer.write(SAMPLE)
    with path.open("ab") as file:
        file.write(b'{"intended":3.0,"st')
    assert read_samples(path) == [SAMPLE]


def test_another_runs_samples_are_not_added_to(tmp_path: Path) -> None:
    """A file is one run."""
    path = tmp_path / "samples.jsonl"
    path.touch()
    with pytest.raises(FileExistsError):
        SampleWriter(path)
    assert read_samples(path) == []
