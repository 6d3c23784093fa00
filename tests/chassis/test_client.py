"""The client tells the truth about what may have been done."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from baluarte.embedded.ports import free_port
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.errors import CodedError
from tests.chassis.echo_service import CHANGE, HELLO, SAY, Running, Say, running_echo


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_echo(tmp_path) as it:
        yield it


def call(seconds: float = 5.0) -> Call:
    return Call.background("gateway", correlation_id="test-correlation", seconds=seconds)


async def test_a_call_carries_its_circumstances(running: Running) -> None:
    """Correlation id, identity and a deadline that has shrunk arrive at the other side."""
    said = await running.client().call(call(2.0), SAY, Say(text="oi"))

    assert (said.caller, said.correlation_id) == ("gateway", "test-correlation")
    assert 0 < said.deadline_ms < 2_000


async def test_a_public_operation_is_sent_no_credential(running: Running) -> None:
    """Our credential goes only where it is asked for."""
    said = await running.client().call(call(), HELLO, HELLO.request())

    assert said.caller == ""


async def test_a_coded_refusal_arrives_as_it_was_raised(running: Running) -> None:
    """The callee's code, delay and name survive the hop."""
    with pytest.raises(CodedError) as caught:
        await running.client().call(call(), SAY, Say(text="refuse"))

    assert (caught.value.code, caught.value.retry_after) == ("RATE_LIMITED", 1.2)
    assert caught.value.service == "echo"


async def test_a_credential_that_is_not_accepted_is_no_business_of_the_caller(
    running: Running,
) -> None:
    """A clock or a key of ours that is off looks like an outage, which fields degrade for, and no sign-in
    of the user's is to blame."""
    wrong = running.client(name="users")

    with pytest.raises(CodedError) as caught:
        await wrong.call(call(), SAY, Say(text="a"))

    assert (caught.value.code, caught.value.retryable) == ("UNAVAILABLE", True)


async def test_nobody_listening_means_nothing_was_done(running: Running) -> None:
    """A refused connection is definite, also for an operation with an effect."""
    nobody = running.client(urls=(f"http://127.0.0.1:{free_port()}",))

    with pytest.raises(CodedError) as caught:
        await nobody.call(call(), CHANGE, Say(text="a"))

    assert caught.value.code == "UNAVAILABLE"


async def test_a_replica_that_refuses_is_passed_over(running: Running) -> None:
    """One dead replica of two costs no call, whichever turn it is."""
    client = running.client(urls=(f"http://127.0.0.1:{free_port()}", running.url))

    answers = [await client.call(call(), CHANGE, Say(text="a")) for _ in range(6)]

    assert len(answers) == running.echo.calls == 6


@pytest.mark.parametrize("operation", [SAY, CHANGE])
async def test_a_late_answer(running: Running, operation: object) -> None:
    """Out of time, a read is merely late and an effect is unknown; both in time for their caller."""
    expected = "DEADLINE_EXCEEDED" if operation is SAY else "OUTCOME_UNKNOWN"
    started = asyncio.get_running_loop().time()

    with pytest.raises(CodedError) as caught:
        await running.client().call(call(0.2), operation, Say(text="wait"))  # type: ignore[arg-type]

    assert caught.value.code == expected
    assert asyncio.get_running_loop().time() - started < 1.0


async def test_no_time_left_sends_nothing(running: Running) -> None:
    """A call that cannot finish is not begun."""
    with pytest.raises(CodedError) as caught:
        await running.client().call(call(0.0), CHANGE, Say(text="a"))

    assert (caught.value.code, running.echo.calls) == ("DEADLINE_EXCEEDED", 0)


@contextlib.asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[str]:
    """A server that reads a request and writes `raw`, whatever that is."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(raw)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
        b"garbage\r\n\r\n",
    ],
)
async def test_an_unusable_answer_to_an_effect_is_unknown(tmp_path: Path, raw: bytes) -> None:
    """A connection that dies, a cut body, a wrong shape and noise all mean: perhaps it was done."""
    async with answering(raw) as url, open_session() as session:
        client = ServiceClient("echo", (url,), session=session, credentials=None)
        with pytest.raises(CodedError) as caught:
            await client.call(call(), CHANGE, Say(text="a"))

    assert (caught.value.code, caught.value.service) == ("OUTCOME_UNKNOWN", "echo")


async def test_an_endless_answer_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size of an answer is bounded, so that a broken callee cannot fill our memory."""
    monkeypatch.setattr("chassis.client.MAX_ANSWER", 1_000)
    raw = b"HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n" + b"a" * 50_000
    async with answering(raw) as url, open_session() as session:
        client = ServiceClient("echo", (url,), session=session, credentials=None)
        with pytest.raises(CodedError) as caught:
            await client.call(call(), SAY, Say(text="a"))

    assert caught.value.code == "UNAVAILABLE"


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """Our credentials go to the configured address and nowhere else."""
    raw = b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere.test/\r\ncontent-length: 0\r\n\r\n"
    async with answering(raw) as url, open_session() as session:
        client = ServiceClient("echo", (url,), session=session, credentials=None)
        with pytest.raises(CodedError) as caught:
            await client.call(call(), SAY, Say(text="a"))

    assert caught.value.code == "UNAVAILABLE"


def test_a_client_needs_an_address() -> None:
    """A mistake in the composition is told at once."""
    with pytest.raises(ValueError, match="no URL"):
        ServiceClient("echo", (), session=None, credentials=None)  # type: ignore[arg-type]


async def test_ping_raises_when_the_service_is_away(running: Running) -> None:
    """A ping is quiet when a replica lives, and an exception when none does."""
    await running.client().ping()
    with pytest.raises(aiohttp.ClientError):
        await running.client(urls=(f"http://127.0.0.1:{free_port()}",)).ping()
