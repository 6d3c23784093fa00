"""Spans: parentage, what they may say, and that they cost nothing where nobody traces."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import tracing
from chassis.codes import UNAVAILABLE
from chassis.tracing import Kind, span

CAUSE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = CAUSE[:-2] + "00"


@pytest.fixture
async def spans() -> Iterator[InMemorySpanExporter]:  # type: ignore[misc]
    """Tracing is on; the spans that have ended."""
    exporter = InMemorySpanExporter()
    running = tracing.use("test", SimpleSpanProcessor(exporter))
    yield exporter
    await running.close()


def _only(spans: InMemorySpanExporter) -> ReadableSpan:
    (found,) = spans.get_finished_spans()
    return found


def test_without_tracing_the_cause_is_handed_on_as_it_came() -> None:
    """A process that does not trace is no hole in the trace of those that do."""
    with span("anything", parent=CAUSE, begins=True) as nothing:
        assert nothing.traceparent == CAUSE
        assert not nothing.recorded
        assert not tracing.within()


def test_a_span_is_the_child_of_the_cause_that_came_over_the_wire(
    spans: InMemorySpanExporter,
) -> None:
    """The caller's span is the parent, in the same trace."""
    with span("serve", Kind.SERVER, parent=CAUSE):
        pass
    found = _only(spans)
    assert found.parent is not None
    assert tracing.text_of(found.parent) == CAUSE
    assert f"{found.context.trace_id:032x}" == CAUSE[3:35]


def test_a_span_within_a_span_is_its_child(spans: InMemorySpanExporter) -> None:
    """No parent need be named within the same task."""
    with span("outer", begins=True) as outer, span("inner"):
        pass
    inner, _ = spans.get_finished_spans()
    assert inner.parent is not None
    assert tracing.text_of(inner.parent) == outer.traceparent


def test_what_has_no_cause_begins_no_trace(spans: InMemorySpanExporter) -> None:
    """Polling workers do not fill the trace store."""
    with span("poll") as polling:
        assert polling.traceparent is None
    assert spans.get_finished_spans() == ()


def test_a_batch_is_the_child_of_its_first_cause_and_linked_to_the_others(
    spans: InMemorySpanExporter,
) -> None:
    """What is done for many is found from each of them; links are bounded."""
    others = [f"00-{n:032x}-{n:016x}-01" for n in range(1, 100)]
    with span("batch", causes=[None, CAUSE, *others]):
        pass
    found = _only(spans)
    assert found.parent is not None
    assert tracing.text_of(found.parent) == CAUSE
    assert len(found.links) == tracing.MAX_LINKS - 1


def test_an_attribute_that_is_not_on_the_list_is_left_out(spans: InMemorySpanExporter) -> None:
    """Nobody can add a name or an e-mail by the way."""
    with span("serve", begins=True) as serving:
        serving.tell("http.route", "/users/get")
        serving.tell("user.email", "ana@example.com")
        serving.tell("db.query.text", "x" * 10_000)
    attributes = dict(_only(spans).attributes or {})
    assert attributes == {"http.route": "/users/get", "db.query.text": "x" * tracing.MAX_TEXT}


@pytest.mark.parametrize(
    ("error", "told"),
    [(UNAVAILABLE.error("for ana@example.com"), "UNAVAILABLE"), (KeyError("ana"), "KeyError")],
)
def test_a_failure_is_told_by_its_code_and_never_by_its_text(
    spans: InMemorySpanExporter, error: Exception, told: str
) -> None:
    """Drivers put row values into the text of what they raise."""
    with pytest.raises(type(error)), span("work", begins=True):
        raise error
    found = _only(spans)
    assert not found.status.is_ok
    assert found.status.description is None
    assert found.events == ()
    assert dict(found.attributes or {}) == {"error.type": told}


async def test_the_edge_decides_itself_whether_a_trace_is_kept() -> None:
    """A client cannot have its requests recorded by asking for it; the trace id is kept all the same."""
    exporter = InMemorySpanExporter()
    running = tracing.use("gateway", SimpleSpanProcessor(exporter), sample=0.0, trust_callers=False)
    with span("serve", parent=CAUSE, begins=True) as serving:
        assert serving.traceparent is not None
        assert serving.traceparent[3:35] == CAUSE[3:35]
        assert serving.traceparent.endswith("-00")
    assert exporter.get_finished_spans() == ()
    await running.close()


async def test_within_the_platform_the_callers_decision_holds() -> None:
    """A trace is whole or not there at all."""
    exporter = InMemorySpanExporter()
    running = tracing.use("users", SimpleSpanProcessor(exporter), sample=1.0)
    with span("serve", parent=UNSAMPLED, begins=True):
        pass
    assert exporter.get_finished_spans() == ()
    await running.close()


@pytest.mark.parametrize("text", ["", "00", "00-x-y-01", f"00-{'0' * 32}-{'0' * 16}-01"])
def test_what_is_no_trace_context_is_none(text: str) -> None:
    """A malformed cause is no cause."""
    assert tracing.parse(text) is None
