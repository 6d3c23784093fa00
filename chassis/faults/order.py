"""An order for a fault, checked before anything is changed."""

from collections.abc import Callable, Collection

import msgspec

from chassis import codes
from chassis.errors import CodedError
from chassis.faults.contract import NewFault, Target
from chassis.faults.effects import REGISTRY, BusEffect, Effect, HttpEffect
from chassis.faults.targets import is_spared, route_fits
from chassis.messages import TOPOLOGY
from chassis.wire import PATH_IN_MESSAGE

_OF_REQUESTS = ("route", "headers", "caller", "cohort")
_OF_MESSAGES = ("topic",)
_OF_BOTH = ("percent", "skip", "first")


def effect_of(wanted: NewFault, routes: Collection[str], *, publishes: bool = True) -> Effect:
    """What is wanted, as the effect with its attributes.

    Args:
        routes: paths that this process serves; empty when unknown.
        publishes: whether it has a bus.

    Raises:
        CodedError: FAULT_TYPE_UNKNOWN, or INVALID_INPUT with the field that is to blame.
    """
    kind = REGISTRY.get(wanted.type)
    if kind is None:
        known = ", ".join(REGISTRY)
        raise codes.FAULT_TYPE_UNKNOWN.error(
            f"There is no fault of type {wanted.type[:40]!r}; choose among {known}.", field="type"
        )
    if issubclass(kind, BusEffect) and not publishes:
        raise _wrong("type", "is for messages, and this process publishes none; ask another one")
    _check_target(kind, wanted.target, routes)
    _check_duration(kind, wanted.duration)
    try:
        return msgspec.convert(wanted.attributes, type=kind)
    except msgspec.ValidationError as error:
        found = PATH_IN_MESSAGE.search(str(error))
        field = f"attributes.{found.group(1)}" if found and found.group(1) else "attributes"
        names = ", ".join(kind.__struct_fields__) or "none"
        raise codes.INVALID_INPUT.error(
            f"{error}. Attributes of {wanted.type}: {names}.", field=field
        ) from None


def _check_target(kind: type[Effect], target: Target, routes: Collection[str]) -> None:
    admitted: tuple[str, ...] = ()
    if issubclass(kind, HttpEffect):
        admitted = (*_OF_REQUESTS, *_OF_BOTH)
    elif issubclass(kind, BusEffect):
        admitted = (*_OF_MESSAGES, *_OF_BOTH)
    plain = Target()
    for name in Target.__struct_fields__:
        if name not in admitted and getattr(target, name) != getattr(plain, name):
            fitting = ", ".join(admitted) or "nothing"
            raise _wrong(f"target.{name}", f"means nothing to {kind.kind}; give {fitting}")
    for name, is_wrong, way_out in _CHECKS:
        if is_wrong(target):
            raise _wrong(f"target.{name}", way_out)
    if target.topic is not None and target.topic not in TOPOLOGY:
        raise _wrong("target.topic", f"is not one of {', '.join(TOPOLOGY)}")
    if target.route is not None:
        _check_route(target.route, routes)


_CHECKS: tuple[tuple[str, Callable[[Target], bool], str], ...] = (
    ("skip", lambda target: target.skip < 0, "must be 0 or more"),
    ("first", lambda target: target.first is not None and target.first < 1, "must be 1 or more"),
    (
        "headers",
        lambda target: any(name != name.lower() for name in target.headers),
        "must have names in lower case",
    ),
)


def _check_route(route: str, routes: Collection[str]) -> None:
    """A fault that can meet nothing must not look applied."""
    if is_spared(route):
        raise _wrong("target.route", "is never faulted: health, metrics and the fault point itself")
    if routes and not any(route_fits(route, path) for path in routes if not is_spared(path)):
        served = ", ".join(sorted(path for path in routes if not is_spared(path)))
        raise _wrong("target.route", f"fits nothing that is served here: {served}")


def _check_duration(kind: type[Effect], duration: float | None) -> None:
    if duration is not None and duration < 0:
        raise _wrong("duration", "must be 0 (this request), more (seconds) or null (the lease)")
    if duration and not issubclass(kind, HttpEffect | BusEffect):
        raise _wrong("duration", f"means nothing to {kind.kind}, which lasts for its lease")


def _wrong(field: str, text: str) -> CodedError:
    return codes.INVALID_INPUT.error(f"`{field}` {text}.", field=field)
