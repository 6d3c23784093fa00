"""The kinds of faults that a call can meet, each with what its caller learns from it.

What the caller learns is what pruning goes by: two kinds after which a caller knows the same, and after
which the same work was done, lead it down the same path. Every kind still has a cell of its own in the
matrix; only second faults are pruned.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

LATENCY_SECONDS: Final = 7.0
"""Longer than any attempt's timeout and any dependency's deadline in the policies (6 s is the longest of
those that lead to a read), shorter than the ten seconds of an operation."""

DOWN: Final = "down"
"""The whole service is held down: no fault of a call, and tried once for each operation that needs it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault.

    Attributes:
        name: in the matrix, and of the effect in the process that is called.
        learned: what the caller knows afterwards: a status, "lost" (the connection broke or the answer is
            no good) or "late".
        done: whether the callee did the work.
        slow: whether it takes a timeout to be over.
        attributes: of the effect.
    """

    name: str
    learned: str
    done: bool
    slow: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def outcome(self, *, reads: bool) -> str:
        """What distinguishes this kind from others for the caller. Reads leave nothing done."""
        return self.learned if reads or not self.done else f"{self.learned}, done"


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("error", "503", done=False, attributes={"status": 503}),
        Kind("abort", "lost", done=False),
        Kind("lose_answer", "lost", done=True),
        Kind("truncate", "lost", done=True),
        Kind("corrupt", "lost", done=True),
        Kind("omission", "late", done=False, slow=True),
        Kind(
            "latency",
            "late",
            done=True,
            slow=True,
            attributes={"seconds": LATENCY_SECONDS},
        ),
    )
}
"""In the order of the matrix, quick ones first, so that a slow one is what gets pruned as a second fault."""
