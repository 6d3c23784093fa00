"""Every chaos scenario against the platform as it is, and against the platform without what it guards.

    python -m tests.prove.scenarios                      # all, as `make prove` does
    python -m tests.prove.scenarios users-slow           # one, with each of its mechanisms off as well
    python -m tests.prove.scenarios --as-it-is users-slow

A scenario that passes says little until it has been seen to fail: so each must go red when a mechanism that
it names is off, by policy file or by a composition root of `tests/mutants/`.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from baluarte.chaos import mechanisms, platforms
from baluarte.sandbox import LIMITED
from chaos import scenarios
from chaos.engine.conduct import Order, conduct
from chaos.engine.slack import Hook, standing_in
from chaos.record import Figures as RunFigures
from chaos.record import Run, Verdict
from chaos.report.words import seconds
from chaos.scenarios.scenario import Platform, Scenario
from tests.kill.platform import platform
from tests.mutants.unsafe_commits import make_unsafe
from tests.prove.ledger_of_proofs import MONEY_PATH, RESULTS, Figures, Proof
from tests.servers import reachable_directory, running_broker

SEED: Final = 1

MAX_REASON: Final = 300
"""Characters of a verdict's reason on the page: money that is wrong is told transfer by transfer."""

UNSAFE_COMMITS: Final = "unsafe_commits"
"""A mutant of the server's settings, where the others are composition roots."""

RED: Final = frozenset({Verdict.DEVIATED, Verdict.ABORTED})
"""What a scenario must come to without its mechanism. Inconclusive or an error would prove nothing."""

FOLDERS: Final = (*MONEY_PATH, "chaos", "loadtests", "tests/prove/scenarios.py")


@dataclass(frozen=True, slots=True)
class Arm:
    """A scenario, and the mechanism that is off; None for the platform as it is."""

    scenario: Scenario
    without: str | None = None

    @property
    def is_mutant(self) -> bool:
        return self.without is not None and self.without.startswith(mechanisms.MUTANT)

    @property
    def is_watched(self) -> bool:
        """Alert contracts are judged as it is; without a mechanism, that mechanism alone must turn it red."""
        return self.without is None

    @property
    def place(self) -> str:
        """What arms that may share a platform have in common."""
        wanted = self.scenario.platform
        return f"{wanted.bus == 'rabbitmq'} {sorted(wanted.replicas.items())} {not self.is_watched}"

    @property
    def title(self) -> str:
        return self.scenario.name + (f" without {self.without}" if self.without else "")

    def wrong(self, run: Run) -> str | None:
        """What is wrong with how it went, if anything."""
        good = run.verdict is Verdict.PASSED if self.without is None else run.verdict in RED
        return None if good else f"{self.title}: {run.verdict}: {run.reason}"


def arms(names: Sequence[str] = (), *, guarded: bool = True) -> list[Arm]:
    """All runs that are wanted, those that may share a platform side by side."""
    found = [scenarios.find(name) for name in names or scenarios.names()]
    as_they_are = [Arm(one) for one in found]
    without = [Arm(one, guard) for one in found for guard in one.guards] if guarded else []
    return sorted(
        as_they_are + without,
        key=lambda arm: (arm.is_mutant, arm.place, not arm.scenario.wants_a_clean_record),
    )


async def carry_out(wanted: Sequence[Arm], runs: Path) -> list[tuple[Arm, Run]]:
    """Run them all; those without a mutant share a platform, whose policy files are changed in between."""
    done: list[tuple[Arm, Run]] = []
    shared = [arm for arm in wanted if not arm.is_mutant]
    for place in dict.fromkeys(arm.place for arm in shared):
        members = [arm for arm in shared if arm.place == place]
        async with _own(members[0]) as (state, policies, hook):
            for arm in members:
                await _turn_off(policies, arm.without)
                done.append((arm, await _conduct(arm, state, runs, hook)))
    for arm in wanted:
        if arm.is_mutant:
            async with _mutant(arm) as state:
                done.append((arm, await _conduct(arm, state, runs)))
    return done


async def _conduct(arm: Arm, state: Path, runs: Path, hook: Hook | None = None) -> Run:
    order = Order(
        scenario=arm.scenario,
        seed=SEED,
        state=state,
        runs=runs,
        mechanisms_off=() if arm.without is None else (arm.without,),
        command=f"python -m tests.prove.scenarios {arm.scenario.name}",
        hook=hook,
    )
    run = (await conduct(order)).run
    print(f"  {arm.title}: {run.verdict}: {run.reason}", flush=True)
    if run.verdict is Verdict.INTERRUPTED:
        raise KeyboardInterrupt  # it was meant for all of them
    return run


LOOKED: Final = 3.0
"""Seconds after which every process has seen a changed policy file: it looks each second."""


async def _turn_off(policies: Path, mechanism: str | None) -> None:
    """Policy files as they come, but for one mechanism."""
    for process, source in mechanisms.POLICY_FILES.items():
        text = source.read_text(encoding="utf-8")
        if mechanism is not None and mechanism.startswith(f"{process}."):
            text = mechanisms.without(text, [mechanism.split(".", 1)[1]])
        file = policies / f"{process}.toml"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
    await asyncio.sleep(LOOKED)


@contextlib.asynccontextmanager
async def _own(arm: Arm) -> AsyncIterator[tuple[Path, Path, Hook | None]]:
    """A platform as it is: its state directory, the policy files that it follows, who hears its alerts."""
    wanted = arm.scenario.platform
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_bus(wanted))
        policies = stack.enter_context(reachable_directory("policies"))
        hook, told = None, {}
        if arm.is_watched:
            hook = await stack.enter_async_context(standing_in())
            told = platforms.watched(hook, policies)
        for process, source in mechanisms.POLICY_FILES.items():
            (policies / f"{process}.toml").write_text(source.read_text(encoding="utf-8"))
        async with platform(
            environ={**_bus_setting(wanted), **told, "BALUARTE_POLICIES_DIR": str(policies)},
            options={
                "chaos": True,
                "replicas": dict(wanted.replicas),
                "monitoring": arm.is_watched,
            },
            limits=LIMITED,
        ) as running:
            yield running.state, policies, hook


@contextlib.asynccontextmanager
async def _mutant(arm: Arm) -> AsyncIterator[Path]:
    """A platform of which one process is another composition root."""
    wanted = arm.scenario.platform
    name = (arm.without or "").removeprefix(mechanisms.MUTANT)
    modules = {} if name == UNSAFE_COMMITS else {name.partition("_")[0]: f"tests.mutants.{name}"}
    with _bus(wanted):
        async with platform(
            modules=modules,
            environ=_bus_setting(wanted),
            options={"chaos": True, "replicas": dict(wanted.replicas)},
            limits=LIMITED,
        ) as running:
            if name == UNSAFE_COMMITS:
                await make_unsafe(running)
            yield running.state


@contextlib.contextmanager
def _bus(wanted: Platform) -> Any:
    """RabbitMQ while the block runs, where the scenario wants it."""
    if wanted.bus != "rabbitmq":
        yield
        return
    with reachable_directory("broker") as there, running_broker(there) as broker:
        os.environ[platforms.BUS_SETTING] = broker.url
        try:
            yield
        finally:
            del os.environ[platforms.BUS_SETTING]


def _bus_setting(wanted: Platform) -> Mapping[str, str]:
    if wanted.bus != "rabbitmq":
        return {}
    return {platforms.BUS_SETTING: os.environ[platforms.BUS_SETTING]}


def page(about: str, done: Sequence[tuple[Arm, Run]]) -> str:
    """The runs of a proof as a page for the docs."""
    lines = [
        "<!-- DO NOT EDIT: written by `make prove`. -->",
        f"# {about}",
        "",
        f"Seed {SEED}. Mitigated, detected: seconds from the injection; recovered: from the revert. In",
        f"brackets: by the clock of the rules, which is {platforms.SPEED:g} times faster than production's.",
        "",
        "| scenario | without | verdict | because"
        " | available | mitigated | detected | recovered | attempts |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for arm, run in sorted(done, key=lambda one: one[0].title):
        told = run.figures
        figures = (
            _percent(told.availability),
            _number(told.time_to_mitigate, " s"),
            _detected(told),
            _number(told.time_to_recover, " s"),
            _number(told.retry_amplification, ""),
        )
        reason = textwrap.shorten(run.reason.replace("|", "/"), MAX_REASON, placeholder=" …")
        cells = (arm.scenario.name, f"`{arm.without}`" if arm.without else "", run.verdict.value)
        lines.append(f"| {' | '.join((*cells, reason, *figures))} |")
    return "\n".join(lines) + "\n"


def _detected(told: RunFigures) -> str:
    if told.time_to_detect is None or told.time_to_detect_nominal is None:
        return ""
    return f"{told.time_to_detect:.2f} s ({seconds(told.time_to_detect_nominal)})"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _number(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.2f}{unit}"


async def _prove(name: str, wanted: Sequence[Arm], about: str) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        done = await carry_out(wanted, Path(folder))
    (RESULTS / f"{name}.md").write_text(page(about, done))
    wrong = [text for arm, run in done if (text := arm.wrong(run)) is not None]
    assert not wrong, "\n".join(wrong)
    verdicts = Counter(run.verdict.value for _, run in done)
    return {"runs": len(done), **verdicts}


AS_THEY_ARE, POLICIES_OFF, MUTANTS = "scenarios", "scenarios-policies-off", "scenarios-mutants"


async def _as_they_are() -> Figures:
    about = "Every scenario, against the platform as it is"
    return await _prove(AS_THEY_ARE, arms(guarded=False), about)


async def _without_policies() -> Figures:
    wanted = [arm for arm in arms() if arm.without and not arm.is_mutant]
    return await _prove(POLICIES_OFF, wanted, "Scenarios without a policy that they guard")


async def _without_mutants() -> Figures:
    wanted = [arm for arm in arms() if arm.is_mutant]
    return await _prove(MUTANTS, wanted, "Scenarios without a mechanism that no setting turns off")


PROOFS = (
    Proof(
        AS_THEY_ARE,
        "every chaos scenario passes, and people are told what it says",
        _as_they_are,
        (*FOLDERS, "monitoring"),
    ),
    Proof(
        POLICIES_OFF,
        "each scenario goes red when a policy that it guards is off",
        _without_policies,
        FOLDERS,
    ),
    Proof(
        MUTANTS,
        "each scenario goes red when a mechanism that it guards is missing",
        _without_mutants,
        FOLDERS,
    ),
)


def main(arguments: Sequence[str]) -> int:
    names = [name for name in arguments if not name.startswith("-")]
    wanted = arms(names, guarded="--as-it-is" not in arguments)
    if "--guards" in arguments:
        wanted = [arm for arm in wanted if arm.without]
    runs = Path(tempfile.mkdtemp(prefix="baluarte-runs-"))
    done = asyncio.run(carry_out(wanted, runs))
    wrong = [text for arm, run in done if (text := arm.wrong(run)) is not None]
    print(f"\n{len(done)} runs, reports in {runs}", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
