"""Adaptive concurrency: a limit on calls in flight that finds itself from their latency.

After Netflix's concurrency-limits (Gradient2) and Envoy's adaptive concurrency filter. Latencies
are taken over windows; the median of a window against the baseline (the lowest recent median) tells
whether calls have begun to queue:

    gradient = clamp(tolerance × baseline / median, 1/2, 1)
    limit   ← smoothed(limit × gradient + √limit)

While latency is at its baseline the limit grows by its square root; when calls take longer than
tolerated it shrinks. Timeouts shrink it at once. Windows and probes are jittered, so that
replicas do not move in step. A limit that is not used does not move: it learned nothing.
"""

import math
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.errors import ConcurrencyLimited, DeadlineExceeded
from resilience.events import SILENT, Emitter, LimitChanged
from resilience.options import Rule, require
from resilience.policy import Policy, tell_rejection
from resilience.verdict import Classifier, Fault, careful, classify

__all__ = ["AdaptiveLimit", "AdaptiveOptions"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AdaptiveOptions:
    """Where the limit starts, how far it may go, and how it learns."""

    #: Where it starts: small enough for a cold dependency; it doubles within about ten windows.
    initial: int = 20
    #: It never shrinks below: enough to measure with, and to serve the most important calls.
    minimum: int = 4
    #: It never grows above: what connections and memory allow.
    maximum: int = 500
    #: A window ends after this long (jittered by a quarter) …
    window_seconds: float = 0.5
    #: … once it holds this many latencies; a median of fewer is noise.
    window_samples: int = 10
    #: A window holds at most this many; later ones are not looked at.
    window_samples_max: int = 500
    #: Latency may be this many times the baseline before the limit shrinks.
    tolerance: float = 1.5
    #: Share of a new limit that is taken over at once; the rest damps oscillation.
    smoothing: float = 0.3
    #: The limit's factor after a window with timeouts (TCP's multiplicative decrease, gentler).
    backoff: float = 0.9
    #: The baseline is the lowest median of this many windows: about half a minute.
    baseline_windows: int = 60
    #: About this often the limit is halved for one window, so that the baseline is seen without
    #: a queue of our own making.
    probe_seconds: float = 60.0

    def __post_init__(self) -> None:
        require(
            self,
            Rule(self.minimum >= 1, "minimum", "must be at least 1, or nothing is ever measured"),
            Rule(self.maximum >= self.minimum, "maximum", "must be at least minimum"),
            Rule(
                self.minimum <= self.initial <= self.maximum,
                "initial",
                "must lie between minimum and maximum",
            ),
            Rule(self.window_seconds > 0, "window_seconds", "must be above 0"),
            Rule(self.window_samples >= 1, "window_samples", "must be at least 1"),
            Rule(
                self.window_samples_max >= self.window_samples,
                "window_samples_max",
                "must be at least window_samples",
            ),
            Rule(self.tolerance >= 1, "tolerance", "must be at least 1"),
            Rule(0 < self.smoothing <= 1, "smoothing", "must be above 0 and at most 1"),
            Rule(0 < self.backoff < 1, "backoff", "must be between 0 and 1"),
            Rule(1 <= self.baseline_windows <= 10_000, "baseline_windows", "must be 1 to 10,000"),
            Rule(self.probe_seconds > 0, "probe_seconds", "must be above 0"),
        )


class AdaptiveLimit(Policy):
    """Bounds the calls in flight to what the dependency bears at present."""

    def __init__(
        self,
        source: str,
        options: AdaptiveOptions | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
        events: Emitter = SILENT,
        classifier: Classifier = classify,
    ) -> None:
        self.source = source
        self.options = options or AdaptiveOptions()
        self._clock = clock
        self._random = (rng or random.Random()).random  # noqa: S311 - jitter, not a secret
        self._events = events
        self._classify = careful(classifier)
        self.in_flight = 0
        #: What it has learned; the limit in force is lower while it probes.
        self.learned = float(self.options.initial)
        self.limit = self.options.initial
        #: The most calls in flight, and when the window ends; set anew with each window.
        self._peak = 0
        self._window_ends = 0.0
        self._medians: deque[float] = deque(maxlen=self.options.baseline_windows)
        now = clock.monotonic()
        self._probe_at = now + self._jittered(self.options.probe_seconds)
        self._probing = False
        self._begin_window(now)

    @property
    def load(self) -> float:
        """The share of the limit that is taken; may pass 1.0 right after the limit shrank."""
        return self.in_flight / self.limit

    @property
    def baseline(self) -> float | None:
        """The lowest recent median latency in seconds, once there is one."""
        return min(self._medians, default=None)

    async def call(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        self.acquire()
        started = self._clock.monotonic()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            now = self._clock.monotonic()
            self.fail(error, now - started, now)
            raise
        now = self._clock.monotonic()
        self.succeed(now - started, now)
        return result

    def acquire(self) -> None:
        """Take a place, or raise `ConcurrencyLimited`; settle with `succeed` or `fail`."""
        if self.in_flight >= self.limit:
            # About the time in which one of the calls in flight is done.
            wait = (self.baseline or 0.0) / self.limit or None
            rejection = ConcurrencyLimited(self.source, wait, f"{self.in_flight} in flight")
            raise tell_rejection(self._events, rejection)
        self.in_flight += 1
        if self.in_flight > self._peak:
            self._peak = self.in_flight

    def succeed(self, seconds: float, now: float) -> None:
        """The call came back after `seconds`."""
        self.in_flight -= 1
        if len(self._latencies) < self.options.window_samples_max:
            self._latencies.append(seconds)
        if now >= self._window_ends:
            self._end_window(now)

    def fail(self, error: BaseException, seconds: float, now: float) -> None:
        """The call ended in `error`. Timeouts mean overload; other errors tell no latency."""
        if isinstance(error, Exception):
            fault = self._classify(error).fault
            if fault is Fault.CALLER:
                # The dependency answered: a latency like any other.
                self.succeed(seconds, now)
                return
            if isinstance(error, DeadlineExceeded):
                # The caller's time may have been short: only a long wait means overload.
                known = self.baseline
                if known is not None and seconds > self.options.tolerance * known:
                    self._overloaded = True
            elif isinstance(error, TimeoutError) and fault is Fault.DEPENDENCY:
                self._overloaded = True
        self.in_flight -= 1
        if now >= self._window_ends:
            self._end_window(now)

    def reconfigure(self, options: AdaptiveOptions) -> None:
        """Follow other options from now on; what was learned stays, within the new bounds."""
        self.options = options
        self._medians = deque(self._medians, maxlen=options.baseline_windows)
        self.learned = min(max(self.learned, options.minimum), options.maximum)
        self._probing = False
        self.limit = int(self.learned)

    # -- learning -------------------------------------------------------------------------------

    def _begin_window(self, now: float) -> None:
        self._latencies: list[float] = []
        self._overloaded = False
        self._peak = self.in_flight
        self._window_ends = now + self._jittered(self.options.window_seconds)

    def _jittered(self, seconds: float) -> float:
        return seconds * (0.75 + self._random() / 2)

    def _end_window(self, now: float) -> None:
        options = self.options
        enough = len(self._latencies) >= options.window_samples
        if not enough and not self._overloaded:
            # Too quiet to learn from: the window stays open.
            return
        median = sorted(self._latencies)[len(self._latencies) // 2] if enough else None
        if median is not None:
            self._medians.append(median)
        if self._probing:
            self._probing = False
        else:
            self._learn(median)
            if now >= self._probe_at:
                self._probe_at = now + self._jittered(options.probe_seconds)
                self._probing = True
        self.limit = int(self.learned)
        if self._probing:
            self.limit = max(options.minimum, self.limit // 2)
        self._begin_window(now)

    def _learn(self, median: float | None) -> None:
        options = self.options
        before = self.learned
        if self._overloaded or median is None:
            target = before * options.backoff
        elif self._peak * 2 < self.limit:
            return
        else:
            gradient = min(1.0, max(0.5, options.tolerance * min(self._medians) / median))
            target = before * gradient + math.sqrt(before)
            target = before + options.smoothing * (target - before)
        self.learned = min(max(target, options.minimum), options.maximum)
        if self._events.listening and int(self.learned) != int(before):
            baseline = self.baseline or 0.0
            self._events.emit(LimitChanged(self.source, self.learned, median or 0.0, baseline))
