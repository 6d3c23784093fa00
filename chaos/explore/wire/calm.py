"""Keeping the platform calm between experiments: breakers closed, budgets full, nobody else's fault.

Breakers and retry budgets have a memory, so that one experiment's faults could decide the next one's
outcome. Two things keep that from happening: good calls on the same way follow on each bad one, more of them
than it takes to pay for a retry and to keep the failure rate far below every threshold; and the policies'
own counters say whether they changed their mind during a run, which then does not count.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import aiohttp

from chaos.explore.calls import Injected
from chaos.explore.laboratory import new_correlation
from chaos.explore.operations import Person
from chaos.explore.port import PlatformError, Unrest
from chaos.explore.wire.gateway import Gateway
from chaos.explore.wire.points import service_of
from chaos.explore.wire.stage import Stage, until
from chaos.roster import Owner

GOOD_CALLS: Final = 6
"""For each bad one, beside the dozen that setting the scene takes: at a ratio of a tenth ten calls pay for a
retry, and one bad call in seven is far from a failure rate of a half."""

PAYMENTS: Final = 3
"""For each bad call of the ledger for a payment. They run one by one, which takes longer than its budget's
second bucket to fill."""

WATCHED: Final = frozenset({"users", "ledger", "transactions", "notifications"})
"""Downstreams whose policies decide what an operation becomes."""

CACHING: Final = "users"
"""The service that answers from a cache as if from the source."""

_COUNTED: Final = (
    "circuit_breaker_transitions_total",
    "downstream_retry_budget_exhausted_total",
    "downstream_rejections_total",
)
_STATE: Final = "circuit_breaker_state"
_CALLS: Final = "downstream_call_duration_seconds_count"
_CACHE: Final = "valkey"

_SAMPLE: Final = re.compile(
    rf"^({'|'.join((*_COUNTED, _STATE, _CALLS))})\{{(.*)\}} (\S+)", re.MULTILINE
)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')

_QUESTIONS: Final = {
    "users": "query Calm { me { id } }",
    "ledger": "query Calm { account { id } }",
    "transactions": 'query Calm { transaction(idempotencyKey: "never-sent") { id } }',
    "notifications": "query Calm { notifications(first: 1) { pageInfo { hasNextPage } } }",
}
"""What makes the gateway ask one service, and no other."""


class Calm:
    """See the module.

    Args:
        callers: the processes whose policies are looked at.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        gateway: Gateway,
        stage: Stage,
        callers: Iterable[Owner],
    ) -> None:
        self._session = session
        self._gateway = gateway
        self._stage = stage
        self._callers = tuple(callers)
        self._bystander: Person | None = None
        self._paying = asyncio.Lock()

    async def unrest(self) -> Unrest:
        """How often policies changed their mind so far, when all breakers are closed."""

        async def closed() -> Unrest | None:
            pages = await self._pages()
            if any(map(opened, pages.values())):
                return None
            caches = [page for owner, page in pages.items() if service_of(owner) == CACHING]
            return Unrest(sum(map(changes, pages.values())), sum(map(cache_failures, caches)))

        found: Unrest = await until(closed, "all circuit breakers are closed")
        return found

    async def amend(self, met: Mapping[Injected, int]) -> None:
        """Good calls for bad ones."""
        bad: Counter[tuple[str, str]] = Counter()
        for injected, times in met.items():
            bad[injected.call.caller, injected.call.service] += times
        for (caller, service), times in bad.items():
            if not await self._call(caller, service, times):
                raise PlatformError(f"nothing is known to make {caller} call {service}")

    async def reopened(self, services: Iterable[str]) -> None:
        """Call services that were down until the breakers in front of them are closed.

        Not the gateway's alone: behind it, too, a breaker closes only after so many good calls, and what is
        left to be sent again may be fewer.
        """
        asked = list(services)

        async def well() -> bool | None:
            for service in asked:
                await self._call("gateway", service)
            pages = await self._pages()
            sick = [(owner, service) for owner, page in pages.items() for service in opened(page)]
            for owner, service in sick:
                await self._call(service_of(owner), service)
            return None if sick else True

        await until(well, "breakers close again", seconds=90.0)

    async def _call(self, caller: str, service: str, times: int = 1) -> bool:
        """Make `caller` call `service` often enough to outweigh `times` bad calls; False if nothing can."""
        if caller == "gateway":
            await self._ask(_QUESTIONS[service], GOOD_CALLS * times)
        elif caller == "transactions":
            await self._pay(PAYMENTS * times)
        elif caller == "users":
            await self._stage.customer()  # whose account users lets the ledger open
        else:
            return False
        return True

    async def _ask(self, question: str, times: int) -> None:
        person = await self._somebody()
        await asyncio.gather(
            *(
                self._gateway.ask(question, {}, person.access, new_correlation())
                for _ in range(times)
            )
        )

    async def _pay(self, times: int) -> None:
        async with self._paying:
            person = await self._somebody()
            for _ in range(times):
                await self._stage.deposit(person, "0.01")

    async def _somebody(self) -> Person:
        """Who calls on behalf of nobody; signed in anew in time."""
        if self._bystander is None or self._stage.is_old(self._bystander):
            self._bystander = await self._stage.customer()
        return self._bystander

    async def _pages(self) -> dict[str, str]:
        pages = await asyncio.gather(*(self._page(owner) for owner in self._callers))
        return {owner.name: page for owner, page in zip(self._callers, pages, strict=True)}

    async def _page(self, owner: Owner) -> str:
        try:
            async with self._session.get(f"{owner.url.rstrip('/')}/metrics") as response:
                response.raise_for_status()
                return await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PlatformError(f"the metrics of {owner.name}: {error}") from error


def _samples(page: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """The lines of a page of metrics that matter: it has hundreds, and is read twice for every run."""
    for name, labels, value in _SAMPLE.findall(page):
        yield name, dict(_LABEL.findall(labels)), float(value)


def opened(page: str) -> set[str]:
    """The services in front of which the breaker is not closed."""
    return {
        labels["service"]
        for name, labels, value in _samples(page)
        if name == _STATE and labels["state"] != "closed" and value
    } & WATCHED


def changes(page: str) -> float:
    """How often policies in front of services changed their mind."""
    return sum(
        value
        for name, labels, value in _samples(page)
        if name in _COUNTED and labels["service"] in WATCHED
    )


def cache_failures(page: str) -> float:
    """Calls of the cache that failed or were not made."""
    return sum(
        value
        for name, labels, value in _samples(page)
        if labels["service"] == _CACHE
        and (name == "downstream_rejections_total" or labels.get("outcome", "ok") != "ok")
    )
