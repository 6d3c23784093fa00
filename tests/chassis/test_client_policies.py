"""Calls between services run through their policies, and still tell the truth about what was done."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from baluarte.embedded.ports import free_port
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.contract import Operation
from chassis.errors import CodedError
from chassis.verdicts import judge
from resilience import (
    BreakerOptions,
    BudgetOptions,
    BulkheadOptions,
    DeadlineOptions,
    Pipeline,
    PipelineOptions,
    Priority,
    RetryOptions,
    SheddingOptions,
    TimeoutOptions,
)
from resilience.context import PRIORITY
from tests.chassis.echo_service import CHANGE, SAY, Running, Said, Say, running_echo
from tests.chassis.scripted_server import HANG, LOST, answer, problem, scripted_server

FINE = answer(
    200,
    b'{"text":"a","caller":"","userId":null,"correlationId":"test-correlation","deadlineMs":1}',
)
RETRYING = PipelineOptions(
    deadline=DeadlineOptions(seconds=5.0),
    retry=RetryOptions(attempts=2, wait_seconds=0.001, wait_max_seconds=0.001),
    budget=BudgetOptions(minimum_per_second=100.0),
)
QUICK_TO_OPEN = BreakerOptions(window="consecutive", consecutive_failures=2, break_seconds=30.0)
PUBLIC_READ = replace(SAY, callers=frozenset())
PUBLIC_CHANGE = replace(CHANGE, callers=frozenset())
ONCE_ONLY = replace(PUBLIC_CHANGE, idempotent=False)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as it:
        yield it


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_echo(tmp_path) as it:
        yield it


def guarded(session: aiohttp.ClientSession, options: PipelineOptions, *urls: str) -> ServiceClient:
    pipeline = Pipeline("echo", options, classifier=judge, rng=random.Random(1))
    return ServiceClient("echo", urls, session=session, credentials=None, pipeline=pipeline)


def call(seconds: float = 5.0) -> Call:
    return Call.background("gateway", correlation_id="test-correlation", seconds=seconds)


async def code_of(
    client: ServiceClient, operation: Operation[Say, Said], seconds: float = 5.0
) -> str:
    with pytest.raises(CodedError) as caught:
        await client.call(call(seconds), operation, Say(text="a"))
    return caught.value.code


@pytest.mark.parametrize("operation", [PUBLIC_READ, PUBLIC_CHANGE])
async def test_a_lost_answer_is_mended_by_asking_again(
    session: aiohttp.ClientSession, operation: Operation[Say, Said]
) -> None:
    """A read, and a change that may be repeated, survive one lost connection unnoticed."""
    async with scripted_server([LOST, FINE]) as server:
        said = await guarded(session, RETRYING, server.url).call(call(), operation, Say(text="a"))

    assert (said.text, len(server.requests)) == ("a", 2)


@pytest.mark.parametrize("garbage", [answer(200, b"[]"), answer(502, b"<html>bad gateway</html>")])
async def test_a_garbled_answer_to_a_read_is_asked_for_again(
    session: aiohttp.ClientSession, garbage: bytes
) -> None:
    """An answer that cannot be read is a failed attempt like any other."""
    async with scripted_server([garbage, FINE]) as server:
        said = await guarded(session, RETRYING, server.url).call(call(), PUBLIC_READ, Say(text="a"))

    assert said.text == "a"


async def test_what_must_not_be_repeated_is_sent_once(session: aiohttp.ClientSession) -> None:
    """Without an idempotency key of the contract a lost answer is unknown, and nobody tries again."""
    async with scripted_server([LOST, FINE]) as server:
        code = await code_of(guarded(session, RETRYING, server.url), ONCE_ONLY)

    assert (code, len(server.requests)) == ("OUTCOME_UNKNOWN", 1)


@pytest.mark.parametrize("second", [problem(503, "UNAVAILABLE"), problem(401, "TOKEN_EXPIRED")])
async def test_a_refused_second_try_does_not_settle_the_first(
    session: aiohttp.ClientSession, second: bytes
) -> None:
    """After a lost answer, "nothing was done" is true of the second attempt only: the call is unknown."""
    async with scripted_server([LOST, second]) as server:
        code = await code_of(guarded(session, RETRYING, server.url), PUBLIC_CHANGE)

    assert (code, len(server.requests)) == ("OUTCOME_UNKNOWN", 2)


async def test_a_second_try_that_finds_nobody_leaves_the_first_in_doubt(
    session: aiohttp.ClientSession,
) -> None:
    """The service took the request and died: a refused connection afterwards proves nothing."""
    async with scripted_server([LOST]) as server:
        client = guarded(session, RETRYING, server.url, f"http://127.0.0.1:{free_port()}")
        codes = {await code_of(client, PUBLIC_CHANGE) for _ in range(2)}

    assert codes == {"OUTCOME_UNKNOWN"}


async def test_a_breaker_that_opens_between_two_tries_does_not_settle_the_first(
    session: aiohttp.ClientSession,
) -> None:
    """The rejection of the second attempt is not told as the outcome of the call."""
    options = replace(RETRYING, breaker=replace(QUICK_TO_OPEN, consecutive_failures=1))
    async with scripted_server([LOST]) as server:
        code = await code_of(guarded(session, options, server.url), PUBLIC_CHANGE)

    assert (code, len(server.requests)) == ("OUTCOME_UNKNOWN", 1)


async def test_an_answer_about_the_request_settles_an_earlier_doubt(
    session: aiohttp.ClientSession,
) -> None:
    """When the second try is told that the request itself is wrong, so was the first."""
    async with scripted_server([LOST, problem(422, "INSUFFICIENT_FUNDS")]) as server:
        code = await code_of(guarded(session, RETRYING, server.url), PUBLIC_CHANGE)

    assert code == "INSUFFICIENT_FUNDS"


async def test_an_open_breaker_answers_for_the_service(session: aiohttp.ClientSession) -> None:
    """After its failures the service is not called; the error says so, and when to come back."""
    options = PipelineOptions(breaker=QUICK_TO_OPEN)
    async with scripted_server([problem(503, "UNAVAILABLE")]) as server:
        client = guarded(session, options, server.url)
        seen = [await code_of(client, PUBLIC_CHANGE) for _ in range(4)]
        with pytest.raises(CodedError) as caught:
            await client.call(call(), PUBLIC_READ, Say(text="a"))

    assert seen == ["UNAVAILABLE"] * 2 + ["CIRCUIT_BREAKER_OPEN"] * 2
    assert len(server.requests) == 2
    assert caught.value.service == "echo"
    assert caught.value.retry_after is not None
    assert 29 < caught.value.retry_after <= 36


async def test_refusals_do_not_open_the_breaker(session: aiohttp.ClientSession) -> None:
    """A service that says no works."""
    options = PipelineOptions(breaker=QUICK_TO_OPEN)
    async with scripted_server([problem(422, "INSUFFICIENT_FUNDS")]) as server:
        client = guarded(session, options, server.url)
        seen = {await code_of(client, PUBLIC_CHANGE) for _ in range(5)}

    assert (seen, len(server.requests)) == ({"INSUFFICIENT_FUNDS"}, 5)


async def test_a_service_that_hangs_opens_the_breaker_and_costs_its_time_only(
    session: aiohttp.ClientSession,
) -> None:
    """Each attempt ends in its own time, long before the caller's deadline, and counts as a failure."""
    options = PipelineOptions(breaker=QUICK_TO_OPEN, timeout=TimeoutOptions(seconds=0.05))
    async with scripted_server([HANG]) as server:
        client = guarded(session, options, server.url)
        started = asyncio.get_running_loop().time()
        seen = [await code_of(client, PUBLIC_READ) for _ in range(2)]
        seen += [await code_of(client, PUBLIC_CHANGE)]

    assert seen == ["DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "CIRCUIT_BREAKER_OPEN"]
    assert asyncio.get_running_loop().time() - started < 3.0


async def test_a_change_that_hangs_is_unknown(session: aiohttp.ClientSession) -> None:
    """An attempt that ran out of its time may have had its effect."""
    options = PipelineOptions(timeout=TimeoutOptions(seconds=0.05))
    async with scripted_server([HANG]) as server:
        code = await code_of(guarded(session, options, server.url), PUBLIC_CHANGE)

    assert code == "OUTCOME_UNKNOWN"


async def test_a_bad_replica_is_passed_over(session: aiohttp.ClientSession) -> None:
    """One replica of two that fails every call costs a few attempts, not half of them."""
    bad = problem(503, "UNAVAILABLE")
    async with scripted_server([bad]) as sick, scripted_server([FINE]) as well:
        client = guarded(session, RETRYING, sick.url, well.url)
        for _ in range(20):
            assert (await client.call(call(), PUBLIC_READ, Say(text="a"))).text == "a"

    assert len(sick.requests) == 3
    assert len(well.requests) == 20


async def test_equal_shared_reads_are_asked_once(running: Running) -> None:
    """Reads that the contract calls shared, asked at the same time as the same user, are one call."""
    shared = replace(SAY, shared=True)
    pipeline = Pipeline("echo", PipelineOptions(single_flight=True), classifier=judge)
    client = running.client(pipeline=pipeline)
    asked = [asyncio.create_task(client.call(call(), shared, Say(text="wait"))) for _ in range(5)]
    other = asyncio.create_task(
        client.call(replace(call(), user_token="another"), shared, Say(text="wait"))
    )
    alone = asyncio.create_task(client.call(call(), SAY, Say(text="wait")))
    async with asyncio.timeout(5):
        while running.echo.calls < 3:
            await asyncio.sleep(0.001)
    running.echo.release.set()

    said = await asyncio.gather(*asked, other, alone)

    assert {item.text for item in said} == {"wait"}
    assert running.echo.calls == 3


async def test_the_priority_of_the_contract_decides_what_is_shed(running: Running) -> None:
    """With its slots nearly taken, a listing is shed and a payment passes."""
    options = PipelineOptions(
        bulkhead=BulkheadOptions(max_concurrent=4, max_queue=4), shedding=SheddingOptions()
    )
    client = running.client(pipeline=Pipeline("echo", options, classifier=judge))
    held = [asyncio.create_task(client.call(call(), SAY, Say(text="wait"))) for _ in range(3)]
    async with asyncio.timeout(5):
        while running.echo.calls < 3:
            await asyncio.sleep(0.001)
    listing = replace(SAY, priority=Priority.LOW)
    payment = replace(CHANGE, priority=Priority.CRITICAL)

    with pytest.raises(CodedError) as caught:
        await client.call(call(), listing, Say(text="a"))
    paid = await client.call(call(), payment, Say(text="a"))
    running.echo.release.set()
    await asyncio.gather(*held)

    assert (caught.value.code, caught.value.retry_after) == ("OVERLOADED", 1.0)
    assert paid.text == "a"


async def test_handlers_run_under_their_operations_priority(tmp_path: Path) -> None:
    """What a handler asks of its database carries the priority of the operation that it serves."""
    seen: list[Priority] = []
    async with running_echo(tmp_path) as running:

        async def note(call: Call, request: Any) -> Said:
            seen.append(PRIORITY.get())
            return Said(text="", caller="", user_id=None, correlation_id="x" * 8, deadline_ms=0)

        running.echo.instead = note
        await running.client().call(call(), SAY, Say(text="a"))

    assert seen == [Priority.HIGH]


async def test_no_call_outlives_its_deadline(session: aiohttp.ClientSession) -> None:
    """However many tries the policies would allow, the caller's deadline ends them all."""
    often = RetryOptions(attempts=10, wait_seconds=0.001, wait_max_seconds=0.001)
    options = replace(RETRYING, retry=often, timeout=TimeoutOptions(seconds=0.2))
    async with scripted_server([HANG]) as server:
        client = guarded(session, options, server.url)
        started = asyncio.get_running_loop().time()
        code = await code_of(client, PUBLIC_READ, seconds=0.5)

    assert code == "DEADLINE_EXCEEDED"
    assert asyncio.get_running_loop().time() - started < 1.5
    assert 1 <= len(server.requests) <= 3
