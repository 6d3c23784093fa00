"""Puts the console together for a platform that `baluarte up` brings up."""

import contextlib
from collections.abc import AsyncIterator, Mapping

from aiohttp import web

from baluarte.console.access import FILE, Access, draw
from baluarte.console.collector import Collector, Platform
from baluarte.console.names import PREFIX
from baluarte.console.routes import Console
from baluarte.supervisor.blueprint import Blueprint
from baluarte.supervisor.plan import Plan
from baluarte.supervisor.supervisor import Supervisor


@contextlib.asynccontextmanager
async def opened(
    plan: Plan, blueprint: Blueprint, supervisor: Supervisor
) -> AsyncIterator[Mapping[str, web.Application]]:
    """The console's application by its path, with all that keeps it up to date while the block runs."""

    def crashed(error: BaseException) -> None:
        # Whoever only looks must not end what it looks at.
        text = f"ended by a bug ({type(error).__name__}: {error}); all else goes on"
        supervisor.say(text, "error", part="console")

    processes = (*blueprint.gateways, *blueprint.services)
    platform = Platform(
        state=plan.state,
        processes={spec.name: plan.url(spec.name) for spec in processes},
        chaos=plan.chaos,
        prometheus=None if plan.outlook is None else plan.url("prometheus"),
        snapshot=supervisor.snapshot,
        bus="in postgres" if plan.amqp_url is None else "RabbitMQ, outside",
    )
    collector = Collector(platform, crashed=crashed)
    console = Console(plan.state, plan.ports["supervisor"], Access(draw(plan.state)), collector)
    try:
        async with collector.keeping():
            yield {PREFIX: console.application()}
    finally:
        (plan.state / FILE).unlink(missing_ok=True)
