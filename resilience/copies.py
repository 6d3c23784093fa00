"""Last-good copies: what they are, how they are keyed, and the tier in this process.

A copy is bytes, so that its size is known, nobody can change it by accident, and both tiers hold
the same. It is *born* when the call that brought it began: the answer cannot be older than that,
and a slow answer never replaces one that was asked for later.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

__all__ = ["Codec", "Copy", "CopyKey", "LocalCopies", "SharedCopies"]

T = TypeVar("T")

#: What an entry takes beside its bytes and its key: the tuple, the key object, the dictionary.
ENTRY_BYTES = 400


class Codec(Protocol[T]):
    """Turns answers into bytes and back. Strict: bytes of another shape must raise."""

    def encode(self, value: T) -> bytes: ...

    def decode(self, data: bytes) -> T: ...


@dataclass(frozen=True, slots=True)
class CopyKey:
    """What a copy is of, and who may see it."""

    #: The operation and its version, as `users.profile.v1`.
    contract: str
    #: The entity's id.
    entity: str
    #: As whom it is seen, as `owner`, `staff` or `counterparty`: other views hold other fields.
    view: str

    def __post_init__(self) -> None:
        if not (self.contract and self.entity and self.view):
            raise ValueError("a copy's key needs a contract, an entity and a view")

    def text(self) -> str:
        """One string for all three; different keys never share one, whatever they contain."""
        lengths = f"{len(self.contract)}.{len(self.entity)}"
        return f"{lengths}:{self.contract}:{self.entity}:{self.view}"


class Copy(NamedTuple):
    """An answer of earlier."""

    data: bytes
    #: On the process's monotonic clock.
    born: float
    #: When these bytes were last handed to the shared tier, on the same clock; long ago if never.
    shared: float = -math.inf


class SharedCopies(Protocol):
    """The tier that processes share, as `resilience.redis_copies`. Its clock is its own."""

    async def get(self, key: str) -> tuple[bytes, float] | None:
        """The copy's bytes and its age in seconds."""
        ...

    async def put(self, key: str, data: bytes, age: float, lifetime: float) -> None:
        """Keep a copy that is `age` old until it is `lifetime` old, unless a younger one is there."""
        ...

    async def discard(self, key: str) -> None:
        """Forget the copy."""
        ...


class LocalCopies:
    """Copies in this process, bounded by bytes; the least recently used go first."""

    __slots__ = ("_copies", "bytes", "maximum_bytes")

    def __init__(self, maximum_bytes: int) -> None:
        self.maximum_bytes = maximum_bytes
        self.bytes = 0
        self._copies: OrderedDict[str, Copy] = OrderedDict()

    def __len__(self) -> int:
        return len(self._copies)

    def get(self, key: str) -> Copy | None:
        """The copy under `key`, which is thereby used."""
        copy = self._copies.get(key)
        if copy is not None:
            self._copies.move_to_end(key)
        return copy

    def put(self, key: str, copy: Copy) -> bool:
        """Keep `copy`, unless a younger one is there or it alone would be too large."""
        known = self._copies.get(key)
        if known is not None and known.born > copy.born:
            return False
        size = _size(key, copy)
        if size > self.maximum_bytes:
            return False
        self.discard(key)
        self._copies[key] = copy
        self.bytes += size
        self.shrink(self.maximum_bytes)
        return True

    def discard(self, key: str) -> None:
        """Forget the copy under `key`."""
        copy = self._copies.pop(key, None)
        if copy is not None:
            self.bytes -= _size(key, copy)

    def shrink(self, maximum_bytes: int) -> None:
        """Hold no more than this from now on."""
        self.maximum_bytes = maximum_bytes
        while self.bytes > maximum_bytes:
            key, copy = self._copies.popitem(last=False)
            self.bytes -= _size(key, copy)


def _size(key: str, copy: Copy) -> int:
    return ENTRY_BYTES + len(key) + len(copy.data)
