"""A process' own registry, and the links from its observations to traces."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from chassis.context import set_traceparent
from chassis.metrics import Described, Metrics, exemplar

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def traceparent(flags: str) -> str:
    return f"00-{TRACE}-00f067aa0ba902b7-{flags}"


@pytest.mark.parametrize(
    ("context", "told"),
    [
        (traceparent("01"), {"trace_id": TRACE}),
        (traceparent("03"), {"trace_id": TRACE}),
        (traceparent("00"), None),
        (None, None),
    ],
)
async def test_only_traces_that_are_kept_are_linked(
    context: str | None, told: dict[str, str] | None
) -> None:
    """An observation made in a sampled trace names it; a link to a trace that nobody keeps leads nowhere."""
    set_traceparent(context)

    assert exemplar() == told


async def test_a_scraper_that_asks_for_openmetrics_gets_exemplars() -> None:
    """The trace id stands beside the bucket that the observation fell into."""
    metrics = Metrics()
    seconds = metrics.histogram("work_seconds", "Work")
    set_traceparent(traceparent("01"))
    seconds.observe(0.03, exemplar())

    body, content_type = metrics.expose(OPENMETRICS)
    families = text_string_to_metric_families(body.decode())  # type: ignore[no-untyped-call]
    found = {
        sample.labels["le"]: sample.exemplar.labels
        for family in families
        for sample in family.samples
        if sample.name == "work_seconds_bucket" and sample.exemplar
    }

    assert content_type.startswith("application/openmetrics-text")
    assert found == {"0.05": {"trace_id": TRACE}}


def test_others_get_the_text_format() -> None:
    """Without the wish there is the old format, which has no exemplars."""
    body, content_type = Metrics().expose("text/plain")

    assert content_type.startswith("text/plain")
    assert b"# EOF" not in body


def test_combinations_exist_before_they_happen() -> None:
    """A first error is a step from 0 that a rate sees, and no series tells when it was born."""
    metrics = Metrics()
    metrics.counter("things_total", "Things", kind=("a", "b"), result=("ok", "error"))

    page = metrics.expose(OPENMETRICS)[0].decode()

    assert page.count('things_total{kind="') == 4
    assert "_created" not in page


def test_what_is_made_is_described() -> None:
    """Each metric by the name that is exported, for the page of metrics."""
    metrics = Metrics()
    metrics.counter("jobs", "Jobs", kind=())
    metrics.gauge("depth", "Depth")

    assert metrics.described == [
        Described("jobs_total", "counter", "Jobs", ("kind",)),
        Described("depth", "gauge", "Depth", ()),
    ]
