"""One run: baseline → hypothesis → faults under load → revert → recovery → audit → verdict.

The course is a task of its own. Whatever ends it (its last phase, an abort condition, Ctrl-C, a fault that
vanished, a bug), what follows is the same: every fault is taken back at once, the load ends, the books are
read, and a whole record is written.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import msgspec

from chaos.engine import watching
from chaos.engine.beside import beside
from chaos.engine.judging import BEFORE, LATER, judge
from chaos.engine.plan import Plan, Step
from chaos.engine.ports import (
    BooksError,
    Glance,
    LoadError,
    World,
)
from chaos.engine.state import State
from chaos.engine.undo import InjectionError, Stack, VanishedError
from chaos.engine.verdict import Ending, conclude
from chaos.engine.vigil import Vigil
from chaos.evidence import Evidence, Span, When, latency, quantile
from chaos.expectations.peak_rate import PeakRate
from chaos.record import Finding, Run, Verdict

BASELINE_TRIES: Final = 2
"""A platform that has just started is slow for some seconds; one that is unwell stays so."""

TICK_SECONDS: Final = 0.05
"""Between looks at the answers: an abort condition is seen this soon."""

SCRAPE_SECONDS: Final = 0.5
RUSH_SCRAPE_SECONDS: Final = 0.1
"""Between readings of `/metrics` when a scenario asks for the peak of a rush."""

LOOK_SECONDS: Final = 0.5
"""Between looks at the books."""

GLANCE_SECONDS: Final = 0.25
RATE_SECONDS: Final = 2.0
"""What a glance's rates are taken over."""

LOAD_STOP_SECONDS: Final = 100.0
"""For the load to drain, and to learn what became of what is open: its own bounds, and some room."""

AUDIT_SECONDS: Final = 45.0


class Engine:
    """Carries out a plan, once.

    Args:
        base: the record's head: id, command, platform, and what else is known before.
        clock: a monotonic clock; 0 of the run is when the engine is made, unless `start` says.
    """

    def __init__(
        self, plan: Plan, world: World, base: Run, clock: Callable[[], float], start: float
    ) -> None:
        self._plan, self._world, self._base = plan, world, base
        self._now: Callable[[], float] = lambda: clock() - start
        self.state = State(plan.scenario, world.observer, self._now)
        self._stack = Stack(world.owners, base.id, self._now, self.state.say)
        self._vigil = Vigil(plan.scenario, world.alerts, self.state, self._now)
        self._stopped: asyncio.Future[tuple[Verdict, str]] | None = None
        self._early: tuple[Verdict, str] | None = None
        self._error = ""
        self._baseline_met: bool | None = None
        self._well_since: float | None = None

    def stop(self, verdict: Verdict, why: str) -> None:
        """End the run now: INTERRUPTED or ABORTED. Safe from a signal handler of the loop."""
        if self._stopped is None:
            self._early = self._early or (verdict, why)
        elif not self._stopped.done():
            self._stopped.set_result((verdict, why))

    async def run(self) -> Run:
        """The whole run. Never raises for what happens in it: that is what verdicts are for."""
        self._stopped = asyncio.get_running_loop().create_future()
        if self._early is not None:
            self._stopped.set_result(self._early)
        works = (self._watch, self._read_pages, self._read_books, self._vigil.hear)
        async with beside(*works) as crashed:
            stopped = await self._until_over(crashed)
            await self._revert()
            await self._end_load(gently=stopped is None or stopped[0] is not Verdict.INTERRUPTED)
        if stopped is None or stopped[0] is not Verdict.INTERRUPTED:
            await self._audit()
        return self._record(stopped)

    async def _until_over(self, crashed: "asyncio.Future[None]") -> tuple[Verdict, str] | None:
        """Run the course until it ends or is ended. Returns by whom, if it did not end by itself."""
        assert self._stopped is not None  # noqa: S101 - set by run()
        course = asyncio.ensure_future(self._course())
        waited: set[asyncio.Future[Any]] = {course, self._stopped, crashed}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        over = self._stopped.result() if self._stopped.done() else None
        if not course.done():
            if crashed.done() and crashed.exception() is not None:
                over = self._blame(crashed.exception())
            course.cancel()
        await asyncio.wait({course})
        if not course.cancelled() and (error := course.exception()) is not None:
            return self._blame(error)
        if over is not None:
            self.state.say(f"{over[0]}: {over[1]}", level="warning")
        return over

    def _blame(self, error: BaseException | None) -> tuple[Verdict, str] | None:
        """What an exception means for the verdict."""
        if isinstance(error, VanishedError):
            why = f"`baluarte chaos stop`, or another hand: {error}"
            self.state.say(why, level="warning")
            return Verdict.ABORTED, why
        known = isinstance(error, InjectionError | LoadError)
        self._error = str(error) if known else f"the engine failed: {type(error).__name__}: {error}"
        self.state.say(self._error, level="error")
        return None

    # The course: what happens when nothing goes wrong.

    async def _course(self) -> None:
        phases = self._plan.scenario.phases
        await self._vigil.quiet()
        await self._world.load.start()
        await self._phase("warm-up", phases.warm_up)
        if await self._baseline():
            await self._vigil.note_before()
            await self._faults()
            await self._recovery()
            await self._alerts()

    async def _baseline(self) -> bool:
        """Whether the hypothesis holds before any fault; a platform that was cold gets another try."""
        for left in reversed(range(BASELINE_TRIES)):
            await self._phase("baseline", self._plan.scenario.phases.baseline)
            baseline = self.state.phases[-1]
            self.state.spans[When.BASELINE] = Span(baseline.start, baseline.end)
            await self._hear_out()
            findings = judge(self._plan.scenario, self._evidence(), BEFORE)
            self._baseline_met = all(finding.held for finding in findings)
            if self._baseline_met:
                self.state.say(f"the hypothesis holds in the baseline ({len(findings)} judged)")
                return True
            broken = next(finding for finding in findings if not finding.held)
            then = "once more" if left else "nothing is injected"
            self.state.say(f"not so: {broken.text} ({broken.measured}); {then}", level="warning")
        return False

    async def _hear_out(self) -> None:
        """Let the baseline's last answers come, so that a share is not made of a few slow ones."""
        await asyncio.sleep(0.3)

    async def _phase(self, name: str, seconds: float) -> None:
        with self.state.phase(name, seconds):
            await asyncio.sleep(seconds)

    async def _faults(self) -> None:
        seconds = self._plan.scenario.fault_seconds
        with self.state.phase("faults", seconds) as began:
            self.state.faults_at = began
            beat = asyncio.ensure_future(self._stack.beat())
            timeline = asyncio.ensure_future(self._timeline(began, seconds))
            try:
                await asyncio.wait({beat, timeline}, return_when=asyncio.FIRST_COMPLETED)
                for task in (timeline, beat):
                    if task.done():
                        task.result()
            finally:
                for task in (timeline, beat):
                    task.cancel()
                await asyncio.gather(timeline, beat, return_exceptions=True)
        await self._revert()

    async def _timeline(self, began: float, seconds: float) -> None:
        for step in self._plan.timeline:
            await asyncio.sleep(max(0.0, began + step.at - self._now()))
            await self._take(step)
        await asyncio.sleep(max(0.0, began + seconds - self._now()))

    async def _take(self, step: Step) -> None:
        if step.do == "begin":
            await self._stack.begin(step.action)
        else:
            await self._stack.end(step.action)

    async def _revert(self) -> None:
        """Take back whatever is in place; the first time after a fault notes when all were gone."""
        await self._stack.end_all()
        if self.state.faults_at is not None and self.state.reverted_at is None:
            self.state.reverted_at = self._now()
            self.state.spans[When.DURING] = Span(self.state.faults_at, self.state.reverted_at)

    async def _recovery(self) -> None:
        """Wait until answers are as in the baseline for `WELL_SECONDS`, and then see that it lasts."""
        phases = self._plan.scenario.phases
        baseline = self._evidence().of(When.BASELINE)
        usual = watching.Usual.of(baseline, self._plan.scenario)
        reverted = self.state.reverted_at or self._now()
        with self.state.phase("recovery", phases.recovery):
            while self._now() < reverted + phases.recovery:
                await asyncio.sleep(TICK_SECONDS * 2)
                start = self._now() - watching.WELL_SECONDS
                recent = watching.ended_between(self.state.samples, start, self._now())
                if start >= reverted and watching.is_well(usual, recent):
                    self.state.recovered_at = start
                    self.state.say(
                        f"answers are as before, {start - reverted:.1f} s after the revert"
                    )
                    break
            else:
                self.state.say("answers did not come to be as before", level="warning")
        start = self.state.recovered_at or self._now()
        await self._phase("steady", phases.steady)
        self.state.spans[When.AFTER] = Span(start, self._now())

    async def _alerts(self) -> None:
        """Under the load that people see: see alerts end. What was judged before is not touched by it."""
        if await self._vigil.is_needed():
            with self.state.phase("alerts", 0.0):
                await self._vigil.see_out()

    # Beside the course.

    async def _watch(self) -> None:
        """Take in answers, abort when it is time, and let observers look."""
        shown = -GLANCE_SECONDS
        abort = self._plan.scenario.abort
        while True:
            self.state.samples.extend(self._world.load.heard())
            faults_at = self.state.faults_at
            if abort is not None and faults_at is not None and self.state.reverted_at is None:
                why = watching.must_abort(abort, self.state.samples, self._now(), faults_at)
                if why is not None:
                    self.stop(Verdict.ABORTED, why)
            if self._now() - shown >= GLANCE_SECONDS:
                shown = self._now()
                self._world.observer.glance(self._glance())
            await asyncio.sleep(TICK_SECONDS)

    def _glance(self) -> Glance:
        now = self._now()
        recent = watching.ended_between(self.state.samples, now - RATE_SECONDS, now)
        rates: dict[str, float] = {}
        for sample in recent:
            rates[sample.outcome] = rates.get(sample.outcome, 0.0) + 1 / RATE_SECONDS
        return self.state.glance(
            rates,
            quantile([latency(sample) for sample in recent], 0.95),
            tuple(entry.action.words for entry in self._stack.open if entry.began is not None),
        )

    async def _read_pages(self) -> None:
        await asyncio.gather(*(self._read_page(one) for one in self._world.pages.processes()))

    async def _read_page(self, process: str) -> None:
        rush = any(
            isinstance(one.what, PeakRate)
            for one in (*self._plan.scenario.expect.after, *self._plan.scenario.hypothesis)
        )
        while True:
            page = await self._world.pages.read(process)
            if page is not None:
                self.state.read(process, self._now(), page)
            await asyncio.sleep(RUSH_SCRAPE_SECONDS if rush else SCRAPE_SECONDS)

    async def _read_books(self) -> None:
        """After the revert, see when all has come to rest."""
        books = self._world.books
        while books is not None:
            await asyncio.sleep(LOOK_SECONDS)
            if self.state.reverted_at is not None and (found := await books.unrest()) is not None:
                self.state.rest(found)

    # The end.

    async def _end_load(self, *, gently: bool) -> None:
        with self.state.phase("audit", 0.0):
            try:
                if gently:
                    async with asyncio.timeout(LOAD_STOP_SECONDS):
                        await self._world.load.stop()
            except (LoadError, TimeoutError) as error:
                said = str(error) or f"it did not end within {LOAD_STOP_SECONDS:g} s"
                self._error = self._error or f"the load: {said}"
            finally:
                self._world.load.kill()
            with contextlib.suppress(LoadError):
                self.state.samples.extend(self._world.load.heard())
            await self._last_look()

    async def _last_look(self) -> None:
        """See all come to rest, also what the load's end has set going."""
        books = self._world.books
        began = self._now()
        limit = self._plan.scenario.phases.recovery
        while books is not None and self.state.reverted_at is not None:
            found = await books.unrest()
            if found is not None:
                self.state.rest(found)
            done = self.state.settled_at is not None and self.state.drained_at is not None
            if done or self._now() - began > limit:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _audit(self) -> None:
        books = self._world.books
        if books is None:
            self.state.money_problem = "this platform's books are not ours to read"
            return
        try:
            async with asyncio.timeout(AUDIT_SECONDS):
                self.state.money = tuple(await books.audit(self._world.history))
        except (BooksError, TimeoutError) as error:
            self.state.money_problem = str(error) or f"no audit within {AUDIT_SECONDS:g} s"
            self.state.say(f"audit: {self.state.money_problem}", level="error")

    def _evidence(self) -> Evidence:
        return self.state.evidence(self._stack.applied())

    def _record(self, stopped: tuple[Verdict, str] | None) -> Run:
        evidence = self._evidence()
        stretches = BEFORE | (LATER if self.state.reverted_at is not None else frozenset())
        if stopped is not None and When.AFTER not in self.state.spans:
            stretches -= {When.AFTER}  # it did not come to that, and nobody is to blame
        findings: list[Finding] = []
        if When.BASELINE in self.state.spans:
            findings = judge(self._plan.scenario, evidence, stretches)
        alerts = self._vigil.seen()
        if When.AFTER in self.state.spans:
            findings += self._vigil.findings(alerts)
        ending = Ending(
            findings=findings,
            error=self._error,
            stopped=stopped,
            baseline_met=self._baseline_met,
            unmet=self.state.unmet(self._plan, evidence),
            money_violated=any(one.verdict == "violated" for one in evidence.money or ()),
        )
        verdict, reason = conclude(ending)
        self.state.say(f"{verdict}: {reason}", level="info" if verdict == "passed" else "warning")
        run = self.state.record(self._base, evidence, findings, verdict, reason)
        detect, nominal = self._vigil.detected(alerts)
        figures = msgspec.structs.replace(
            run.figures, time_to_detect=detect, time_to_detect_nominal=nominal
        )
        return msgspec.structs.replace(run, alerts=alerts, figures=figures)
