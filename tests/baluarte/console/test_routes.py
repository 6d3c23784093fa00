"""The console's routes: who gets what, from which page, under which name."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from baluarte.console.access import SESSION_SECONDS
from baluarte.console.names import HEADER, PREFIX
from baluarte.supervisor import api, logfiles
from baluarte.supervisor.faults import request as requests
from baluarte.supervisor.supervisor import Supervisor
from tests.baluarte.console.grounds import Ground, Visitor, ground, visiting
from tests.baluarte.supervisor.parts import Heard


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> AsyncIterator[Ground]:
    """One for all tests here: each has a browser of its own."""
    async with ground(tmp_path_factory.mktemp("console") / "state", clock=clock) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(place: Ground) -> AsyncIterator[Visitor]:
    async with visiting(place) as found:
        yield found


CLOSED = (("GET", "/stream"), ("GET", "/requests/abcd1234"), ("POST", "/stop"))


async def test_everything_that_tells_wants_a_session(
    place: Ground, visitor: Visitor, clock: Clock
) -> None:
    """Without one, with a wrong one, and with one whose time is over: 401, and a code."""
    for method, path in CLOSED:
        assert (await visitor.ask(method, path))[:2][0] == 401
        forged = f"baluarte_console_{place.port}=guess"
        status, body, _ = await visitor.ask(method, path, Cookie=forged)
        assert (status, body["code"]) == (401, "UNAUTHENTICATED")
    assert await visitor.sign_in("guess") == 401
    assert await visitor.sign_in(place.token) == 204
    assert (await visitor.ask("GET", "/requests/abcd1234"))[0] == 200
    clock.now += SESSION_SECONDS
    for method, path in CLOSED:
        assert (await visitor.ask(method, path))[0] == 401


async def test_the_cookie_is_for_the_console_alone(place: Ground, visitor: Visitor) -> None:
    """No script reads it, no other page sends it, no other path gets it, and it ends."""
    _, _, headers = await visitor.ask("POST", "/session", {"secret": place.token})
    cookie = headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/console", f"Max-Age={SESSION_SECONDS:.0f}"):
        assert part in cookie
    assert place.token not in cookie


async def test_the_consoles_token_does_not_open_the_supervisors_api(
    place: Ground, visitor: Visitor
) -> None:
    """Nor does its cookie, nor a path that looks as if it were below the console's."""
    await visitor.sign_in(place.token)
    bearer = {"Authorization": f"Bearer {place.token}"}
    for path in ("/state", "/console/../state", "/console/%2e%2e/state", "/consoles", "/faults"):
        async with visitor.session.get(f"{place.url}{path}", headers=bearer) as answer:
            assert answer.status == 401, path
    raw = b"GET /console/../state HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert b"startedAt" not in await _raw(place, raw)


async def _raw(place: Ground, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_foreign_page_changes_nothing(place: Ground, visitor: Visitor) -> None:
    """Whoever is signed in: another origin, or none of the headers that only our page adds."""
    await visitor.sign_in(place.token)
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": f"http://localhost:{place.port}"},
        {"Origin": f"https://127.0.0.1:{place.port}"},
        {"Origin": "null"},
        {HEADER: ""},
    ):
        for method, path in (("POST", "/stop"), ("POST", "/session"), ("DELETE", "/session")):
            status, body, _ = await visitor.ask(method, path, **headers)
            assert (status, body["code"]) == (403, "FOREIGN_PAGE"), headers
    assert (await visitor.ask("POST", "/stop"))[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "0.0.0.0", "[::1]"])
async def test_another_name_for_this_machine_is_refused(
    place: Ground, visitor: Visitor, host: str
) -> None:
    """A name that a stranger lets point here (DNS rebinding) would make his page one of ours."""
    await visitor.sign_in(place.token)
    for path in ("", "/console.js", "/session", "/stream"):
        status, body, _ = await visitor.ask("GET", path, Host=f"{host}:{place.port}")
        assert (status, body["code"]) == (421, "HOST_UNKNOWN")


async def test_every_answer_carries_the_armour(place: Ground, visitor: Visitor) -> None:
    """Pages, scripts, refusals and what does not exist: no foreign content, no frame, no store."""
    for path in ("", "/console.js", "/map.js", "/console.css", "/session", "/stream", "/nowhere"):
        _, _, headers = await visitor.ask("GET", path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert (await visitor.ask("GET", "/nowhere"))[0] == 404


async def test_the_page_needs_nothing_from_elsewhere(visitor: Visitor) -> None:
    """No script or style within it, no handler in an attribute, no other host."""
    status, page, _ = await visitor.ask("GET")
    assert status == 200
    assert "//" not in page.replace("<!doctype", "")
    assert "<style" not in page
    assert " on" not in page.split("<body")[0]
    assert page.count("<script") == 1


async def test_a_ticket_comes_for_the_token_and_opens_once(place: Ground, visitor: Visitor) -> None:
    """As `baluarte console` asks for it; a cookie does not buy one."""
    bearer = f"Bearer {place.token}"
    for wrong in ("", "Bearer guess", f"Basic {place.token}"):
        assert (await visitor.ask("POST", "/tickets", Authorization=wrong))[0] == 401
    _, body, _ = await visitor.ask("POST", "/tickets", Authorization=bearer)
    assert await visitor.sign_in(body["ticket"]) == 204
    assert (await visitor.ask("POST", "/tickets"))[0] == 401
    assert await visitor.sign_in(body["ticket"]) == 401


@pytest.mark.parametrize("body", [None, [], {"secret": 1}, {"secret": None}, "x"])
async def test_what_cannot_be_understood_is_refused(visitor: Visitor, body: object) -> None:
    """With 400, and not with a traceback."""
    assert (await visitor.ask("POST", "/session", body))[0] == 400


async def test_a_body_is_bounded(visitor: Visitor) -> None:
    """A token is short."""
    assert (await visitor.ask("POST", "/session", {"secret": "x" * 5000}))[0] == 413


async def test_whoever_signs_out_is_out(place: Ground, visitor: Visitor) -> None:
    """The page asks whether it is signed in, and the old cookie is worth nothing."""
    await visitor.sign_in(place.token)
    assert (await visitor.ask("GET", "/session"))[1] == {"signedIn": True, "full": False}
    [cookie] = visitor.session.cookie_jar
    assert (await visitor.ask("DELETE", "/session"))[0] == 204
    status, body, _ = await visitor.ask("GET", "/session", Cookie=f"{cookie.key}={cookie.value}")
    assert (status, body["signedIn"]) == (200, False)


async def test_the_story_of_a_request_comes_from_all_parts(place: Ground, visitor: Visitor) -> None:
    """By its correlation id, and nothing else of the logs."""
    await visitor.sign_in(place.token)
    for part in ("gateway", "users"):
        log = logfiles.LogFile(place.supervisor.logs / f"{part}.log", part)
        log.say("<b>request</b>", correlationId="story-0001", route="/graphql", duration=1.5)
        log.say("another", correlationId="story-0002")
        log.finish()
    _, body, _ = await visitor.ask("GET", "/requests/story-0001")
    assert [(line["service"], line["event"]) for line in body["lines"]] == [
        ("gateway", "<b>request</b>"),
        ("users", "<b>request</b>"),
    ]
    assert body["lines"][0]["rest"] == "route=/graphql duration=1.5"
    for wrong in ("short", "x" * 65, "a%2fb%2fc%2fd%2fe", "story.0001"):
        assert (await visitor.ask("GET", f"/requests/{wrong}"))[0] in {400, 404}


async def test_the_stop_button_reaches_the_kill_switch(place: Ground, visitor: Visitor) -> None:
    """A fault at the supervisor's desk ends, and the page is told which."""
    await visitor.sign_in(place.token)
    body = b'{"part": "ledger", "kind": "hold_down", "seconds": 60}'
    fault = await place.desk.inject(requests.read(body, ["gateway", "ledger"]))
    status, told, _ = await visitor.ask("POST", "/stop")
    assert status == 200
    assert f"fault {fault.id}" in told["said"][0]
    assert told["said"][-1] == "no fault is in place"
    assert place.desk.faults == ()


async def test_a_stop_that_cannot_be_is_told_with_the_way_out(
    place: Ground, visitor: Visitor
) -> None:
    """As the command says it: a code, what is wrong, what to do."""
    await visitor.sign_in(place.token)
    roster = place.state / "chaos.json"
    away = roster.rename(place.state / "away.json")
    status, told, _ = await visitor.ask("POST", "/stop")
    away.rename(roster)
    assert (status, told["code"]) == (409, "ROSTER_UNREADABLE")
    assert "restart" in told["detail"]


async def test_without_a_console_its_routes_do_not_exist(tmp_path: Path) -> None:
    """They are as unknown as any other path: the supervisor wants its own token first."""
    app = api.application(Supervisor(tmp_path, Heard()), "t")
    async with api.serving(app, 0) as port, aiohttp.ClientSession() as session:
        for headers, status in (({}, 401), ({"Authorization": "Bearer t"}, 404)):
            url = f"http://127.0.0.1:{port}{PREFIX}"
            async with session.get(url, headers=headers) as answer:
                assert answer.status == status
