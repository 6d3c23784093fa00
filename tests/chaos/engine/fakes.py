"""A platform in memory, in virtual time: owners with leases, a load, pages, books."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos.engine.plan import Action, make_plan
from chaos.engine.ports import BooksError, Glance, LoadError, Notice, OwnerError, Unrest, World
from chaos.engine.run import Engine
from chaos.grammar.names import SEVERITIES
from chaos.record import InvariantResult, Moment, Outcome, Phase, Run, Sample, Transition
from chaos.scenarios import Scenario, parse

PER_SECOND = 20
USUAL = 0.02
"""Seconds that an answer takes when all is well."""

SCENARIO = """
title: A test
story: Users fail.
guards: [gateway.users.retry]
hypothesis:
  - availability: 99 %
load: {journeys: {overview: 1}, rate: 20/s}
phases: {warm up: 1 s, baseline: 4 s, recovery: 10 s, steady: 2 s}
faults:
  - {at: 0 s, for: 5 s, process: users, type: error, status: 503}
expect:
  during:
    - availability: 0 %
"""


def scenario(text: str = SCENARIO, **changes: str) -> Scenario:
    """The usual scenario, with pieces of its text changed."""
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    return parse(text, "test.yaml")


@dataclass
class Owner:
    """Keeps faults under leases, as real ones do; can be told to misbehave."""

    now: Callable[[], float]
    met_per_second: float = 10.0
    refuses: bool = False
    hangs_on_begin: bool = False
    silent_from: float = float("inf")
    """From when on it does not answer, like a paused process."""
    places: dict[str, tuple[float, float]] = field(default_factory=dict)
    """id → (began, lease ends), of what is in place."""
    history: list[tuple[float, str, str]] = field(default_factory=list)
    """(when, what, id)."""

    def in_place(self) -> set[str]:
        """Faults whose lease is not over."""
        return {name for name, (_, ends) in self.places.items() if ends > self.now()}

    async def begin(self, action: Action, experiment: str) -> None:
        await self._answer()
        if self.refuses:
            raise OwnerError("not here")
        self._note("begin", action)
        self.places[action.id] = (self.now(), self.now() + (action.lease or 0.0))
        if self.hangs_on_begin:
            await asyncio.Event().wait()

    async def renew(self, action: Action, experiment: str) -> bool:
        await self._answer()
        if action.id not in self.in_place():
            return False
        began, _ = self.places[action.id]
        self.places[action.id] = (began, self.now() + action.lease)
        return True

    async def end(self, action: Action, experiment: str) -> bool:
        await self._answer()
        there = action.id in self.in_place()
        self._note("end", action)
        self.places.pop(action.id, None)
        return there

    async def met(self, action: Action, experiment: str) -> int | None:
        await self._answer()
        if action.id not in self.in_place():
            return None
        return int((self.now() - self.places[action.id][0]) * self.met_per_second)

    async def _answer(self) -> None:
        if self.now() >= self.silent_from:
            await asyncio.Event().wait()
        await asyncio.sleep(0.001)

    def _note(self, what: str, action: Action) -> None:
        self.history.append((self.now(), what, action.id))


@dataclass
class Load:
    """Answers at a steady pace; `answer` decides what each is."""

    now: Callable[[], float]
    answer: Callable[[float], tuple[Outcome, float]]
    dies_at: float = float("inf")
    began: float | None = None
    told: int = 0
    stopped: bool = False
    killed: bool = False

    async def start(self) -> None:
        await asyncio.sleep(0.5)
        self.began = self.now()

    def heard(self) -> list[Sample]:
        if self.now() >= self.dies_at:
            raise LoadError("the load ended by itself")
        if self.began is None:
            return []
        found: list[Sample] = []
        while True:
            intended = self.began + self.told / PER_SECOND
            outcome, seconds = self.answer(intended)
            if intended + seconds > self.now():
                return found
            self.told += 1
            found.append(
                Sample(
                    intended=intended,
                    started=intended,
                    ended=intended + seconds,
                    journey="overview",
                    step="me",
                    outcome=outcome,
                )
            )

    async def stop(self) -> None:
        await asyncio.sleep(0.2)
        self.stopped = True

    def kill(self) -> None:
        self.killed = True


class Pages:
    """One process with one breaker."""

    def __init__(self, state: Callable[[], str]) -> None:
        self._state = state

    def processes(self) -> list[str]:
        return ["gateway"]

    async def read(self, process: str) -> str | None:
        await asyncio.sleep(0.001)
        now = self._state()
        return "".join(
            f'circuit_breaker_state{{service="users",state="{state}"}} {float(state == now)}\n'
            for state in ("closed", "open", "half_open")
        )


@dataclass
class Books:
    """All in order, unless told."""

    violated: bool = False
    unreadable: bool = False
    moving: int = 0

    async def unrest(self) -> Unrest | None:
        return Unrest(self.moving, 0)

    async def audit(self, history: Path) -> Sequence[InvariantResult]:
        if self.unreadable:
            raise BooksError("the database is away")
        verdict = "violated" if self.violated else "valid"
        names = ("conserved", "solvent", "two-legs", "replay", "durable", "sent", "settled")
        return [
            InvariantResult(number=n, name=name, verdict=verdict) for n, name in enumerate(names)
        ]


@dataclass
class Alerts:
    """A watch that tells what a test wants, when it wants it.

    Attributes:
        told: messages; those whose time has come are heard once.
        stands_until: until when each alert stands.
        stands_from: since when all of those do.
    """

    now: Callable[[], float]
    speed: float = 30.0
    place: str = "Slack"
    told: list[Notice] = field(default_factory=list)
    stands_until: dict[tuple[str, str], float] = field(default_factory=dict)
    stands_from: float = 0.0
    known: frozenset[str] | None = frozenset(SEVERITIES)
    _heard: int = 0

    def fire(self, alert: str, service: str, at: float, until: float | None) -> None:
        """People are told of an alert, and that it is over."""
        for firing, when in ((True, at), (False, until)):
            if when is not None:
                self.told.append(
                    Notice(
                        at=when,
                        alert=alert,
                        service=service,
                        firing=firing,
                        channel="#baluarte-gameday",
                        title=f"[{'PAGE' if firing else 'RESOLVED'} · game day] {alert} · {service}",
                    )
                )
        self.told.sort(key=lambda one: one.at)

    async def heard(self) -> list[Notice]:
        found = [one for one in self.told[self._heard :] if one.at <= self.now()]
        self._heard += len(found)
        return found

    async def standing(self) -> frozenset[tuple[str, str]] | None:
        if self.now() < self.stands_from:
            return frozenset()
        return frozenset(key for key, until in self.stands_until.items() if until > self.now())

    def unfinished(self) -> frozenset[tuple[str, str]]:
        return frozenset()

    async def rules(self) -> frozenset[str] | None:
        return self.known


@dataclass
class Recorder:
    """Keeps what an observer is shown."""

    phases: list[str] = field(default_factory=list)
    moments: list[str] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    glances: list[Glance] = field(default_factory=list)

    def phase(self, phase: Phase) -> None:
        self.phases.append(phase.name)

    def moment(self, moment: Moment) -> None:
        self.moments.append(moment.text)

    def transition(self, transition: Transition) -> None:
        self.transitions.append(transition)

    def glance(self, glance: Glance) -> None:
        self.glances.append(glance)


class Stage:
    """An engine among fakes. Make it inside a running (virtual) loop.

    Args:
        during: what answers are while a fault is in place, from (outcome, seconds).
        usual: what they are otherwise.
        watched: whether a watch tells people of alerts.
    """

    def __init__(
        self,
        one: Scenario | None = None,
        *,
        during: tuple[Outcome, float] = (Outcome.STALE, USUAL),
        usual: tuple[Outcome, float] = (Outcome.FRESH, USUAL),
        slow_recovery: float = 0.0,
        books: Books | None = None,
        watched: bool = False,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.start = loop.time()
        self.now: Callable[[], float] = lambda: loop.time() - self.start
        self.plan = make_plan(one or scenario(), seed=7)
        self.owners = {action.owner_name: Owner(self.now) for action in self.plan.actions}
        self.last_fault = -float("inf")
        self.slow_recovery = slow_recovery
        self.during, self.usual = during, usual
        self.load = Load(self.now, self.answer)
        self.books = books or Books()
        self.observer = Recorder()
        self.alerts = Alerts(self.now)
        world = World(
            owners=dict(self.owners),
            load=self.load,
            pages=Pages(self.breaker),
            books=self.books,
            alerts=self.alerts if watched else None,
            observer=self.observer,
        )
        base = Run(id="run-1", scenario="test", title="A test")
        self.engine = Engine(self.plan, world, base, loop.time, self.start)

    @property
    def owner(self) -> Owner:
        """The only one."""
        (one,) = self.owners.values()
        return one

    def faulty(self) -> bool:
        """Whether any fault is in place now."""
        found = any(owner.in_place() for owner in self.owners.values())
        if found:
            self.last_fault = self.now()
        return found

    def answer(self, _: float) -> tuple[Outcome, float]:
        if self.faulty() or self.now() - self.last_fault < self.slow_recovery:
            return self.during
        return self.usual

    def breaker(self) -> str:
        return "open" if self.faulty() else "closed"

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        """Have something happen `seconds` after the run's start."""
        asyncio.get_running_loop().call_later(seconds, do)

    async def run(self) -> Run:
        return await self.engine.run()


def draws(seed: int) -> random.Random:
    """For properties."""
    return random.Random(seed)
