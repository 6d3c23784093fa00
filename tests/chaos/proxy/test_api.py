"""Toxiproxy's HTTP API, call by call, and what ours adds to it."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from chaos.proxy import Limits, NewProxy, Options, ProxyServer, serving
from chaos.proxy.dose import Stream
from chassis.faults.contract import MAX_EXPERIMENTS
from tests.chaos.proxy.fakes import FakeClock
from tests.chaos.proxy.wires import connected, heard, upstream
from tests.waiting import eventually

NOBODY = "127.0.0.1:9"
VALID = {"name": "a", "upstream": NOBODY}
Answer = tuple[int, Any]
Call = Callable[..., Awaitable[Answer]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server(clock: FakeClock) -> AsyncIterator[ProxyServer]:
    options = Options(clock=clock, limits=Limits(proxies=5, toxics=3, body_bytes=4_096))
    async with serving([NewProxy(name="p", upstream=NOBODY)], port=0, options=options) as running:
        yield running


@pytest.fixture
async def call(server: ProxyServer) -> AsyncIterator[Call]:
    """`await call("GET", "/proxies")` → status and decoded body, None if empty."""
    async with aiohttp.ClientSession() as client:

        async def ask(method: str, path: str, body: Any = None, **headers: str) -> Answer:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            async with client.request(
                method, server.url + path, data=data, headers=headers
            ) as answer:
                content = await answer.read()
                if not content:
                    return answer.status, None
                if answer.content_type == "application/json":
                    return answer.status, json.loads(content)
                return answer.status, content.decode()

        yield ask


def error(message: str, status: int) -> Answer:
    return status, {"error": message, "status": status}


async def test_proxies_are_listed_by_name(call: Call, server: ProxyServer) -> None:
    """GET /proxies: 200, a map of name to proxy with its toxics."""
    listen = server.proxies.get("p").listen

    assert await call("GET", "/proxies") == (
        200,
        {"p": {"name": "p", "listen": listen, "upstream": NOBODY, "enabled": True, "toxics": []}},
    )


async def test_a_proxy_is_created(call: Call, server: ProxyServer) -> None:
    """POST /proxies: 201, enabled unless told otherwise, on the port that it really got."""
    status, made = await call(
        "POST", "/proxies", {"name": "new", "listen": "localhost:0", "upstream": NOBODY}
    )

    assert status == 201
    assert made["enabled"] is True
    assert made["listen"].startswith("127.0.0.1:")
    assert not made["listen"].endswith(":0")
    assert server.proxies.get("new").enabled


async def test_a_proxy_is_created_disabled(call: Call) -> None:
    """enabled=false makes a proxy that does not listen, and keeps the address as asked."""
    status, made = await call(
        "POST",
        "/proxies",
        {"name": "off", "listen": "127.0.0.1:0", "upstream": NOBODY, "enabled": False},
    )

    assert (status, made["enabled"], made["listen"]) == (201, False, "127.0.0.1:0")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"upstream": NOBODY}, error("missing required field: name", 400)),
        ({"name": "x"}, error("missing required field: upstream", 400)),
        ({"name": "p", "upstream": NOBODY}, error("proxy already exists", 409)),
    ],
)
async def test_creation_is_refused_as_toxiproxy_does(
    call: Call, body: dict[str, str], expected: Answer
) -> None:
    """POST /proxies: 400 for a missing field, 409 for a name that is taken."""
    assert await call("POST", "/proxies", body) == expected


async def test_a_bind_failure_is_500_and_makes_no_proxy(call: Call, server: ProxyServer) -> None:
    """POST /proxies on a taken address: 500 that names it, and the name stays free."""
    taken = server.proxies.get("p").listen

    status, body = await call(
        "POST", "/proxies", {"name": "x", "listen": taken, "upstream": NOBODY}
    )

    assert status == body["status"] == 500
    assert body["error"] == f"listen tcp {taken}: address already in use"
    assert await call("GET", "/proxies/x") == error("proxy not found", 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/proxies"), ("POST", "/populate"), ("POST", "/proxies/p"), ("PATCH", "/proxies/p"),
        ("POST", "/proxies/p/toxics"), ("POST", "/proxies/p/toxics/t"), ("PATCH", "/proxies/p/toxics/t"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b'"text"', b"\xff", b'{"name": 5}[]'])
async def test_malformed_bodies_are_400(call: Call, method: str, path: str, body: bytes) -> None:
    """What is not JSON, or not the JSON that is wanted, is `bad request body: …` on every call."""
    await call("POST", "/proxies/p/toxics", {"type": "latency", "name": "t"})

    status, answer = await call(method, path, body)

    assert status == answer["status"] == 400
    assert answer["error"].startswith("bad request body: ")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("PATCH", ""), ("POST", ""), ("DELETE", ""), ("GET", "/toxics"), ("POST", "/toxics"),
        ("GET", "/toxics/t"), ("PATCH", "/toxics/t"), ("POST", "/toxics/t"), ("DELETE", "/toxics/t"),
    ],
)  # fmt: skip
async def test_an_unknown_proxy_is_404(call: Call, method: str, path: str) -> None:
    """Every call on a proxy that is not there: 404 `proxy not found`."""
    assert await call(method, f"/proxies/none{path}", {}) == error("proxy not found", 404)


@pytest.mark.parametrize("method", ["GET", "PATCH", "POST", "DELETE"])
async def test_an_unknown_toxic_is_404(call: Call, method: str) -> None:
    """Every call on a toxic that is not there: 404 `toxic not found`."""
    assert await call(method, "/proxies/p/toxics/none", {}) == error("toxic not found", 404)


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_a_proxy_is_updated_in_part(call: Call, server: ProxyServer, method: str) -> None:
    """PATCH (and the deprecated POST): 200; what is not named stays, a name is ignored."""
    before = server.proxies.get("p").listen

    status, body = await call(method, "/proxies/p", {"name": "other", "enabled": False})

    assert (status, body["name"], body["enabled"], body["listen"]) == (200, "p", False, before)
    assert (await call(method, "/proxies/p", {"enabled": True}))[1]["enabled"] is True
    assert (await call(method, "/proxies/p", {}))[1]["upstream"] == NOBODY


@pytest.mark.parametrize("what", ["listen", "upstream"])
async def test_a_move_drops_connections(call: Call, server: ProxyServer, what: str) -> None:
    """A changed listen or upstream closes open connections; afterwards the proxy serves as told."""
    async with upstream() as first, upstream() as second:
        await call("PATCH", "/proxies/p", {"upstream": first.address})
        edge = server.proxies.get("p")
        async with connected(edge.listen) as (reader, writer):
            writer.write(b"x")
            await heard(reader, 1)

            change = second.address if what == "upstream" else "127.0.0.1:0"
            status, body = await call("PATCH", "/proxies/p", {what: change})

            assert await heard(reader) == b""
        assert status == 200
        async with connected(body["listen"]) as (reader, writer):
            writer.write(b"y")
            assert await heard(reader, 1) == b"y"
        assert second.seen == (what == "upstream")


async def test_an_update_that_changes_nothing_drops_nothing(
    call: Call, server: ProxyServer
) -> None:
    """The same listen and upstream again leave connections alone."""
    async with upstream() as up:
        await call("PATCH", "/proxies/p", {"upstream": up.address})
        edge = server.proxies.get("p")
        async with connected(edge.listen) as (reader, writer):
            same = {"listen": edge.listen, "upstream": up.address, "enabled": True}
            assert (await call("PATCH", "/proxies/p", same))[0] == 200
            writer.write(b"x")
            assert await heard(reader, 1) == b"x"


async def test_a_proxy_is_deleted(call: Call) -> None:
    """DELETE /proxies/{p}: 204, and it is gone."""
    assert await call("DELETE", "/proxies/p") == (204, None)
    assert await call("GET", "/proxies/p") == error("proxy not found", 404)


async def test_populate_keeps_what_is_alike(call: Call, server: ProxyServer) -> None:
    """POST /populate: 201 {"proxies": […]}; an identical proxy is kept with its toxics."""
    kept = server.proxies.get("p")
    await call("POST", "/proxies/p/toxics", {"type": "latency"})
    wanted = [
        {"name": "p", "listen": kept.listen, "upstream": NOBODY},
        {"name": "q", "listen": "127.0.0.1:0", "upstream": NOBODY, "enabled": False},
    ]

    status, body = await call("POST", "/populate", wanted)

    assert status == 201
    assert [(each["name"], each["enabled"]) for each in body["proxies"]] == [
        ("p", True),
        ("q", False),
    ]
    assert server.proxies.get("p") is kept
    assert len(kept.doses) == 1
    await call("POST", "/populate", [{"name": "p", "upstream": "127.0.0.1:10"}])
    assert server.proxies.get("p") is not kept
    assert str(server.proxies.get("p").upstream) == "127.0.0.1:10"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([VALID, {"name": "b"}], "missing required field: upstream at proxy 2"),
        ([VALID, {"upstream": NOBODY}], "missing required field: name at proxy 2"),
        ([VALID, VALID], "bad request body: two proxies of the same name"),
    ],
)  # fmt: skip
async def test_populate_begins_nothing_that_it_cannot_finish(
    call: Call, wanted: list[dict[str, str]], message: str
) -> None:
    """POST /populate with one entry that is not valid: 400 with the proxies made, which are none."""
    assert await call("POST", "/populate", wanted) == (
        400,
        {"error": message, "status": 400, "proxies": []},
    )
    assert (await call("GET", "/proxies/a"))[0] == 404


async def test_populate_tells_what_it_did_before_a_bind_failed(
    call: Call, server: ProxyServer
) -> None:
    """POST /populate with a taken address: 500, and the proxies that stand by then."""
    taken = server.proxies.get("p").listen
    wanted = [
        {"name": "a", "upstream": NOBODY},
        {"name": "b", "upstream": NOBODY, "listen": taken},
        {"name": "c", "upstream": NOBODY},
    ]

    status, body = await call("POST", "/populate", wanted)

    assert (status, body["status"]) == (500, 500)
    assert [each["name"] for each in body["proxies"]] == ["a"]
    assert (await call("GET", "/proxies/c"))[0] == 404


async def test_a_toxic_is_created_with_its_defaults(call: Call) -> None:
    """POST toxics: 200; name <type>_<stream>, downstream, toxicity 1, attributes 0, and nothing of ours."""
    expected = {
        "name": "latency_downstream",
        "type": "latency",
        "stream": "downstream",
        "toxicity": 1.0,
        "attributes": {"latency": 0, "jitter": 0},
    }

    assert await call("POST", "/proxies/p/toxics", {"type": "latency"}) == (200, expected)
    assert await call("GET", "/proxies/p/toxics") == (200, [expected])
    assert await call("GET", "/proxies/p/toxics/latency_downstream") == (200, expected)
    assert (await call("GET", "/proxies/p"))[1]["toxics"] == [expected]


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("latency", {"latency": 100, "jitter": 10}),
        ("bandwidth", {"rate": 64}),
        ("slow_close", {"delay": 50}),
        ("timeout", {"timeout": 500}),
        ("slicer", {"average_size": 10, "size_variation": 5, "delay": 100}),
        ("limit_data", {"bytes": 100}),
        ("reset_peer", {"timeout": 20}),
    ],
)
async def test_every_toxic_takes_its_attributes(
    call: Call, kind: str, attributes: dict[str, int]
) -> None:
    """Each of Toxiproxy's toxics is taken with its documented attributes, and shows them."""
    body = {"type": kind, "stream": "upstream", "toxicity": 0.5, "attributes": attributes}

    status, made = await call("POST", "/proxies/p/toxics", body)

    assert status == 200
    assert made == {**body, "name": f"{kind}_upstream"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"type": "latency", "name": "t"}, error("toxic already exists", 409)),
        ({"type": "nonsense"}, error("invalid toxic type", 400)),
        ({}, error("invalid toxic type", 400)),
        (
            {"type": "latency", "stream": "sideways"},
            error("stream was invalid, can be either upstream or downstream", 400),
        ),
    ],
)
async def test_toxics_are_refused_as_toxiproxy_does(
    call: Call, body: dict[str, str], expected: Answer
) -> None:
    """POST toxics: 409 for a name that is taken, 400 for an unknown type or stream."""
    await call("POST", "/proxies/p/toxics", {"type": "latency", "name": "t"})

    assert await call("POST", "/proxies/p/toxics", body) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"attributes": {"latecy": 5}}, {"attributes": {"latency": -1}}, {"attributes": {"latency": "5"}},
        {"attributes": 5}, {"toxicity": 1.5}, {"toxicity": -0.1}, {"lease_seconds": 0},
        {"lease_seconds": -1}, {"lease_seconds": 1e9}, {"lease_seconds": "5"}, {"name": "a/b"},
        {"name": "x" * 129},
    ],
)  # fmt: skip
async def test_a_toxic_that_would_not_do_what_was_meant_is_refused(
    call: Call, body: dict[str, Any]
) -> None:
    """Unknown attributes and values out of range are 400 and apply nothing; Toxiproxy lets some pass."""
    status, answer = await call("POST", "/proxies/p/toxics", {"type": "latency", **body})

    assert status == 400
    assert answer["error"].startswith("bad request body: ")
    assert (await call("GET", "/proxies/p/toxics"))[1] == []


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_only_attributes_and_toxicity_are_mutable(call: Call, method: str) -> None:
    """PATCH (and POST) of a toxic: named attributes and toxicity change, all else is ignored."""
    await call(
        "POST",
        "/proxies/p/toxics",
        {"type": "latency", "name": "t", "attributes": {"latency": 5, "jitter": 1}},
    )
    change = {
        "name": "u",
        "type": "timeout",
        "stream": "upstream",
        "toxicity": 0.5,
        "attributes": {"jitter": 2},
    }

    assert await call(method, "/proxies/p/toxics/t", change) == (
        200,
        {
            "name": "t",
            "type": "latency",
            "stream": "downstream",
            "toxicity": 0.5,
            "attributes": {"latency": 5, "jitter": 2},
        },
    )


async def test_a_refused_change_changes_nothing(call: Call) -> None:
    """PATCH of a toxic with attributes that are not valid: 400, and it stays as it was."""
    await call(
        "POST", "/proxies/p/toxics", {"type": "latency", "name": "t", "attributes": {"latency": 5}}
    )

    bad = {"toxicity": 0.5, "attributes": {"latency": -1}}
    assert (await call("PATCH", "/proxies/p/toxics/t", bad))[0] == 400

    toxic = (await call("GET", "/proxies/p/toxics/t"))[1]
    assert (toxic["toxicity"], toxic["attributes"]["latency"]) == (1.0, 5)


async def test_a_toxic_is_deleted(call: Call) -> None:
    """DELETE of a toxic: 204, and it is gone."""
    await call("POST", "/proxies/p/toxics", {"type": "latency", "name": "t"})

    assert await call("DELETE", "/proxies/p/toxics/t") == (204, None)
    assert (await call("GET", "/proxies/p/toxics"))[1] == []


async def test_reset_is_a_kill_switch(call: Call, server: ProxyServer) -> None:
    """POST /reset: 204; no toxic is left anywhere and every proxy is enabled."""
    await call("POST", "/proxies", {"name": "q", "upstream": NOBODY})
    for name in "pq":
        await call("POST", f"/proxies/{name}/toxics", {"type": "timeout", "lease_seconds": 60})
        await call("PATCH", f"/proxies/{name}", {"enabled": False, "lease_seconds": 60})

    assert await call("POST", "/reset") == (204, None)

    assert all(edge.enabled and not edge.doses for edge in server.proxies)


async def test_reset_goes_on_past_a_proxy_that_cannot_listen(
    call: Call, server: ProxyServer, clock: FakeClock
) -> None:
    """One taken port keeps nothing else from being reset, is told as 500, and is tried again."""
    stolen = server.proxies.get("p")
    await call("PATCH", "/proxies/p", {"enabled": False})
    await call("POST", "/proxies", {"name": "z", "upstream": NOBODY, "enabled": False})
    await call("POST", "/proxies/z/toxics", {"type": "timeout"})
    await call("POST", "/proxies", {"name": "thief", "upstream": NOBODY, "listen": stolen.listen})

    status, body = await call("POST", "/reset")

    assert status == 500
    assert "address already in use" in body["error"]
    assert server.proxies.get("z").enabled
    assert not server.proxies.get("z").doses
    await call("DELETE", "/proxies/thief")
    clock.advance(1.0)
    await eventually(lambda: stolen.enabled)


async def test_the_version_is_told(call: Call) -> None:
    """GET /version: 200 with the version of Toxiproxy whose API this is."""
    status, body = await call("GET", "/version")

    assert status == 200
    assert body["version"].startswith("2.")


async def test_metrics_have_toxiproxys_names(call: Call) -> None:
    """GET /metrics: 200 in Prometheus' format, with Toxiproxy's counters and labels."""
    status, text = await call("GET", "/metrics")

    assert status == 200
    assert 'toxiproxy_proxy_received_bytes_total{direction="upstream",listener="127.0.0.1:' in text
    assert "toxiproxy_proxy_sent_bytes_total{" in text
    assert 'baluarte_proxy_enabled{proxy="p"} 1.0' in text


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


@pytest.mark.parametrize("path", ["/proxies", "/version", "/nowhere"])
async def test_browsers_are_turned_away(call: Call, path: str) -> None:
    """A User-Agent of a browser: 403 on any path, so that no web page breaks things."""
    answer = await call("GET", path, **{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"})

    assert answer == (403, "User agent not allowed\n")


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
