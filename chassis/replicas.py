"""The replicas of a service, and which of them to ask next.

They take turns. One that fails three times in a row is passed over for a while, then tried with one call
(passive health checking, Envoy's outlier detection); were all of them passed over, none would be: then
the service's own breaker decides. It is the service's breaker that callers see; this only spreads.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chassis import logs
from chassis.verdicts import judge
from resilience import (
    SYSTEM_CLOCK,
    BreakerOptions,
    CircuitBreaker,
    CircuitOpen,
    Clock,
    Emitter,
)
from resilience.breaker_states import Epoch
from resilience.events import BreakerChanged, Event

PASSED_OVER: Final = BreakerOptions(
    window="consecutive",
    consecutive_failures=3,
    break_seconds=2.0,
    break_max_seconds=30.0,
    probes=1,
    half_open_seconds=10.0,
    ramp_seconds=0.0,
)
"""Three in a row are no accident; two seconds are a restart; one call shows that it is back."""

_log = logs.get("replicas")


@dataclass(frozen=True, slots=True)
class Try:
    """A call to one replica, to be settled once by `Replicas.settle`."""

    url: str
    epoch: Epoch | None
    started: float


class Replicas:
    """The base URLs of one service's replicas.

    Args:
        service: its name, for the log.
        urls: one or more.
    """

    def __init__(
        self,
        service: str,
        urls: Sequence[str],
        *,
        options: BreakerOptions = PASSED_OVER,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        if not urls:
            raise ValueError(f"no URL for the {service} service")
        self._service = service
        self._urls = tuple(urls)
        self._clock = clock
        self._turn = 0
        told = Emitter(self._tell)
        # A single replica is never passed over: the service's own breaker is about it.
        several = self._urls if len(self._urls) > 1 else ()
        self._breakers = {
            url: CircuitBreaker(url, options, clock=clock, rng=rng, events=told, classifier=judge)
            for url in several
        }

    def in_turn(self) -> Iterator[Try]:
        """The replicas to try for one call, one after the other: first those in good health.

        Every `Try` that is used must be settled before the next is asked for.
        """
        start = self._turn = (self._turn + 1) % len(self._urls)
        order = self._urls[start:] + self._urls[:start]
        passed_over = []
        for url in order:
            now = self._clock.monotonic()
            breaker = self._breakers.get(url)
            if breaker is None:
                yield Try(url, None, now)
                continue
            try:
                epoch = breaker.admit(now)
            except CircuitOpen:
                passed_over.append(url)
            else:
                yield Try(url, epoch, now)
        if len(passed_over) == len(order):
            for url in order:
                yield Try(url, None, self._clock.monotonic())

    def settle(self, attempt: Try, error: BaseException | None) -> None:
        """How a try ended: with an answer (`error` is None, or a coded refusal) or without."""
        breaker = self._breakers.get(attempt.url)
        if breaker is None or attempt.epoch is None:
            return
        now = self._clock.monotonic()
        if error is None:
            breaker.succeed(attempt.epoch, now - attempt.started, now)
        else:
            breaker.fail(attempt.epoch, error, now - attempt.started, now)

    def _tell(self, event: Event) -> None:
        if isinstance(event, BreakerChanged):
            _log.warning(
                "replica is used again" if event.after == "closed" else "replica is passed over",
                dependency=self._service,
                url=event.source,
                reason=event.reason,
            )
