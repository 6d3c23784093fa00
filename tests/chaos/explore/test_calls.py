"""Execution indexes: calls of a run by who asked whom for what, and how often before."""

from chaos.explore.calls import CallKey, Trace, trace_of
from chassis.faults.contract import SeenCall

CREATE, POST = "/v1/transactions/create", "/v1/postings/post"


def seen(caller: str, route: str, at: float, seconds: float = 0.01, status: int = 200) -> SeenCall:
    return SeenCall(caller=caller, route=route, at=at, seconds=seconds, status=status)


FIRST, SECOND = (CallKey("gateway", "transactions", CREATE, nth) for nth in (1, 2))
NESTED, NESTED_AGAIN = (CallKey("transactions", "ledger", POST, nth) for nth in (1, 2))


def traced(until: float = 10.0) -> Trace:
    """A payment whose answer was lost, and which was sent again."""
    record = {
        "transactions": [seen("gateway", CREATE, 1.0, 0.5, 0), seen("gateway", CREATE, 2.0, 0.5)],
        "ledger": [seen("transactions", POST, 2.1), seen("transactions", POST, 1.1)],
        "gateway": [seen("", "/graphql", 0.9, 2.0)],
        "users": [],
    }
    return trace_of(record, {FIRST: "lost, done"}, until=until)


def test_calls_are_counted_in_the_order_of_their_begin() -> None:
    """The same call again is the next one, whichever process tells of it first; the client is no caller."""
    trace = traced()

    assert list(trace) == [FIRST, NESTED, SECOND, NESTED_AGAIN]
    assert trace.outcomes == {
        FIRST: "lost, done",
        NESTED: "ok",
        SECOND: "ok",
        NESTED_AGAIN: "ok",
    }


def test_a_nested_call_belongs_to_the_request_that_was_being_served() -> None:
    """The parent of a call is what its caller was asked at that moment."""
    parents = traced().parents

    assert parents[FIRST] is None
    assert parents[NESTED] == FIRST
    assert parents[NESTED_AGAIN] == SECOND


def test_views_of_two_requests_alike_are_the_same() -> None:
    """What a service saw while it served a request does not depend on how many there were before."""
    trace = traced()

    assert trace.view(FIRST) == trace.view(SECOND)
    assert trace.view(FIRST) == (
        f"transactions {CREATE}",
        frozenset({("ledger", POST, 1, "ok")}),
    )
    assert len(trace.views()) == 2


def test_work_that_nobody_waits_for_is_left_out() -> None:
    """What comes after the answer, or from a service that serves nothing, is the work of others."""
    assert list(traced(until=1.5)) == [FIRST, NESTED]

    recovery = {"ledger": [seen("transactions", POST, 5.0)]}
    assert list(trace_of(recovery, {}, until=10.0)) == []


def test_an_error_is_its_status() -> None:
    """A call that failed by itself counts as what its caller was told."""
    record = {"users": [seen("gateway", "/v1/users/get", 1.0, status=503)]}
    assert list(trace_of(record, {}, until=2.0).outcomes.values()) == ["503"]
