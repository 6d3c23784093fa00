"""The two files that a run leaves behind, opened together before the first request."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chaos.history.events import Baseline, HistoryWriter, header
from loadtests.samples import SampleWriter

SAMPLES: Final = "samples.jsonl"
HISTORY: Final = "history.jsonl"


@dataclass(frozen=True, slots=True)
class Records:
    """The files of one run, open for writing. `run` is its id, which its idempotency keys begin with."""

    run: str
    samples: SampleWriter
    history: HistoryWriter


@contextmanager
def records(folder: Path, seed: int, baseline: Baseline | None = None) -> Iterator[Records]:
    """Open them in `folder`, which is made if need be.

    Raises:
        OSError, HistoryError: they cannot be written, or are there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = uuid.uuid4().hex[:12]
    head = header(
        run=run,
        seed=seed,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        baseline=baseline,
    )
    with (
        SampleWriter(folder / SAMPLES) as samples,
        HistoryWriter(folder / HISTORY, head) as history,
    ):
        yield Records(run, samples, history)
