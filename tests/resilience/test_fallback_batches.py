"""The cached fallback of batches: one call for many keys, and what stands in for each of them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.context import call_context, current_deadline
from resilience.copies import CopyKey
from resilience.deadline import Deadline, DeadlineExceeded
from resilience.errors import CircuitOpen
from resilience.events import CopyServed, FallbackFailed
from resilience.fallback import LOOKUPS, CachedFallback, FallbackOptions, Freshness, Served
from resilience.testing import FakeClock, settle
from resilience.verdict import Fault, Verdict

from .conftest import Recorder
from .test_fallback import DOWN, JsonCodec, NotFound, Tier

Values = Sequence[str | None]


class TokenExpired(Exception):
    verdict = Verdict(Fault.CALLER)


def key(entity: str, view: str = "owner") -> CopyKey:
    return CopyKey("users.profile.v1", entity, view)


async def anybody(_: CopyKey, __: str) -> bool:
    return True


class Batches:
    """A fallback, and batches asked through it."""

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
        entities: str,
        outcome: Values | Exception,
        *,
        authorise: Callable[[CopyKey, str], Awaitable[bool]] = anybody,
        max_stale_seconds: float | None = None,
        forgets: Callable[[Exception], bool] = lambda _: True,
        view: str = "owner",
    ) -> list[Served[str] | Exception | None]:
        """The batch of one key per letter of `entities`."""

        async def ask() -> Values:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return await self.fallback.serve_many(
            [key(entity, view) for entity in entities],
            ask,
            JsonCodec(),
            authorise,
            max_stale_seconds=max_stale_seconds,
            forgets=forgets,
        )


async def test_a_live_batch_is_live(clock: FakeClock) -> None:
    """While the dependency answers, each value is its own, unmarked, and a none is a none."""
    batches = Batches(clock)
    assert await batches.serve("ab", ["ana", None]) == [Served("ana", Freshness.LIVE), None]
    assert batches.recorder.events == []


@pytest.mark.parametrize(
    "error", [DOWN, TimeoutError(), CircuitOpen("users", 1.0, "open"), DeadlineExceeded("late")]
)
async def test_what_has_a_copy_is_served_and_the_rest_fails_alone(
    clock: FakeClock, error: Exception
) -> None:
    """Entities with errors for the rest: each key's outcome is its copy, or the error."""
    batches = Batches(clock)
    await batches.serve("ab", ["ana", "bia"])
    clock.jump(7.0)
    outcomes = await batches.serve("xbya", error)
    assert outcomes == [
        error,
        Served("bia", Freshness.STALE, 7.0, "local", error),
        error,
        Served("ana", Freshness.STALE, 7.0, "local", error),
    ]
    assert batches.recorder.of(CopyServed) == [
        CopyServed("users", "stale", "local", 7.0, error),
        CopyServed("users", "stale", "local", 7.0, error),
    ]
    assert batches.recorder.of(FallbackFailed) == [FallbackFailed("users", "absent", error)] * 2


async def test_without_any_copy_the_error_is_raised_as_it_came(clock: FakeClock) -> None:
    """Nothing stands in: the caller sees the dependency's own error, once."""
    with pytest.raises(ConnectionError) as caught:
        await Batches(clock).serve("ab", DOWN)
    assert caught.value is DOWN


async def test_a_none_is_definite_and_forgets_its_copy_alone(clock: FakeClock) -> None:
    """What is gone is not brought back by a later failure; its neighbours keep their copies."""
    batches = Batches(clock, tier=(tier := Tier(clock)))
    await batches.serve("ab", ["ana", "bia"])
    assert await batches.serve("ab", [None, "bia"]) == [None, Served("bia", Freshness.LIVE)]
    gone, kept = await batches.serve("ab", DOWN)
    assert gone is DOWN
    assert isinstance(kept, Served)
    assert list(tier.held) == [key("b").text()]


async def test_a_definite_no_is_passed_on_and_forgets_what_it_is_about(clock: FakeClock) -> None:
    """A refusal of the keys wipes their copies, and no others."""
    batches = Batches(clock)
    await batches.serve("abc", ["ana", "bia", "eva"])
    with pytest.raises(NotFound):
        await batches.serve("ab", NotFound())
    assert [isinstance(item, Served) for item in await batches.serve("abc", DOWN)] == [
        False,
        False,
        True,
    ]


async def test_a_no_to_how_it_was_asked_wipes_nothing(clock: FakeClock) -> None:
    """One reader's expired token is passed on, and costs nobody the copies."""
    batches = Batches(clock)
    await batches.serve("a", ["ana"])
    with pytest.raises(TokenExpired):
        await batches.serve(
            "a", TokenExpired(), forgets=lambda error: not isinstance(error, TokenExpired)
        )
    (served,) = await batches.serve("a", DOWN)
    assert isinstance(served, Served)


async def test_the_shorter_of_both_ages_bounds(clock: FakeClock) -> None:
    """Neither the options' bound nor the caller's is ever exceeded."""
    batches = Batches(clock, FallbackOptions(stale_seconds=300))
    await batches.serve("a", ["ana"])
    clock.jump(100.0)
    assert isinstance((await batches.serve("a", DOWN, max_stale_seconds=100.0))[0], Served)
    clock.jump(0.001)
    with pytest.raises(ConnectionError):
        await batches.serve("a", DOWN, max_stale_seconds=100.0)
    clock.jump(200.0)
    with pytest.raises(ConnectionError):
        await batches.serve("a", DOWN, max_stale_seconds=10_000.0)


async def test_the_shared_tier_keeps_copies_no_longer_than_they_may_be_served(
    clock: FakeClock,
) -> None:
    """Its lifetime is the bound on the age, and the options' where there is no shorter one."""
    lifetimes: list[float] = []

    class Lifetimes(Tier):
        async def put(self, key: str, data: bytes, age: float, lifetime: float) -> None:
            lifetimes.append(lifetime)

    batches = Batches(clock, FallbackOptions(stale_seconds=300), tier=Lifetimes(clock))
    for entity, bound in (("a", 60.0), ("b", 3_600.0), ("c", None)):
        await batches.serve(entity, ["ana"], max_stale_seconds=bound)
        await settle()
    assert lifetimes == [60.0, 300.0, 300.0]


async def test_every_copy_is_authorised_afresh_and_alone(clock: FakeClock) -> None:
    """The reader is asked about with each copy's key and value; a no or an error serves nothing."""
    batches = Batches(clock)
    await batches.serve("abc", ["ana", "bia", "eva"])
    asked: list[tuple[str, str]] = []

    async def only_bia(asked_key: CopyKey, value: str) -> bool:
        asked.append((asked_key.entity, value))
        if value == "eva":
            raise ConnectionError("the rights cannot be looked up")
        return value == "bia"

    outcomes = await batches.serve("abc", DOWN, authorise=only_bia)
    assert [isinstance(outcome, Served) for outcome in outcomes] == [False, True, False]
    assert asked == [("a", "ana"), ("b", "bia"), ("c", "eva")]
    assert (
        batches.recorder.of(FallbackFailed) == [FallbackFailed("users", "unauthorised", DOWN)] * 2
    )


async def test_views_are_apart(clock: FakeClock) -> None:
    """What was kept for staff stands in for staff only."""
    batches = Batches(clock)
    await batches.serve("a", ["ana as staff see her"], view="staff")
    with pytest.raises(ConnectionError):
        await batches.serve("a", DOWN, view="owner")


async def test_a_batch_asks_however_fresh_its_copies_are(clock: FakeClock) -> None:
    """`fresh_seconds` and `revalidate_seconds` serve no batch early."""
    batches = Batches(clock, FallbackOptions(fresh_seconds=60, revalidate_seconds=60))
    await batches.serve("a", ["one"])
    assert await batches.serve("a", ["two"]) == [Served("two", Freshness.LIVE)]
    clock.jump(90.0)
    assert await batches.serve("a", ["three"]) == [Served("three", Freshness.LIVE)]


async def test_an_answer_of_the_wrong_length_is_nobodys(clock: FakeClock) -> None:
    """If the promise of one value per key is broken, nothing is handed out, and nothing kept."""
    batches = Batches(clock)
    with pytest.raises(RuntimeError, match="asked for 2 and got 1"):
        await batches.serve("ab", ["ana"])
    assert len(batches.fallback.local) == 0


async def test_an_answer_that_began_later_is_kept(clock: FakeClock) -> None:
    """The age counts from the beginning of the call: a slow answer is as old as its question."""
    batches = Batches(clock)

    async def slow() -> Values:
        await clock.sleep(5.0)
        return ["ana"]

    task = asyncio.create_task(batches.fallback.serve_many([key("a")], slow, JsonCodec(), anybody))
    await clock.advance(5.0)
    await task
    (served,) = await batches.serve("a", DOWN)
    assert isinstance(served, Served)
    assert served.age == 5.0


async def test_the_call_leaves_time_to_look_for_copies(clock: FakeClock) -> None:
    """Of a long deadline it leaves the reserve; of a very short one it has half at least."""
    batches = Batches(clock, FallbackOptions(reserve_seconds=0.06))
    seen: list[float] = []

    async def ask() -> Values:
        deadline = current_deadline()
        assert deadline is not None
        seen.append(round(deadline.remaining(), 6))
        return ["ana"]

    for seconds in (1.0, 0.05):
        with call_context(deadline=Deadline.after(seconds, clock)):
            await batches.fallback.serve_many([key("a")], ask, JsonCodec(), anybody)
    assert seen == [0.94, 0.025]


# -- the shared tier --------------------------------------------------------------------------


async def test_the_shared_tier_is_asked_for_a_few_at_a_time(clock: FakeClock) -> None:
    """A batch of a hundred keeps at most `LOOKUPS` look-ups under way, and finds everything."""
    tier = Tier(clock)
    entities = "".join(chr(0x4E00 + number) for number in range(100))
    await Batches(clock, tier=tier).serve(entities, list(entities))
    await settle(300)
    under_way = most = 0

    async def slow() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    tier.trouble = slow
    outcomes = await Batches(clock, tier=tier).serve(entities, DOWN)
    assert [item.value for item in outcomes if isinstance(item, Served)] == list(entities)
    assert {item.tier for item in outcomes if isinstance(item, Served)} == {"shared"}
    assert most == LOOKUPS


async def test_many_slow_look_ups_take_about_as_long_as_one(clock: FakeClock) -> None:
    """A tier that answers just in time costs a batch one timeout and the round under way."""
    tier = Tier(clock)
    entities = "".join(chr(0x4E00 + number) for number in range(100))
    await Batches(clock, tier=tier).serve(entities, list(entities))
    await settle(300)

    async def slow() -> None:
        await clock.sleep(0.02)

    tier.trouble = slow
    options = FallbackOptions(shared_timeout_seconds=0.05)
    other = Batches(clock, options, tier=tier)
    started = clock.monotonic()
    ended: list[float] = []

    async def ask() -> None:
        outcomes = await other.serve(entities, DOWN)
        ended.append(clock.monotonic())
        assert sum(isinstance(item, Served) for item in outcomes) == 3 * LOOKUPS

    task = asyncio.create_task(ask())
    await clock.advance(1.0)
    await task
    assert ended[0] - started == pytest.approx(0.06)


async def test_a_look_up_begins_until_the_tiers_time_is_up(clock: FakeClock) -> None:
    """At the very end of the shared tier's time one more round of look-ups begins."""
    tier = Tier(clock)
    entities = "".join(chr(0x4E00 + number) for number in range(100))
    await Batches(clock, tier=tier).serve(entities, list(entities))
    await settle(300)

    async def slow() -> None:
        await clock.sleep(0.03125)

    tier.trouble = slow
    other = Batches(clock, FallbackOptions(shared_timeout_seconds=0.0625), tier=tier)
    task = asyncio.create_task(other.serve(entities, DOWN))
    await clock.advance(1.0)
    assert sum(isinstance(item, Served) for item in await task) == 3 * LOOKUPS


async def test_under_a_deadline_copies_are_authorised_until_it_ends(clock: FakeClock) -> None:
    """Who is authorised in time has the copy; an authorisation that hangs costs its own key alone."""
    batches = Batches(clock)
    await batches.serve("ab", ["ana", "bia"])

    async def hangs_for_bia(asked: CopyKey, _: str) -> bool:
        if asked.entity == "b":
            await clock.sleep(3_600)
        return True

    async def ask() -> list[Served[str] | Exception | None]:
        with call_context(deadline=Deadline.after(2.0, clock)):
            return await batches.serve("ab", DOWN, authorise=hangs_for_bia)

    task = asyncio.create_task(ask())
    await clock.advance(2.0)
    served, failed = await task
    assert isinstance(served, Served)
    assert served.value == "ana"
    assert failed is DOWN


async def test_bytes_that_have_not_changed_are_not_written_again_at_once(clock: FakeClock) -> None:
    """The shared tier gets a change at once and the same again after a minute; there, a copy may look
    older than it is, and never younger."""
    tier = Tier(clock)
    batches = Batches(clock, FallbackOptions(shared_rewrite_seconds=60.0), tier=tier)

    async def writes(value: str) -> int:
        tier.calls.clear()
        await batches.serve("a", [value])
        await settle()
        return len(tier.calls)

    assert await writes("one") == 1
    clock.jump(1.0)
    assert await writes("one") == 0
    clock.jump(58.0)
    assert await writes("one") == 0
    (here,) = await batches.serve("a", DOWN)
    (there,) = await Batches(clock, tier=tier).serve("a", DOWN)
    assert isinstance(here, Served)
    assert isinstance(there, Served)
    assert (here.age, there.age) == (0.0, 59.0)
    assert await writes("two") == 1
    clock.jump(60.0)
    assert await writes("two") == 1
    assert await writes("two") == 0
    short = Batches(clock, FallbackOptions(stale_seconds=10.0), tier=(brief := Tier(clock)))
    await short.serve("a", ["one"])
    await settle()
    clock.jump(5.0)
    await short.serve("a", ["one"])
    await settle()
    assert brief.calls == ["put", "put"]
    clock.jump(4.5)
    await short.serve("a", ["one"])
    await settle()
    assert brief.calls == ["put", "put"]
    await batches.serve("a", [None])
    assert await writes("two") == 1


async def test_a_dead_shared_tier_leaves_the_local_copies(clock: FakeClock) -> None:
    """What this process has is served; for the rest the tier is given up after three failures."""
    tier = Tier(clock)
    batches = Batches(clock, tier=tier)
    await batches.serve("ab", ["ana", "bia"])
    await settle(100)

    async def refuse() -> None:
        raise ConnectionError("refused")

    tier.trouble = refuse
    tier.calls.clear()
    outcomes = await batches.serve("abcdefghijklmnopqrstuvwxyz", DOWN)
    assert [isinstance(item, Served) for item in outcomes] == [True, True] + [False] * 24
    assert len(tier.calls) <= LOOKUPS
    tier.calls.clear()
    await batches.serve("abcdefghijklmnopqrstuvwxyz", DOWN)
    assert tier.calls == []


ENTITIES = "abcd"
Step = tuple[str, str, float]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["live", "gone", "down"]),
            st.text(ENTITIES, min_size=1, max_size=4).map(
                lambda text: "".join(dict.fromkeys(text))
            ),
            st.sampled_from([0.0, 1.0, 40.0, 100.0]),
        ),
        max_size=12,
    )
)
def test_a_batch_follows_its_model(steps: list[Step]) -> None:
    """Whatever happens in whatever order: an outage serves exactly the last values that are neither
    gone nor too old, under their own keys, with their true ages."""

    async def run() -> None:
        clock = FakeClock()
        batches = Batches(clock, FallbackOptions(stale_seconds=100.0))
        known: dict[str, tuple[str, float]] = {}
        for number, (what, entities, passes) in enumerate(steps):
            clock.jump(passes)
            now = clock.monotonic()
            if what == "live":
                await batches.serve(entities, [f"{item}{number}" for item in entities])
                known.update({item: (f"{item}{number}", now) for item in entities})
            elif what == "gone":
                await batches.serve(entities, [None] * len(entities))
                for item in entities:
                    known.pop(item, None)
            else:
                expected: list[Served[str] | Exception | None] = [
                    Served(known[item][0], Freshness.STALE, now - known[item][1], "local", DOWN)
                    if item in known and now - known[item][1] <= 100.0
                    else DOWN
                    for item in entities
                ]
                try:
                    assert await batches.serve(entities, DOWN) == expected
                except ConnectionError:
                    assert all(item is DOWN for item in expected)

    asyncio.run(run())
