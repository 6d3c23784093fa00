"""Waiting for a condition with a bound, instead of sleeping and hoping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")
LONG_ENOUGH = 30.0
"""Seconds for what happens at once on an idle machine: a busy one may stop any process for a while."""
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.1


@overload
async def eventually(
    check: Callable[[], Awaitable[T]], timeout: float = LONG_ENOUGH, *, why: str = ""
) -> T: ...
@overload
async def eventually(
    check: Callable[[], T], timeout: float = LONG_ENOUGH, *, why: str = ""
) -> T: ...
async def eventually(
    check: Callable[[], Any], timeout: float = LONG_ENOUGH, *, why: str = ""
) -> Any:
    """Call `check` (plain or async) until it returns something true, and return that.

    An AssertionError in `check` counts as "not yet"; the last one is shown when time is up.
    """
    deadline, pause, last = time.monotonic() + timeout, _FIRST_PAUSE, None
    while True:
        try:
            answer = check()
            result = await answer if inspect.isawaitable(answer) else answer
            last = None
            if result:
                return result
        except AssertionError as unmet:
            last = unmet
        if time.monotonic() >= deadline:
            raise AssertionError(f"not true within {timeout} s: {why or check}") from last
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def eventually_sync(check: Callable[[], T], timeout: float = LONG_ENOUGH, *, why: str = "") -> T:
    """`eventually` for tests without a loop."""
    deadline, pause = time.monotonic() + timeout, _FIRST_PAUSE
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise AssertionError(f"not true within {timeout} s: {why or check}")
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
