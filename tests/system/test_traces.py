"""One trace tells the whole story of a payment: gateway, services, database, outbox and consumer."""

import json
import re
import secrets

import pytest

from tests.collector import Collector, Received
from tests.kill.platform import Platform
from tests.system.clients import TRANSFER, Gateway, Person, brl, new_key
from tests.waiting import eventually

REQUEST = re.compile(r"[A-Z]+ |(query|mutation|other) ")
"""How the span of a request is named: by method and route, or by what it asks of the schema."""

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _one(spans: list[Received], service: str, name: str) -> Received:
    """The first span of that service and name."""
    found = [span for span in spans if (span.service, span.name) == (service, name)]
    assert found, (service, name, sorted({(span.service, span.name) for span in spans}))
    return found[0]


def _path(spans: list[Received], leaf: Received) -> list[tuple[str, str]]:
    """From the root down to `leaf`."""
    by_id = {span.id: span for span in spans}
    path = [leaf]
    while (above := by_id.get(path[-1].parent)) is not None:
        path.append(above)
    return [(span.service, span.name) for span in reversed(path)]


async def test_a_payment_is_one_trace_from_the_gateway_to_the_last_consumer(
    gateway: Gateway, collector: Collector, alice: Person, bob: Person
) -> None:
    """Parentage through HTTP, the batches of transactions and ledger, the outbox and the inbox."""

    async def paid() -> str:
        trace = secrets.token_hex(16)
        reply = await gateway.ask(
            TRANSFER,
            {"input": {"idempotencyKey": new_key(), "receiverId": bob.id, "amount": brl("1.00")}},
            token=alice.token,
            headers={"traceparent": f"00-{trace}-{secrets.token_hex(8)}-00"},
        )
        assert reply.data("transfer")["status"] == "COMPLETED"
        return trace

    # Breakers that an earlier test has opened close by themselves.
    trace = await eventually(paid, why="a payment is settled at once")

    def one_story() -> bool:
        assert_one_story(collector.of(trace))
        return True

    await eventually(one_story, why="the spans of all processes have come")


def assert_one_story(spans: list[Received]) -> None:
    """Who called whom, from the gateway to the last consumer, and nothing failed on the way."""
    paying = [
        ("gateway", "mutation transfer"),
        ("gateway", "transactions.create"),
        ("transactions", "POST /v1/transactions/create"),
    ]
    posting = [
        *paying,
        ("transactions", "post transactions"),
        ("transactions", "ledger.post_transfers"),
        ("ledger", "POST /v1/postings/post"),
    ]
    assert _path(spans, _one(spans, "ledger", "group commit")) == [
        *posting,
        ("ledger", "group commit"),
    ]
    taking = _one(spans, "transactions", "take transactions")
    assert _path(spans, taking)[:-1] == paying
    statements = [span for span in spans if span.parent == taking.id]
    assert [span.attributes["db.system.name"] for span in statements] == ["postgresql"]
    assert statements[0].attributes["db.query.text"].startswith("WITH asked AS")
    published = _one(spans, "transactions", "publish")
    told = _one(spans, "notifications", "process transaction.completed")
    assert _path(spans, published)[:-1] == paying
    assert _path(spans, told)[:-1] == paying
    assert not [span for span in spans if span.failed]


async def test_log_lines_name_the_trace(
    system: Platform, gateway: Gateway, collector: Collector, alice: Person
) -> None:
    """From a span one finds the lines of every process; polling begins no trace."""

    async def asked() -> str:
        trace = secrets.token_hex(16)
        given = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
        reply = await gateway.ask("{ me { id name } }", token=alice.token, headers=given)
        assert reply.data("me")
        assert "degraded" not in reply.json.get("extensions", {}), "a copy asks nobody"
        return trace

    # Breakers that an earlier test has opened close by themselves.
    trace = await eventually(asked, why="users answers")

    async def told() -> bool:
        lines = (json.loads(line) for line in system.logs().splitlines() if trace in line)
        logged = {line["service"] for line in lines if line["traceId"] == trace}
        return {"gateway", "users"} <= logged and bool(collector.of(trace))

    await eventually(told, why="spans and lines name the trace")
    roots = {span.name for span in collector.spans if not span.parent}
    assert roots, "some requests came without a cause"
    assert not [name for name in roots if not REQUEST.match(name)]
