"""Counting: in this process, in Valkey, and in the one while the other is away."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from chassis.cache import open_redis
from chassis.metrics import Metrics
from chassis.policies import CACHE, Policies
from chassis.settings import Secret
from graphql_api.app import POLICY_FILE
from graphql_api.security.rate_limit import (
    FallbackStore,
    GuardedStore,
    LocalStore,
    ValkeyStore,
    client_key,
)
from graphql_api.security.windows import Decision, Window
from resilience.policy_file import PolicyFile
from resilience.testing import FakeClock

WINDOW = Window(5, 60.0)


class Clock:
    def __init__(self) -> None:
        self.now = 600.0

    def __call__(self) -> float:
        return self.now


async def test_the_local_store_slides() -> None:
    """Five pass, the sixth does not; a span later some do again, two spans later all."""
    clock = Clock()
    store = LocalStore(monotonic=clock)
    assert [(await store.take("k", WINDOW)).allowed for _ in range(6)] == [True] * 5 + [False]
    clock.now += 90.0
    assert [(await store.take("k", WINDOW)).allowed for _ in range(3)] == [True, True, False]
    clock.now += 120.0
    assert [(await store.take("k", WINDOW)).allowed for _ in range(6)] == [True] * 5 + [False]


async def test_clients_do_not_share_a_count() -> None:
    """Each key has its own."""
    store = LocalStore(monotonic=Clock())
    for key in ("a", "b"):
        assert (await store.take(key, Window(1))).allowed


async def test_the_local_store_is_bounded() -> None:
    """A flood of addresses takes bounded memory."""
    store = LocalStore(max_clients=100)
    for number in range(1_000):
        await store.take(str(number), WINDOW)
    assert len(store) == 100


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncIterator[Redis]:
    """A client of a real Valkey."""
    client = Redis.from_url(valkey_url)  # patient, since these tests are about counting
    yield client
    await client.aclose()


async def test_gateways_count_together_in_valkey(valkey: Redis) -> None:
    """Of 40 requests at once through two gateways exactly the limit passes."""
    one, other = ValkeyStore(valkey), ValkeyStore(valkey)
    key = secrets.token_hex(8)
    await one.take(secrets.token_hex(8), WINDOW)  # loads the script
    window = Window(15, 3_600.0)
    decisions = await asyncio.gather(
        *(store.take(key, window) for _ in range(20) for store in (one, other))
    )
    assert sum(decision.allowed for decision in decisions) == 15
    assert min(decision.remaining for decision in decisions) == 0


@pytest.mark.parametrize(
    ("age", "counted_before"), [(1, 7), (2, 0), (9, 0)], ids=["next span", "later", "much later"]
)
async def test_valkey_slides_like_the_local_store(
    valkey: Redis, age: int, counted_before: int
) -> None:
    """What was counted in the span before fades; what is older is forgotten."""
    key, window = secrets.token_hex(8), Window(10, 86_400.0)
    store = ValkeyStore(valkey)
    await store.take(key, window)
    stored = f"baluarte:limit:{key}"
    index = int(await valkey.hget(stored, "i") or 0)
    await valkey.hset(stored, mapping={"i": index - age, "p": 3, "c": 7})
    await store.take(key, window)
    told = await valkey.hmget(stored, "i", "p", "c")
    assert [int(item or 0) for item in told] == [index, counted_before, 1]


async def test_every_count_in_valkey_expires(valkey: Redis) -> None:
    """No client leaves a key behind for longer than two spans."""
    key = secrets.token_hex(8)
    await ValkeyStore(valkey).take(key, Window(5, 10.0))
    left = await valkey.pttl(f"baluarte:limit:{key}")
    assert 0 < left <= 20_000


class Dead:
    """A store whose server is gone."""

    def __init__(self) -> None:
        self.asked = 0

    async def take(self, key: str, window: Window) -> Decision:
        self.asked += 1
        raise RedisConnectionError("gone")


async def test_without_valkey_the_process_counts_alone() -> None:
    """The limit holds, each decision is told, and the dead server is soon left alone for a while."""
    clock, dead, told = FakeClock(), Dead(), []
    policies = Policies(PolicyFile(POLICY_FILE).read(), Metrics(), clock=clock)
    guarded = GuardedStore(dead, policies.pipeline(CACHE))
    store = FallbackStore(
        guarded, LocalStore(monotonic=clock.monotonic), fell_back=lambda: told.append(1)
    )
    assert [(await store.take("k", WINDOW)).allowed for _ in range(6)] == [True] * 5 + [False]
    assert (dead.asked, len(told)) == (3, 6)
    await clock.advance(2.0)
    await store.take("k", WINDOW)
    assert dead.asked == 4


async def test_an_unreachable_server_costs_little(unused_tcp_port_closed: int) -> None:
    """A Valkey that refuses connections does not hold requests up."""
    client = open_redis(Secret(f"redis://127.0.0.1:{unused_tcp_port_closed}/0"))
    store = FallbackStore(ValkeyStore(client), LocalStore())
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert (await store.take("k", WINDOW)).allowed
    assert loop.time() - started < 2
    await client.aclose()


@pytest.fixture
def unused_tcp_port_closed() -> int:
    """A port where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_keys_tell_nothing() -> None:
    """No e-mail and no address lies in the store; kinds and identities are told apart."""
    key = client_key("account", "ana@example.com")
    assert "ana" not in key
    assert key == client_key("account", "ana@example.com")
    assert len({key, client_key("address", "ana@example.com"), client_key("account", "b")}) == 3
