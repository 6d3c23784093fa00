"""What the policies' metrics say of the calm between experiments, and what is done for it."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from baluarte.supervisor import api
from chaos.explore.operations import Person
from chaos.explore.wire.calm import Calm, cache_failures, changes, opened
from chaos.roster import Owner, OwnerKind
from chassis.metrics import Metrics
from chassis.policy_metrics import PolicyMetrics


def page(metrics: Metrics) -> str:
    return metrics.expose("text/plain")[0].decode()


def test_the_counters_are_those_of_the_policies() -> None:
    """Every counter that is watched exists under its name, and its growth is seen."""
    metrics = Metrics()
    policies = PolicyMetrics(metrics, ["users", "postgres"])
    assert changes(page(metrics)) == 0

    policies._exhausted.labels("users").inc()
    policies._rejections.labels("users", "breaker_open").inc(2)
    policies._transitions.labels("users", "closed", "open").inc()
    assert changes(page(metrics)) == 4

    policies._exhausted.labels("postgres").inc()  # which is nobody's downstream here
    assert changes(page(metrics)) == 4


def test_an_open_breaker_is_no_calm() -> None:
    """A breaker that is open or probing must be waited for; one of another kind of part need not."""
    metrics = Metrics()
    policies = PolicyMetrics(metrics, ["ledger", "valkey"])

    policies._states.labels("valkey", "open").set(1)
    policies._states.labels("ledger", "closed").set(1)
    assert opened(page(metrics)) == set()
    policies._states.labels("ledger", "half_open").set(1)
    assert opened(page(metrics)) == {"ledger"}


def test_a_cache_that_was_late_is_seen() -> None:
    """A call of the cache that failed or was not made may have left an old profile there."""
    metrics = Metrics()
    policies = PolicyMetrics(metrics, ["valkey", "ledger"])
    policies._calls.labels("valkey", "ok").observe(0.01)
    policies._calls.labels("ledger", "timeout").observe(1.0)  # a fault on purpose
    assert cache_failures(page(metrics)) == 0

    policies._calls.labels("valkey", "timeout").observe(0.05)
    policies._rejections.labels("valkey", "breaker_open").inc()
    assert cache_failures(page(metrics)) == 2


@dataclass
class Process:
    """A stand-in for one: a breaker in front of the ledger that closes after so many good calls."""

    name: str
    needs: int

    def __post_init__(self) -> None:
        self.metrics = Metrics()
        self.policies = PolicyMetrics(self.metrics, ["ledger"])
        self._tell()

    def called(self) -> None:
        self.needs = max(0, self.needs - 1)
        self._tell()

    def _tell(self) -> None:
        for state in ("closed", "half_open"):
            is_it = (state == "closed") == (self.needs == 0)
            self.policies._states.labels("ledger", state).set(is_it)

    async def show(self, _: web.Request) -> web.Response:
        return web.Response(text=page(self.metrics))


class Bank:
    """In place of gateway and stage: who asks what makes which process call the ledger."""

    def __init__(self, *processes: Process) -> None:
        self._by_name = {process.name: process for process in processes}

    async def ask(self, question: str, *_: Any) -> None:
        assert "account" in question
        self._by_name["gateway"].called()

    async def deposit(self, *_: Any) -> None:
        self._by_name["transactions"].called()

    async def customer(self) -> Person:
        self._by_name["users-2"].called()
        return Person("p", "p@x.example", "-", "-", "-")

    def is_old(self, _: Person) -> bool:
        return False


@pytest.mark.asyncio
async def test_breakers_behind_the_gateway_are_closed_too() -> None:
    """Each by the calls that its own process makes: what the gateway asks closes none but its own."""
    processes = [Process("gateway", 2), Process("transactions", 2), Process("users-2", 2)]
    bank: Any = Bank(*processes)
    async with AsyncExitStack() as stack:
        owners = []
        for process in processes:
            app = web.Application()
            app.router.add_get("/metrics", process.show)
            port = await stack.enter_async_context(api.serving(app, 0))
            url = f"http://127.0.0.1:{port}"
            owners.append(Owner(kind=OwnerKind.PROCESS, name=process.name, url=url))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        await Calm(session, bank, bank, owners).reopened(["ledger"])
    assert [process.needs for process in processes] == [0, 0, 0]
