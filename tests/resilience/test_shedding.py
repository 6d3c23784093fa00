"""Priority shedding: under load the less important goes first, and money goes last."""

import asyncio

import pytest

from resilience.bulkhead import BulkheadOptions
from resilience.context import Priority, call_context, current_priority
from resilience.errors import LoadShed
from resilience.options import InvalidOptionsError
from resilience.pipeline import Pipeline, PipelineOptions
from resilience.shedding import PriorityShedding, SheddingOptions
from resilience.testing import FakeClock, settle


@pytest.mark.parametrize(
    ("load", "served"),
    [
        (0.0, list(Priority)),
        (0.49, list(Priority)),
        (0.5, [Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.CRITICAL]),
        (0.7, [Priority.NORMAL, Priority.HIGH, Priority.CRITICAL]),
        (0.85, [Priority.HIGH, Priority.CRITICAL]),
        (0.95, [Priority.CRITICAL]),
        (3.0, [Priority.CRITICAL]),
    ],
)
def test_each_priority_is_served_up_to_its_own_load(load: float, served: list[Priority]) -> None:
    """The higher the load, the fewer priorities pass; CRITICAL always does."""
    shedding = PriorityShedding("users", lambda: load)
    passed = []
    for priority in Priority:
        try:
            shedding.admit(priority)
            passed.append(priority)
        except LoadShed as rejection:
            assert rejection.source == "users"
            assert rejection.retry_after == 1.0
            assert priority.name in str(rejection)
    assert passed == served


async def test_a_statement_listing_is_shed_while_a_transfer_passes(clock: FakeClock) -> None:
    """With seven of ten slots taken, LOW is turned away and CRITICAL is served."""
    pipeline = Pipeline(
        "transactions",
        PipelineOptions(shedding=SheddingOptions(), bulkhead=BulkheadOptions(10, 0)),
        clock=clock,
    )
    gate = asyncio.Event()

    async def query() -> str:
        await gate.wait()
        return "rows"

    guarded = pipeline.read(query)
    running = [asyncio.create_task(guarded()) for _ in range(7)]
    await settle()
    with call_context(priority=Priority.LOW), pytest.raises(LoadShed):
        await guarded()
    with call_context(priority=Priority.CRITICAL):
        transfer = asyncio.create_task(guarded())
    await settle()
    gate.set()
    assert await transfer == "rows"
    await asyncio.gather(*running)
    with call_context(priority=Priority.LOW):
        assert await guarded() == "rows"


async def test_stand_alone_it_takes_the_priority_of_the_context() -> None:
    """What is not said is NORMAL; a block may say otherwise, and tasks inherit it."""
    shedding = PriorityShedding("users", lambda: 0.7)

    async def which() -> Priority:
        return current_priority()

    assert await shedding.call(which) is Priority.NORMAL
    with call_context(priority=Priority.HIGH):
        assert await asyncio.create_task(shedding.call(which)) is Priority.HIGH
    with call_context(priority=Priority.LOW), pytest.raises(LoadShed):
        await shedding.call(which)


@pytest.mark.parametrize(
    "wrong", [{"low": 0.3}, {"high": 1.1}, {"background": 0.0}, {"retry_after_seconds": 0.0}]
)
def test_ceilings_out_of_order_are_refused(wrong: dict[str, float]) -> None:
    """A higher priority never has a lower ceiling."""
    with pytest.raises(InvalidOptionsError):
        SheddingOptions(**wrong)
