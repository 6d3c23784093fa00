"""Alert contracts: of what people must be told, how soon, and of what they must not.

Durations are those of production's rules. A platform whose rules run faster (`BALUARTE_MONITORING_SPEED`) has
its contracts divided by the same factor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

import yaml

from chaos.grammar.names import SEVERITIES
from chaos.grammar.scalars import DURATION, NAME, duration
from chaos.grammar.shapes import Choice, Record, Source

ANY_PAGE: Final = "any page"
"""In place of a name: every alert that wakes somebody."""

RESOLVES_SECONDS: Final = 300.0
"""How soon after the last fault an alert must be over, unless the contract says."""

MAX_WAIT_SECONDS: Final = 1_800.0
"""Of `within` and `resolves`: a run waits for them, and rules that take longer need other tests."""

_ALERT: Final = Choice("alert", tuple(SEVERITIES))
_SILENT: Final = Choice("alert", (*SEVERITIES, ANY_PAGE))


@dataclass(frozen=True, kw_only=True)
class Contract:
    """One alert that must be told and end, or one that must not be told."""

    name: ClassVar[str] = "alert contract"

    fires: Annotated[str | None, _ALERT, "The alert of which people must be told."] = None
    silent: Annotated[
        str | None, _SILENT, "The alert of which nobody may be told; `any page` for all that wake."
    ] = None
    service: Annotated[str | None, NAME, "Only where it is about this service."] = None
    within: Annotated[
        float | None, DURATION, "So soon after the first fault, at production's pace."
    ] = None
    resolves: Annotated[
        float | None, DURATION, "So soon after the last fault its end is told; 5 min unless said."
    ] = None
    line: int = 0

    def __post_init__(self) -> None:
        if (self.fires is None) == (self.silent is None):
            raise ValueError("an alert contract needs either `fires` or `silent`")
        if self.fires is not None and self.within is None:
            raise ValueError(
                "`fires` needs `within`: an alert that may come any time is no promise"
            )
        if self.silent is not None and (self.within or self.resolves):
            raise ValueError("`silent` has neither `within` nor `resolves`: it holds throughout")
        if max(self.within or 0.0, self.resolves or 0.0) > MAX_WAIT_SECONDS:
            raise ValueError(f"waits for more than {duration(MAX_WAIT_SECONDS)}")

    @property
    def alert(self) -> str:
        """Its name, or `any page`."""
        return self.fires or self.silent or ""

    @property
    def over_within(self) -> float:
        """Nominal seconds after the last fault."""
        return RESOLVES_SECONDS if self.resolves is None else self.resolves

    def covers(self, alert: str, service: str) -> bool:
        """Whether it is about an alert of a service."""
        if self.service is not None and service != self.service:
            return False
        if self.silent == ANY_PAGE:
            return SEVERITIES.get(alert) == "page"
        return alert == self.alert

    def sentence(self) -> str:
        """What is wanted, for people."""
        of = f" of {self.service}" if self.service else ""
        if self.silent == ANY_PAGE:
            return f"nobody is paged for {self.service}" if self.service else "nobody is paged"
        if self.silent:
            return f"nobody is told of {self.silent}{of}"
        soon = duration(self.within or 0.0)
        return f"{self.fires}{of} is told within {soon}, and its end within {duration(self.over_within)}"


MONEY: Final = (Contract(silent="LedgerImbalance"), Contract(silent="LedgerContradiction"))
"""Of every scenario: whatever is done to the platform, its money is right."""


def with_money(own: Sequence[Contract]) -> tuple[Contract, ...]:
    """A scenario's own contracts, and those about money that it does not state itself."""
    said = {contract.alert for contract in own}
    return (*own, *(one for one in MONEY if one.alert not in said))


@dataclass(frozen=True, slots=True)
class ContractShape:
    """`{fires: …}` or `{silent: …}`, with its line."""

    def read(self, source: Source, node: yaml.Node) -> Contract:
        line = node.start_mark.line + 1
        read: Contract = Record(Contract).build(source, node, {"line": line})
        return read

    def schema(self) -> dict[str, Any]:
        return {"title": "alert contract", **Record(Contract).schema()}


CONTRACT: Final = ContractShape()
