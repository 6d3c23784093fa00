"""Single flight: of equal reads at the same time, one is made and all get its answer.

The first caller of a key leads: it makes the call in its own task, at the price of a dictionary
entry. The others follow and wait, each no longer than its own deadline allows. When the leader is
cancelled, runs out of *its* time, or is shed for *its* priority, that is no answer for the
followers: one of them leads next.
Errors of the dependency go to all, so that a failing dependency is asked once as well.

For reads only, and under a key that names everything that the answer depends on, the viewer's
rights included. All callers get the same object: answers must not be changed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.context import call_context, current_deadline
from resilience.deadline import Deadline
from resilience.errors import DeadlineExceeded, LoadShed
from resilience.events import SILENT, Emitter, FlightJoined

__all__ = ["SingleFlight"]

T = TypeVar("T")

#: Errors that say nothing about what another caller would get.
_ABOUT_THE_LEADER = (DeadlineExceeded, LoadShed)


class _LeaderGone(Exception):
    """The leader ended without an answer."""


class _Flight:
    """One call under way. The future is made by the first follower: most flights have none."""

    __slots__ = ("landed",)

    def __init__(self) -> None:
        self.landed: asyncio.Future[Any] | None = None


class SingleFlight:
    """Joins equal calls. It holds an entry only while a call is under way."""

    def __init__(
        self, source: str, *, clock: Clock = SYSTEM_CLOCK, events: Emitter = SILENT
    ) -> None:
        self.source = source
        self._clock = clock
        self._events = events
        self._flights: dict[Hashable, _Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def __contains__(self, key: Hashable) -> bool:
        """Whether a call of this key is under way, so that the next one would follow it."""
        return key in self._flights

    async def call(
        self,
        key: Hashable,
        function: Callable[[], Awaitable[T]],
        *,
        seconds: float | None = None,
    ) -> T:
        """Await `function()`, or the answer of an equal call that is under way.

        `seconds` is what a follower has in all, when its deadline does not come first: behind
        others, and then, if it has to, leading.
        """
        if key not in self._flights:
            return await self._lead(key, function)
        deadline = current_deadline()
        if seconds is not None:
            own = Deadline.after(seconds, self._clock)
            deadline = own if deadline is None else deadline.shorten(seconds)
        while (flight := self._flights.get(key)) is not None:
            if self._events.listening:
                self._events.emit(FlightJoined(self.source))
            try:
                answer: T = await self._follow(flight, deadline)
                return answer
            except _LeaderGone:
                # Everybody who followed is awake now; the first to get here leads.
                continue
        # What was waited is gone: each leader in turn would else begin with all of its time.
        with call_context(deadline=deadline):
            return await self._lead(key, function)

    async def _lead(self, key: Hashable, function: Callable[[], Awaitable[T]]) -> T:
        flight = self._flights[key] = _Flight()
        try:
            answer = await function()
        except BaseException as error:
            del self._flights[key]
            if flight.landed is not None:
                answered = isinstance(error, Exception) and not isinstance(error, _ABOUT_THE_LEADER)
                flight.landed.set_exception(error if answered else _LeaderGone())
            raise
        del self._flights[key]
        if flight.landed is not None:
            flight.landed.set_result(answer)
        return answer

    async def _follow(self, flight: _Flight, deadline: Deadline | None) -> Any:
        loop = asyncio.get_running_loop()
        if flight.landed is None:
            flight.landed = loop.create_future()
            # The last follower may leave before an error comes: that is nobody's bug.
            flight.landed.add_done_callback(_look_at)
        landed = flight.landed
        # A future of its own, so that a follower's cancellation or deadline is nobody else's.
        own: asyncio.Future[None] = loop.create_future()

        def wake(_: object = None) -> None:
            if not own.done():
                own.set_result(None)

        landed.add_done_callback(wake)
        timer = self._clock.call_at(deadline.at, wake) if deadline is not None else None
        try:
            await own
        finally:
            landed.remove_done_callback(wake)
            if timer is not None:
                timer.cancel()
        if landed.done():
            return landed.result()
        raise DeadlineExceeded(f"{self.source}: the deadline passed behind an equal call")


def _look_at(landed: "asyncio.Future[Any]") -> None:
    if not landed.cancelled():
        landed.exception()
