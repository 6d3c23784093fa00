"""One child process: launched, its output captured, its end awaited.

Not asyncio's own subprocess: in several Python versions its `wait()` returns only after the last
holder of the output pipe is gone, so that a grandchild would hide the child's death.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from baluarte.embedded import processes
from baluarte.embedded.command import Command

_OUTPUT_SECONDS = 1.0  # for the rest of the output after the end; others may hold the pipe open


class _Output(asyncio.Protocol):
    """Hands on what the child writes."""

    def __init__(self, feed: Callable[[bytes], None], ended: asyncio.Event) -> None:
        self._feed = feed
        self._ended = ended

    def data_received(self, data: bytes) -> None:
        self._feed(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._ended.set()


@dataclass(slots=True)
class Child:
    """A running child; make one with `launch`."""

    popen: subprocess.Popen[bytes]
    stop_signal: signal.Signals
    _pipe: asyncio.BaseTransport | None = None
    _drained: asyncio.Event = field(default_factory=asyncio.Event)
    _frozen: dict[int, float] = field(default_factory=dict)

    @classmethod
    async def launch(cls, command: Command, feed: Callable[[bytes], None]) -> "Child":
        """Start `command`; `feed` gets what it writes. Raises `OSError` when it cannot start.

        The fork happens on this thread on purpose: the kernel's parent-death signal is sent when
        the *thread* that forked ends.
        """
        popen = subprocess.Popen(  # noqa: ASYNC220 - for the reason above
            command.argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **command.popen_arguments(),
        )
        child = cls(popen, command.stop_signal)
        loop = asyncio.get_running_loop()
        child._pipe, _ = await loop.connect_read_pipe(
            lambda: _Output(feed, child._drained), popen.stdout
        )
        return child

    @property
    def pid(self) -> int:
        return self.popen.pid

    def ask_to_stop(self) -> None:
        """To the process alone: it decides what its children hear."""
        with contextlib.suppress(ProcessLookupError):
            self.popen.send_signal(self.stop_signal)

    def kill(self) -> None:
        """SIGKILL for the process and all of its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP for the process and all below it, also in sessions of their own.

        Done on this thread, as in `kill_family`: an end that is told meanwhile waits its turn.
        """
        self._frozen |= processes.freeze(self.pid)

    def thaw(self) -> None:
        """SIGCONT for all that `freeze` stopped."""
        frozen, self._frozen = self._frozen, {}
        processes.thaw(frozen)

    def kill_family(self) -> None:
        """SIGKILL for the process and all below it. Frozen first: none can start another meanwhile."""
        frozen = processes.freeze(self.pid)
        self.kill()
        processes.end_same(frozen)

    async def ended(self) -> int:
        """Wait for the end, end the rest of its group, take the rest of its output."""
        loop = asyncio.get_running_loop()
        end: asyncio.Future[int] = loop.create_future()

        def tell(code: int) -> None:
            if not end.done():
                end.set_result(code)

        def wait() -> None:
            code = self.popen.wait()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
                loop.call_soon_threadsafe(tell, code)

        threading.Thread(target=wait, name=f"wait {self.pid}", daemon=True).start()
        code = await end
        self.thaw()  # what is left of a frozen family; its head was ended by somebody else
        self.kill()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._drained.wait(), _OUTPUT_SECONDS)
        if self._pipe is not None:
            self._pipe.close()
        return code
