"""One platform for all system tests: a whole `baluarte up` on free ports, with the bus on PostgreSQL."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from baluarte.demo_data import PASSWORD
from tests.collector import Collector, collecting
from tests.kill.platform import Platform, platform
from tests.system.books import Books
from tests.system.clients import Gateway, Person, Services
from tests.system.sentinels import Sentinels

DEMO_DOMAIN = "baluarte.example"


# Everything is shared, so every test of this folder runs in the session's event loop.
shared = pytest_asyncio.fixture(scope="session", loop_scope="session")


@shared
async def collector() -> AsyncIterator[Collector]:
    """Where every process of the platform sends its spans, all of them."""
    async with collecting() as running:
        yield running


@shared
async def system(collector: Collector) -> AsyncIterator[Platform]:
    """The platform; tests share it, so each makes the people that it changes."""
    told = {"BALUARTE_OTLP_URL": collector.url, "BALUARTE_TRACE_SAMPLE": "1"}
    async with platform(environ=told) as running:
        yield running


@pytest.fixture(scope="session")
def sentinels() -> Sentinels:
    """What must not be found in any log, metric, header or page when the tests are done."""
    return Sentinels()


@shared
async def books(system: Platform) -> AsyncIterator[Books]:
    """All databases of the platform."""
    opened = Books(system)
    yield opened
    await opened.close()


@shared
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections of all clients."""
    async with aiohttp.ClientSession() as opened:
        yield opened


@shared
async def gateway(
    system: Platform, session: aiohttp.ClientSession, sentinels: Sentinels
) -> Gateway:
    """A GraphQL client."""
    return Gateway(session, system.url, sentinels)


@shared
async def services(
    system: Platform, session: aiohttp.ClientSession, sentinels: Sentinels
) -> Services:
    """A client of the services behind the gateway."""
    return Services(session, system, sentinels)


@shared
async def people(gateway: Gateway) -> dict[str, Person]:
    """Three customers with 100.00 each, and the demonstration's staff, all signed in."""
    customers = ("alice", "bob", "mallory")
    found = {name: await gateway.register() for name in customers}
    for name in customers:
        await gateway.deposit(found[name], "100.00")
    for name in ("support", "admin"):
        found[name] = await gateway.login(f"{name}@{DEMO_DOMAIN}", PASSWORD)
    return found


@pytest.fixture
def alice(people: dict[str, Person]) -> Person:
    """A customer with money."""
    return people["alice"]


@pytest.fixture
def bob(people: dict[str, Person]) -> Person:
    """Another customer with money."""
    return people["bob"]


@pytest.fixture
def support(people: dict[str, Person]) -> Person:
    """Staff: sees everybody, reverses."""
    return people["support"]


@pytest.fixture
def admin(people: dict[str, Person]) -> Person:
    """Staff that also deactivates users."""
    return people["admin"]
