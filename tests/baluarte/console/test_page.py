"""The page, in a real browser that reaches no other machine, over a console whose data the test decides.

The tests go on from one another, as somebody does who looks at an outage: one sign-in, one tab.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from baluarte.console.command import link_of
from baluarte.supervisor.faults import request as requests
from baluarte.supervisor.logfiles import LogFile, now_stamp
from tests import devtools
from tests.baluarte.console.grounds import Ground, ground
from tests.devtools import Page
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVIL = "<img src=x onerror=document.title=1>"

FAULT = b'{"part": "ledger", "kind": "hold_down", "seconds": 600}'

TEXT = "document.querySelector('%s').innerText"

CONTRAST = """(() => {
  const parse = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return found.length < 4 ? [...found, 1] : found;
  };
  const linear = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (node) => {
    const box = node.closest("g.node")?.querySelector("rect");
    if (box) return parse(getComputedStyle(box).fill);
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 0, 255, 1];
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    const colour = parse(node instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(colour), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    seen += 1;
    const words = walker.currentNode.textContent.slice(0, 40);
    if (ratio < 4.5) bad.push(`${node.tagName} ${node.getAttribute("class")} ${words}: ${ratio}`);
  }
  return { seen, bad };
})()"""

HEADINGS = """[...document.querySelectorAll("h1,h2,h3,h4")].filter((h) => h.getClientRects().length)
  .map((h) => Number(h.tagName[1]))"""

WIDE = """[...document.querySelectorAll("body *")].filter((e) => {
  const r = e.getBoundingClientRect();
  return r.width && r.right > innerWidth + 0.5 && !e.closest(".scrolls");
}).map((e) => `${e.tagName}.${e.getAttribute("class")} ${e.getBoundingClientRect().right}`)"""

CONTROLS = {"button", "link", "textbox", "checkbox", "combobox", "DisclosureTriangle", "image"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with ground(tmp_path_factory.mktemp("page") / "state") as running:
        running.ledger.checked.set_to_current_time()
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tab() -> AsyncIterator[Page]:
    async with devtools.page() as opened:
        await opened.look(1200, 900)
        yield opened


@pytest.fixture
def log(place: Ground) -> Iterator[LogFile]:
    opened = LogFile(place.supervisor.logs / "gateway.log", "gateway")
    yield opened
    opened.finish()


async def press(tab: Page, key: str, code: int) -> None:
    text = {"Enter": "\r"}.get(key, "")
    for kind in ("keyDown", "keyUp"):
        await tab.call(
            "Input.dispatchKeyEvent", type=kind, key=key, text=text, windowsVirtualKeyCode=code
        )


async def test_whoever_is_not_signed_in_is_asked_to(place: Ground, tab: Page) -> None:
    """With how; a wrong token is told, and the right one opens the console."""
    await tab.go(f"{place.url}/console")
    await tab.until("document.querySelector('#sign-in')?.hidden === false")
    assert "baluarte console" in await tab.run(TEXT % "#sign-in")
    assert await tab.run("document.querySelector('#console').hidden")
    assert tab.console == []
    enter = "document.querySelector('#token').value = '%s';"
    enter += "document.querySelector('#token-form').requestSubmit()"
    await tab.run(enter % "guess")
    await tab.until(f"{TEXT % '#sign-in-said'}.includes('no token')")
    tab.console.clear()  # the browser tells of the refusal
    await tab.run(enter % place.token)
    await tab.until(f"{TEXT % '#live'}.includes('live, ')")
    await tab.run("document.querySelector('#leave').click()")
    await tab.until("!document.querySelector('#sign-in').hidden")


async def test_the_link_opens_it_and_leaves_no_trace(place: Ground, tab: Page) -> None:
    """The ticket is gone from the address at once."""
    await tab.go("about:blank")
    await tab.go(await asyncio.to_thread(link_of, place.url, place.token))
    await tab.until(f"{TEXT % '#live'}.includes('live, ')")
    assert await tab.run("location.href") == f"{place.url}/console"
    assert await tab.run("document.cookie") == ""


async def test_numbers_are_live(place: Ground, tab: Page) -> None:
    """What clients get is drawn, and said in words for those who do not see the curve."""
    await tab.until("document.querySelector('#curve-rate .current').innerText === '0/s'")

    async def asked() -> Any:
        place.gateway.answered(40, "ok", 0.03)
        return await tab.run(
            "parseFloat(document.querySelector('#curve-rate .current').innerText) > 5"
        )

    await eventually(asked)
    assert "ms" in await tab.run(TEXT % "#curve-latency .current")
    label = await tab.run("document.querySelector('#curve-latency svg.chart').ariaLabel")
    assert "p95: now" in label
    assert (
        await tab.run(
            "document.querySelector('#curve-rate svg.chart path.line').getAttribute('d').length"
        )
        > 9
    )
    await tab.until(f"{TEXT % '#verdict'}.includes('All is well')")


async def test_an_opening_breaker_is_told_in_words(place: Ground, tab: Page) -> None:
    """In the verdict, on the map, in the table and in the tables of the map."""
    place.gateway.changed.labels("users", "closed", "open").inc()
    place.gateway.breaker("users", "open")
    await tab.until(f"{TEXT % '#verdict'}.includes('breaker from gateway to users is open')")
    assert "Something is wrong" in await tab.run(TEXT % "#verdict")
    assert "open" in await tab.run("document.querySelector('svg.map .edge-label.bad').textContent")
    label = await tab.run("document.querySelector('svg.map').ariaLabel")
    assert "gateway to users: breaker open" in label
    assert "gateway" in await tab.run(TEXT % "#breakers tbody tr")


async def test_the_stop_button_stops_a_fault(place: Ground, tab: Page) -> None:
    """By keyboard alone: found by Tab, confirmed in place, and told what was done."""
    await place.desk.inject(requests.read(FAULT, ["ledger"]))
    await tab.until("document.querySelector('#faults li')?.innerText.includes('hold_down')")
    assert "ends by itself in" in await tab.run(TEXT % "#faults")
    assert "by a fault on purpose" in await tab.run(TEXT % "#verdict")
    await tab.until("document.querySelector('#curve-rate rect.band') !== null")
    for _ in range(10):
        await press(tab, "Tab", 9)
        if await tab.run("document.activeElement.id") == "stop":
            break
    await press(tab, "Enter", 13)
    assert await tab.run("document.activeElement.id") == "stop-yes"
    assert place.desk.faults, "not before it is confirmed"
    await press(tab, "Enter", 13)
    await tab.until(f"{TEXT % '#stop-said'}.includes('no fault is in place')")
    assert place.desk.faults == ()
    await tab.until(f"{TEXT % '#faults-note'}.includes('None is in place')")


async def test_a_slow_request_tells_its_story(place: Ground, tab: Page, log: LogFile) -> None:
    """Its log lines are shown as text, whatever is in them."""
    told = {"timestamp": now_stamp(), "service": "gateway", "correlationId": "page-0001"}
    slow = {**told, "event": "request", "route": "/graphql", "duration": 4.5, "status": 200}
    for line in (slow, {**told, "event": EVIL, "level": "error", "peer": EVIL}):
        log.feed(json.dumps(line).encode() + b"\n")
    button = "document.querySelector('[data-request=page-0001]')"
    assert "4.5 s" in await tab.until(f"{button}?.innerText")
    await tab.run(f"{button}.click()")
    await tab.until("document.querySelectorAll('#story-lines li').length === 2")
    assert await tab.run(f"{TEXT % '#story-lines'}.includes('{EVIL}')")
    assert await tab.run("document.querySelectorAll('img').length") == 0
    assert await tab.run("document.activeElement.id") == "story-title"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
async def test_it_can_be_read(tab: Page, width: int, scheme: str) -> None:
    """On a phone and a desk, in both schemes: contrast of all text, and nothing to scroll sideways for."""
    await tab.look(width, 800, scheme=scheme)
    await tab.run("document.querySelector('details').open = true")
    await tab.until(f"document.querySelector('svg.map').viewBox.baseVal.width <= {width}")
    found = await tab.run(CONTRAST)
    assert found["bad"] == []
    assert found["seen"] > 60
    # Curves are drawn anew for the width a moment after it has changed.
    await tab.until(f"document.documentElement.scrollWidth <= {width}")
    assert await tab.run(WIDE) == []


async def test_it_can_be_heard(tab: Page) -> None:
    """Every control and picture has a name, headings are in order, one region speaks by itself."""
    await tab.call("Accessibility.enable")
    nodes = (await tab.call("Accessibility.getFullAXTree"))["nodes"]
    shown = [node for node in nodes if not node["ignored"]]
    named = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in shown]
    controls = [(role, name) for role, name in named if role in CONTROLS]
    assert len(controls) > 6
    assert [role for role, name in controls if not name.strip()] == []
    roles = {role for role, _ in named}
    assert {"main", "banner", "contentinfo", "region"} <= roles
    levels = await tab.run(HEADINGS)
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    live = await tab.run(
        "[...document.querySelectorAll('[aria-live],[role=status]')]"
        ".filter((e) => e.getClientRects().length).map((e) => e.id)"
    )
    assert live == ["verdict"]
    assert await tab.run("document.documentElement.lang") == "en"


async def test_what_is_not_live_says_so(place: Ground, tab: Page) -> None:
    """And since when; with the news it is live again, and all the time nothing went wrong in the page."""
    publish = place.collector.publish
    place.collector.publish = lambda: None
    await tab.until(f"{TEXT % '#live'}.includes('not live since')")
    assert "Not live" in await tab.run(TEXT % "#verdict")
    place.collector.publish = publish
    await tab.until(f"{TEXT % '#live'}.includes('live, ')")
    assert tab.console == []
