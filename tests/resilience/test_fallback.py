"""The cached fallback: what is served when, to whom, and how it is marked."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from resilience.context import Priority, call_context, current_deadline, current_priority
from resilience.copies import Copy, CopyKey
from resilience.deadline import Deadline, DeadlineExceeded
from resilience.errors import CircuitOpen
from resilience.events import CopyServed, FallbackFailed, TierFailed
from resilience.fallback import CachedFallback, FallbackOptions, Freshness, Served
from resilience.options import InvalidOptionsError
from resilience.testing import FakeClock, ScriptedCall, settle
from resilience.verdict import Fault, Verdict

from .conftest import Recorder

DOWN = ConnectionError("down")
KEY = CopyKey("users.profile.v1", "ana", "owner")


class NotFound(Exception):
    verdict = Verdict(Fault.CALLER)


class JsonCodec:
    """Strict JSON objects of strings."""

    def encode(self, value: str) -> bytes:
        return json.dumps({"v": value}).encode()

    def decode(self, data: bytes) -> str:
        value = json.loads(data)["v"]
        if not isinstance(value, str):
            raise TypeError("not a string")
        return value


class Tier:
    """A shared tier in memory, on the test's clock, that fails or hangs when told to."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.held: dict[str, tuple[bytes, float]] = {}
        self.trouble: Callable[[], Awaitable[object]] | None = None
        self.calls: list[str] = []
        self.lifetimes: list[float] = []

    async def _work(self, operation: str) -> None:
        self.calls.append(operation)
        if self.trouble is not None:
            await self.trouble()

    async def get(self, key: str) -> tuple[bytes, float] | None:
        await self._work("get")
        found = self.held.get(key)
        return None if found is None else (found[0], self.clock.monotonic() - found[1])

    async def put(self, key: str, data: bytes, age: float, lifetime: float) -> None:
        await self._work("put")
        self.lifetimes.append(lifetime)
        self.held[key] = (data, self.clock.monotonic() - age)

    async def discard(self, key: str) -> None:
        await self._work("discard")
        self.held.pop(key, None)


async def everybody() -> bool:
    return True


async def nobody() -> bool:
    return False


class Rig:
    """A fallback with its parts at hand."""

    def __init__(
        self, clock: FakeClock, options: FallbackOptions | None = None, tier: Tier | None = None
    ) -> None:
        self.clock = clock
        self.recorder = Recorder()
        self.fallback = CachedFallback(
            "users", options, shared=tier, clock=clock, events=self.recorder
        )

    async def serve(
        self,
        *outcomes: str | BaseException,
        key: CopyKey = KEY,
        authorise: Callable[[], Awaitable[bool]] = everybody,
        takes: float = 0.0,
    ) -> Served[str]:
        call = ScriptedCall[str](outcomes, clock=self.clock, takes=takes)
        task = asyncio.create_task(self.fallback.serve(key, call, JsonCodec(), authorise))
        await self.clock.advance(takes)
        await settle()
        return await task


async def test_a_live_answer_is_live(clock: FakeClock) -> None:
    """While the dependency answers, every call asks it, and nothing is marked."""
    rig = Rig(clock)
    assert await rig.serve("one") == Served("one", Freshness.LIVE)
    assert await rig.serve("two") == Served("two", Freshness.LIVE)
    assert rig.recorder.events == []


async def test_the_last_good_answer_stands_in_and_says_how_old_it_is(clock: FakeClock) -> None:
    """A failed call yields the copy, marked stale, with its age and the reason."""
    rig = Rig(clock)
    await rig.serve("one")
    clock.jump(42.0)
    assert await rig.serve(DOWN) == Served("one", Freshness.STALE, 42.0, "local", DOWN)
    (event,) = rig.recorder.events
    assert event == CopyServed("users", "stale", "local", 42.0, DOWN)


@pytest.mark.parametrize(
    "error", [DOWN, TimeoutError(), CircuitOpen("users", 1.0, "open"), DeadlineExceeded("late")]
)
async def test_whatever_kept_the_answer_from_coming_a_copy_stands_in(
    clock: FakeClock, error: Exception
) -> None:
    """Failures, timeouts, rejections and passed deadlines alike."""
    rig = Rig(clock)
    await rig.serve("one")
    assert (await rig.serve(error)).freshness is Freshness.STALE


async def test_a_copy_that_is_too_old_is_not_served(clock: FakeClock) -> None:
    """Past `stale_seconds` the error itself is raised, and told."""
    rig = Rig(clock, FallbackOptions(stale_seconds=300))
    await rig.serve("one")
    clock.jump(300.0)
    assert (await rig.serve(DOWN)).age == 300.0
    clock.jump(0.001)
    with pytest.raises(ConnectionError):
        await rig.serve(DOWN)
    assert FallbackFailed("users", "absent", DOWN) in rig.recorder.events


async def test_without_a_copy_the_error_is_raised_as_it_came(clock: FakeClock) -> None:
    """No answer was ever seen: the caller gets the dependency's own error."""
    with pytest.raises(ConnectionError) as caught:
        await Rig(clock).serve(DOWN)
    assert caught.value is DOWN


async def test_errors_are_never_kept(clock: FakeClock) -> None:
    """A failed call leaves the copy as it was, age and all."""
    rig = Rig(clock)
    await rig.serve("one")
    for _ in range(3):
        clock.jump(10.0)
        await rig.serve(DOWN)
    assert (await rig.serve(DOWN)).age == 30.0


async def test_a_definite_no_is_passed_on_and_the_copy_forgotten(clock: FakeClock) -> None:
    """ "Not found" is an answer: the copy is wrong now, and is not served afterwards either."""
    rig = Rig(clock, tier=(tier := Tier(clock)))
    await rig.serve("one")
    with pytest.raises(NotFound):
        await rig.serve(NotFound())
    with pytest.raises(ConnectionError):
        await rig.serve(DOWN)
    assert tier.held == {}


async def test_copies_never_cross_users(clock: FakeClock) -> None:
    """Another entity and another view of the same entity have no copy of this one."""
    rig = Rig(clock)
    await rig.serve("ana's balance")
    for key in (
        CopyKey("users.profile.v1", "bia", "owner"),
        CopyKey("users.profile.v1", "ana", "counterparty"),
        CopyKey("users.profile.v2", "ana", "owner"),
    ):
        with pytest.raises(ConnectionError):
            await rig.serve(DOWN, key=key)


async def test_who_may_not_read_now_gets_no_copy(clock: FakeClock) -> None:
    """Authorisation is asked afresh each time; a no, or an error in asking, serves nothing."""
    rig = Rig(clock, FallbackOptions(fresh_seconds=60))
    await rig.serve("one")

    async def broken() -> bool:
        raise ConnectionError("the rights cannot be looked up")

    for authorise in (nobody, broken):
        with pytest.raises(ConnectionError):
            await rig.serve(DOWN, authorise=authorise)
        assert (await rig.serve("live", authorise=authorise)).freshness is Freshness.LIVE
    assert rig.recorder.of(CopyServed) == []
    assert FallbackFailed("users", "unauthorised", DOWN) in rig.recorder.events


async def test_a_fresh_copy_is_served_without_a_call(clock: FakeClock) -> None:
    """Within `fresh_seconds` the dependency is not asked; after them it is."""
    rig = Rig(clock, FallbackOptions(fresh_seconds=10))
    await rig.serve("one")
    clock.jump(10.0)
    assert await rig.serve("two") == Served("one", Freshness.FRESH, 10.0, "local")
    clock.jump(0.1)
    assert await rig.serve("two") == Served("two", Freshness.LIVE)


async def test_a_stale_copy_is_served_while_it_is_renewed_behind_the_call(
    clock: FakeClock,
) -> None:
    """Within the time for revalidation one renewal runs, with a deadline and priority of its own."""
    rig = Rig(
        clock, FallbackOptions(fresh_seconds=10, revalidate_seconds=20, revalidation_seconds=2)
    )
    await rig.serve("one")
    clock.jump(15.0)
    carried: list[tuple[float, Priority]] = []

    async def renew() -> str:
        deadline = current_deadline()
        assert deadline is not None
        carried.append((deadline.remaining(), current_priority()))
        await clock.sleep(0.5)
        return "two"

    with call_context(deadline=Deadline.after(0.1, clock), priority=Priority.CRITICAL):
        for _ in range(5):
            served = await rig.fallback.serve(KEY, renew, JsonCodec(), everybody)
            assert served == Served("one", Freshness.REVALIDATING, 15.0, "local")
    await clock.advance(1.0)
    assert carried == [(2.0, Priority.BACKGROUND)]
    renewed = await rig.serve("three")
    assert (renewed.value, renewed.freshness) == ("two", Freshness.FRESH)


async def test_a_renewal_that_fails_leaves_the_copy_and_nothing_else(clock: FakeClock) -> None:
    """The copy stands until it is too old; no error is left behind."""
    rig = Rig(clock, FallbackOptions(fresh_seconds=10, revalidate_seconds=20))
    await rig.serve("one")
    clock.jump(15.0)
    assert (await rig.serve(DOWN)).freshness is Freshness.REVALIDATING
    clock.jump(10.0)
    assert (await rig.serve(DOWN)).value == "one"
    assert not rig.fallback._renewals


async def test_no_more_renewals_run_than_are_allowed(clock: FakeClock) -> None:
    """With the bound reached, copies are served and not renewed; closing ends the renewals."""
    options = FallbackOptions(fresh_seconds=1, revalidate_seconds=60, revalidations=2)
    rig = Rig(clock, options)
    keys = [CopyKey("c", str(number), "owner") for number in range(5)]
    for key in keys:
        await rig.serve("one", key=key)
    clock.jump(5.0)
    call = ScriptedCall[str](["two"], clock=clock, takes=30.0)
    for key in keys:
        await rig.fallback.serve(key, call, JsonCodec(), everybody)
    await settle()
    assert call.calls == 2
    await rig.fallback.aclose()
    assert not rig.fallback._renewals


async def test_the_call_leaves_time_to_find_a_copy(clock: FakeClock) -> None:
    """The call is given a little less than the deadline, so that the copy comes within it."""
    rig = Rig(clock, FallbackOptions(reserve_seconds=0.06))
    await rig.serve("one")
    seen: list[float] = []

    async def ask() -> str:
        deadline = current_deadline()
        assert deadline is not None
        seen.append(deadline.remaining())
        raise DOWN

    with call_context(deadline=Deadline.after(1.0, clock)):
        await rig.fallback.serve(KEY, ask, JsonCodec(), everybody)
    assert seen == [pytest.approx(0.94)]


async def test_a_late_answer_does_not_replace_a_younger_copy(clock: FakeClock) -> None:
    """Of two overlapping calls the one that began later wins, whichever ends last."""
    rig = Rig(clock)
    slow = asyncio.create_task(
        rig.fallback.serve(
            KEY, ScriptedCall[str](["old"], clock=clock, takes=5.0), JsonCodec(), everybody
        )
    )
    await clock.advance(1.0)
    await rig.serve("new")
    await clock.advance(5.0)
    await slow
    assert (await rig.serve(DOWN)).value == "new"


async def test_an_answer_that_is_too_large_is_passed_on_and_not_kept(clock: FakeClock) -> None:
    """Nor is the smaller copy of earlier, which is known to be outdated."""
    rig = Rig(clock, FallbackOptions(copy_bytes=100))
    await rig.serve("one")
    assert (await rig.serve("x" * 200)).freshness is Freshness.LIVE
    with pytest.raises(ConnectionError):
        await rig.serve(DOWN)


async def test_cancellation_is_never_answered_with_a_copy(clock: FakeClock) -> None:
    """A cancelled call is cancelled."""
    rig = Rig(clock)
    await rig.serve("one")
    task = asyncio.create_task(
        rig.fallback.serve(KEY, asyncio.Event().wait, JsonCodec(), everybody)  # type: ignore[arg-type]
    )
    await settle()
    task.cancel()
    await settle()
    assert task.cancelled()


async def test_a_wrapped_function_says_how_its_answer_came_about(clock: FakeClock) -> None:
    """`wrap` hands the call's own arguments to the key and to the authorisation."""
    rig = Rig(clock)
    asked: list[str] = []

    async def profile(user: str, *, viewer: str) -> str:
        """A profile."""
        if asked:
            raise DOWN
        return f"profile of {user}"

    async def authorise(user: str, *, viewer: str) -> bool:
        asked.append(f"{viewer} reads {user}")
        return viewer == user

    served = rig.fallback.wrap(
        profile,
        key=lambda user, *, viewer: CopyKey("profile.v1", user, "owner"),
        codec=JsonCodec(),
        authorise=authorise,
    )
    assert served.__doc__ == "A profile."
    assert (await served("ana", viewer="ana")).value == "profile of ana"
    asked.append("from now on it fails")
    assert (await served("ana", viewer="ana")).freshness is Freshness.STALE
    with pytest.raises(ConnectionError):
        await served("ana", viewer="bia")


# -- the shared tier --------------------------------------------------------------------------


async def test_another_process_finds_the_copy_in_the_shared_tier(clock: FakeClock) -> None:
    """What one process saw stands in for another, with its true age."""
    tier = Tier(clock)
    await Rig(clock, tier=tier).serve("one")
    clock.jump(20.0)
    other = Rig(clock, tier=tier)
    served = await other.serve(DOWN)
    assert (served.value, served.tier, served.age) == ("one", "shared", 20.0)
    assert (await other.serve(DOWN)).tier == "local"


async def test_a_dead_shared_tier_is_bypassed(clock: FakeClock) -> None:
    """Answers and local copies go on; after three failures the tier is left alone for a while."""
    tier = Tier(clock)
    rig = Rig(clock, tier=tier)

    async def refuse() -> None:
        raise ConnectionError("refused")

    tier.trouble = refuse
    for number in range(10):
        assert (await rig.serve("one", key=CopyKey("c", str(number), "v"))).value == "one"
    assert len(tier.calls) == 3
    assert (await rig.serve(DOWN, key=CopyKey("c", "1", "v"))).tier == "local"
    tier.trouble = None
    clock.jump(3.0)
    await rig.serve("two")
    assert tier.held


async def test_a_hanging_shared_tier_costs_its_timeout_and_then_nothing(clock: FakeClock) -> None:
    """Writes wait behind the call; a read of a missing copy waits 50 ms, three times."""
    tier = Tier(clock)
    rig = Rig(clock, tier=tier)
    tier.trouble = asyncio.Event().wait
    for _ in range(3):
        task = asyncio.create_task(
            rig.fallback.serve(KEY, ScriptedCall[str]([DOWN]), JsonCodec(), everybody)
        )
        await clock.advance(0.05)
        assert task.done()
        await asyncio.gather(task, return_exceptions=True)
    at_once = asyncio.create_task(
        rig.fallback.serve(KEY, ScriptedCall[str]([DOWN]), JsonCodec(), everybody)
    )
    await settle()
    assert at_once.done()
    await asyncio.gather(at_once, return_exceptions=True)


async def test_the_backlog_of_writes_is_bounded_and_newer_replaces_older(
    clock: FakeClock,
) -> None:
    """While the tier is slow, one write per key waits, and no more keys than allowed."""
    tier = Tier(clock)
    rig = Rig(clock, FallbackOptions(shared_backlog=3), tier=tier)
    assert rig.fallback.shared is not None
    gate = asyncio.Event()
    tier.trouble = gate.wait
    for value in ("one", "two", "three"):
        for number in range(5):
            await rig.serve(value, key=CopyKey("c", str(number), "v"))
        clock.jump(0.001)
    assert rig.fallback.shared.lost_writes == 6
    gate.set()
    await settle()
    await rig.fallback.aclose()
    assert sorted(json.loads(data)["v"] for data, _ in tier.held.values()) == ["three"] * 3


async def test_a_copy_that_cannot_be_read_is_as_good_as_none(clock: FakeClock) -> None:
    """Bytes of another version are told, forgotten, and never served."""
    rig = Rig(clock)
    rig.fallback.local.put(KEY.text(), Copy(b'{"v": 7}', clock.monotonic()))
    with pytest.raises(ConnectionError):
        await rig.serve(DOWN)
    assert isinstance(rig.recorder.events[0], TierFailed)
    assert len(rig.fallback.local) == 0


async def test_new_options_keep_the_copies(clock: FakeClock) -> None:
    """A reload changes ages at once and loses nothing that fits."""
    rig = Rig(clock)
    await rig.serve("one")
    clock.jump(400.0)
    rig.fallback.reconfigure(FallbackOptions(stale_seconds=600))
    assert (await rig.serve(DOWN)).age == 400.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"stale_seconds": 0},
        {"fresh_seconds": 200, "revalidate_seconds": 200},
        {"local_bytes": 10},
        {"revalidations": 0},
    ],
)
def test_ages_out_of_order_are_refused(wrong: dict[str, float]) -> None:
    """Fresh, revalidating and stale follow each other, and there is room for a copy."""
    with pytest.raises(InvalidOptionsError):
        FallbackOptions(**wrong)  # type: ignore[arg-type]


async def test_an_answer_that_cannot_be_kept_is_passed_on(
    clock: FakeClock, recorder: Recorder
) -> None:
    """A codec that raises costs the copy and not the answer; the outdated copy goes as well."""

    class Picky(JsonCodec):
        def encode(self, value: str) -> bytes:
            if value == "odd":
                raise TypeError("not for this codec")
            return super().encode(value)

    fallback = CachedFallback("users", clock=clock, events=recorder)
    call = ScriptedCall[str](["fine", "odd", DOWN])
    assert (await fallback.serve(KEY, call, Picky(), everybody)).value == "fine"
    odd = await fallback.serve(KEY, call, Picky(), everybody)
    assert (odd.value, odd.freshness) == ("odd", Freshness.LIVE)
    (told,) = recorder.of(TierFailed)
    assert isinstance(told, TierFailed)
    assert (told.source, told.operation) == ("users", "encode")
    assert isinstance(told.error, TypeError)
    with pytest.raises(ConnectionError):
        await fallback.serve(KEY, call, Picky(), everybody)


async def test_an_authorisation_that_hangs_does_not_outlive_the_deadline(clock: FakeClock) -> None:
    """Who cannot be authorised in time may not read, and sees the call's own error."""
    fallback = CachedFallback("users", clock=clock)
    call = ScriptedCall[str](["fine", DOWN])
    await fallback.serve(KEY, call, JsonCodec(), everybody)

    async def hangs() -> bool:
        await clock.sleep(3_600)
        return True

    with call_context(deadline=Deadline.after(1.0, clock)):
        task = asyncio.create_task(fallback.serve(KEY, call, JsonCodec(), hangs))
    await clock.advance(0.99)
    assert not task.done()
    await clock.advance(0.01)
    assert task.exception() is DOWN


async def test_an_authorisation_has_all_of_the_deadline(clock: FakeClock) -> None:
    """However long it takes: within the deadline it is waited for."""
    fallback = CachedFallback("users", clock=clock)
    call = ScriptedCall[str](["fine", DOWN])
    await fallback.serve(KEY, call, JsonCodec(), everybody)

    async def slow() -> bool:
        await clock.sleep(4.0)
        return True

    with call_context(deadline=Deadline.after(5.0, clock)):
        task = asyncio.create_task(fallback.serve(KEY, call, JsonCodec(), slow))
    await clock.advance(4.0)
    assert (await task).freshness is Freshness.STALE


async def test_a_copy_is_fresh_for_less_than_a_second_as_well(clock: FakeClock) -> None:
    """Ages are told exactly, however small."""
    rig = Rig(clock, FallbackOptions(fresh_seconds=0.5))
    await rig.serve("one")
    clock.jump(0.25)
    assert await rig.serve("two") == Served("one", Freshness.FRESH, 0.25, "local")


async def test_an_answer_of_exactly_the_largest_size_is_kept(clock: FakeClock) -> None:
    """The bound is what may be kept, and one byte more is too much."""
    size = len(JsonCodec().encode("12345"))
    rig = Rig(clock, FallbackOptions(copy_bytes=size))
    await rig.serve("12345")
    assert (await rig.serve(DOWN)).value == "12345"
    await rig.serve("123456")
    with pytest.raises(ConnectionError):
        await rig.serve(DOWN)


async def test_the_shared_tier_keeps_a_copy_for_as_long_as_it_may_be_served(
    clock: FakeClock,
) -> None:
    """Its lifetime there is the age up to which it stands in."""
    rig = Rig(clock, FallbackOptions(stale_seconds=120.0), tier=(tier := Tier(clock)))
    await rig.serve("one")
    await rig.fallback.aclose()
    assert tier.lifetimes == [120.0]


async def test_each_trouble_with_copies_says_whose_they_are(clock: FakeClock) -> None:
    """Bytes that cannot be read and a tier that fails: the dependency, the operation, the error."""
    rig = Rig(clock, tier=(tier := Tier(clock)))
    rig.fallback.local.put(KEY.text(), Copy(b"nonsense", clock.monotonic()))
    with pytest.raises(ConnectionError):
        await rig.serve(DOWN)
    (told,) = rig.recorder.of(TierFailed)
    assert isinstance(told, TierFailed)
    assert (told.source, told.operation) == ("users", "decode")
    assert isinstance(told.error, ValueError)

    async def refuse() -> None:
        raise DOWN

    await rig.fallback.aclose()
    rig.recorder.events.clear()
    tier.trouble = refuse
    with pytest.raises(ConnectionError):
        await rig.serve(DOWN)
    assert rig.recorder.of(TierFailed) == [TierFailed("users", "get", DOWN)]


async def test_a_renewal_that_hears_a_definite_no_forgets_the_copy(clock: FakeClock) -> None:
    """Behind the call as well: what is gone is not served any more."""
    rig = Rig(clock, FallbackOptions(fresh_seconds=1.0, revalidate_seconds=60.0))
    await rig.serve("one")
    clock.jump(2.0)
    assert (await rig.serve(NotFound())).freshness is Freshness.REVALIDATING
    await settle()
    with pytest.raises(ConnectionError):
        await rig.serve(DOWN)
