"""A bounded registry: one part per service, endpoint or key, made when first asked for.

Keys may come from outside (users, accounts), so an unbounded registry is a way to fill the memory.
This one forgets what was not used for the longest time, idle parts first: what it forgets is made
anew with no loss, and an open breaker is not evicted by somebody who invents keys.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

__all__ = ["Registry"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: How many of the oldest entries are looked at for an idle one: keeps an eviction O(1), and a
#: crowd of busy parts at the old end is itself a sign that the bound is too small.
SCAN = 16


class Registry(Generic[K, V]):
    """Parts by key, at most `maximum` of them.

    `idle(part)` tells whether forgetting it loses nothing; by default everything is idle.
    """

    __slots__ = ("_idle", "_make", "_parts", "evicted_busy", "maximum")

    def __init__(
        self,
        make: Callable[[K], V],
        *,
        maximum: int,
        idle: Callable[[V], bool] = lambda _part: True,
    ) -> None:
        if maximum < 1:
            raise ValueError("a registry needs room for at least one part")
        self._make = make
        self._idle = idle
        self.maximum = maximum
        self._parts: OrderedDict[K, V] = OrderedDict()
        #: How often a part that was not idle had to be forgotten: the bound is too small.
        self.evicted_busy = 0

    def get(self, key: K) -> V:
        """The part for `key`, made if it is not there."""
        part = self._parts.get(key)
        if part is not None:
            self._parts.move_to_end(key)
            return part
        part = self._make(key)
        if len(self._parts) >= self.maximum:
            self._evict()
        self._parts[key] = part
        return part

    def peek(self, key: K) -> V | None:
        """The part for `key` if it is there; does not count as a use."""
        return self._parts.get(key)

    def discard(self, key: K) -> None:
        """Forget the part for `key`, if it is there."""
        self._parts.pop(key, None)

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[V]:
        return iter(list(self._parts.values()))

    def items(self) -> list[tuple[K, V]]:
        """The parts that there are now, least recently used first."""
        return list(self._parts.items())

    def _evict(self) -> None:
        for looked_at, (key, part) in enumerate(self._parts.items()):
            if self._idle(part):
                del self._parts[key]
                return
            if looked_at + 1 >= SCAN:
                break
        self._parts.popitem(last=False)
        self.evicted_busy += 1
