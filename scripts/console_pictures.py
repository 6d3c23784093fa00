"""Draws the pictures of the console in `docs/`: `python -m scripts.console_pictures`. Needs Chromium.

A platform of its own under `--chaos` is asked by a few customers, photographed, loses `users` to a fault of
the supervisor, and is photographed again: on a desk and on a phone.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp

from baluarte.console.access import token_of
from baluarte.console.command import link_of
from baluarte.demo_data import PASSWORD, USERS
from baluarte.sandbox import Sandbox, sandbox
from tests import devtools
from tests.devtools import Page

FOLDER: Final = Path(__file__).parents[1] / "docs" / "pictures"

MAX_BYTES: Final = 300_000
"""Of a picture: the repository is cloned by everybody."""

DESK: Final = (1180, 900)
PHONE: Final = (390, 844)
PHONE_PAGE: Final = 2200
"""Pixels of the page that a picture of the phone shows."""

QUIET_SECONDS: Final = 75
"""Of load before the first picture, so that there are curves."""

WAIT_SECONDS: Final = 300
"""Longest wait for a moment that shows what the picture is of."""

SCENES: Final = {
    "healthy": "document.querySelector('.verdict.good') && !/nobody/.test(document.body.innerText)",
    "breaker-open": (
        "document.querySelector('svg.map [data-edge=\"gateway>users\"][data-breaker=open]') !== null"
        " && document.querySelector('#curve-rate .current').innerText !== '–'"
    ),
}
"""What is true in the page then."""

OUTAGE_SECONDS: Final = 30
PAUSE: Final = 0.4
"""Seconds between two requests of one customer."""

SIGN_IN: Final = (
    "mutation($email: String!, $password: String!) "
    "{ login(input: {email: $email, password: $password}) { accessToken } }"
)
ASKED: Final = (
    "{ me { name account { balance { amount currency } balanceAsOf } } }",
    "{ transactions(first: 5) { edges { node { type status amount { amount } sender { name } } } } }",
    "{ account { balance { amount } } notifications(first: 5) { edges { node { title } } } }",
)


async def _customer(session: aiohttp.ClientSession, url: str, email: str) -> None:
    """Asks the same questions again and again, whatever is answered."""
    body = {"query": SIGN_IN, "variables": {"email": email, "password": PASSWORD}}
    async with session.post(f"{url}/graphql", json=body) as answer:
        token = (await answer.json())["data"]["login"]["accessToken"]
    headers = {"Authorization": f"Bearer {token}"}
    while True:
        for query in ASKED:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.post(
                    f"{url}/graphql", json={"query": query}, headers=headers
                ) as answer:
                    await answer.read()
            await asyncio.sleep(PAUSE)


@contextlib.asynccontextmanager
async def load(url: str) -> AsyncIterator[None]:
    """The demonstration's customers ask while the block runs."""
    async with aiohttp.ClientSession() as session:
        tasks = [
            asyncio.create_task(_customer(session, url, user.email))
            for user in USERS
            if user.key not in {"admin", "support"}
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def sign_in(page: Page, running: Sandbox) -> None:
    """Open the console by the link that `baluarte console` prints."""
    token = await asyncio.to_thread(token_of, running.state)
    await page.go(await asyncio.to_thread(link_of, running.base("supervisor"), token))
    await page.until("document.querySelector('#live')?.textContent.includes('live, ')")


async def draw(page: Page, name: str) -> None:
    """Both sizes; the phone's in the dark."""
    FOLDER.mkdir(exist_ok=True)
    for where, size, scheme, height in (
        ("desk", DESK, "light", None),
        ("phone", PHONE, "dark", PHONE_PAGE),
    ):
        await page.look(*size, scheme=scheme)
        await asyncio.sleep(2.5)  # drawn anew, and with the news of two seconds
        # A machine that is busy with other things may take a while to be so.
        await page.until(SCENES[name], WAIT_SECONDS)
        await page.picture(FOLDER / f"console-{name}-{where}.png", height)


async def _run() -> None:
    async with sandbox("--chaos") as running, load(running.url), devtools.page() as page:
        await page.look(*DESK)
        await sign_in(page, running)
        await asyncio.sleep(QUIET_SECONDS)
        await draw(page, "healthy")
        await running.ask("POST", "/faults", {"part": "users", "kind": "hold_down", "seconds": 300})
        await page.look(*DESK)
        await page.until(SCENES["breaker-open"], WAIT_SECONDS)
        await asyncio.sleep(OUTAGE_SECONDS)
        await draw(page, "breaker-open")


def main() -> int:
    """Draw all of them."""
    asyncio.run(_run())
    large = [
        f"{path.name} has {size:,} bytes, {MAX_BYTES:,} at most\n"
        for path in sorted(FOLDER.glob("console-*.png"))
        if (size := path.stat().st_size) > MAX_BYTES
    ]
    sys.stderr.write("".join(large))
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main())
