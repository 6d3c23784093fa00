"""Works that go on beside a block, and the news when one of them fails."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any


@contextlib.asynccontextmanager
async def beside(
    *works: Callable[[], Coroutine[Any, Any, None]],
) -> AsyncIterator["asyncio.Future[None]"]:
    """Run works beside the block; the future ends when one of them fails."""
    tasks = [asyncio.ensure_future(work()) for work in works]
    crashed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ended(task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not crashed.done():
            crashed.set_exception(error)

    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield crashed
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if crashed.done():
            crashed.exception()  # seen: it has become the verdict
        else:
            crashed.cancel()
