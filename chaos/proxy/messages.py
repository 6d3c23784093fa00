"""What the API takes and gives, as JSON. Where it differs from Toxiproxy it only adds."""

from typing import Annotated, Any, TypeVar

import msgspec

from chaos.proxy.dose import Dose, Lease, Stream
from chaos.proxy.edge import Edge
from chaos.proxy.errors import ApiError, BadRequestBody, InvalidStream, InvalidToxicType
from chaos.proxy.limits import MAX_LEASE_SECONDS, MAX_NAME
from chaos.proxy.toxics import REGISTRY
from chaos.proxy.toxics.toxic import Toxic
from chassis.faults.contract import plain

LeaseSeconds = Annotated[float, msgspec.Meta(gt=0, le=MAX_LEASE_SECONDS)]
Toxicity = Annotated[float, msgspec.Meta(ge=0, le=1)]

T = TypeVar("T")


class Leased(msgspec.Struct):
    """Something that may end by itself. Left out: by the server's default. null: never.

    `experiment` is who asks. Toxiproxy has neither member, and ignores what it does not know.
    """

    lease_seconds: LeaseSeconds | msgspec.UnsetType | None = msgspec.UNSET
    experiment: str = ""

    def lease(self, default: float | None) -> float | None:
        return default if self.lease_seconds is msgspec.UNSET else self.lease_seconds

    @property
    def asked_by(self) -> str:
        """The experiment, fit for a label; empty when nobody says."""
        return plain(self.experiment) if self.experiment else ""


class NewProxy(msgspec.Struct):
    name: str = ""
    listen: str = ""
    upstream: str = ""
    enabled: bool | None = True


class ProxyChange(Leased):
    """A name is ignored, as in Toxiproxy. The lease is of "down", and means nothing without it."""

    listen: str | None = None
    upstream: str | None = None
    enabled: bool | None = None


class NewToxic(Leased):
    type: str = ""
    name: str = ""
    stream: str = Stream.DOWNSTREAM
    toxicity: Toxicity = 1.0
    attributes: dict[str, Any] | None = None

    def dose(self) -> Dose:
        """Read the toxic that is meant, complaining in Toxiproxy's order.

        Raises:
            ApiError: it is none.
        """
        try:
            stream = Stream(self.stream.lower())
        except ValueError:
            raise InvalidStream from None
        if self.type not in REGISTRY:
            raise InvalidToxicType
        name = self.name or f"{self.type}_{stream}"
        if len(name) > MAX_NAME or "/" in name:
            raise BadRequestBody(f"a name has at most {MAX_NAME} characters, and no slash")
        toxic = attributes(REGISTRY[self.type], self.attributes)
        return Dose(name, stream, toxic, self.toxicity, experiment=self.asked_by)


class ToxicChange(Leased):
    """Other fields are ignored, as in Toxiproxy. A lease that is named starts anew."""

    toxicity: Toxicity | None = None
    attributes: dict[str, Any] | None = None

    def toxic(self, dose: Dose) -> Toxic:
        """Return the attributes of `dose` with those that are named here in their place."""
        before = msgspec.to_builtins(dose.toxic)
        return attributes(type(dose.toxic), {**before, **(self.attributes or {})})


def attributes(kind: type[Toxic], given: dict[str, Any] | None) -> Toxic:
    """Read attributes. An unknown one is an error: a fault that does nothing must not look applied."""
    try:
        return msgspec.convert(given or {}, kind)
    except msgspec.ValidationError as error:
        known = ", ".join(kind.__struct_fields__)
        raise BadRequestBody(f"attributes: {error}; {kind.kind} has {known}") from error


def read(body: bytes, kind: type[T]) -> T:
    """Read a request body.

    Raises:
        BadRequestBody: it is not JSON, or not what is wanted.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestBody(str(error)) from error


def _lease(lease: Lease | None, prefix: str = "lease") -> dict[str, Any]:
    if lease is None:
        return {}
    return {f"{prefix}_seconds": lease.seconds, f"{prefix}_left_seconds": round(lease.left, 3)}


def _asked_by(experiment: str) -> dict[str, Any]:
    return {"experiment": experiment} if experiment else {}


def toxic_view(dose: Dose) -> dict[str, Any]:
    """A toxic as the API shows it; the lease, with how many met it, and the experiment only if there is one.

    Clients of Toxiproxy know no such members, and ask for none.
    """
    return {
        "attributes": msgspec.to_builtins(dose.toxic),
        "name": dose.name,
        "type": dose.toxic.kind,
        "stream": dose.stream.value,
        "toxicity": dose.toxicity,
        **_lease(dose.lease),
        **({} if dose.lease is None else {"met_connections": dose.met}),
        **_asked_by(dose.experiment),
    }


def toxic_views(edge: Edge) -> list[dict[str, Any]]:
    """All toxics of a proxy, upstream first, each stream in the order in which data meets them."""
    return [toxic_view(dose) for stream in Stream for dose in edge.doses if dose.stream is stream]


def proxy_view(edge: Edge) -> dict[str, Any]:
    """A proxy as the API shows it; what we add only while it is down with a lease.

    `dropped_connections` were open when it went down. Those that it refuses since are the system's to
    count.
    """
    return {
        "name": edge.name,
        "listen": edge.listen,
        "upstream": str(edge.upstream),
        "enabled": edge.enabled,
        "toxics": toxic_views(edge),
        **_lease(edge.down_lease),
        **({} if edge.down_lease is None else {"dropped_connections": edge.dropped}),
        **_asked_by("" if edge.enabled else edge.down_by),
    }


def error_view(error: ApiError) -> dict[str, Any]:
    return {"error": error.message, "status": error.status}
