"""Which requests and messages a fault is for."""

import base64
import binascii
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
from starlette.types import Scope

from chassis import wire
from chassis.faults.contract import Target, in_cohort
from chassis.faults.fault import ActiveFault, Hit
from chassis.gate import bearer
from chassis.messages import Event
from chassis.tokens import ISSUER, MAX_TOKEN

MAX_NAME = 64
"""Longest name of a caller, characters; ours are far shorter."""

SPARED = ("/health", "/metrics", "/chaos")
"""Never faulted, with everything below: a probe that lies would have the process restarted, and the kill
switch must work."""


def is_spared(path: str) -> bool:
    """Whether no fault may be done to requests for `path`."""
    return any(path == spared or path.startswith(f"{spared}/") for spared in SPARED)


class _Claims(msgspec.Struct):
    iss: str = ""
    sub: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a fault can go by in a request.

    Caller and user are read from the tokens *without verifying them*: the fault point stands before the
    gate, which verifies them as always. Whoever forges one only chooses whether a fault hits them.

    Attributes:
        caller: issuer of the service credential; empty without one.
        user: id of the access token's user; empty without one.
    """

    route: str
    headers: Mapping[str, str]
    caller: str = ""
    user: str = ""

    @classmethod
    def of(cls, scope: Scope) -> "Asked":
        """What the request says."""
        headers = wire.headers_of(scope)
        caller = user = ""
        for name in ("authorization", "user-authorization"):
            claims = _claims(bearer(headers.get(name)))
            if claims.iss == ISSUER:
                user = claims.sub
            else:
                caller = caller or claims.iss[:MAX_NAME]
        return cls(scope["path"], headers, caller, user)


def _claims(token: str | None) -> _Claims:
    """The payload of a JWT; nothing for what is none."""
    if token is None or len(token) > MAX_TOKEN or token.count(".") != 2:
        return _Claims()
    payload = token.split(".")[1]
    try:
        text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return msgspec.json.decode(text, type=_Claims)
    except (binascii.Error, msgspec.MsgspecError, ValueError):
        return _Claims()


def fits(target: Target, asked: Asked) -> bool:
    """Whether the request meets every condition that is given."""
    if target.route is not None and not route_fits(target.route, asked.route):
        return False
    if target.caller is not None and target.caller != asked.caller:
        return False
    if any(asked.headers.get(name) != value for name, value in target.headers.items()):
        return False
    if target.cohort is None:
        return True
    return bool(asked.user) and in_cohort(asked.user, target.cohort)


def route_fits(route: str, path: str) -> bool:
    """Whether `path` is the route, or begins like one that ends with `*`."""
    return path.startswith(route[:-1]) if route.endswith("*") else path == route


def claim(fault: ActiveFault, event: Event) -> Hit | None:
    """A hit, if the message fits and is chosen."""
    topic = fault.wanted.target.topic
    return fault.claim() if topic is None or topic == event.topic else None


def claims(fault: ActiveFault, events: Sequence[Event]) -> dict[int, Hit]:
    """The hits of a batch, by place, in order."""
    found = ((place, claim(fault, event)) for place, event in enumerate(events))
    return {place: hit for place, hit in found if hit is not None}


@contextmanager
def settling(hits: Collection[Hit]) -> Iterator[None]:
    """The hits are done if the block succeeds, and spared if it fails."""
    try:
        yield
        for hit in hits:
            hit.done()
    finally:
        for hit in hits:
            hit.spare()
