"""Hints between replicas: they lower a threshold together, and open nothing by themselves."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from resilience.breaker import BreakerOptions, CircuitBreaker
from resilience.events import Emitter, TierFailed
from resilience.hints import HintOptions, ReplicaHints
from resilience.options import InvalidOptionsError
from resilience.redis_hints import RedisHintChannel
from resilience.testing import FakeClock, settle
from tests.waiting import eventually

from .conftest import Recorder


class Wire:
    """A channel in memory: what one publishes all others hear, unless it is cut."""

    def __init__(self) -> None:
        self.queues: list[asyncio.Queue[bytes]] = []
        self.cut = False

    async def publish(self, message: bytes) -> None:
        if self.cut:
            raise ConnectionError("cut")
        for queue in self.queues:
            queue.put_nowait(message)

    async def messages(self) -> AsyncIterator[bytes]:
        if self.cut:
            raise ConnectionError("cut")
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.queues.append(queue)
        while True:
            yield await queue.get()


def replica(
    name: str, wire: Wire, clock: FakeClock, recorder: Recorder | None = None
) -> tuple[ReplicaHints, CircuitBreaker]:
    events: Emitter = recorder or Recorder()
    breaker = CircuitBreaker("users", BreakerOptions(), clock=clock, events=events)
    hints = ReplicaHints(name, wire, [breaker], clock=clock, events=events)
    events.add(hints.hook)
    return hints, breaker


def said(name: str, version: int, *names: str) -> bytes:
    return json.dumps({"replica": name, "version": version, "open": list(names)}).encode()


def test_one_bad_replica_sways_nobody(clock: FakeClock) -> None:
    """A single replica's open breaker changes no threshold anywhere."""
    hints, breaker = replica("a", Wire(), clock)
    hints.receive(said("b", 1, "users"))
    assert breaker.threshold_factor == 1.0


def test_a_quorum_lowers_the_threshold_and_opens_nothing(clock: FakeClock) -> None:
    """Half of the others and two at least: then ours needs half as many failures."""
    hints, breaker = replica("a", Wire(), clock)
    for name in "bcdefg":
        hints.receive(said(name, 1))
    hints.receive(said("b", 2, "users"))
    hints.receive(said("c", 2, "users"))
    assert breaker.threshold_factor == 1.0
    hints.receive(said("d", 2, "users"))
    assert breaker.threshold_factor == 0.5
    assert breaker.epoch.name == "closed"
    hints.receive(said("d", 3))
    assert breaker.threshold_factor == 1.0


def test_old_versions_echoes_and_nonsense_change_nothing(clock: FakeClock) -> None:
    """Messages that come late, from ourselves, or in no shape are not taken in."""
    hints, breaker = replica("a", Wire(), clock)
    hints.receive(said("b", 5, "users"))
    hints.receive(said("c", 5, "users"))
    assert breaker.threshold_factor == 0.5
    hints.receive(said("b", 4))
    hints.receive(said("a", 9))
    for nonsense in (b"", b"[]", b"{}", b"\xff", b'{"replica": 1, "version": 1, "open": []}'):
        hints.receive(nonsense)
    hints.receive(said("d", 1, "x" * 100_000))
    assert breaker.threshold_factor == 0.5
    hints.receive(said("b", 6))
    assert breaker.threshold_factor == 1.0


def test_a_flood_of_invented_replicas_is_bounded(clock: FakeClock) -> None:
    """Only so many replicas are listened to, and only about breakers that we have."""
    hints, _ = replica("a", Wire(), clock)
    for number in range(2_000):
        hints.receive(said(f"r{number}", 1, "users", "unknown"))
    assert len(hints._replicas) == 500
    assert hints._replicas["r0"].open == {"users"}


def test_silent_replicas_are_forgotten(clock: FakeClock) -> None:
    """Without messages for a while everything is as without hints."""
    hints, breaker = replica("a", Wire(), clock)
    hints.receive(said("b", 1, "users"))
    hints.receive(said("c", 1, "users"))
    clock.jump(15.1)
    hints.weigh()
    assert breaker.threshold_factor == 1.0


async def test_replicas_hear_each_others_changes_at_once(clock: FakeClock) -> None:
    """Two of three open their breakers, and the third one's threshold falls without a heartbeat."""
    wire = Wire()
    replicas = [replica(name, wire, clock) for name in "abc"]
    tasks = [asyncio.create_task(hints.run()) for hints, _ in replicas]
    await settle()
    for _, breaker in replicas[:2]:
        breaker.open()
    await settle()
    assert replicas[2][1].threshold_factor == 0.5
    assert replicas[2][1].epoch.name == "closed"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_channel_that_fails_is_tried_again(clock: FakeClock, recorder: Recorder) -> None:
    """A cut wire is told and survived; when it is whole again hints flow with a heartbeat."""
    wire = Wire()
    replicas = [
        replica("a", wire, clock, recorder), replica("b", wire, clock), replica("c", wire, clock)
    ]  # fmt: skip
    wire.cut = True
    tasks = [asyncio.create_task(hints.run()) for hints, _ in replicas]
    await settle()
    assert {event.operation for event in recorder.events if isinstance(event, TierFailed)} == {
        "publish",
        "subscribe",
    }
    wire.cut = False
    replicas[1][1].open()
    replicas[2][1].open()
    await clock.advance(11.0)
    assert replicas[0][1].threshold_factor == 0.5
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_hints_pass_over_a_real_server(valkey_url: str, clock: FakeClock) -> None:
    """What one publishes another hears, over Valkey's pub/sub."""
    name = f"test:{uuid.uuid4()}"
    heard: list[bytes] = []
    async with redis.asyncio.from_url(valkey_url) as client:
        channel = RedisHintChannel(client, name)

        async def hear() -> None:
            async for message in channel.messages():
                heard.append(message)  # noqa: PERF401 - looked at while it grows

        listener = asyncio.create_task(hear())

        async def arrived() -> bool:
            await channel.publish(said("b", 1, "users"))
            return bool(heard)

        await eventually(arrived)
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
    assert json.loads(heard[0])["open"] == ["users"]


@pytest.mark.parametrize(
    "wrong", [{"minimum_replicas": 1}, {"factor": 0.0}, {"quorum": 1.1}, {"forget_seconds": 5.0}]
)
def test_hints_by_which_one_could_sway_all_are_refused(wrong: dict[str, float]) -> None:
    """A quorum has two members at least, and shares are shares."""
    with pytest.raises(InvalidOptionsError):
        HintOptions(**wrong)  # type: ignore[arg-type]
