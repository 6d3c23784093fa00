"""What a service answered last, for the time when it does not answer.

Stale-if-error and nothing else: every read asks the service first, and a copy is handed out only as
`Served`, which says that it is one. Copies are keyed by what they are of and as whom it was seen, and
whoever reads one is authorised for it at that moment, by the rule for live reads. Only signed-in readers
have copies. Never kept: credentials, roles, and what a decision is made on.

The policies around the service (`resilience.Pipeline`) say whether there are copies at all and how much
room they have; each kind of answer says how old it may be.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

import msgspec

from chassis import codes
from chassis.cache import open_redis
from chassis.context import Call
from chassis.errors import CodedError
from chassis.health import Registry
from chassis.settings import Settings
from graphql_api.errors import coded, masked
from resilience import CachedFallback, Codec, CopyKey, Freshness, Pipeline, Served
from resilience.context import call_context, current_deadline
from resilience.copies import SharedCopies
from resilience.redis_copies import RedisCopies

Key = TypeVar("Key")
Value = TypeVar("Value")

PREFIX: Final = "baluarte:copies:1:"
"""Of the copies' keys in Valkey. Raise the number when what is kept changes its meaning."""

OWNER: Final = "owner"
STAFF: Final = "staff"
COUNTERPARTY: Final = "counterparty"

ABOUT_THE_KEYS: Final = frozenset(
    code.name
    for code in (
        codes.FORBIDDEN,
        codes.USER_NOT_FOUND,
        codes.USER_INACTIVE,
        codes.ACCOUNT_NOT_FOUND,
        codes.ACCOUNT_INACTIVE,
        codes.TRANSACTION_NOT_FOUND,
    )
)
"""Refusals of what was asked for, after which its copies are wrong. Others (an expired token, invalid
input, a service credential) are about the asking, and must not cost everybody else the copies."""


def open_copies(settings: Settings, registry: Registry) -> SharedCopies | None:
    """Where the gateway's replicas share copies: in Valkey, where there is one, else nowhere.

    Its connections are its own: a storm of look-ups must not make rate limits wait.
    """
    if settings.redis_url is None:
        return None
    client = open_redis(settings.redis_url)
    registry.register("copies", close=client.aclose)
    return RedisCopies(client, prefix=PREFIX)


class JsonCodec(Generic[Value]):
    """Copies as JSON; strict, so that what another version wrote is no copy."""

    def __init__(self, kind: type[Value]) -> None:
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(kind, strict=True)

    def encode(self, value: Value) -> bytes:
        return self._encoder.encode(value)

    def decode(self, data: bytes) -> Value:
        return self._decoder.decode(data)


@dataclass(frozen=True, slots=True)
class Kept(Generic[Key, Value]):
    """A kind of answers of which the last good one is kept.

    Attributes:
        contract: the operation and its version, as `users.profile.v1`.
        codec: how it is kept; it leaves out what must not be.
        max_stale_seconds: no older copy is served, as the fields' `@degrades` declares.
        entity: what the copy is of. Where the answer depends on who asks, the reader is part of it.
        view: as whom it is seen: OWNER, STAFF or COUNTERPARTY.
        may_read: whether the caller may see this copy now: the rule for live reads.
    """

    contract: str
    codec: Codec[Value]
    max_stale_seconds: int
    entity: Callable[[Call, Key], str]
    view: Callable[[Call, Key], str]
    may_read: Callable[[Call, Key, Value], bool]

    def name(self, call: Call, key: Key) -> CopyKey:
        """The name of the caller's copy of `key`."""
        return CopyKey(self.contract, self.entity(call, key), self.view(call, key))


class LastGood:
    """The copies of one service's answers.

    Args:
        pipeline: the policies around the service. Its fallback is looked up at each read, because a
            reload turns it on and off; without one, reads are live or an error.
    """

    def __init__(self, pipeline: Pipeline | None = None) -> None:
        self._pipeline = pipeline

    async def read(
        self,
        call: Call,
        kept: Kept[Key, Value],
        keys: Sequence[Key],
        ask: Callable[[Call], Awaitable[Sequence[Value | None]]],
    ) -> list[Served[Value] | CodedError | None]:
        """One outcome per key: live, None where there is none, or a copy, or the error without one.

        Args:
            ask: makes the one downstream call; its time is a little shorter than the caller's.

        Raises:
            CodedError: the service's, when it refused or when no copy stands in at all.
        """
        fallback = self._pipeline.fallback if self._pipeline is not None else None
        if fallback is None or call.user is None or not keys:
            values = await ask(call)
            return [None if value is None else Served(value, Freshness.LIVE) for value in values]
        outcomes = await _serve(fallback, call, kept, keys, ask)
        return [_told(outcome, call) for outcome in outcomes]


async def _serve(
    fallback: CachedFallback,
    call: Call,
    kept: Kept[Key, Value],
    keys: Sequence[Key],
    ask: Callable[[Call], Awaitable[Sequence[Value | None]]],
) -> list[Served[Value] | Exception | None]:
    names = [kept.name(call, key) for key in keys]
    asked = dict(zip(names, keys, strict=True))

    async def ask_in_time() -> Sequence[Value | None]:
        return await ask(replace(call, deadline=current_deadline() or call.deadline))

    async def authorise(name: CopyKey, value: Value) -> bool:
        return kept.may_read(call, asked[name], value)

    with call_context(deadline=call.deadline):
        return await fallback.serve_many(
            names,
            ask_in_time,
            kept.codec,
            authorise,
            max_stale_seconds=kept.max_stale_seconds,
            forgets=_is_about_the_keys,
        )


def _is_about_the_keys(error: Exception) -> bool:
    return isinstance(error, CodedError) and error.code in ABOUT_THE_KEYS


def _told(outcome: Any, call: Call) -> Any:
    """The outcome with its error coded. Clients raise coded errors only; another one is masked."""
    if isinstance(outcome, Exception):
        return coded(outcome) or masked(call.correlation_id)
    return outcome
