"""What this process was asked lately, by correlation id: a bounded record for whoever explores it."""

import math
from collections import deque
from dataclasses import dataclass, field

from chassis.faults.contract import Calls, SeenCall

LIMIT = 20_000
"""Calls remembered: minutes of a loaded process, and a few MB."""

MAX_ROUTE = 200
"""Longest route that is written down, characters."""


@dataclass(slots=True)
class Entry:
    """One request; `seconds` and `status` are as they are until it is over."""

    correlation_id: str
    caller: str
    route: str
    at: float
    ended: float | None = None
    status: int = 0
    faults: list[str] = field(default_factory=list)

    def seen(self, now: float) -> SeenCall:
        """It, as the API shows it."""
        return SeenCall(
            caller=self.caller,
            route=self.route,
            at=self.at,
            seconds=(now if self.ended is None else self.ended) - self.at,
            status=self.status,
            faults=tuple(self.faults),
        )


class CallRecord:
    """The last requests, whole and in order."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._dropped_at = -math.inf

    def begin(self, correlation_id: str, caller: str, route: str, at: float) -> Entry:
        """Write a request down; fill in the rest of the entry as it becomes known."""
        if len(self._entries) == self._entries.maxlen:
            self._dropped_at = self._entries[0].at
        entry = Entry(correlation_id, caller, route[:MAX_ROUTE], at)
        self._entries.append(entry)
        return entry

    def under(self, correlation_id: str, now: float, since: float = -math.inf) -> Calls:
        """The requests under that id. `dropped` tells whether any that came after `since` are missing."""
        found = [
            entry.seen(now) for entry in self._entries if entry.correlation_id == correlation_id
        ]
        return Calls(calls=tuple(found), dropped=self._dropped_at > since)
