"""`baluarte up`: the composition root of the platform on one machine."""

import asyncio
import contextlib
import importlib
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from baluarte import auditor, demo_data, migrate
from baluarte.embedded.identity import has_a_name
from baluarte.embedded.places import Places
from baluarte.embedded.postgres import end_orphans
from baluarte.errors import BaluarteError, Problem, invalid
from baluarte.supervisor import occupancy, rosters
from baluarte.supervisor.blueprint import MODULES, Blueprint, draw
from baluarte.supervisor.faults import Desk
from baluarte.supervisor.plan import PRINCIPAL, SERVICES, Options, Plan, make_plan
from baluarte.supervisor.rehearsal import rehearse
from baluarte.supervisor.screen import Screen
from baluarte.supervisor.supervisor import StopRequest, Supervisor, run_until_asked
from chassis.errors import CodedError
from chassis.settings import SettingsError

_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DEMO_LOADED = "demo-loaded"
DATABASES_READY = "databases-ready"


@dataclass(frozen=True, slots=True)
class Up:
    """One run of the platform, from an occupied state directory to an empty process table."""

    options: Options
    environ: Mapping[str, str]
    screen: Screen
    modules: Mapping[str, str] = field(default_factory=lambda: MODULES)

    async def run(self, *, fresh: bool = False) -> None:
        """Bring it up, keep it until asked to stop, take it down.

        Raises `BaluarteError` when it cannot be brought up; nothing runs then either.
        """
        began = time.monotonic()
        request = StopRequest()
        with occupancy.occupied(self.options.state), asking(request):
            self._end_leftovers()
            checks = (rehearse, lambda plan: first_start_problems(plan, fresh=fresh))
            plan = await asyncio.to_thread(make_plan, self.options, self.environ, checks=checks)
            if fresh:  # only now: a mistake in the settings must not cost the data
                occupancy.empty(plan.state)
                self.screen.show(f"starting over in {plan.state}")
            supervisor = Supervisor(plan.state, self.screen.tell)
            desk = _desk(supervisor) if plan.chaos else None
            address = occupancy.announce(plan.state, plan.ports["supervisor"])
            gate = plan.state / DATABASES_READY
            gate.unlink(missing_ok=True)
            drawn = rosters.Secrets.draw()
            blueprint = await asyncio.to_thread(draw, plan, gate, self.modules, drawn.chaos_token)
            self.screen.show(f"starting {', '.join(spec.name for spec in blueprint.specs)}")
            with _enrolled(plan, blueprint, address, drawn):
                async with contextlib.AsyncExitStack() as stack:

                    async def bring_up() -> None:
                        serving = stack.enter_async_context(
                            _served(plan, blueprint, supervisor, address, desk)
                        )
                        await self._bring_up(plan, blueprint, supervisor, serving, drawn)
                        self._welcome(plan, blueprint, time.monotonic() - began)

                    await run_until_asked(supervisor, bring_up, request)
            gate.unlink(missing_ok=True)
        self.screen.show("everything is stopped")

    def _end_leftovers(self) -> None:
        """End what a killed supervisor left: it would hold the ports and the data."""
        state = self.options.state
        data = Places(state).known_home("postgres") / "data"
        ended = end_orphans(data) if data.is_dir() else 0
        left = occupancy.end_leftovers(state)
        if ended and "postgres" not in left:
            left.append("postgres")
        if left:
            self.screen.show(f"ended what an earlier start left behind: {', '.join(left)}")

    async def _bring_up(
        self,
        plan: Plan,
        blueprint: Blueprint,
        supervisor: Supervisor,
        serving: Awaitable[object],
        drawn: rosters.Secrets,
    ) -> None:
        """Everything is launched at once; what needs the databases waits at the gate."""
        watch = supervisor.launch(blueprint.watch)
        servers = supervisor.launch(blueprint.foundations)
        services = supervisor.launch(blueprint.services)
        gateways = supervisor.launch(blueprint.gateways)
        keys = asyncio.to_thread(_make_keys, plan.state / "keys")
        await asyncio.gather(supervisor.ready(servers), keys, serving)
        done = await migrate.migrate_all(blueprint.databases, plan.wanted)
        for service, outcome in done.items():
            if outcome.changed:
                supervisor.say(f"migrated {migrate.describe(service, outcome)}", part="databases")
        if plan.chaos:
            await _prepare_chaos(plan, blueprint, supervisor, drawn)
        (plan.state / DATABASES_READY).touch(mode=0o600)
        await supervisor.ready([*watch, *services, *gateways])
        if plan.demo:
            await self._load_demo(plan, supervisor)

    async def _load_demo(self, plan: Plan, supervisor: Supervisor) -> None:
        """Once in a state directory's life; what is missing after a failure the next start adds."""
        loaded = plan.state / _DEMO_LOADED
        if loaded.exists():
            return
        from baluarte import demo  # with the client and all contracts: for the first start only

        urls = {service: plan.urls(service) for service in SERVICES}
        try:
            await demo.load(urls, plan.state / "keys")
        except (CodedError, TimeoutError) as error:
            code = error.code if isinstance(error, CodedError) else "not settled in time"
            text = f"not complete ({code}); the next start adds what is missing"
            supervisor.say(text, "warning", part="demo data")
            return
        loaded.touch(mode=0o600)
        supervisor.say("users, accounts and first transactions loaded", part="demo data")

    def _welcome(self, plan: Plan, blueprint: Blueprint, seconds: float) -> None:
        url = f"http://127.0.0.1:{plan.ports['gateway']}"
        show = self.screen.show
        show()
        show(f"Baluarte is ready ({seconds:.1f} s).", "bold green")
        show(f"  {'GraphQL':<14} {url}/graphql")
        for service in SERVICES:
            show(f"  {service:<14} {', '.join(f'{base}/docs' for base in plan.urls(service))}")
        for spec in blueprint.watch:
            show(f"  {spec.name:<14} {spec.url}")
        if plan.console:
            console = f"{plan.url('supervisor')}/console"
            show(f"  {'console':<14} {console} (`baluarte console` lets you in)")
        show(f"  {'state':<14} {plan.state}")
        if plan.demo:
            show()
            show(demo_data.invitation(url))
        if plan.chaos:
            show()
            show(
                "Faults may be injected here (--chaos); `baluarte chaos stop` undoes all.",
                "magenta",
            )
        show()
        show("baluarte status shows the parts, baluarte logs what they say. Ctrl-C stops all.")


def first_start_problems(plan: Plan, *, fresh: bool) -> list[Problem]:
    """What stands in the way of a new data directory. Ended tries of initdb would say it less well."""
    places = Places(plan.state)
    there = (places.known_home("postgres") / "data").exists() and not fresh
    if not plan.embeds_postgres or there or has_a_name(places.identity):
        return []
    uid = os.geteuid() if places.identity is None else places.identity.uid
    return [
        Problem(
            "USER_WITHOUT_NAME",
            f"user id {uid} is not in the user database, and PostgreSQL's initdb wants its name",
            f"add it (useradd -u {uid} baluarte), run as another user, or set BALUARTE_DATABASE_URL",
        )
    ]


def _make_keys(folder: Path) -> None:
    # Loads the cryptography, which takes its time: on a thread, while the servers start.
    from chassis.credentials import generate_keys

    try:
        generate_keys(folder, ("gateway", *SERVICES, PRINCIPAL))
    except SettingsError as error:
        raise BaluarteError(*(invalid(problem) for problem in error.problems)) from error


@contextlib.contextmanager
def _enrolled(
    plan: Plan, blueprint: Blueprint, address: occupancy.Address, drawn: rosters.Secrets
) -> Iterator[None]:
    """While the platform runs under `--chaos` its roster lies there; it stays after a SIGKILL only."""
    rosters.strike(plan.state)  # of a supervisor that was killed
    if not plan.chaos:
        yield
        return
    shutil.rmtree(plan.policies, ignore_errors=True)  # mechanisms that an experiment turned off
    plan.policies.mkdir(mode=0o700)
    rosters.write(plan.state, rosters.roster_of(plan, blueprint, address, drawn))
    try:
        yield
    finally:
        rosters.strike(plan.state)


async def _prepare_chaos(
    plan: Plan, blueprint: Blueprint, supervisor: Supervisor, drawn: rosters.Secrets
) -> None:
    """What chaos tools are promised by the roster, once the databases are there."""
    if blueprint.left_out:
        names = ", ".join(blueprint.left_out)
        text = (
            f"no proxy can stand where names of certificates are checked, or in a socket: {names}"
        )
        supervisor.say(text, "warning", part="proxies")
    if plan.embeds_postgres:
        await auditor.admit(blueprint.databases["BALUARTE_DATABASE_URL"], drawn.auditor)


def _desk(supervisor: Supervisor) -> Desk:
    """Faults in the supervisor's parts, shown in its snapshots."""
    desk = Desk(lambda: supervisor.parts, supervisor.say, supervisor.crashed)
    supervisor.notes = desk.about
    return desk


@contextlib.asynccontextmanager
async def _served(
    plan: Plan,
    blueprint: Blueprint,
    supervisor: Supervisor,
    address: occupancy.Address,
    desk: Desk | None,
) -> AsyncIterator[None]:
    # The web server is loaded on a thread: it takes its time, and nobody asks before.
    api = await asyncio.to_thread(importlib.import_module, "baluarte.supervisor.api")
    async with contextlib.AsyncExitStack() as stack:
        guarded = {}
        if plan.console:
            console = await asyncio.to_thread(importlib.import_module, "baluarte.console.open")
            guarded = await stack.enter_async_context(console.opened(plan, blueprint, supervisor))
        more = []
        if desk is not None:
            from baluarte.supervisor.faults.routes import routes  # with the web server

            more = routes(desk)
            await stack.enter_async_context(desk.keeping())
        app = api.application(supervisor, address.token, more, guarded)
        await stack.enter_async_context(api.serving(app, address.port))
        yield


@contextlib.contextmanager
def asking(request: StopRequest) -> Iterator[None]:
    """Hand the signals that end a program to `request`: the first asks, the second insists."""
    loop = asyncio.get_running_loop()
    for number in _ENDING_SIGNALS:
        loop.add_signal_handler(number, request.ask)
    try:
        yield
    finally:
        for number in _ENDING_SIGNALS:
            loop.remove_signal_handler(number)


def run(options: Options, environ: Mapping[str, str], *, fresh: bool, screen: Screen) -> None:
    """`Up.run` in a loop of its own."""
    asyncio.run(Up(options, environ, screen).run(fresh=fresh))
