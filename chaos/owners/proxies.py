"""The fault proxies: they do harm to connections, each edge of the platform's picture by itself."""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from chaos.owners.line import Line
from chaos.owners.owner import Code, OwnerError, Placed
from chaos.roster import OwnerKind

DOWN: Final = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toxic:
    """Harm to what goes over an edge.

    Attributes:
        type: as registered in `chaos/proxy/toxics/`.
        stream: `downstream` is what the target says, `upstream` what the source says.
        toxicity: share of the connections.
        name: tells several of a type on one edge apart; `<type>_<stream>` when empty.
        experiment: who asks, for metrics; empty for nobody in particular.
    """

    edge: str
    type: str
    lease_seconds: float
    attributes: dict[str, Any] = field(default_factory=dict)
    stream: str = "downstream"
    toxicity: float = 1.0
    name: str = ""
    experiment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Down:
    """An edge that is cut: open connections are closed, and new ones refused.

    Attributes:
        experiment: who asks, for metrics; empty for nobody in particular.
    """

    edge: str
    lease_seconds: float
    experiment: str = ""


class _Toxic(msgspec.Struct):
    name: str
    type: str
    stream: str
    toxicity: float
    attributes: dict[str, Any] = {}
    lease_left_seconds: float | None = None
    met_connections: int | None = None
    experiment: str = ""


class _Proxy(msgspec.Struct):
    name: str
    enabled: bool
    toxics: tuple[_Toxic, ...] = ()
    lease_left_seconds: float | None = None
    dropped_connections: int | None = None
    experiment: str = ""


class ProxiesOwner:
    """The proxies of `chaos/proxy/`, over Toxiproxy's API.

    A fault's id is `EDGE/TOXIC` of a toxic, and `EDGE` of one that is down.
    """

    kind: Final = OwnerKind.PROXIES

    def __init__(self, line: Line) -> None:
        self._line = line
        self.name = line.name

    async def inject(self, order: Toxic | Down) -> Placed:
        """See `FaultOwner`."""
        if isinstance(order, Down):
            change = {
                "enabled": False,
                "lease_seconds": order.lease_seconds,
                "experiment": order.experiment,
            }
            return self._down(await self._line.ask("PATCH", _path(order.edge), _Proxy, change))
        body = {
            "name": order.name,
            "type": order.type,
            "stream": order.stream,
            "toxicity": order.toxicity,
            "attributes": order.attributes,
            "lease_seconds": order.lease_seconds,
            "experiment": order.experiment,
        }
        made = await self._line.ask("POST", f"{_path(order.edge)}/toxics", _Toxic, body)
        return self._toxic(order.edge, made)

    async def look(self, fault: str) -> Placed | None:
        """See `FaultOwner`."""
        edge, _, toxic = fault.partition("/")
        if toxic:
            found = await self._line.find("GET", _path(edge, toxic), _Toxic)
            return None if found is None else self._toxic(edge, found)
        proxy = await self._line.find("GET", _path(edge), _Proxy)
        return None if proxy is None or proxy.enabled else self._down(proxy)

    async def renew(self, fault: str, seconds: float) -> Placed | None:
        """See `FaultOwner`."""
        edge, _, toxic = fault.partition("/")
        lease: dict[str, Any] = {"lease_seconds": seconds}
        if toxic:
            found = await self._line.find("PATCH", _path(edge, toxic), _Toxic, lease)
            return None if found is None else self._toxic(edge, found)
        if await self.look(fault) is None:  # a proxy that is up must not be cut by a late renewal
            return None
        change = lease | {"enabled": False}
        return self._down(await self._line.ask("PATCH", _path(edge), _Proxy, change))

    async def revert(self, fault: str) -> Placed | None:
        """See `FaultOwner`."""
        found = await self.look(fault)
        if found is None:
            return None
        edge, _, toxic = fault.partition("/")
        if toxic:
            await self._line.find("DELETE", _path(edge, toxic), type(None))
        else:
            await self._line.ask("PATCH", _path(edge), _Proxy, {"enabled": True})
        return found

    async def list(self) -> tuple[Placed, ...]:
        """See `FaultOwner`."""
        found = []
        for edge, proxy in (await self._line.ask("GET", "/proxies", dict[str, _Proxy])).items():
            found += [] if proxy.enabled else [self._down(proxy)]
            found += [self._toxic(edge, toxic) for toxic in proxy.toxics]
        return tuple(found)

    async def revert_all(self) -> tuple[Placed, ...]:
        """See `FaultOwner`. Not knowing what there was is no reason to leave it there."""
        try:
            found = await self.list()
        except OwnerError as error:
            if error.code is Code.GONE:
                raise
            found = ()
        await self._line.ask("POST", "/reset", type(None))
        return found

    def _toxic(self, edge: str, toxic: _Toxic) -> Placed:
        narrowed: dict[str, Any] = {} if toxic.stream == "downstream" else {"stream": toxic.stream}
        narrowed |= {} if toxic.toxicity == 1 else {"toxicity": toxic.toxicity}
        return Placed(
            owner=self.name,
            id=f"{edge}/{toxic.name}",
            target=edge,
            type=toxic.type,
            remaining=toxic.lease_left_seconds,
            met=toxic.met_connections,
            about=toxic.attributes | narrowed | _asked_by(toxic),
        )

    def _down(self, proxy: _Proxy) -> Placed:
        return Placed(
            owner=self.name,
            id=proxy.name,
            target=proxy.name,
            type=DOWN,
            remaining=proxy.lease_left_seconds,
            met=proxy.dropped_connections,
            about=_asked_by(proxy),
        )


def _asked_by(said: _Toxic | _Proxy) -> dict[str, Any]:
    return {"experiment": said.experiment} if said.experiment else {}


def _path(edge: str, toxic: str = "") -> str:
    return f"/proxies/{edge}/toxics/{toxic}" if toxic else f"/proxies/{edge}"
