"""A connection that breaks is seen as one, and nothing was done."""

import errno

import aiohttp
import pytest

from tests.chassis.faults.faulted import Faulted


async def test_the_client_sees_a_broken_connection(faulted: Faulted) -> None:
    """Not a 500: the connection is reset with no byte of an answer, and the handler has not run."""
    fault = await faulted.inject("abort")

    with pytest.raises(aiohttp.ClientOSError) as caught:
        await faulted.say()

    assert caught.value.errno == errno.ECONNRESET
    assert faulted.calls == 0
    assert [(one.id, one.met) for one in await faulted.faults()] == [(fault.id, 1)]


async def test_the_service_lives_on(faulted: Faulted) -> None:
    """One request is hit, the next one is answered."""
    await faulted.inject("abort", target={"first": 1})
    with pytest.raises(aiohttp.ClientConnectionError):
        await faulted.say()

    assert (await faulted.say())[0] == 200
