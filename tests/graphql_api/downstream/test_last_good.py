"""Copies of services' answers, apart from GraphQL."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from chassis import codes
from chassis.context import Call, UserIdentity
from chassis.health import Registry
from chassis.settings import Secret
from chassis.verdicts import judge
from graphql_api.batching import Ask, Failure
from graphql_api.downstream import last_good
from graphql_api.downstream.last_good import JsonCodec, Kept, LastGood, open_copies
from graphql_api.transactions.batches import names, transactions
from graphql_api.transactions.pages import KeptPage, Statement, kept_pages
from graphql_api.users.batches import KEPT as KEPT_PROFILES
from graphql_api.users.known import KnownProfile, ProfileCodec
from resilience import FallbackOptions, Freshness, Pipeline, PipelineOptions, Served
from resilience.deadline import Deadline
from resilience.testing import FakeClock
from services.transactions.contract import TransactionPage, TransactionStatus
from services.users.contract import Profile, PublicName, Role
from tests.graphql_api.driving import SETTINGS
from tests.graphql_api.fakes import Platform
from tests.graphql_api.outages import Keeping
from tests.waiting import eventually


def call_of(profile: Profile | None, seconds: float = 5.0) -> Call:
    user = UserIdentity(profile.id, profile.role) if profile else None
    return Call("correlation-1", Deadline.after(seconds), user=user)


def keeping_copies(**options: Any) -> LastGood:
    policies = PipelineOptions(fallback=FallbackOptions(**options))
    return LastGood(Pipeline("users", policies, classifier=judge))


KEPT_NAMES: Kept[UUID, PublicName] = Kept(
    contract="users.name.v1",
    codec=JsonCodec(PublicName),
    max_stale_seconds=60,
    entity=lambda _, id_: str(id_),
    view=lambda *_: "counterparty",
    may_read=lambda *_: True,
)


def name_of(id_: UUID) -> PublicName:
    return PublicName(id=id_, name="Ana", version=1)


async def test_without_policies_every_read_is_live_or_an_error() -> None:
    """No pipeline, no copies: the service's answer is passed on, and its error raised."""
    copies, id_ = LastGood(), uuid4()
    call = call_of(Platform().add_user())
    failing = False

    async def ask(_: Call) -> Sequence[PublicName | None]:
        if failing:
            raise codes.UNAVAILABLE.error(service="users")
        return [name_of(id_), None]

    outcomes = await copies.read(call, KEPT_NAMES, [id_, uuid4()], ask)
    assert outcomes == [Served(name_of(id_), Freshness.LIVE), None]
    failing = True
    with pytest.raises(Exception, match="UNAVAILABLE"):
        await copies.read(call, KEPT_NAMES, [id_], ask)


async def test_who_is_not_signed_in_neither_reads_nor_changes_copies() -> None:
    """To nobody the users service tells no names, which says nothing about whether there are any."""
    copies, id_ = keeping_copies(), uuid4()
    ana = Platform().add_user()
    answers: list[PublicName | None] = [name_of(id_), None]

    async def ask(_: Call) -> Sequence[PublicName | None]:
        if not answers:
            raise codes.UNAVAILABLE.error(service="users")
        return [answers.pop(0)]

    await copies.read(call_of(ana), KEPT_NAMES, [id_], ask)
    assert await copies.read(call_of(None), KEPT_NAMES, [id_], ask) == [None]
    with pytest.raises(Exception, match="UNAVAILABLE"):
        await copies.read(call_of(None), KEPT_NAMES, [id_], ask)
    (served,) = await copies.read(call_of(ana), KEPT_NAMES, [id_], ask)
    assert isinstance(served, Served)


async def test_the_call_leaves_time_for_the_copy() -> None:
    """A service that uses all the time it is given still leaves enough to serve a copy in the caller's."""
    copies, id_ = keeping_copies(reserve_seconds=0.06), uuid4()
    ana = Platform().add_user()
    hangs = False

    async def ask(call: Call) -> Sequence[PublicName | None]:
        if hangs:
            await asyncio.sleep(call.deadline.remaining())
            raise codes.DEADLINE_EXCEEDED.error(service="users")
        return [name_of(id_)]

    await copies.read(call_of(ana), KEPT_NAMES, [id_], ask)
    hangs = True
    call = call_of(ana, seconds=0.2)
    (served,) = await copies.read(call, KEPT_NAMES, [id_], ask)
    assert isinstance(served, Served)
    assert served.freshness is Freshness.STALE
    assert not call.deadline.expired


async def test_an_error_that_no_client_raises_is_masked() -> None:
    """A defect of ours beside served copies tells its place in the answer, and nothing of itself."""
    copies, known, unknown = keeping_copies(), uuid4(), uuid4()
    ana = Platform().add_user()
    broken = False

    async def ask(_: Call) -> Sequence[PublicName | None]:
        if broken:
            raise KeyError("internal detail")
        return [name_of(known)]

    await copies.read(call_of(ana), KEPT_NAMES, [known], ask)
    broken = True
    served, error = await copies.read(call_of(ana), KEPT_NAMES, [known, unknown], ask)
    assert isinstance(served, Served)
    assert isinstance(error, Exception)
    assert "INTERNAL" in str(error)
    assert "detail" not in str(error)


# -- what is kept, and how ------------------------------------------------------------------------


def test_a_profile_is_kept_without_its_role() -> None:
    """The bytes have no role; what comes back has none; bytes with one are refused."""
    profile = KnownProfile.of(Platform().add_user("Ana", role=Role.ADMIN))
    assert profile.role is Role.ADMIN
    codec = ProfileCodec()
    data = codec.encode(profile)
    assert b"admin" not in data
    assert codec.decode(data) == msgspec.structs.replace(profile, role=None)
    with pytest.raises(ValueError, match="never kept"):
        codec.decode(msgspec.json.encode(profile))


@pytest.mark.parametrize(
    "data", [b"", b"null", b"{}", b'{"id": 7}', b'{"id": "x", "name": "Ana", "version": 1}']
)
def test_bytes_of_another_shape_are_no_copy(data: bytes) -> None:
    """Codecs are strict: what another version wrote raises, and is not guessed at."""
    with pytest.raises(msgspec.MsgspecError):
        JsonCodec(PublicName).decode(data)


def test_a_copy_under_anothers_key_is_not_read() -> None:
    """Whatever got under the wrong key, a value is served only as what it says that it is."""
    platform = Platform()
    ana, bia = platform.add_user("Ana"), platform.add_user("Bia")
    assert KEPT_PROFILES.may_read(call_of(ana), ana.id, KnownProfile.of(ana))
    assert not KEPT_PROFILES.may_read(call_of(ana), ana.id, KnownProfile.of(bia))
    assert not KEPT_PROFILES.may_read(call_of(bia), ana.id, KnownProfile.of(ana))
    assert not KEPT_PROFILES.may_read(call_of(None), ana.id, KnownProfile.of(ana))


def test_pages_that_share_a_slot_are_told_apart() -> None:
    """The slots of a reader are few; a page is served only for the arguments that it answers."""
    ana = Platform().add_user()
    digests: dict[str, str] = {}
    for first in range(1, 101):
        digest = Statement(first).digest()
        entity = kept_pages(digest).entity(call_of(ana), ana.id)
        other = digests.setdefault(entity, digest)
        if other != digest:
            break
    page = KeptPage(statement=digest, page=TransactionPage(transactions=[], next=None))
    assert kept_pages(digest).may_read(call_of(ana), ana.id, page)
    assert not kept_pages(other).may_read(call_of(ana), ana.id, page)
    assert len(digests) <= 64


def test_different_arguments_have_different_names() -> None:
    """Each argument of a statement is part of its digest."""
    plain = Statement(20)
    others = [
        Statement(21),
        replace(plain, after="cursor"),
        replace(plain, status=TransactionStatus.FAILED),
        replace(plain, counterparty_id=uuid4()),
    ]
    assert len({item.digest() for item in [plain, *others]}) == len(others) + 1
    assert Statement(20).digest() == plain.digest()


# -- at rest --------------------------------------------------------------------------------------


async def test_copies_in_valkey_carry_our_prefix_and_end_by_themselves(valkey_url: str) -> None:
    """Personal data at rest: every key has a time to live, of the declared age at most."""
    settings = replace(SETTINGS.shared, redis_url=Secret(valkey_url))
    registry, clock = Registry(), FakeClock()
    shared = open_copies(settings, registry)
    assert shared is not None
    one = Keeping(clock=clock, tier=shared)
    ana = one.platform.add_user("Ana")
    client: Redis = Redis.from_url(valkey_url)

    async def kept() -> list[Any]:
        assert (await one.query("{ me { name } }", user=ana)).errors == []
        await one.settle()
        return [key async for key in client.scan_iter(f"{last_good.PREFIX}*{ana.id}*")]

    mine = await eventually(
        kept, why="a copy that a busy Valkey did not take in time is offered again"
    )
    assert len(mine) == 1
    assert 3_500_000 < await client.pttl(mine[0]) <= 3_600_000
    other = Keeping(one.platform, clock=clock, tier=shared)
    other.stop("users")

    async def shown() -> bool:
        reply = await other.query("{ me { name freshness { state } } }", user=ana)
        assert reply.data["me"] == {"name": "Ana", "freshness": {"state": "STALE"}}
        return True

    await eventually(shown, why="the copy stands in at another gateway")
    await client.delete(*mine)
    await client.aclose()
    await registry.close()


def test_without_valkey_nothing_is_shared() -> None:
    """No address, no shared tier: copies stay in the process."""
    assert open_copies(SETTINGS.shared, Registry()) is None


# -- properties -----------------------------------------------------------------------------------

READS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 3), st.sets(st.integers(0, 5), min_size=1)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(READS)
def test_stale_data_never_crosses_readers(reads: list[tuple[bool, int, set[int]]]) -> None:
    """Whoever reads what in whatever order: in an outage a reader gets exactly those transactions that they
    themselves were shown before, and the service's error for all others."""

    async def run() -> None:
        keeping = Keeping()
        platform = keeping.platform
        people = [platform.add_user(f"Person {number}") for number in range(3)]
        people.append(platform.add_user("Support", role=Role.SUPPORT))
        rows = [platform.add_transfer(people[n % 3], people[(n + 1) % 3]) for n in range(6)]
        downstream = platform.behind(keeping.pipelines)
        shown: set[tuple[int, int]] = set()
        for up, reader, asked in reads:
            keeping.start("transactions") if up else keeping.stop("transactions")
            wanted = sorted(asked)
            ask = Ask(call_of(people[reader]), downstream)
            outcomes = await transactions(ask, [rows[number].id for number in wanted])
            for number, outcome in zip(wanted, outcomes, strict=True):
                if up:
                    shown |= {(reader, number)} if outcome is not None else set()
                elif (reader, number) in shown:
                    assert isinstance(outcome, Served)
                    assert outcome.freshness is Freshness.STALE
                    assert outcome.value == rows[number]
                else:
                    assert isinstance(outcome, Failure)

    asyncio.run(run())


async def test_names_are_one_view_for_all_who_are_signed_in() -> None:
    """All that a counterparty may know is the name, which is the same for everybody."""
    keeping = Keeping()
    ana, bia = keeping.platform.add_user("Ana"), keeping.platform.add_user("Bia")
    downstream = keeping.platform.behind(keeping.pipelines)
    await names(Ask(call_of(ana), downstream), [bia.id])
    keeping.stop("users")
    (served,) = await names(Ask(call_of(bia), downstream), [bia.id])
    assert isinstance(served, Served)
    assert served.value.name == "Bia"
