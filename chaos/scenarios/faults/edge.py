"""Faults on a connection between two parts: the toxics of the proxy in between, and `down`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from typing import Annotated, Any, ClassVar, Literal, get_type_hints

import msgspec

from chaos.grammar.scalars import MILLISECONDS, NAME, SHARE, TIMES
from chaos.proxy.toxics import REGISTRY
from chaos.proxy.toxics.toxic import Milliseconds, Toxic
from chaos.roster import OwnerKind
from chaos.scenarios.faults.fault import Fault
from chaos.scenarios.faults.variants import Owned

DOWN = "down"


@dataclass(frozen=True, kw_only=True)
class EdgeFault(Fault):
    """A toxic, or a connection that is down."""

    owner: ClassVar[OwnerKind] = OwnerKind.PROXIES

    edge: Annotated[tuple[str, ...], NAME, "The connection, such as `users-postgres`, or several."]
    percent: Annotated[float, SHARE, "Share of connections that are hit."] = 1.0
    stream: Annotated[
        Literal["downstream", "upstream"], "Which way: `downstream` is what the server says."
    ] = "downstream"

    def __post_init__(self) -> None:
        if self.for_ is None:
            raise ValueError("needs `for`: a fault on an edge has an end")

    @property
    def targets(self) -> tuple[str, ...]:
        return self.edge

    def narrowing(self) -> Mapping[str, Any]:
        given = {
            "toxicity": self.percent if self.percent < 1 else None,
            "stream": self.stream if self.stream != "downstream" else None,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Down:
    """Connections are closed, and new ones refused."""


def _attributes(toxic: type[Toxic]) -> type[Any]:
    """A toxic's attributes as a record of the grammar."""
    hints = get_type_hints(toxic, include_extras=True)
    fields: list[tuple[str, Any, Any]] = []
    for one in msgspec.structs.fields(toxic):
        scalar = MILLISECONDS if hints[one.name] == Milliseconds else TIMES
        annotation = Annotated[float | None, scalar, f"`{one.name}` of the toxic {toxic.kind}."]
        fields.append((one.name, annotation, field(default=None)))
    return make_dataclass(f"{toxic.__name__}Toxic", fields, frozen=True, kw_only=True)


OWNED = Owned(
    "edge",
    EdgeFault,
    {DOWN: Down, **{name: _attributes(toxic) for name, toxic in REGISTRY.items()}},
)
