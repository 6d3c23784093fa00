"""The platform that a run needs: the one that runs, or one of its own."""

import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from baluarte.chaos import mechanisms
from baluarte.embedded.places import write_private
from baluarte.embedded.watch import ALERTMANAGER, PROMETHEUS, found
from baluarte.errors import BaluarteError
from baluarte.sandbox import LIMITED, reachable_folder, sandbox
from chaos import roster as rosters
from chaos.engine.slack import Hook, standing_in
from chaos.roster import Roster
from chaos.scenarios.scenario import Platform, Scenario

BUS_SETTING = "BALUARTE_AMQP_URL"
SLACK_SETTING = "BALUARTE_SLACK_URL_FILE"
SPEED_SETTING = "BALUARTE_MONITORING_SPEED"

SPEED = 20.0
"""Of the rules on a platform of our own: a fault of nine seconds is for them an outage of three minutes.
Faster ones need scrapes that a busy machine does not answer in time, and tell of what is not down."""


@dataclass(frozen=True, slots=True)
class Running:
    """A platform that takes faults."""

    state: Path
    roster: Roster
    hook: Hook | None = None
    """The stand-in for Slack, where its Alertmanager sends to ours."""


def running(state: Path, name: str, *, in_production: bool) -> Running:
    """The platform of a state directory.

    Raises:
        BaluarteError: none runs with --chaos there, or it is production; with the command to type.
    """
    try:
        roster = rosters.read(state)
    except OSError:
        raise BaluarteError.of(
            "CHAOS_OFF",
            f"no platform that takes faults runs on {state}",
            f"type `baluarte chaos run {name} --up` for one of its own, "
            f"or `baluarte up --chaos` in another terminal and this command again",
        ) from None
    except msgspec.MsgspecError as error:
        raise BaluarteError.of(
            "ROSTER_UNREADABLE",
            f"{state / rosters.FILE} cannot be understood: {error}",
            "stop the platform and start it again with `baluarte up --chaos`",
        ) from error
    if roster.production and not in_production:
        raise BaluarteError.of(
            "CHAOS_IN_PRODUCTION",
            "this platform runs with production's settings",
            f"if that is what you want, type `baluarte chaos run {name} --in-production`",
        )
    return Running(state, roster)


@contextlib.asynccontextmanager
async def own(
    wanted: Platform, off: Collection[str] = (), *, alerts: bool = False
) -> AsyncIterator[Running]:
    """A platform for the block: as the scenario wants it, with the mechanisms of `off` off.

    Args:
        alerts: whether it is watched, at `SPEED`, and its alerts told to a stand-in for Slack.

    Raises:
        BaluarteError: it cannot be started.
    """
    options = ["--chaos", *(f"--replicas={name}={n}" for name, n in wanted.replicas.items())]
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(reachable_folder("policies"))
        hook = await stack.enter_async_context(standing_in()) if alerts else None
        environ = _environ(wanted)
        if hook is not None:
            options.append("--monitoring")
            environ |= watched(hook, folder)
        if off:
            mechanisms.write_policies(folder, off)
            environ["BALUARTE_POLICIES_DIR"] = str(folder)
        async with sandbox(*options, environ=environ, limits=LIMITED) as box:
            yield Running(box.state, rosters.read(box.state), hook)


def can_watch() -> bool:
    """Whether this machine has what a watch over a platform needs."""
    return all(found(names) is not None for names in (PROMETHEUS, ALERTMANAGER))


def watched(hook: Hook, folder: Path) -> dict[str, str]:
    """Settings of a platform whose alerts come to `hook`, soon; its address is put into `folder`."""
    file = folder / "slack-url"
    write_private(file, hook.url)
    return {SPEED_SETTING: f"{SPEED:g}", SLACK_SETTING: str(file)}


def _environ(wanted: Platform) -> dict[str, str]:
    """RabbitMQ is not ours to start: it is named from outside, or not used."""
    if wanted.bus != "rabbitmq":
        return {}
    if url := os.environ.get(BUS_SETTING):
        return {BUS_SETTING: url}
    raise BaluarteError.of(
        "BUS_MISSING",
        f"the scenario needs RabbitMQ, and {BUS_SETTING} names none",
        f"set {BUS_SETTING}, for example to amqp://guest:guest@127.0.0.1:5672/",
    )


def described(roster: Roster, wanted: Platform) -> dict[str, str]:
    """What was tested, for the record."""
    replicas = ", ".join(f"{name}={count}" for name, count in wanted.replicas.items())
    return {"bus": roster.bus, "replicas": replicas or "one of each"}


def commit() -> str:
    """Of the source, with a `+` when it was changed since; empty without git."""
    here = mechanisms.HOUSES
    try:
        head = _git(here, "rev-parse", "--short", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return head + ("+" if changed else "")


def _git(here: Path, *arguments: str) -> str:
    done = subprocess.run(
        ("git", *arguments), cwd=here, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def groups(scenarios: Collection[Scenario]) -> list[tuple[Platform, list[Scenario]]]:
    """Scenarios by the platform that they want, so that they may share it; the gentle ones come first."""
    found: list[tuple[Platform, list[Scenario]]] = []
    for scenario in sorted(scenarios, key=lambda one: not one.wants_a_clean_record):
        for wanted, members in found:
            if _same(wanted, scenario.platform):
                members.append(scenario)
                break
        else:
            found.append((scenario.platform, [scenario]))
    return found


def _same(one: Platform, other: Platform) -> bool:
    def key(platform: Platform) -> tuple[Mapping[str, int], bool]:
        return platform.replicas, platform.bus == "rabbitmq"

    return key(one) == key(other)
