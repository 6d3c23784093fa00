"""Faults in requests: who is hit, in which order, and who never is."""

import json

import aiohttp
import msgspec
import pytest

from tests.chassis.faults.faulted import Faulted, new_correlation_id


async def test_only_what_fits_is_hit(faulted: Faulted) -> None:
    """Another route, caller or header passes, and does not count."""
    await faulted.inject("error", target={"route": "/v1/change"})
    await faulted.inject("error", target={"caller": "users"})
    await faulted.inject("error", target={"headers": {"x-kind": "a"}})

    assert (await faulted.say())[0] == 200
    assert [fault.met for fault in await faulted.faults()] == [0, 0, 0]
    assert (await faulted.say(path="/v1/change"))[0] == 503
    assert (await faulted.say(**{"x-kind": "a"}))[0] == 503
    assert [fault.met for fault in await faulted.faults()] == [1, 0, 1]


async def test_the_first_made_is_outermost(faulted: Faulted) -> None:
    """One that ends the request leaves those behind it unasked; one that does not is followed by them."""
    damage = await faulted.inject("corrupt")
    error = await faulted.inject("error", target={"first": 1})
    behind = await faulted.inject("abort", target={"skip": 1})
    correlation = new_correlation_id()

    status, body = await faulted.say(**{"x-correlation-id": correlation})

    assert status == 503
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        msgspec.json.decode(body)
    (call,) = (await faulted.seen(correlation)).calls
    assert call.faults == (error.id, damage.id)
    assert {fault.id: fault.met for fault in await faulted.faults()}[behind.id] == 0


async def test_what_cannot_be_done_does_not_count(faulted: Faulted) -> None:
    """A cut in an answer without a body is no fault, and leaves `first` for one that has one."""
    await faulted.inject("truncate", target={"first": 1})
    async with faulted.running.session.head(faulted.running.url + "/docs") as response:
        assert response.status == 200
    (fault,) = await faulted.faults()

    assert fault.met == 0
    with pytest.raises(aiohttp.ClientPayloadError):
        await faulted.say()


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/chaos/faults"])
async def test_probes_and_the_kill_switch_are_never_hit(faulted: Faulted, path: str) -> None:
    """With a fault for everybody in place, the supervisor still learns the truth."""
    await faulted.inject("abort")
    headers = {"authorization": "Bearer a-chaos-token-for-tests"}

    async with faulted.running.session.get(faulted.running.url + path, headers=headers) as answer:
        assert answer.status == 200
    assert (await faulted.faults())[0].met == 0


async def test_faults_are_seen_as_the_process_own_doing(faulted: Faulted) -> None:
    """Errors on purpose are in the request metrics and carry the correlation id, as real ones do."""
    await faulted.inject("error", attributes={"status": 500})
    correlation = new_correlation_id()
    _, body = await faulted.say(**{"x-correlation-id": correlation})

    counted = faulted.running.metrics.registry.get_sample_value(
        "http_server_request_duration_seconds_count",
        {"method": "POST", "route": "/v1/say", "status_class": "5xx"},
    )
    assert counted == 1
    assert json.loads(body)["correlationId"] == correlation
