"""Passwords: argon2id in a bounded pool, so that hashing can neither starve the loop nor pile up.

Parameters are OWASP's: 19 MiB, two passes, one lane; about 50 ms of one core. One thread hashes,
and at most `MAX_WAITING` wait for it; who comes then is told to come back.
"""

import asyncio
import math
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from chassis import codes

T = TypeVar("T")

_SMOOTHING = 0.2
"""Weight of the newest duration in the running mean that Retry-After is reckoned from."""


@dataclass(frozen=True, slots=True)
class HashingOptions:
    """Cost of one hash, and how many may wait.

    Attributes:
        memory_kib: memory of one hash. 19 MiB is OWASP's minimum for two passes.
        passes: iterations over that memory.
        max_waiting: calls that wait or run; at 50 ms each the last one is served within 0.8 s,
            which fits a caller's deadline.
    """

    memory_kib: int = 19 * 1024
    passes: int = 2
    max_waiting: int = 16

    def __post_init__(self) -> None:
        if self.memory_kib < 8 or self.passes < 1 or self.max_waiting < 1:
            raise ValueError("argon2 needs ≥ 8 KiB, ≥ 1 pass, and room for one call")


class Passwords:
    """Hashes and checks passwords on one thread. `close()` when done."""

    def __init__(self, options: HashingOptions | None = None) -> None:
        self._options = options or HashingOptions()
        self._hasher = argon2.PasswordHasher(
            time_cost=self._options.passes,
            memory_cost=self._options.memory_kib,
            parallelism=1,
        )
        # Nobody's password: verified where there is no user, so that the answer takes as long.
        self._nobody = self._hasher.hash(b"nobody's password")
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._waiting = 0
        self._mean = 0.05

    @property
    def waiting(self) -> int:
        """Calls that wait or run."""
        return self._waiting

    async def hash(self, password: str) -> str:
        """The hash to store.

        Raises:
            CodedError: PASSWORD_HASHING_BUSY.
        """
        return await self._run(lambda: self._hasher.hash(_prepared(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` made `stored`. None stands for an unknown user: as slow, and False.

        Raises:
            CodedError: PASSWORD_HASHING_BUSY.
        """
        against = self._nobody if stored is None else stored
        matches = await self._run(lambda: self._matches(against, _prepared(password)))
        return matches and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether `stored` was made with other parameters than today's."""
        try:
            return self._hasher.check_needs_rehash(stored)
        except InvalidHashError:
            return False

    async def close(self) -> None:
        """Let the running hash end and refuse the waiting ones."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _matches(self, stored: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._options.max_waiting:
            raise codes.PASSWORD_HASHING_BUSY.error(
                retry_after=max(1, math.ceil(self._mean * self._waiting))
            )
        loop = asyncio.get_running_loop()
        self._waiting += 1
        future = self._pool.submit(self._timed, work)
        # Counted until the thread is done with it: a caller who gave up still occupies the thread.
        future.add_done_callback(lambda _: _tell(loop, self._one_less))
        return await asyncio.wrap_future(future)

    def _one_less(self) -> None:
        self._waiting -= 1

    def _timed(self, work: Callable[[], T]) -> T:
        started = time.perf_counter()
        try:
            return work()
        finally:
            took = time.perf_counter() - started
            self._mean += _SMOOTHING * (took - self._mean)


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        return  # the loop has ended, and the count with it


def _prepared(password: str) -> bytes:
    """The same bytes for the same characters, however the keyboard composed them (RFC 8265)."""
    return unicodedata.normalize("NFC", password).encode()
