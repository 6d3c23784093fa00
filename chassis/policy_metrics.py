"""What the policies do, as the metrics of the catalogue: one hook for events, gauges read at the scrape.

Labels are the names in the policy file and words of ours, created at 0 beforehand; a pipeline per
endpoint (`users/profile`) counts for its dependency (`users`).
"""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Final

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from chassis import codes
from chassis.errors import CodedError, Unreached
from chassis.metrics import AGE_BUCKETS, Metrics, exemplar
from chassis.verdicts import judge
from resilience import AttemptTimedOut, DeadlineExceeded, Fault, Pipeline
from resilience.events import (
    AttemptFinished,
    BreakerChanged,
    CallHedged,
    CallRejected,
    CallRetried,
    CopyServed,
    Event,
    RetryGivenUp,
)

OUTCOMES: Final = ("ok", "client_error", "server_error", "timeout", "connect_error")

REASONS: Final = {
    "CircuitOpen": "breaker_open",
    "BulkheadFull": "bulkhead_full",
    "ConcurrencyLimited": "concurrency_limited",
    "DeadlineExceeded": "deadline",
    "LoadShed": "shed",
    "RateLimited": "rate_limited",
}
"""Words for the rejections of `resilience.errors`."""

STATES: Final = ("closed", "open", "half_open")

KINDS: Final = ("stale", "default", "queued")

_TIMED_OUT: Final = (AttemptTimedOut, DeadlineExceeded, RedisTimeoutError, TimeoutError)
_NOT_CONNECTED: Final = (Unreached, RedisConnectionError, ConnectionError)


class PolicyMetrics:
    """Counts what pipelines tell, for the given downstreams."""

    def __init__(self, metrics: Metrics, services: Iterable[str]) -> None:
        names = tuple(services)
        self._watched: set[str] = set()
        self._calls = metrics.histogram(
            "downstream_call_duration_seconds",
            "Time of one attempt at a downstream",
            service=names,
            outcome=OUTCOMES,
        )
        self._rejections = metrics.counter(
            "downstream_rejections_total",
            "Calls that a policy did not let through",
            service=names,
            reason=tuple(REASONS.values()),
        )
        self._retries = metrics.counter(
            "downstream_retries_total", "Attempts beyond the first", service=names
        )
        self._hedges = metrics.counter(
            "downstream_hedges_total", "Second tries sent beside a slow first", service=names
        )
        self._exhausted = metrics.counter(
            "downstream_retry_budget_exhausted_total",
            "Retries not made for want of budget",
            service=names,
        )
        self._states = metrics.gauge(
            "circuit_breaker_state",
            "1 for the state that the breaker is in",
            service=names,
            state=STATES,
        )
        self._transitions = metrics.counter(
            "circuit_breaker_transitions_total",
            "Changes of a breaker's state",
            **{"service": names, "from": STATES, "to": STATES},
        )
        self._in_flight = metrics.gauge(
            "bulkhead_in_flight", "Calls under way in the bulkhead", service=names
        )
        self._limit = metrics.gauge(
            "bulkhead_limit", "Calls that the bulkhead lets through at a time", service=names
        )
        self._fallbacks = metrics.counter(
            "fallback_served_total",
            "Answers that stood in for a failed call",
            service=names,
            kind=KINDS,
        )
        self._stale_age = metrics.histogram(
            "stale_served_age_seconds",
            "Age of the copies that stood in",
            buckets=AGE_BUCKETS,
            service=names,
        )

        self._outcomes = {
            (name, outcome): self._calls.labels(name, outcome)
            for name in names
            for outcome in OUTCOMES
        }

        for name in names:  # nothing is called yet, and an alert is told of what is not closed
            self._states.labels(name, "closed").set(1)

    def watch(self, pipeline: Pipeline) -> None:
        """Show the breaker and the bulkhead of `pipeline` from now on, as they are at each scrape."""
        source = pipeline.source
        if source in self._watched:
            return
        self._watched.add(source)
        for state in STATES:
            self._states.labels(source, state).set_function(partial(_is_in, pipeline, state))
        self._in_flight.labels(source).set_function(
            lambda: float(pipeline.bulkhead.in_flight) if pipeline.bulkhead else 0.0
        )
        self._limit.labels(source).set_function(
            lambda: float(pipeline.bulkhead.options.max_concurrent) if pipeline.bulkhead else 0.0
        )

    def queued(self, service: str) -> None:
        """A mutation was accepted to be carried out later, because `service` did not answer."""
        self._fallbacks.labels(service, "queued").inc()

    def hook(self, event: Event) -> None:
        """Count an event."""
        service = event.source.partition("/")[0]
        if isinstance(event, AttemptFinished):
            call = self._outcomes[service, outcome_of(event.error)]
            call.observe(event.seconds, exemplar())
        elif isinstance(event, CallRejected):
            self._rejections.labels(service, REASONS.get(event.reason, "shed")).inc()
        elif isinstance(event, CallRetried):
            self._retries.labels(service).inc()
        elif isinstance(event, CallHedged):
            self._hedges.labels(service).inc()
        elif isinstance(event, RetryGivenUp):
            if event.reason == "budget":
                self._exhausted.labels(service).inc()
        elif isinstance(event, BreakerChanged):
            before, after = word(event.before), word(event.after)
            self._transitions.labels(service, before, after).inc()
        elif isinstance(event, CopyServed) and event.state == "stale":
            self._fallbacks.labels(service, "stale").inc()
            self._stale_age.labels(service).observe(event.age)


def outcome_of(error: BaseException | None) -> str:
    """The label of an attempt's end. A caller that went away counts as `timeout`: nobody waited."""
    if error is None:
        return "ok"
    if isinstance(error, _NOT_CONNECTED):
        return "connect_error"
    late = isinstance(error, CodedError) and error.code == codes.DEADLINE_EXCEEDED.name
    if late or isinstance(error, (*_TIMED_OUT, asyncio.CancelledError)):
        return "timeout"
    if isinstance(error, Exception) and judge(error).fault is Fault.CALLER:
        return "client_error"
    return "server_error"


def state_of(pipeline: Pipeline) -> str:
    """The word for the state of a pipeline's breaker; without one, everything passes: closed."""
    breaker = pipeline.breaker
    if breaker is None or breaker.options.mode == "disabled":
        return "closed"
    if breaker.options.mode == "forced-open":
        return "open"
    return word(breaker.epoch.name)


def _is_in(pipeline: Pipeline, state: str) -> float:
    return float(state_of(pipeline) == state)


def word(state: str) -> str:
    """A state's name as the metrics write it."""
    return state.replace("-", "_")
