"""Just the order per key is broken, and nothing is lost by it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.bus.port import BusUnavailable
from chassis.messages import Event
from resilience.testing import FakeClock
from tests.chassis.events import event, numbers
from tests.chassis.faults.effects.conftest import FaultedBus
from tests.chassis.faults.faulted import active
from tests.waiting import eventually


async def test_a_keys_messages_arrive_backwards(faulted_bus: FaultedBus) -> None:
    """The places of each key stay; what stands in them is reversed. A key with one message is spared."""
    keys = ("a", "b", "a", "c", "a", "b")
    fault = faulted_bus.inject("bus_reorder")

    await faulted_bus.bus.publish([event(n, key) for n, key in enumerate(keys)])

    arrived = await faulted_bus.arrived(6)
    assert tuple(one.key for one in arrived) == keys
    assert numbers(arrived) == {"a": [4, 2, 0], "b": [5, 1], "c": [3]}
    assert fault.met == 5


async def test_within_a_topic_keys_are_mixed(faulted_bus: FaultedBus) -> None:
    """What the bus never promised is broken without a message twice per key."""
    events = [event(1, "a"), event(2, "b"), event(3, "c")]
    fault = faulted_bus.inject("bus_reorder", within="topic")

    await faulted_bus.bus.publish(events)

    assert await faulted_bus.arrived(3) == events[::-1]
    assert fault.met == 3


async def test_what_has_no_partner_is_held_back_once(
    faulted_bus: FaultedBus, clock: FakeClock
) -> None:
    """It is told to be unconfirmed, so that the relay brings more; the second time it passes, uncounted."""
    fault = faulted_bus.inject("bus_reorder", gather=0.5)
    first, second = event(1), event(2)
    publishing = asyncio.create_task(faulted_bus.bus.publish([first]))
    await eventually(lambda: clock.sleepers == 2)  # the lease, and the pause
    await clock.advance(0.5)
    with pytest.raises(BusUnavailable, match="Held back"):
        await publishing

    await faulted_bus.bus.publish([first, second])
    assert fault.met == 2

    faulted_bus.point.end_all()
    lonely = faulted_bus.inject("bus_reorder", gather=0)
    await faulted_bus.bus.publish([event(3)])
    assert lonely.met == 0
    assert numbers(await faulted_bus.arrived(3)) == {"key": [2, 1, 3]}


@given(
    keys=st.lists(st.sampled_from("abc"), min_size=1, max_size=12),
    percent=st.sampled_from([0, 30, 100]),
    within=st.sampled_from(["key", "topic"]),
    seed=st.integers(0, 50),
)
def test_nothing_is_lost_or_made_up(
    keys: list[str], percent: float, within: str, seed: int
) -> None:
    """Whatever is swapped, the bus gets every message once, and what is counted was among the swapped."""
    fault = active(
        "bus_reorder", attributes={"within": within, "gather": 0}, percent=percent, seed=seed
    )
    events = [event(n, key) for n, key in enumerate(keys)]
    sent: list[Event] = []

    async def publish(batch: object) -> None:
        sent.extend(batch)  # type: ignore[arg-type]

    asyncio.run(fault.effect.publish(events, publish, fault))  # type: ignore[attr-defined]

    assert sorted(one.version for one in sent) == list(range(len(events)))
    moved = sum(a is not b for a, b in zip(events, sent, strict=True))
    assert moved <= fault.met <= len(events)
    assert (fault.met == 0) == (moved == 0)
