"""The effects of a fault point, with their attributes. A test compares them with the point's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from chaos.grammar.scalars import COUNT, NAME, PLAIN_SECONDS, SHARE, SIGNED_SECONDS


@dataclass(frozen=True, kw_only=True)
class Plain:
    """An effect without attributes."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Requests arrive late."""

    seconds: Annotated[float, PLAIN_SECONDS, "How late."]
    jitter: Annotated[float, PLAIN_SECONDS, "More or less by up to this."] = 0.0


@dataclass(frozen=True, kw_only=True)
class Error:
    """An error is answered, and nothing is done."""

    status: Annotated[int | None, COUNT, "HTTP status, 400 to 599."] = None
    code: Annotated[str | None, NAME, "Error code; `UNAVAILABLE` when neither is given."] = None


@dataclass(frozen=True, kw_only=True)
class Truncate:
    """The answer is cut off."""

    bytes: Annotated[int | None, COUNT, "So many bytes are sent …"] = None
    share: Annotated[float | None, SHARE, "… or this share of them; half unless said."] = None


@dataclass(frozen=True, kw_only=True)
class Corrupt:
    """The answer is damaged."""

    bytes: Annotated[int, COUNT, "So many bytes of it."] = 1


@dataclass(frozen=True, kw_only=True)
class Slow:
    """Something takes so long."""

    seconds: Annotated[float, PLAIN_SECONDS, "How long."]


@dataclass(frozen=True, kw_only=True)
class Reorder:
    """Later messages arrive before earlier ones."""

    within: Annotated[Literal["key", "topic"], "Of one key, or of any of the topic."] = "key"
    gather: Annotated[float, PLAIN_SECONDS, "How long to wait for something to swap."] = 0.5


@dataclass(frozen=True, kw_only=True)
class Skew:
    """The clock of this process' tokens is ahead, or behind."""

    seconds: Annotated[float, SIGNED_SECONDS, "By how much; below 0 is behind."]


EFFECTS: Mapping[str, type[Any]] = {
    "latency": Latency,
    "error": Error,
    "abort": Plain,
    "omission": Plain,
    "truncate": Truncate,
    "corrupt": Corrupt,
    "slow_body": Slow,
    "lose_answer": Plain,
    "bus_lose": Plain,
    "bus_lose_confirm": Plain,
    "bus_duplicate": Plain,
    "bus_delay": Slow,
    "bus_reorder": Reorder,
    "token_skew": Skew,
}
