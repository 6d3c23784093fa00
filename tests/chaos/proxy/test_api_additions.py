"""What the API has beyond Toxiproxy's: leases, whose faults they are, and bounds."""

import re

import aiohttp

from chaos.proxy import NewProxy, Options, ProxyServer, serving
from chaos.proxy.dose import Stream
from chassis.faults.contract import MAX_EXPERIMENTS
from tests.chaos.proxy.calling import NOBODY, Call
from tests.chaos.proxy.fakes import FakeClock
from tests.waiting import eventually


async def test_metrics_tell_which_faults_are_in_place(call: Call) -> None:
    """A toxic counts while it is there, and a proxy that is down is a fault too."""
    series = 'chaos_fault_active{experiment="none",fault="%s",service="p"} %s'
    _, made = await call("POST", "/proxies/p/toxics", {"type": "latency"})
    _, during = await call("GET", "/metrics")
    await call("DELETE", f"/proxies/p/toxics/{made['name']}")
    await call("POST", "/proxies/p", {"enabled": False})
    _, after = await call("GET", "/metrics")

    assert series % ("latency", "1.0") in during
    assert series % ("down", "0.0") in during
    assert series % ("latency", "0.0") in after
    assert series % ("down", "1.0") in after


async def test_metrics_tell_whose_faults_they_are(call: Call) -> None:
    """The experiment that asked is a label, also when a lease starts anew; an end is told by a 0."""
    series = 'chaos_fault_active{experiment="%s",fault="%s",service="p"} %s'
    toxic = {"type": "latency", "name": "one", "experiment": "users slow"}
    _, made = await call("POST", "/proxies/p/toxics", toxic)
    _, other = await call("POST", "/proxies/p/toxics", {**toxic, "name": "two"})
    cut = {"enabled": False, "lease_seconds": 60}
    _, down = await call("PATCH", "/proxies/p", {**cut, "experiment": "users-down"})
    _, renewed = await call("PATCH", "/proxies/p", cut)
    _, during = await call("GET", "/metrics")
    _, up = await call("PATCH", "/proxies/p", {"enabled": True})
    await call("POST", "/reset")
    _, after = await call("GET", "/metrics")

    assert [told["experiment"] for told in (made, other, down, renewed)] == [
        *("users-slow", "users-slow", "users-down", "users-down")
    ]
    assert "experiment" not in up
    assert series % ("users-slow", "latency", "2.0") in during
    assert series % ("users-down", "down", "1.0") in during
    assert series % ("users-slow", "latency", "0.0") in after
    assert series % ("users-down", "down", "0.0") in after


async def test_experiments_in_metrics_are_bounded(call: Call) -> None:
    """So many become labels, later ones share one; series of a proxy that is gone go with it."""
    for number in range(MAX_EXPERIMENTS + 3):
        toxic = {"type": "latency", "experiment": f"run-{number}"}
        _, made = await call("POST", "/proxies/p/toxics", toxic)
        _, text = await call("GET", "/metrics")
        await call("DELETE", f"/proxies/p/toxics/{made['name']}")
    await call("DELETE", "/proxies/p")
    _, gone = await call("GET", "/metrics")

    found = set(re.findall(r'chaos_fault_active\{experiment="([^"]+)"', text))
    assert len(found) == MAX_EXPERIMENTS + 1
    assert {"none", "other", "run-0"} <= found
    assert "chaos_fault_active{" not in gone


async def test_leases_are_shown_and_end(call: Call, clock: FakeClock) -> None:
    """A lease is part of a toxic's view while it lasts; when it ends the toxic is gone."""
    status, made = await call("POST", "/proxies/p/toxics", {"type": "latency", "lease_seconds": 30})
    assert (status, made["lease_seconds"], made["lease_left_seconds"]) == (200, 30, 30)
    assert made["met_connections"] == 0

    clock.advance(20.0)
    found = (await call("GET", "/proxies/p/toxics/latency_downstream"))[1]
    assert found["lease_left_seconds"] == 10
    renewed = await call("PATCH", "/proxies/p/toxics/latency_downstream", {"lease_seconds": 40})
    assert renewed[1]["lease_left_seconds"] == 40
    await call("PATCH", "/proxies/p/toxics/latency_downstream", {"toxicity": 0.5})
    clock.advance(40.0)

    assert (await call("GET", "/proxies/p/toxics"))[1] == []


async def test_a_lease_may_be_taken_off(call: Call, clock: FakeClock) -> None:
    """lease_seconds null makes a toxic last until it is removed."""
    await call("POST", "/proxies/p/toxics", {"type": "latency", "lease_seconds": 30})
    await call("PATCH", "/proxies/p/toxics/latency_downstream", {"lease_seconds": None})

    clock.advance(1_000.0)

    (found,) = (await call("GET", "/proxies/p/toxics"))[1]
    assert "lease_seconds" not in found


async def test_down_with_a_lease_ends_by_itself(
    call: Call, clock: FakeClock, server: ProxyServer
) -> None:
    """A proxy disabled with a lease shows it, and is enabled again when it ends."""
    _, down = await call("PATCH", "/proxies/p", {"enabled": False, "lease_seconds": 15})
    assert (down["enabled"], down["lease_seconds"], down["dropped_connections"]) == (False, 15, 0)

    clock.advance(15.0)

    await eventually(lambda: server.proxies.get("p").enabled)
    assert "lease_seconds" not in (await call("GET", "/proxies/p"))[1]


async def test_a_default_lease_covers_clients_that_know_none(clock: FakeClock) -> None:
    """With a default lease every fault ends, unless it was asked to stay in so many words."""
    options = Options(clock=clock, default_lease=60.0)
    async with (
        serving([NewProxy(name="p", upstream=NOBODY)], port=0, options=options) as running,
        aiohttp.ClientSession() as client,
    ):
        edge = running.proxies.get("p")
        for body in ({"type": "latency"}, {"type": "timeout", "lease_seconds": None}):
            await client.post(f"{running.url}/proxies/p/toxics", json=body)
        await client.patch(f"{running.url}/proxies/p", json={"enabled": False})

        clock.advance(60.0)

        await eventually(lambda: edge.enabled)
        assert [dose.toxic.kind for dose in edge.doses] == ["timeout"]


async def test_everything_is_bounded(call: Call) -> None:
    """Proxies, toxics and bodies over their limits are refused, and told what to do."""
    for name in "abcd":
        assert (await call("POST", "/proxies", {"name": name, "upstream": NOBODY}))[0] == 201
    for name in "abc":
        assert (await call("POST", "/proxies/p/toxics", {"type": "latency", "name": name}))[
            0
        ] == 200

    status, body = await call("POST", "/proxies", {"name": "e", "upstream": NOBODY})
    assert (status, "5 proxies" in body["error"]) == (429, True)
    status, body = await call("POST", "/proxies/p/toxics", {"type": "latency"})
    assert (status, "3 toxics" in body["error"]) == (429, True)
    status, body = await call("POST", "/populate", b" " * 5_000)
    assert (status, "4096 bytes" in body["error"]) == (413, True)


async def test_only_the_loopback_is_listened_on(call: Call) -> None:
    """A proxy that other machines could reach is 403, with the option that allows it."""
    body = {"name": "x", "upstream": NOBODY, "listen": "0.0.0.0:0"}

    status, answer = await call("POST", "/proxies", body)

    assert status == 403
    assert "--allow-remote" in answer["error"]


async def test_toxics_are_listed_as_data_meets_them(call: Call) -> None:
    """Upstream toxics come first, each stream in the order in which they were added."""
    for name, stream in (
        ("a", Stream.DOWNSTREAM),
        ("b", Stream.UPSTREAM),
        ("c", Stream.DOWNSTREAM),
    ):
        await call("POST", "/proxies/p/toxics", {"type": "latency", "name": name, "stream": stream})

    assert [each["name"] for each in (await call("GET", "/proxies/p/toxics"))[1]] == ["b", "a", "c"]
