"""A service held down by the supervisor."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp

from chaos.explore.port import PlatformError
from chaos.explore.wire.stage import until
from chaos.roster import Roster

LEASE_SECONDS: Final = 300.0
"""Ends an outage whose explorer has died. Eighteen operations of ten seconds fit in."""

BACK_SECONDS: Final = 90.0
"""For a part to start on a busy machine."""


class Supervisor:
    """The supervisor's API."""

    def __init__(self, session: aiohttp.ClientSession, roster: Roster) -> None:
        self._session = session
        self._url = roster.owner("supervisor").url.rstrip("/")
        self._headers = {"authorization": f"Bearer {roster.supervisor_token}"}

    @contextlib.asynccontextmanager
    async def down(self, *parts: str) -> AsyncIterator[None]:
        """Parts held down while the block runs, ready again after it."""
        made: list[str] = []
        try:
            for part in parts:
                wanted = {"part": part, "kind": "hold_down", "seconds": LEASE_SECONDS}
                made.append((await self._ask("POST", "/faults", wanted))["id"])
            await self._until(parts, "held down")
            yield
        finally:
            for id_ in made:
                await self._ask("DELETE", f"/faults/{id_}")
            await self._until(parts, "ready")

    async def _until(self, parts: tuple[str, ...], state: str) -> None:
        async def all_are() -> bool | None:
            told = (await self._ask("GET", "/state"))["parts"]
            states = {part["name"]: part["state"] for part in told}
            return all(states.get(part) == state for part in parts) or None

        await until(all_are, f"{', '.join(parts)} {state}", BACK_SECONDS)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            async with self._session.request(
                method, f"{self._url}{path}", json=body, headers=self._headers
            ) as response:
                told = await response.json(content_type=None)
                if response.status >= 400:
                    raise PlatformError(f"the supervisor: {told}")
                return told
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise PlatformError(f"the supervisor: {type(error).__name__}: {error}") from error
