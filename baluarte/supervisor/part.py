"""One supervised process: does what its lifecycle says and reports back what happened."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from baluarte.embedded.command import Command
from baluarte.errors import BaluarteError
from baluarte.supervisor.child import Child
from baluarte.supervisor.lifecycle import (
    RUNNING,
    Event,
    Exited,
    Freeze,
    Kill,
    Launch,
    Launched,
    NotLaunched,
    Probed,
    RestartPolicy,
    Resume,
    Situation,
    Start,
    State,
    Stop,
    Tell,
    Terminate,
    Thaw,
    Tick,
    step,
)
from baluarte.supervisor.logfiles import LogFile

# Seconds between probes; the first is what a start may be told late by.
_POLL = {State.STARTING: 0.1, State.UNREADY: 0.5, State.READY: 2.0}
_IDLE_POLL = 0.05


@dataclass(frozen=True, slots=True)
class PartSpec:
    """What a part is: how it is started, asked and described.

    `prepare` may block (it runs on a thread) and may raise `BaluarteError`, which counts as a
    failed start; `sweep` ends what the part may have left after its process is gone; `before_stop`
    shortens a stop, and runs while those parts that are stopped earlier end.
    """

    name: str
    prepare: Callable[[], Command]
    probe: Callable[[], Awaitable[bool]]
    url: str | None = None
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    sweep: Callable[[], object] | None = None
    before_stop: Callable[[], Coroutine[Any, Any, object]] | None = None


Teller = Callable[[str, Tell], None]
_Posted = tuple[Event, asyncio.Future[bool] | None]
Noter = Callable[["Part"], None]


@dataclass(slots=True)
class Part:
    """Runs `spec`.

    `told` hears what the operator should know, `launched` of each new pid, `crashed` of a bug that
    ended the supervision (the process is ended with it).
    """

    spec: PartSpec
    log: LogFile
    told: Teller
    launched: Noter = lambda _: None
    crashed: Callable[[BaseException], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    chance: random.Random = field(default_factory=random.Random)
    situation: Situation = field(default_factory=Situation)
    _events: asyncio.Queue[_Posted] = field(default_factory=asyncio.Queue)
    _unhandled: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _child: Child | None = None
    _runner: asyncio.Task[None] | None = None
    _helpers: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def state(self) -> State:
        return self.situation.state

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Want it running; returns at once."""
        if self._runner is None:
            self._runner = asyncio.create_task(self._run(), name=f"part {self.name}")
            self._runner.add_done_callback(self._runner_ended)
            self._help(self._watch(), "probe")
        self._post(Start())

    def stop(self, *, force: bool = False) -> None:
        """Want it stopped; returns at once."""
        if self._runner is not None and not self._runner.done():
            self._post(Stop(force))

    def resume(self) -> None:
        """Go on, if a fault has paused it; returns at once."""
        self._post(Resume())

    async def ask(self, event: Event) -> bool:
        """Have `event` handled, and say whether it changed anything.

        Its signals are sent when this returns; their effects may follow.
        """
        if self._runner is None or self._runner.done():
            return False
        mattered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._post(event, mattered)
        ends: set[asyncio.Future[Any]] = {mattered, self._runner}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        return mattered.done() and mattered.result()

    async def until(self, *states: State) -> State:
        """Wait until it is in one of `states`, with all that was asked before taken into account."""
        while self._unhandled or self.situation.state not in states:
            if self._runner is not None and self._runner.done():
                break
            self._changed.clear()
            await self._changed.wait()
        return self.situation.state

    async def close(self) -> None:
        """Drop the machinery; the process must be stopped already."""
        tasks = [task for task in (self._runner, *self._helpers) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.log.finish()

    def kill_now(self) -> None:
        """SIGKILL for the process and its group, at once, whatever the lifecycle says."""
        if self._child is not None:
            self._child.kill()

    def _runner_ended(self, runner: asyncio.Task[None]) -> None:
        """A bug in here must not leave a process that nobody looks after."""
        if not runner.cancelled() and (error := runner.exception()) is not None:
            self.kill_now()
            self.crashed(error)
        self._changed.set()

    def _post(self, event: Event, mattered: asyncio.Future[bool] | None = None) -> None:
        self._unhandled += 1
        self._events.put_nowait((event, mattered))

    async def _run(self) -> None:
        while True:
            event, mattered = await self._next_event()
            now, jitter, before = self.clock(), self.chance.random(), self.situation
            self.situation, actions = step(before, event, now, self.spec.policy, jitter)
            for action in actions:
                self._act(action)
            if mattered is not None and not mattered.done():
                mattered.set_result(bool(actions) or self.situation != before)
            if not isinstance(event, Tick):
                self._unhandled -= 1
            self._changed.set()

    async def _next_event(self) -> _Posted:
        wake_at = self.situation.wake_at
        if wake_at is None:
            return await self._events.get()
        left = wake_at - self.clock()
        if left > 0:
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self._events.get(), left)
        elif not self._events.empty():
            return self._events.get_nowait()
        return Tick(), None

    def _act(self, action: object) -> None:
        match action:
            case Tell():
                self.told(self.name, action)
            case Launch():
                self._help(self._launch(), "launch")
            case _ if self._child is not None:
                self._signal(self._child, action)

    def _signal(self, child: Child, action: object) -> None:
        match action:
            case Terminate():
                child.ask_to_stop()
            case Kill():
                child.kill_family()
            case Freeze():
                child.freeze()
            case Thaw():
                child.thaw()

    def _help(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=f"{name} {self.name}")
        self._helpers.add(task)
        task.add_done_callback(self._helpers.discard)

    async def _launch(self) -> None:
        """Start it, capture what it writes, and tell of its end."""
        try:
            command = await asyncio.to_thread(self.spec.prepare)
            self._child = child = await Child.launch(command, self.log.feed)
        except (BaluarteError, OSError) as error:
            self._post(NotLaunched(str(error)))
            return
        self._post(Launched(child.pid))
        self.launched(self)
        code = await child.ended()
        if self.spec.sweep is not None:
            await asyncio.to_thread(self.spec.sweep)
        self._child = None
        self._post(Exited(code))

    async def _watch(self) -> None:
        """Ask whether it is ready: often while it starts, seldom afterwards."""
        while True:
            asked = self.situation
            if asked.state in RUNNING and asked.pid is not None:
                ready = await self.spec.probe()
                if self.situation.pid == asked.pid:  # else the answer is about an earlier one
                    self._post(Probed(ready))
                    await asyncio.sleep(0)
            await asyncio.sleep(_POLL.get(self.situation.state, _IDLE_POLL))
