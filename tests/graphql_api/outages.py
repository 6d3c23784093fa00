"""Services that fail and come back, and the copies that the gateway keeps of their answers."""

from collections.abc import Awaitable, Callable
from typing import Any

from chassis import codes
from chassis.verdicts import judge
from resilience import CircuitOpen, FallbackOptions, Pipeline, PipelineOptions
from resilience.copies import SharedCopies
from resilience.testing import FakeClock
from tests.graphql_api.driving import Gateway, Reply
from tests.graphql_api.fakes import FakeClient, Platform

DAY = 86_400.0


class Tier:
    """What replicas share, in memory, on the test's clock; fails when told to."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.held: dict[str, tuple[bytes, float]] = {}
        self.calls = 0
        self.failure: Exception | None = None

    def _work(self) -> None:
        self.calls += 1
        if self.failure is not None:
            raise self.failure

    async def get(self, key: str) -> tuple[bytes, float] | None:
        self._work()
        found = self.held.get(key)
        return None if found is None else (found[0], self.clock.monotonic() - found[1])

    async def put(self, key: str, data: bytes, age: float, lifetime: float) -> None:
        self._work()
        self.held[key] = (data, self.clock.monotonic() - age)

    async def discard(self, key: str) -> None:
        self._work()
        self.held.pop(key, None)


class Keeping:
    """A gateway that keeps copies, over a platform whose services fail when told to."""

    def __init__(
        self,
        platform: Platform | None = None,
        *,
        clock: FakeClock | None = None,
        tier: SharedCopies | None = None,
        stale_seconds: float = DAY,
    ) -> None:
        self.platform = platform or Platform()
        self.clock = clock or FakeClock()
        self.pipelines = {
            name: Pipeline(
                name,
                PipelineOptions(fallback=FallbackOptions(stale_seconds=stale_seconds)),
                clock=self.clock,
                classifier=judge,
                shared_copies=tier,
            )
            for name in ("users", "ledger", "transactions", "notifications")
        }
        self.gateway = Gateway(self.platform, pipelines=self.pipelines)
        self.query: Callable[..., Awaitable[Reply]] = self.gateway.query

    def client(self, service: str) -> FakeClient:
        found: FakeClient = getattr(self.platform, service)
        return found

    def stop(self, service: str, error: Exception | None = None) -> None:
        """The service is away, as its client tells it."""
        self.client(service).failure = error or codes.UNAVAILABLE.error(service=service)

    def start(self, service: str) -> None:
        self.client(service).failure = None

    async def settle(self) -> None:
        """Have everything written that waits for the shared tier."""
        for pipeline in self.pipelines.values():
            await pipeline.aclose()


BREAKER = CircuitOpen("users", 1.5, "open")


def degraded(reply: Reply) -> list[dict[str, Any]]:
    """The summary of an answer."""
    found: list[dict[str, Any]] = reply.json.get("extensions", {}).get("degraded", [])
    return found
