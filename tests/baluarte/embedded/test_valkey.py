"""The embedded Valkey: local, with a password, nothing on disk."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis.asyncio
from redis.exceptions import AuthenticationError

from baluarte.embedded import ports, valkey
from baluarte.embedded.places import Places
from baluarte.embedded.valkey import EmbeddedValkey
from baluarte.errors import BaluarteError
from tests import servers


@pytest.fixture
def directory() -> Iterator[Path]:
    with servers.reachable_directory("place") as path:
        yield path


async def test_it_asks_for_the_password(directory: Path) -> None:
    """Loopback is shared by all users of a machine, so an address is not enough."""
    with servers.running_valkey(directory / "state") as server:
        client = redis.asyncio.Redis.from_url(f"redis://127.0.0.1:{server.port}")
        with pytest.raises(AuthenticationError):
            await client.get("x")
        await client.aclose()
        configuration = directory / "state" / "valkey" / "valkey.conf"
        assert stat.S_IMODE(configuration.stat().st_mode) == 0o600


async def test_it_forgets_and_is_bounded(directory: Path) -> None:
    """It is a cache: memory is bounded, the oldest go first, nothing is saved."""
    with servers.running_valkey(directory / "state") as server:
        client = redis.asyncio.Redis.from_url(server.url, decode_responses=True)
        for name, value in {
            "maxmemory": str(128 * 1024 * 1024),
            "maxmemory-policy": "allkeys-lru",
            "save": "",
            "appendonly": "no",
        }.items():
            assert (await client.config_get(name))[name] == value
        await client.aclose()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root can switch users")
async def test_behind_a_closed_directory(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Binary and folder are put where the server's user can reach them."""
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    (closed / "valkey-server").symlink_to(valkey.wheel_binary())
    monkeypatch.setattr(valkey, "wheel_binary", lambda: closed / "valkey-server")
    places = Places(closed / "state", shared=(directory / "shared",))
    server = EmbeddedValkey(places, ports.free_port())
    server.prepare()
    assert Path(server.command().argv[0]).is_relative_to(directory / "shared")
    assert server.command().directory.is_relative_to(directory / "shared")


def test_a_taken_port_is_told(directory: Path) -> None:
    """The message names the setting for another port."""
    with servers.listening() as port:
        with pytest.raises(BaluarteError, match="BALUARTE_VALKEY_PORT") as taken:
            EmbeddedValkey(Places(directory / "state"), port).prepare()
        assert taken.value.codes == ("PORT_IN_USE",)
