"""Brings the parts up in order, keeps them, and takes them down in reverse."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baluarte.embedded import processes
from baluarte.errors import BaluarteError
from baluarte.supervisor import logfiles, occupancy
from baluarte.supervisor.lifecycle import State, Tell
from baluarte.supervisor.part import Part, PartSpec

_STILL_WAITING = 10.0  # seconds without news after which it is said for whom we wait
_LAST_LINES = 5  # of a part's log, shown when it fails


@dataclass(slots=True)
class StopRequest:
    """What a Ctrl-C sets: the first asks to stop in order, the second insists."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    forced: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self) -> None:
        (self.forced if self.asked.is_set() else self.asked).set()


@dataclass(slots=True)
class Supervisor:
    """Owns the parts of one state directory, which the caller holds (`occupancy.occupied`).

    `tell(part, message)` is where the operator hears of everything; `notes(part)` is what others know of
    a part, for the snapshot.
    """

    state: Path
    tell: Callable[[str, Tell], None]
    notes: Callable[[str], Mapping[str, Any]] = lambda _: {}
    started_at: float = field(default_factory=time.time)
    _groups: list[list[Part]] = field(default_factory=list)
    broken: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """Gets the exception of a bug in the supervision itself."""
    _stopped: bool = False
    _silent: bool = False
    """The log is finished; only the operator hears of what is still said."""
    _own_log: logfiles.LogFile = field(init=False)

    def __post_init__(self) -> None:
        self._own_log = logfiles.LogFile(self.logs / "supervisor.log", "supervisor")

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def parts(self) -> list[Part]:
        return [part for group in self._groups for part in group]

    def say(self, text: str, level: str = "info", part: str = "supervisor") -> None:
        """To the operator and to the supervisor's log."""
        self._told(part, Tell(text, level))

    def _told(self, part: str, message: Tell) -> None:
        if not self._silent:
            self._own_log.say(message.text, message.level, part=part)
        self.tell(part, message)

    async def start(self, specs: Sequence[PartSpec]) -> None:
        """`launch`, then `ready`."""
        await self.ready(self.launch(specs))

    def launch(self, specs: Sequence[PartSpec]) -> list[Part]:
        """Start a group of parts at once. Groups are stopped in reverse order."""
        group = [self._part(spec) for spec in specs]
        self._groups.append(group)
        for part in group:
            part.start()
        return group

    async def ready(self, group: Sequence[Part]) -> None:
        """Wait until all of `group` are ready.

        Raises `BaluarteError` PART_FAILED when one gave up before it was ready.
        """
        waiting = {asyncio.create_task(self._ready(part)): part for part in group}
        try:
            await self._all_ready(waiting)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _part(self, spec: PartSpec) -> Part:
        log = logfiles.LogFile(self.logs / f"{spec.name}.log", spec.name)
        return Part(spec, log, self._told, lambda _: self._record(), self.crashed)

    def crashed(self, error: BaseException) -> None:
        """A bug in the supervision, or in what was built on it: everything is stopped."""
        if not self.broken.done():
            self.broken.set_exception(error)

    async def _all_ready(self, waiting: dict[asyncio.Task[None], Part]) -> None:
        pending = set(waiting)
        while pending:
            done, pending = await asyncio.wait(
                pending, timeout=_STILL_WAITING, return_when=asyncio.FIRST_EXCEPTION
            )
            for task in done:
                task.result()
            if pending:
                names = sorted(waiting[task].name for task in pending)
                self.say(f"still waiting for {', '.join(names)}")

    async def _ready(self, part: Part) -> None:
        if await part.until(State.READY, State.FAILED, State.STOPPED) is State.READY:
            return
        reason = part.situation.reason or "it was stopped"
        last = logfiles.entries(self.logs, [part.name], last=_LAST_LINES)
        shown = "".join(f"\n    {entry.get('event', entry)}" for entry in last)
        raise BaluarteError.of(
            "PART_FAILED",
            f"{part.name} did not become ready: {reason}{shown}",
            f"see `baluarte logs {part.name}`, correct the cause and start again",
        )

    def _record(self) -> None:
        known = {part.name: part.pid for part in self.parts if part.pid is not None}
        with contextlib.suppress(OSError):  # a full disk; only the next start would miss it
            occupancy.record(self.state, known)

    async def stop(self, request: StopRequest) -> None:
        """Stop all groups, last started first, and whatever they leave behind."""
        if self._stopped:
            return
        self._stopped = True
        for part in self.parts:  # who is paused holds up the others' end as well as its own
            part.resume()
        pids = [part.pid for part in self.parts if part.pid is not None]
        left = await asyncio.to_thread(processes.families_with_start, pids)
        helpers = [asyncio.create_task(self._force(request)), *self._preparations()]
        for group in reversed(self._groups):
            for part in group:
                part.stop(force=request.forced.is_set())
            await asyncio.gather(*(p.until(State.STOPPED, State.FAILED) for p in group))
        for helper in helpers:
            helper.cancel()
        processes.end_same(left)
        closing = [part.close() for part in self.parts]
        await asyncio.gather(*closing, *helpers, return_exceptions=True)
        (self.state / "children.json").unlink(missing_ok=True)
        self._silent = True
        self._own_log.finish()

    def _preparations(self) -> list[asyncio.Task[object]]:
        return [
            asyncio.create_task(part.spec.before_stop(), name=f"before stop {part.name}")
            for part in self.parts
            if part.state is State.READY and part.spec.before_stop is not None
        ]

    async def _force(self, request: StopRequest) -> None:
        await request.forced.wait()
        self.say("stopping at once", "warning")
        for part in self.parts:
            part.stop(force=True)

    def snapshot(self) -> dict[str, Any]:
        """How everything is, as the API and `baluarte status` show it."""
        now = time.monotonic()
        return {
            "startedAt": self.started_at,
            "stateDir": str(self.state),
            "parts": [{**_describe(part, now), **self.notes(part.name)} for part in self.parts],
        }


def _describe(part: Part, now: float) -> dict[str, Any]:
    situation = part.situation
    running = situation.pid is not None and situation.launched_at is not None
    return {
        "name": part.name,
        "state": situation.state.value,
        "pid": situation.pid,
        "restarts": situation.restarts,
        "uptimeSeconds": round(now - (situation.launched_at or now), 1) if running else None,
        "url": part.spec.url,
        "reason": situation.reason,
    }


async def run_until_asked(
    supervisor: Supervisor, bring_up: Callable[[], Awaitable[None]], request: StopRequest
) -> None:
    """`bring_up`, then wait for the request to stop; always ends with everything stopped.

    Raises what `bring_up` raised, after everything is stopped.
    """
    starting = asyncio.ensure_future(bring_up())
    asked = asyncio.create_task(request.asked.wait())
    ends: set[asyncio.Future[Any]] = {asked, supervisor.broken}
    try:
        await asyncio.wait({starting, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if supervisor.broken.done():
            supervisor.broken.result()
    finally:
        starting.cancel()
        asked.cancel()
        await asyncio.gather(starting, asked, return_exceptions=True)
        await supervisor.stop(request)
        supervisor.broken.cancel()
