"""A run's page."""

from chaos.record import Run
from chaos.report import comparison, sections, words
from chaos.report.markup import element
from chaos.report.page import document

_PARTS = (
    sections.verdict,
    sections.figures,
    sections.findings,
    sections.over_time,
    sections.faults,
    sections.clients,
    comparison.section,
    sections.invariants,
    sections.alerts,
    sections.facts,
    sections.log,
    sections.source,
)
"""In the order in which somebody asks."""


def page(run: Run) -> str:
    """The whole report as one HTML file that needs nothing else."""
    parts = [told for tell in _PARTS if (told := tell(run)) is not None]
    foot = element("footer", element("p", f"Baluarte · run {run.id} · made from run.json"))
    return document(
        f"{words.VERDICTS[run.verdict].word}: {run.title or run.scenario}", *parts, foot
    )
