"""Hashing on one bounded thread."""

import asyncio
import statistics
import threading
import time
from collections.abc import AsyncIterator

import pytest

from chassis import codes
from chassis.errors import CodedError
from services.users.passwords import HashingOptions, Passwords
from tests.waiting import eventually


class SlowPasswords(Passwords):
    """Holds the thread until released."""

    def __init__(self, max_waiting: int) -> None:
        super().__init__(HashingOptions(memory_kib=8, passes=1, max_waiting=max_waiting))
        self.release = threading.Event()

    def _matches(self, stored: str, password: bytes) -> bool:
        self.release.wait(10)
        return super()._matches(stored, password)


@pytest.fixture
async def slow() -> AsyncIterator[SlowPasswords]:
    """Hashing that waits, with room for three."""
    slow = SlowPasswords(3)
    yield slow
    slow.release.set()
    await slow.close()


async def test_hash_and_verify(passwords: Passwords) -> None:
    """A password verifies against its own hash only, however its accents are composed."""
    stored = await passwords.hash("caf\u00e9 com leite")
    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, "cafe\u0301 com leite")
    assert not await passwords.verify(stored, "cafe com leite")
    assert stored != await passwords.hash("caf\u00e9 com leite"), "salted"


async def test_default_parameters() -> None:
    """Out of the box a hash costs 19 MiB, two passes and one lane."""
    passwords = Passwords()
    try:
        stored = await passwords.hash("correct horse battery")
        assert "$m=19456,t=2,p=1$" in stored
        assert not passwords.is_outdated(stored)
    finally:
        await passwords.close()


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$broken", "$2b$12$abc"])
async def test_unreadable_hash_matches_nothing(passwords: Passwords, stored: str) -> None:
    """A damaged or foreign hash is a mismatch and not a crash."""
    assert not await passwords.verify(stored, "correct horse battery")
    assert not passwords.is_outdated(stored)


async def test_unknown_user_takes_as_long() -> None:
    """Verifying where there is no user is as slow as a wrong password, and says no."""
    passwords = Passwords(HashingOptions(memory_kib=4096, passes=4))
    stored = await passwords.hash("correct horse battery")

    async def duration(against: str | None) -> float:
        started = time.thread_time()
        cpu = time.process_time()
        assert not await passwords.verify(against, "wrong password")
        return time.process_time() - cpu - (time.thread_time() - started)

    try:
        known = statistics.median([await duration(stored) for _ in range(5)])
        unknown = statistics.median([await duration(None) for _ in range(5)])
    finally:
        await passwords.close()
    assert unknown > known / 3


async def test_queue_is_bounded(slow: SlowPasswords) -> None:
    """Who comes when the queue is full is told to come back, at once; the others are served."""
    waiting = [asyncio.create_task(slow.verify(None, "x")) for _ in range(3)]
    await eventually(lambda: slow.waiting == 3)

    with pytest.raises(CodedError) as caught:
        await slow.verify(None, "x")

    assert caught.value.code == codes.PASSWORD_HASHING_BUSY.name
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 1
    slow.release.set()
    assert await asyncio.gather(*waiting) == [False] * 3
    await eventually(lambda: slow.waiting == 0)
    assert not await slow.verify(None, "x")


async def test_caller_who_gives_up_frees_their_place(slow: SlowPasswords) -> None:
    """A waiting call that is cancelled leaves the queue; a running one holds its place until done."""
    running = asyncio.create_task(slow.verify(None, "x"))
    waiting = asyncio.create_task(slow.verify(None, "x"))
    await eventually(lambda: slow.waiting == 2)
    running.cancel()
    waiting.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    await eventually(lambda: slow.waiting == 1)
    slow.release.set()
    await eventually(lambda: slow.waiting == 0)


def test_options_refuse_nonsense() -> None:
    """Parameters that argon2 cannot take are refused before anything is hashed."""
    with pytest.raises(ValueError, match="argon2"):
        HashingOptions(memory_kib=1)
    with pytest.raises(ValueError, match="room"):
        HashingOptions(max_waiting=0)
