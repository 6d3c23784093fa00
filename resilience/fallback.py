"""The cached fallback: the last good answer stands in, marked as what it is.

    age of the copy   0 ────── fresh ────── fresh + revalidate ────────────── stale ──▶
                      served at once        served at once, and               served only when
                                            asked again behind the call       the call fails

With `fresh_seconds` and `revalidate_seconds` at zero (the default) it is stale-if-error alone:
every call asks the dependency. A copy is never returned as if it were an answer: the wrapped
function returns `Served`, which says where the value is from and how old it is.

Whoever wraps a function says how to key its copies (contract, entity, view) and how to authorise a
reader afresh, without which no copy is served. Errors are never kept. A definite no of the
dependency (not found, forbidden) is passed on, and its copy forgotten. For reads only.

`serve_many` does the same for one call that answers many keys: what has no copy fails alone.
"""

import asyncio
import enum
import functools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.context import DEADLINE, PRIORITY, Priority, current_deadline
from resilience.copies import Codec, Copy, CopyKey, LocalCopies, SharedCopies
from resilience.deadline import Deadline
from resilience.events import SILENT, CopyServed, Emitter, FallbackFailed, TierFailed
from resilience.options import Rule, require
from resilience.shared_tier import SharedTier
from resilience.timeout import AttemptTimeout, TimeoutOptions
from resilience.verdict import Classifier, Fault, careful, classify

__all__ = ["CachedFallback", "FallbackOptions", "Freshness", "Served"]

P = ParamSpec("P")
T = TypeVar("T")

Authorise = Callable[[], Awaitable[bool]]

#: Whether the reader may have this copy, kept under this key, now.
AuthoriseCopy = Callable[[CopyKey, T], Awaitable[bool]]

#: Look-ups of a batch in the shared tier at a time: a fraction of a usual connection pool.
LOOKUPS = 8

#: For a timer that only the deadline ends: no deadline is further away.
_FOREVER = TimeoutOptions(3_600.0)


@dataclass(frozen=True, slots=True)
class FallbackOptions:
    """How old copies may be, and how much room they get."""

    #: Copies younger than this are served without a call. Zero: the dependency decides.
    fresh_seconds: float = 0.0
    #: For so long after that, a copy is served at once and renewed behind the call.
    revalidate_seconds: float = 0.0
    #: Until this age a copy stands in for a failed call. Five minutes outlast most deployments.
    stale_seconds: float = 300.0
    #: Room for copies in this process.
    local_bytes: int = 32_000_000
    #: Answers larger than this are not kept: one would push out hundreds of others.
    copy_bytes: int = 256_000
    #: The shared tier gets this long; it usually takes a millisecond.
    shared_timeout_seconds: float = 0.05
    #: A shared tier that fails three times in a row is left alone for this long.
    shared_bypass_seconds: float = 2.0
    #: Writes that may wait for the shared tier: a second's worth of answers.
    shared_backlog: int = 1_000
    #: Bytes that have not changed are written there again only after so long: there they look older
    #: than they are, never younger, and a list of a hundred names is not a hundred writes each time.
    shared_rewrite_seconds: float = 60.0
    #: Renewals behind calls at a time, and what each may take.
    revalidations: int = 16
    revalidation_seconds: float = 2.0
    #: What the call leaves of the deadline, so that a copy can be found (in the shared tier as
    #: well) and the reader authorised in time.
    reserve_seconds: float = 0.06

    def __post_init__(self) -> None:
        require(
            self,
            Rule(self.fresh_seconds >= 0, "fresh_seconds", "must be 0 or more"),
            Rule(self.revalidate_seconds >= 0, "revalidate_seconds", "must be 0 or more"),
            Rule(
                self.stale_seconds > 0
                and self.stale_seconds >= self.fresh_seconds + self.revalidate_seconds,
                "stale_seconds",
                "must be above 0 and at least fresh_seconds + revalidate_seconds",
            ),
            Rule(self.copy_bytes >= 1, "copy_bytes", "must be at least 1"),
            Rule(self.local_bytes >= self.copy_bytes, "local_bytes", "must hold one copy at least"),
            Rule(self.shared_timeout_seconds > 0, "shared_timeout_seconds", "must be above 0"),
            Rule(self.shared_bypass_seconds > 0, "shared_bypass_seconds", "must be above 0"),
            Rule(self.shared_rewrite_seconds >= 0, "shared_rewrite_seconds", "must be 0 or more"),
            Rule(self.shared_backlog >= 1, "shared_backlog", "must be at least 1"),
            Rule(self.revalidations >= 1, "revalidations", "must be at least 1"),
            Rule(self.revalidation_seconds > 0, "revalidation_seconds", "must be above 0"),
            Rule(self.reserve_seconds >= 0, "reserve_seconds", "must be 0 or more"),
        )


async def may_read(authorise: Authorise, clock: Clock) -> bool:
    """Whether the reader is authorised now. Not when that cannot be said before the deadline."""
    try:
        if DEADLINE.get() is None:
            return await authorise()
        # Nameless: nobody sees its error.
        return await AttemptTimeout("", _FOREVER, clock=clock).call(authorise)
    except Exception:  # noqa: BLE001 - who cannot be authorised may not read
        return False


class Freshness(enum.Enum):
    """How a value came about."""

    #: The dependency answered now.
    LIVE = "live"
    #: A copy within its fresh time.
    FRESH = "fresh"
    #: A copy past its fresh time, served while it is renewed.
    REVALIDATING = "revalidating"
    #: A copy that stands in for a failed call.
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Served(Generic[T]):
    """A value, and the truth about it."""

    value: T
    freshness: Freshness
    #: Seconds since the call that brought it began; 0.0 when live.
    age: float = 0.0
    #: `origin`, `local` or `shared`.
    tier: str = "origin"
    #: Why a copy stands in.
    error: Exception | None = None


class CachedFallback:
    """Keeps last-good copies, and serves them when the dependency cannot."""

    def __init__(
        self,
        source: str,
        options: FallbackOptions | None = None,
        *,
        shared: SharedCopies | None = None,
        clock: Clock = SYSTEM_CLOCK,
        events: Emitter = SILENT,
        classifier: Classifier = classify,
    ) -> None:
        self.source = source
        self.options = options or FallbackOptions()
        self._clock = clock
        self._events = events
        self._classify = careful(classifier)
        self.local = LocalCopies(self.options.local_bytes)
        self.shared = (
            SharedTier(
                source,
                shared,
                timeout_seconds=self.options.shared_timeout_seconds,
                bypass_seconds=self.options.shared_bypass_seconds,
                backlog=self.options.shared_backlog,
                clock=clock,
                events=events,
            )
            if shared is not None
            else None
        )
        self._renewals: dict[str, asyncio.Task[None]] = {}

    def reconfigure(self, options: FallbackOptions) -> None:
        """Follow other options from now on; copies stay. (The shared tier's need a restart.)"""
        self.options = options
        self.local.shrink(options.local_bytes)

    async def aclose(self) -> None:
        """End renewals, and write what waits for the shared tier."""
        for renewal in list(self._renewals.values()):
            renewal.cancel()
        await asyncio.gather(*self._renewals.values(), return_exceptions=True)
        if self.shared is not None:
            await self.shared.aclose()

    def wrap(
        self,
        function: Callable[P, Awaitable[T]],
        *,
        key: Callable[P, CopyKey],
        codec: Codec[T],
        authorise: Callable[P, Awaitable[bool]],
    ) -> Callable[P, Coroutine[Any, Any, Served[T]]]:
        """`function` with copies: `key`, and `authorise`, take the same arguments as it does."""

        @functools.wraps(function)
        async def served(*args: P.args, **kwargs: P.kwargs) -> Served[T]:
            return await self.serve(
                key(*args, **kwargs),
                lambda: function(*args, **kwargs),
                codec,
                lambda: authorise(*args, **kwargs),
            )

        return served

    async def serve(
        self, key: CopyKey, ask: Callable[[], Awaitable[T]], codec: Codec[T], authorise: Authorise
    ) -> Served[T]:
        """The answer of `ask()`, or a copy in its place."""
        options = self.options
        name = key.text()
        soon = options.fresh_seconds + options.revalidate_seconds
        if soon > 0:
            copy = await self._find(name, codec, soon)
            if copy is not None and await may_read(authorise, self._clock):
                return self._serve_early(name, copy, ask, codec)
        started = self._clock.monotonic()
        try:
            value = await self._ask_in_time(ask)
        except Exception as error:
            stand_in = await self._stand_in(name, codec, error, authorise)
            if stand_in is None:
                raise
            return stand_in
        self._keep(name, value, codec, started)
        return Served(value, Freshness.LIVE)

    async def serve_many(
        self,
        keys: Sequence[CopyKey],
        ask: Callable[[], Awaitable[Sequence[T | None]]],
        codec: Codec[T],
        authorise: AuthoriseCopy[T],
        *,
        max_stale_seconds: float | None = None,
        forgets: Callable[[Exception], bool] = lambda _: True,
    ) -> list[Served[T] | Exception | None]:
        """The answers to many keys by one call, or copies in their place.

        A batch always asks: `fresh_seconds` and `revalidate_seconds` are for single reads, since a
        batch that is fresh in part would still have to call for the rest.

        Args:
            ask: answers one value per key, in their order; None says that there is none, which is
                as definite as a value: its copy is forgotten.
            max_stale_seconds: a shorter bound on age than the options' own, also for how long the
                shared tier keeps the copies.
            forgets: whether a definite no to the whole batch is about what the keys name, so that
                their copies are wrong now, and not about how it was asked (an expired credential,
                a malformed request), which says nothing about them.

        Returns:
            One outcome per key: what was served, None, or the error where no copy could stand in.

        Raises:
            Exception: the dependency's error, when it is a definite no or no copy stands in at all.
        """
        stale = self.options.stale_seconds
        oldest = stale if max_stale_seconds is None else min(stale, max_stale_seconds)
        started = self._clock.monotonic()
        try:
            values = await self._ask_in_time(ask)
        except Exception as error:
            if self._classify(error).fault is Fault.CALLER:
                for key in keys if forgets(error) else ():
                    self._forget(key.text())
                raise
            outcomes = await self._stand_in_for_many(keys, codec, error, authorise, oldest)
            if not any(isinstance(outcome, Served) for outcome in outcomes):
                raise
            return outcomes
        if len(values) != len(keys):
            raise RuntimeError(f"asked for {len(keys)} and got {len(values)}")
        for key, value in zip(keys, values, strict=True):
            if value is None:
                self._forget(key.text())
            else:
                self._keep(key.text(), value, codec, started, oldest)
        return [value if value is None else Served(value, Freshness.LIVE) for value in values]

    # -- the dependency -------------------------------------------------------------------------

    async def _ask_in_time(self, ask: Callable[[], Awaitable[T]]) -> T:
        deadline = current_deadline()
        if deadline is None:
            return await ask()
        # Of a very short deadline half: a call that is never made finds nothing new.
        reserve = min(self.options.reserve_seconds, deadline.remaining() / 2)
        token = DEADLINE.set(deadline.earlier(reserve))
        try:
            return await ask()
        finally:
            DEADLINE.reset(token)

    def _keep(
        self,
        name: str,
        value: T,
        codec: Codec[T],
        started: float,
        lifetime: float | None = None,
    ) -> None:
        try:
            data = codec.encode(value)
        except Exception as error:  # noqa: BLE001 - codecs raise what they like
            # The answer is good all the same; the old copy is outdated.
            self._events.emit(TierFailed(self.source, "encode", error))
            self._forget(name)
            return
        if len(data) > self.options.copy_bytes:
            # The old copy goes as well: it is known to be outdated.
            self._forget(name)
            return
        lifetime = lifetime or self.options.stale_seconds
        rewrite = min(self.options.shared_rewrite_seconds, lifetime / 2)
        known = self.local.get(name)
        if known is not None and known.data == data and started - known.shared < rewrite:
            self.local.put(name, Copy(data, started, known.shared))
            return
        copy = Copy(data, started, started)
        if self.local.put(name, copy) and self.shared is not None:
            self.shared.put(name, copy, lifetime)

    def _forget(self, name: str) -> None:
        self.local.discard(name)
        if self.shared is not None:
            self.shared.discard(name)

    # -- copies ---------------------------------------------------------------------------------

    async def _find(
        self, name: str, codec: Codec[T], oldest: float, *, here_only: bool = False
    ) -> "_Found[T] | None":
        """The youngest copy that is at most `oldest` seconds old: here, else in the shared tier."""
        copy, tier = self.local.get(name), "local"
        if self._too_old(copy, oldest) and self.shared is not None and not here_only:
            copy, tier = await self.shared.get(name), "shared"
            if copy is not None:
                self.local.put(name, copy)
        if copy is None or self._too_old(copy, oldest):
            return None
        try:
            value = codec.decode(copy.data)
        except Exception as error:  # noqa: BLE001 - codecs raise what they like
            # Of another version of the contract, or damaged: as good as none.
            self._events.emit(TierFailed(self.source, "decode", error))
            self._forget(name)
            return None
        return _Found(value, max(0.0, self._clock.monotonic() - copy.born), tier)

    def _too_old(self, copy: Copy | None, oldest: float) -> bool:
        return copy is None or self._clock.monotonic() - copy.born > oldest

    async def _stand_in(
        self, name: str, codec: Codec[T], error: Exception, authorise: Authorise
    ) -> Served[T] | None:
        if self._classify(error).fault is Fault.CALLER:
            self._forget(name)
            return None
        found = await self._find(name, codec, self.options.stale_seconds)
        allowed = found is not None and await may_read(authorise, self._clock)
        if found is None or not allowed:
            reason = "absent" if found is None else "unauthorised"
            self._events.emit(FallbackFailed(self.source, reason, error))
            return None
        return self._served(found, Freshness.STALE, error)

    async def _stand_in_for_many(
        self,
        keys: Sequence[CopyKey],
        codec: Codec[T],
        error: Exception,
        authorise: AuthoriseCopy[T],
        oldest: float,
    ) -> list[Served[T] | Exception | None]:
        """A copy per key, else `error`; a few are looked for at a time."""
        outcomes: list[Served[T] | Exception | None] = [error] * len(keys)
        waiting = iter(enumerate(keys))
        # Many slow look-ups in the shared tier may take about as long as one.
        until = self._clock.monotonic() + self.options.shared_timeout_seconds
        search = _Search(codec, error, authorise, oldest, until)

        async def work() -> None:
            for index, key in waiting:
                outcomes[index] = await self._stand_in_for(key, search)

        await asyncio.gather(*(work() for _ in range(min(LOOKUPS, len(keys)))))
        return outcomes

    async def _stand_in_for(self, key: CopyKey, search: "_Search[T]") -> Served[T] | Exception:
        here_only = self._clock.monotonic() > search.until
        found = await self._find(key.text(), search.codec, search.oldest, here_only=here_only)
        reason = "absent"
        if found is not None:
            value = found.value
            if await may_read(lambda: search.authorise(key, value), self._clock):
                return self._served(found, Freshness.STALE, search.error)
            reason = "unauthorised"
        self._events.emit(FallbackFailed(self.source, reason, search.error))
        return search.error

    def _serve_early(
        self, name: str, found: "_Found[T]", ask: Callable[[], Awaitable[T]], codec: Codec[T]
    ) -> Served[T]:
        if found.age <= self.options.fresh_seconds:
            return self._served(found, Freshness.FRESH)
        if name not in self._renewals and len(self._renewals) < self.options.revalidations:
            renewal = asyncio.get_running_loop().create_task(self._renew(name, ask, codec))
            self._renewals[name] = renewal
            renewal.add_done_callback(lambda _: self._renewals.pop(name))
        return self._served(found, Freshness.REVALIDATING)

    async def _renew(self, name: str, ask: Callable[[], Awaitable[T]], codec: Codec[T]) -> None:
        # Nobody waits for it: a deadline of its own, and behind everything else.
        DEADLINE.set(Deadline.after(self.options.revalidation_seconds, self._clock))
        PRIORITY.set(Priority.BACKGROUND)
        started = self._clock.monotonic()
        try:
            value = await ask()
        except Exception as error:  # noqa: BLE001 - the copy stands until it is too old
            if self._classify(error).fault is Fault.CALLER:
                self._forget(name)
            return
        self._keep(name, value, codec, started)

    def _served(
        self, found: "_Found[T]", freshness: Freshness, error: Exception | None = None
    ) -> Served[T]:
        if self._events.listening:
            self._events.emit(
                CopyServed(self.source, freshness.value, found.tier, found.age, error)
            )
        return Served(found.value, freshness, found.age, found.tier, error)


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    value: T
    age: float
    tier: str


@dataclass(frozen=True, slots=True)
class _Search(Generic[T]):
    """What stands in for a batch is looked for by these."""

    codec: Codec[T]
    error: Exception
    authorise: AuthoriseCopy[T]
    oldest: float
    #: On the monotonic clock: after it the shared tier is not asked any more.
    until: float
