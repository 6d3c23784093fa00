"""Priority shedding: when not everybody can be served, the least important calls go first.

Each priority has a ceiling on the load (0 = idle, 1 = full) above which it is turned away; what is
CRITICAL has none and is stopped only by the limit itself. The load is a number that somebody else
knows: the share taken of an adaptive limit or a bulkhead, or the larger of several.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from resilience.context import PRIORITY, Priority
from resilience.errors import LoadShed
from resilience.events import SILENT, Emitter
from resilience.options import Rule, require
from resilience.policy import Policy, tell_rejection

__all__ = ["PriorityShedding", "SheddingOptions"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SheddingOptions:
    """The load up to which each priority is served; steps leave room for the one above."""

    #: Background work uses only what nobody needs.
    background: float = 0.5
    #: A listing can wait from here on: a third of the room stays for what matters more.
    low: float = 0.65
    normal: float = 0.8
    #: The last tenth is for money and the door.
    high: float = 0.9
    #: What a turned-away caller is told to wait: loads move within about a second.
    retry_after_seconds: float = 1.0

    def __post_init__(self) -> None:
        require(
            self,
            Rule(0 < self.background <= 1, "background", "must be above 0 and at most 1"),
            Rule(self.background <= self.low, "low", "must be at least background"),
            Rule(self.low <= self.normal, "normal", "must be at least low"),
            Rule(self.normal <= self.high, "high", "must be at least normal"),
            Rule(self.high <= 1, "high", "must be at most 1"),
            Rule(self.retry_after_seconds > 0, "retry_after_seconds", "must be above 0"),
        )


class PriorityShedding(Policy):
    """Turns calls away by priority when the load is high."""

    def __init__(
        self,
        source: str,
        load: Callable[[], float],
        options: SheddingOptions | None = None,
        *,
        events: Emitter = SILENT,
    ) -> None:
        self.source = source
        #: Asked on every call; must be cheap and may not raise.
        self.load = load
        self._events = events
        self.reconfigure(options or SheddingOptions())

    def reconfigure(self, options: SheddingOptions) -> None:
        """Follow other options from now on."""
        self.options = options
        #: By priority; the last one, CRITICAL, is always served.
        self._ceilings = (
            options.background,
            options.low,
            options.normal,
            options.high,
            math.inf,
        )

    async def call(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        self.admit(PRIORITY.get())
        return await function(*args, **kwargs)

    def admit(self, priority: Priority) -> None:
        """Let a call of this priority through, or raise `LoadShed`."""
        load = self.load()
        if load >= self._ceilings[priority]:
            rejection = LoadShed(
                self.source,
                self.options.retry_after_seconds,
                f"{priority.name} at a load of {load:.0%}",
            )
            raise tell_rejection(self._events, rejection)
