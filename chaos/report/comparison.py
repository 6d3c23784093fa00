"""The A/B of two cohorts of users, as a section of the report."""

from chaos.record import Contrast, Run
from chaos.report import words
from chaos.report.markup import Markup, element
from chaos.report.page import part, sign, table


def section(run: Run) -> Markup | None:
    """The cohort with faults against the one without."""
    of = run.comparison
    if of is None:
        return None
    lead = (
        f"{of.treated} had the faults ({words.count(of.treated_size, 'answer')}), {of.control} had none "
        f"({words.count(of.control_size, 'answer')}). A difference counts when p is at most "
        f"{of.alpha:g} and it is large enough to matter."
    )
    rows = [_contrast(one) for one in of.contrasts]
    head = ("measure", "verdict", of.control, of.treated, "effect", "matters from", "p", "test")
    caption = "Two cohorts compared"
    shown = table(caption, head, rows, numbers="..nnnnn")
    if not rows:
        shown = element("p", "Too few answers to compare.", class_="empty")
    return part("comparison", "Two cohorts", element("p", lead, class_="lead"), shown)


def _contrast(one: Contrast) -> tuple[str, ...]:
    said = sign("=", "no difference", "good")
    if one.differs is None:
        said = sign("?", "unknown", "doubt")
    elif one.differs:
        said = sign("≠", "differ", "bad")
    shares = one.measure == "availability"
    tell = words.percent if shares else words.seconds
    effect = words.NOTHING if one.effect is None else f"{one.effect * 100:+.1f} points"
    p = words.NOTHING if one.p is None else "< 0.0001" if one.p < 0.0001 else words.number(one.p)
    return (
        one.measure if shares else f"{one.measure} (median)",
        said,
        tell(one.control),
        tell(one.treated),
        effect,
        f"± {one.minimum * 100:g} points",
        p,
        one.test,
    )
