"""The clock of this process' tokens is wrong."""

from typing import Annotated, ClassVar

import msgspec

from chassis.faults.effects.effect import ClockEffect

DAY = 86_400.0


class TokenSkew(ClockEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """This process makes and checks service credentials and access tokens `seconds` ahead (or behind).

    Nothing else goes by that clock. It counts as met each time that the clock was read for a token.
    """

    kind: ClassVar[str] = "token_skew"

    seconds: Annotated[float, msgspec.Meta(ge=-DAY, le=DAY)]

    @property
    def offset(self) -> float:
        return self.seconds
