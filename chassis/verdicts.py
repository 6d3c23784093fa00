"""What the errors of our own calls say to the policies, and what the policies' refusals say to callers.

One table for both directions: `judge` tells a pipeline whose fault an error is and whether another try
can help; `refused` turns a rejection into a coded error that says that nothing was done.
"""

import asyncio
from typing import Final

import aiohttp
from redis.exceptions import RedisError

from chassis import codes
from chassis.errors import CodedError
from resilience import (
    AttemptTimedOut,
    CircuitOpen,
    DeadlineExceeded,
    Fault,
    Rejected,
    ResilienceError,
    Verdict,
    classify,
)

_OUTAGES: Final = frozenset(
    code.name
    for code in (
        codes.UNAVAILABLE,
        codes.CIRCUIT_BREAKER_OPEN,
        codes.OVERLOADED,
        codes.DEADLINE_EXCEEDED,
        codes.OUTCOME_UNKNOWN,
        codes.INTERNAL,
    )
)
"""Codes after which the callee did not do its work, for no fault of the request."""

_ANSWERED: Final = Verdict(Fault.CALLER)
_BUSY: Final = Verdict(Fault.UNKNOWN)


def judge(error: Exception) -> Verdict:
    """The classifier of every pipeline of the platform.

    - a coded error of an outage counts against the dependency, and may be tried again if it says so;
    - any other coded error is an answer: the dependency works, and the answer is no;
    - a shed of one kind of work (password hashing) says nothing about the rest of the service;
    - what carries no code (a lost connection to the cache or the broker) is the dependency's fault.
    """
    if isinstance(error, CodedError):
        if error.code == codes.PASSWORD_HASHING_BUSY.name:
            return _BUSY
        if error.code not in _OUTAGES:
            return _ANSWERED
        return Verdict(Fault.DEPENDENCY, error.retryable, error.retry_after)
    if isinstance(error, ResilienceError | RedisError | OSError | TimeoutError):
        return classify(error)
    if isinstance(error, aiohttp.ClientError | asyncio.IncompleteReadError):
        return Verdict(Fault.DEPENDENCY, retryable=True)
    return classify(error)


def refused(error: ResilienceError, service: str) -> CodedError:
    """The coded error for a call that a policy ended or did not begin.

    A rejection was not sent, so nothing was done. After `AttemptTimedOut` the caller must know whether
    the request had an effect, which this function cannot: it says DEADLINE_EXCEEDED, as for a read.
    """
    if isinstance(error, CircuitOpen):
        return codes.CIRCUIT_BREAKER_OPEN.error(service=service, retry_after=error.retry_after)
    if isinstance(error, Rejected):
        return codes.OVERLOADED.error(
            f"Too many calls to {service} are under way already; nothing was done.",
            service=service,
            retry_after=error.retry_after,
        )
    if isinstance(error, AttemptTimedOut | DeadlineExceeded):
        return codes.DEADLINE_EXCEEDED.error(service=service)
    raise error
