"""What every policy that can stand alone has in common: call through it, or wrap a function."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from resilience.errors import Rejected
from resilience.events import CallRejected, Emitter

__all__ = ["Policy", "tell_rejection"]

P = ParamSpec("P")
T = TypeVar("T")


class Policy(ABC):
    """One protection around an async function."""

    @abstractmethod
    async def call(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Await `function(*args, **kwargs)` under this policy."""

    def wrap(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """`function` under this policy, with its own signature; usable as a decorator."""

        @functools.wraps(function)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self.call(function, *args, **kwargs)

        return guarded


def tell_rejection(events: Emitter, rejection: Rejected) -> Rejected:
    """Tell that a policy rejects, and hand the error on to be raised."""
    if events.listening:
        events.emit(
            CallRejected(
                rejection.source,
                rejection.policy,
                type(rejection).__name__,
                rejection.retry_after,
            )
        )
    return rejection
