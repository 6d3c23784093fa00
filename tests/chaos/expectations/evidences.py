"""Evidence made by hand: answers at given times, in given stretches."""

from collections.abc import Sequence
from typing import Any

from yaml import SafeLoader, compose

from chaos.evidence import Evidence, Metrics, Span, When
from chaos.expectations import EXPECTATION, Judgement
from chaos.grammar.shapes import Source
from chaos.record import Outcome, Sample

SPANS = {When.BASELINE: Span(0, 10), When.DURING: Span(10, 20), When.AFTER: Span(25, 30)}


def answers(
    count: int, at: float, outcome: Outcome = Outcome.FRESH, seconds: float = 0.1, **more: Any
) -> list[Sample]:
    """So many, all asked at `at`."""
    more = {"journey": "overview", "step": "me"} | more
    return [
        Sample(intended=at, started=at, ended=at + seconds, outcome=outcome, **more)
        for _ in range(count)
    ]


def evidence(*groups: Sequence[Sample], **more: Any) -> Evidence:
    samples = tuple(sample for group in groups for sample in group)
    return Evidence(samples=samples, spans=SPANS, reverted_at=20.0, **more)


def metrics(process: str, *pages: tuple[float, str]) -> Metrics:
    """Pages at their times."""
    found = Metrics()
    for at, page in pages:
        found.add(process, at, page)
    return found


def judged(stated: str, seen: Evidence, when: When = When.DURING) -> Judgement:
    """An expectation, as a scenario writes it, judged."""
    node = compose(stated, Loader=SafeLoader)
    assert node is not None
    what = EXPECTATION.read(Source("x.yaml"), node).what
    assert what.sentence()
    return what.judge(seen, when)
