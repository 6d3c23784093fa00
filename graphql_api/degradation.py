"""What an answer says about data that is not fresh: beside the data, and summed up in `extensions`."""

from dataclasses import dataclass
from enum import Enum

import strawberry


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


@dataclass(frozen=True, slots=True)
class Degraded:
    """One field of an answer that was served from elsewhere; an entry of `extensions.degraded`.

    Attributes:
        path: response path of the field.
        service: the service that should have answered.
        reason: code of its failure.
        served_from: where the value came from instead.
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
