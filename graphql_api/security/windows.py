"""A sliding window of two counters: how many a client may do in any span of `seconds`.

The count of the span before fades out while the present one fills: an estimate that is at most one
request off for even traffic, in two numbers per client. What is refused is not counted.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` in `seconds`."""

    limit: int
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.limit < 1 or self.seconds <= 0:
            raise ValueError("a window needs a limit of at least 1 and more than 0 seconds")


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one request.

    Attributes:
        allowed: whether it may go on.
        remaining: how many more may follow at once.
        reset: seconds until the present span ends.
        retry_after: seconds until one more would be allowed; 0 when it was.
    """

    allowed: bool
    remaining: int
    reset: float
    retry_after: float = 0.0


def decide(window: Window, *, previous: int, current: int, elapsed: float) -> Decision:
    """Whether one more fits, `elapsed` s into a span with `current` so far and `previous` before it."""
    reset = max(0.0, window.seconds - elapsed)
    used = previous * (reset / window.seconds) + current
    if used + 1 <= window.limit:
        return Decision(True, int(window.limit - used - 1), reset)
    return Decision(False, 0, reset, _wait(window, previous, current, elapsed))


def _wait(window: Window, previous: int, current: int, elapsed: float) -> float:
    room = window.limit - 1
    if previous > 0 and current <= room:
        fits_at = window.seconds * (1 - (room - current) / previous)
        if fits_at <= window.seconds:
            return max(0.0, fits_at - elapsed)
    fades_at = window.seconds * (1 - room / current) if current > room else 0.0
    return window.seconds - elapsed + max(0.0, fades_at)
