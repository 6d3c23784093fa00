"""How fields degrade: what each declares, what an answer says beside the data, and the summary of it.

A declaration is written once. The schema shows it as `@degrades`, and the copies that stand in for a
service that does not answer are bounded by the same value.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import strawberry
from strawberry.schema_directive import Location

from resilience.fallback import Freshness as Origin
from resilience.fallback import Served


@strawberry.enum(description="What a field becomes while the service behind it does not answer.")
class Degradation(Enum):
    STALE = strawberry.enum_value(
        "STALE",
        description=(
            "The last good copy, marked STALE by the `freshness` beside it; where there is none that is "
            "young enough and may be seen, null with a coded error."
        ),
    )
    NULL = strawberry.enum_value("NULL", description="Null with a coded error.")
    ERROR = strawberry.enum_value(
        "ERROR",
        description=(
            "Null with a coded error: nothing was changed, or the code is OUTCOME_UNKNOWN and the "
            "message says what to do."
        ),
    )
    QUEUED = strawberry.enum_value(
        "QUEUED",
        description=(
            "Accepted as PENDING and completed later, when the ledger does not answer. When the "
            "transactions service itself does not, null with a coded error: not accepted, or "
            "OUTCOME_UNKNOWN, after which the same key tells."
        ),
    )


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="degrades",
    description=(
        "What the field becomes while the service behind it does not answer. `maxStaleSeconds`: no "
        "copy that is older stands in."
    ),
)
class Degrades:
    to: Degradation = strawberry.directive_field(name="to")
    max_stale_seconds: int | None = strawberry.directive_field(
        name="maxStaleSeconds", default=strawberry.UNSET
    )

    @property
    def seconds(self) -> int:
        """The largest age of a copy. Only fields that degrade to STALE have one."""
        if not self.max_stale_seconds:
            raise ValueError(f"a field that degrades to {self.to.name} serves no copies")
        return self.max_stale_seconds


HOUR: Final = 3_600
DAY: Final = 24 * HOUR

PROFILE: Final = Degrades(to=Degradation.STALE, max_stale_seconds=HOUR)
"""An hour outlasts most incidents; older, a profile would rather puzzle its owner than help."""

ACCOUNT: Final = Degrades(to=Degradation.STALE, max_stale_seconds=HOUR)
"""A marked balance of an hour ago still answers "roughly how much"; one of yesterday does not."""

TRANSACTION: Final = Degrades(to=Degradation.STALE, max_stale_seconds=HOUR)
"""What is past stays past; what was PENDING an hour ago must be asked for again."""

NAME: Final = Degrades(to=Degradation.STALE, max_stale_seconds=DAY)
"""People seldom change their names."""

NULLED: Final = Degrades(to=Degradation.NULL)
"""What is looked at, or worked with, only when it is current."""

REFUSED: Final = Degrades(to=Degradation.ERROR)

QUEUED: Final = Degrades(to=Degradation.QUEUED)


@strawberry.enum(description="Whether data is as its owning service tells it now.")
class FreshnessState(Enum):
    FRESH = strawberry.enum_value("FRESH", description="Just read from the service that owns it.")
    STALE = strawberry.enum_value(
        "STALE", description="A copy, because the owning service did not answer; may be outdated."
    )


@strawberry.type(description="How far the data beside it can be trusted to be current.")
class Freshness:
    state: FreshnessState = strawberry.field(description="Fresh, or a copy.")
    age_seconds: int | None = strawberry.field(
        description="Age of the copy in seconds; null when fresh, or when nobody knows."
    )

    @classmethod
    def of(cls, served: Served[Any]) -> "Freshness":
        """What to say beside a value that was served like that."""
        if served.freshness is Origin.LIVE:
            return LIVE
        return cls(state=FreshnessState.STALE, age_seconds=age_of(served))


LIVE: Final = Freshness(state=FreshnessState.FRESH, age_seconds=None)

OF_UNKNOWN_AGE: Final = Freshness(state=FreshnessState.STALE, age_seconds=None)


def age_of(served: Served[Any]) -> int:
    """The age of a copy in whole seconds: rather a second too old than too young."""
    return math.ceil(served.age)


@dataclass(frozen=True, slots=True)
class Degraded:
    """One field of an answer that was served from elsewhere; an entry of `extensions.degraded`.

    Attributes:
        path: response path of the field.
        service: the service that should have answered.
        reason: code of its failure.
        served_from: where the value came from instead: COPY, or another service's name.
        age_seconds: age of that value, if known.
    """

    path: tuple[str | int, ...]
    service: str
    reason: str
    served_from: str
    age_seconds: int | None = None

    def as_json(self) -> dict[str, object]:
        return {
            "path": list(self.path),
            "service": self.service,
            "reason": self.reason,
            "servedFrom": self.served_from,
            "ageSeconds": self.age_seconds,
        }


COPY: Final = "copy"
"""`servedFrom` of a last-good copy, wherever the gateway keeps it."""
