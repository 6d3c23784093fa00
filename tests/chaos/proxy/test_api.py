"""Toxiproxy's HTTP API, call by call: proxies, reset, version, metrics."""

import pytest

from chaos.proxy import ProxyServer
from tests.chaos.proxy.calling import NOBODY, Answer, Call, error
from tests.chaos.proxy.fakes import FakeClock
from tests.chaos.proxy.wires import connected, heard, upstream
from tests.waiting import eventually

VALID = {"name": "a", "upstream": NOBODY}


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


@pytest.mark.parametrize("path", ["/proxies", "/version", "/nowhere"])
async def test_browsers_are_turned_away(call: Call, path: str) -> None:
    """A User-Agent of a browser: 403 on any path, so that no web page breaks things."""
    answer = await call("GET", path, **{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"})

    assert answer == (403, "User agent not allowed\n")
