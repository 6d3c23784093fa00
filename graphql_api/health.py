"""`/health`: the whole platform as the gateway sees it, from each service's own readiness."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp
import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

CACHE_SECONDS = 1.0
"""For how long one look at the services serves everybody: the page is public and must not multiply."""

ASK_TIMEOUT = 2.5
"""Seconds for one service to answer: its own checks may take 2."""

MAX_ANSWER = 100_000
"""Bytes of one service's answer."""

Entry = dict[str, Any]


class PlatformHealth:
    """Asks every replica of every service, at most once a second however many people look.

    Args:
        services: base URLs of each service.
    """

    def __init__(
        self,
        services: Mapping[str, Sequence[str]],
        session: aiohttp.ClientSession,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._services = services
        self._session = session
        self._monotonic = monotonic
        self._asking = asyncio.Lock()
        self._seen: dict[str, list[Entry]] = {}
        self._seen_at = float("-inf")

    async def handle(self, _: Request) -> Response:
        """200 when every replica of every service is ready, 503 when not; the body says which."""
        services = await self.look()
        states = {name: _state(replicas) for name, replicas in services.items()}
        if all(state == "up" for state in states.values()):
            status = "up"
        else:
            status = "down" if all(state == "down" for state in states.values()) else "degraded"
        body = {
            "status": status,
            "services": {
                name: {"status": states[name], "replicas": replicas}
                for name, replicas in services.items()
            },
        }
        return JSONResponse(body, status_code=200 if status == "up" else 503)

    async def look(self) -> dict[str, list[Entry]]:
        """What each replica of each service answered, at most `CACHE_SECONDS` ago."""
        async with self._asking:
            if self._monotonic() - self._seen_at >= CACHE_SECONDS:
                self._seen = await self._ask_all()
                self._seen_at = self._monotonic()
            return self._seen

    async def _ask_all(self) -> dict[str, list[Entry]]:
        asked = [(name, url) for name, urls in self._services.items() for url in urls]
        entries = await asyncio.gather(*(self._ask(url) for _, url in asked))
        seen: dict[str, list[Entry]] = {name: [] for name in self._services}
        for (name, _), entry in zip(asked, entries, strict=True):
            seen[name].append(entry)
        return seen

    async def _ask(self, url: str) -> Entry:
        started = time.monotonic()
        try:
            async with asyncio.timeout(ASK_TIMEOUT):
                async with self._session.get(f"{url}/health/ready") as response:
                    told = msgspec.json.decode(await response.content.read(MAX_ANSWER))
            entry: Entry = {
                "status": "up" if response.status == 200 else "down",
                "dependencies": _dependencies(told),
            }
        except TimeoutError:
            entry = {"status": "down", "reason": "timeout"}
        except (aiohttp.ClientError, OSError):
            entry = {"status": "down", "reason": "unreachable"}
        except msgspec.MsgspecError:
            entry = {"status": "down", "reason": "unreadable"}
        return {**entry, "latencyMs": round((time.monotonic() - started) * 1000, 2)}


def _dependencies(told: Any) -> dict[str, str]:
    """State of each dependency by name; everything else that a service tells stays inside."""
    found = told.get("dependencies") if isinstance(told, dict) else None
    if not isinstance(found, dict):
        return {}
    return {
        str(name): "up" if isinstance(item, dict) and item.get("status") == "up" else "down"
        for name, item in found.items()
    }


def _state(replicas: Sequence[Entry]) -> str:
    up = sum(entry["status"] == "up" for entry in replicas)
    if up == len(replicas):
        return "up"
    return "degraded" if up else "down"
