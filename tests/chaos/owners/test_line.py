"""The line to an owner: every way in which there is no answer has a code, and a bound."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from chaos.owners import Code, OwnerError
from chaos.owners.line import MAX_BYTES, Line, session
from tests import servers
from tests.chaos.owners.grounds import NOBODY

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def line_to(answer: Answer) -> AsyncIterator[Line]:
    """A line to a server that reads a request's head and then does as `answer` says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, session() as opened:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield Line(opened, "users", url, "a-token")


def saying(body: bytes, status: str = "200 OK") -> Answer:
    async def say(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return say


async def error_of(line: Line) -> OwnerError:
    with pytest.raises(OwnerError) as failed:
        await line.ask("GET", "/faults", dict[str, int])
    assert failed.value.owner == "users"
    return failed.value


async def test_an_answer_is_read_as_what_it_should_be() -> None:
    """A JSON of the kind; nothing else passes for it."""
    async with line_to(saying(b'{"a": 1}')) as line:
        assert await line.ask("GET", "/", dict[str, int]) == {"a": 1}
    for body in (b'{"a": "x"}', b"[]", b"<html>", b"\xff"):
        async with line_to(saying(body)) as line:
            assert (await error_of(line)).code is Code.SILENT


async def test_nobody_is_told_from_somebody_who_is_silent() -> None:
    """Where nobody listens there is no fault; who accepts and says nothing may hold some."""
    async with session() as opened:
        assert (await error_of(Line(opened, "users", NOBODY))).code is Code.GONE
    with servers.listening() as port:
        async with session() as opened:
            error = await error_of(Line(opened, "users", f"http://127.0.0.1:{port}", seconds=0.2))
    assert (error.code, error.said) == (Code.SILENT, "no answer within 0.2 s")


async def test_a_broken_answer_is_silence() -> None:
    """A connection that ends before, or in the middle of, an answer."""

    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def half(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()

    for answer in (hang_up, half):
        async with line_to(answer) as line:
            assert (await error_of(line)).code is Code.SILENT


async def test_an_answer_without_end_is_bounded() -> None:
    """Not more than what an owner could ever have to say is taken in."""

    async def pour(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _ in range(2 * MAX_BYTES // 65_536):
            writer.write(b" " * 65_536)
            await writer.drain()

    async with line_to(pour) as line:
        assert str(MAX_BYTES) in (await error_of(line)).said


@pytest.mark.parametrize(
    ("body", "said", "refusal"),
    [
        (
            b'{"code": "FAULT_CONFLICT", "detail": "it has one"}',
            "it has one (409)",
            "FAULT_CONFLICT",
        ),
        (b'{"error": "toxic already exists", "status": 409}', "toxic already exists (409)", ""),
        (b"go away", "go away (409)", ""),
        (b"", "without a word (409)", ""),
    ],
)
async def test_a_refusal_is_told_in_its_own_words(body: bytes, said: str, refusal: str) -> None:
    """A problem document's, Toxiproxy's, or whatever there is."""
    async with line_to(saying(body, "409 Conflict")) as line:
        error = await error_of(line)
    assert (error.code, error.said, error.refusal) == (Code.REFUSED, said, refusal)


async def test_what_is_not_there_can_be_asked_for() -> None:
    """`find` takes 404 for an answer; other refusals stay errors."""
    async with line_to(saying(b"{}", "404 Not Found")) as line:
        assert await line.find("GET", "/", dict[str, int]) is None
    async with line_to(saying(b"{}", "401 Unauthorized")) as line:
        with pytest.raises(OwnerError):
            await line.find("GET", "/", dict[str, int])
