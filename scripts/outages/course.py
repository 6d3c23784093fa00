"""The course of an outage: a customer asks before, while a part is held down, and when it is back."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp

from baluarte.demo_data import PASSWORD, USERS
from baluarte.errors import BaluarteError
from baluarte.sandbox import Sandbox, until
from scripts.outages.customer import Customer, new_key
from scripts.outages.observations import Observation, Outage, Phase

PARTS = ("users", "ledger", "transactions", "postgres", "valkey")
"""Which are held down, in this order: Valkey last, since it forgets what other outages live on."""

LEASE_SECONDS = 120.0
"""Ends an outage whose observer has died; observing takes seconds."""

RECOVERY_SECONDS = 60.0
"""For a part to start and for the breakers in front of it to close, on a busy machine."""


@contextlib.asynccontextmanager
async def customer(running: Sandbox) -> AsyncIterator[Customer]:
    """Ana of the demonstration data, signed in; she pays Bruno."""
    emails = {user.key: user.email for user in USERS}
    async with aiohttp.ClientSession() as session:
        bruno = Customer(session, running.url, emails["bruno"], PASSWORD, "")
        receiver = (await bruno.login()).data["user"]["id"]
        ana = Customer(session, running.url, emails["ana"], PASSWORD, receiver)
        ana.take(await ana.login())
        await _asked(ana, new_key())  # the first of everything is slow, and not what is shown
        yield ana


async def outage(running: Sandbox, ana: Customer, part: str) -> Outage:
    """What is seen before, during and after `part` is held down; all is well again at the end."""
    before = await _asked(ana, new_key())
    key = new_key()
    async with running.fault(part, "hold_down", LEASE_SECONDS):
        await running.until_state(part, "held down")
        during = await _asked(ana, key)
    await running.ready(RECOVERY_SECONDS)
    after = await _afterwards(ana, key)
    return Outage(part, before, during, after)


async def _asked(ana: Customer, key: str) -> Phase:
    """Each question once; the balance before the transfer changes it."""
    seen = [
        await ana.overview(),
        await ana.statement(),
        await ana.transfer(key),
        await ana.lookup(key),
        await ana.login(),
        await ana.renew(),
    ]
    return {observation.question: observation for observation in seen}


async def _afterwards(ana: Customer, key: str) -> Phase:
    """The transfer of the outage first, as it was found and as the same key settles it; then the rest."""
    found = await _until(lambda: ana.lookup(key), _is_settled, "the transfer is settled")
    again = await _until(lambda: ana.transfer(key), _is_settled, "the same key is answered")
    overview = await _until(ana.overview, _is_fresh, "profile and balance are fresh")
    statement = await _until(ana.statement, _is_fresh, "the statement is fresh")
    login = await _until(ana.login, _is_fresh, "people can sign in")
    refresh = await _until(ana.renew, _is_fresh, "sessions can be renewed")
    return {
        "lookup": found,
        "transfer": again,
        "overview": overview,
        "statement": statement,
        "login": login,
        "refresh": refresh,
    }


def _is_fresh(seen: Observation) -> bool:
    return seen.data is not None and not seen.codes and not seen.degraded


def _is_settled(seen: Observation) -> bool:
    """Definite: it is not there, or it is final."""
    if seen.codes or seen.status == 0:
        return False
    return seen.data is None or seen.data["status"] != "PENDING"


async def _until(
    ask: Callable[[], Awaitable[Observation]], enough: Callable[[Observation], bool], what: str
) -> Observation:
    """Ask until the answer is good enough; the last answer, for the promises to judge."""
    last: list[Observation] = []

    async def once() -> bool:
        last[:] = [await ask()]
        return enough(last[0])

    with contextlib.suppress(BaluarteError):
        await until(once, RECOVERY_SECONDS, what)
    return last[0]
