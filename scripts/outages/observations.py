"""What was asked and what came back, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEADLINE_SECONDS = 5.0
"""What every operation is given (`Deadline-Ms`); more than a payment takes that waits for the ledger."""

SLACK_SECONDS = 1.0
"""For the way there and back on a machine that is busy with starting what was held down."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One answer. `status` is HTTP's, 0 when none came; `data` is the value of the only root field."""

    question: str
    status: int
    data: Any = None
    codes: tuple[str, ...] = ()
    degraded: tuple[Mapping[str, Any], ...] = ()
    seconds: float = 0.0
    deadline: float = DEADLINE_SECONDS

    @property
    def in_time(self) -> bool:
        return self.seconds <= self.deadline + SLACK_SECONDS


Phase = Mapping[str, Observation]
"""Observations by question."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One part held down. Questions: those of `course.py`, in each phase."""

    part: str
    before: Phase
    during: Phase
    after: Phase

    @property
    def phases(self) -> Mapping[str, Phase]:
        return {"before": self.before, "during": self.during, "after": self.after}
