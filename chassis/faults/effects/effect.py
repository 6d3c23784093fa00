"""What an effect is: its attributes as a struct, and what it does to a request, a batch or a clock.

An effect keeps no state: what it needs of that, and its randomness, is in the `Hit` or `ActiveFault`.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, ClassVar

import msgspec
from starlette.types import Receive, Send

from chassis.faults.contract import MAX_LEASE_SECONDS
from chassis.faults.exchange import Exchange
from chassis.faults.fault import ActiveFault, Hit
from chassis.messages import Event

Pause = Annotated[float, msgspec.Meta(gt=0, le=MAX_LEASE_SECONDS)]
"""Seconds of a wait; it never outlasts the lease, whatever it says."""

Handle = Callable[[Receive, Send], Awaitable[None]]
"""The rest of what happens to a request: further faults, then the process' own handler."""

Publish = Callable[[Sequence[Event]], Awaitable[None]]
"""The rest of what happens to a batch: further faults, then the bus."""


class Effect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all; the fields are the attributes. `kind` is the name in `NewFault.type`."""

    kind: ClassVar[str]


class HttpEffect(Effect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Done to a request that this process was asked."""

    of_body: ClassVar[bool] = False
    """Whether it needs an answer with a body, which a HEAD has not."""

    async def around(self, exchange: Exchange, handle: Handle, hit: Hit) -> None:
        """Answer `exchange`, by way of `handle` or not, and say `hit.done()` when it takes place."""
        raise NotImplementedError


class BusEffect(Effect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Done to a batch that this process publishes."""

    async def publish(self, events: Sequence[Event], publish: Publish, fault: ActiveFault) -> None:
        """Bring `events` to the bus, by way of `publish` or not.

        Raises:
            BusUnavailable: the publisher is told that they were not confirmed.
        """
        raise NotImplementedError


class ClockEffect(Effect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Done to the clock of this process' tokens."""

    @property
    def offset(self) -> float:
        """Seconds that the clock is ahead."""
        raise NotImplementedError
