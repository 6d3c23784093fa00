"""Whether a load was served well enough, as an exit code: for CI."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from chaos.record import Outcome, Sample

KEPT: Final = frozenset({Outcome.FRESH, Outcome.STALE, Outcome.PARTIAL, Outcome.QUEUED})
"""Outcomes that keep a promise of the platform."""

MISSED: Final = 3
"""Exit code when a threshold was missed."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is still good enough.

    Attributes:
        p95_seconds: of the latency from the intended start, over all requests.
        error_share: of requests whose answer kept no promise, arrivals that were not served included.
    """

    p95_seconds: float = 1.0
    error_share: float = 0.01

    def __post_init__(self) -> None:
        if self.p95_seconds <= 0:
            raise ValueError("p95 must be positive")
        if not 0 <= self.error_share <= 1:
            raise ValueError("the error share is between 0 and 1")

    def missed(self, requests: int, errors: int, p95_seconds: float) -> list[str]:
        """What was missed, in sentences; nothing when all is well."""
        if not requests:
            return ["no request was sent, so nothing is known"]
        found = []
        if p95_seconds > self.p95_seconds:
            found.append(f"p95 was {p95_seconds:.3f} s, more than {self.p95_seconds:g} s")
        share = errors / requests
        if share > self.error_share:
            found.append(
                f"{share:.2%} of {requests} answers kept no promise, more than {self.error_share:.2%}"
            )
        return found

    def judge(self, samples: Collection[Sample]) -> list[str]:
        """What samples missed."""
        latencies = [sample.ended - sample.intended for sample in samples]
        errors = sum(sample.outcome not in KEPT for sample in samples)
        return self.missed(len(samples), errors, percentile(latencies, 0.95))


def percentile(values: Collection[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed; 0.0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
