"""A run in a few lines of plain text, for the terminal: the verdict first."""

from textwrap import wrap
from typing import Final

from chaos.record import Figures, Run
from chaos.report import words
from chaos.report.markup import clipped, speakable

MAX_LINES: Final = 25
"""A screen, with room for the command before it."""

MAX_WIDTH: Final = 110
"""Characters of a line, but for the command that runs it again."""

_MAX_BROKEN: Final = 5
_MAX_FAULTS: Final = 3


def summary(run: Run) -> str:
    """The run for somebody who has just waited for it; `MAX_LINES` lines of `MAX_WIDTH` at most."""
    said = words.VERDICTS[run.verdict]
    lines = [f"{said.sign} {said.word.upper()}  {run.scenario}: {run.reason or said.means}"]
    if run.mechanisms_off:
        lines.append(f"  control arm, off: {', '.join(run.mechanisms_off)}")
    lines += _broken(run) + _held(run) + _money(run) + _alerts(run) + _faults(run) + _figures(run)
    told = [part for line in lines for part in _folded(line)][: MAX_LINES - 1]
    if run.command:
        told.append(f"  again: {_printable(run.command)}")
    return "\n".join(told)


def _printable(text: str) -> str:
    """The text without what moves a cursor: names come from outside."""
    return "".join(sign if sign.isprintable() else " " for sign in speakable(text))


def _folded(text: str) -> list[str]:
    """The text on two lines at most."""
    short = clipped(_printable(text), 2 * MAX_WIDTH - 20)
    return wrap(short, MAX_WIDTH, subsequent_indent="    ")


def _broken(run: Run) -> list[str]:
    wrong = sorted(
        (one for one in run.findings if one.held is not True), key=lambda one: one.held is None
    )
    lines = []
    for one in wrong[:_MAX_BROKEN]:
        said = words.judged(one.held)
        line = f" (line {one.line})" if one.line else ""
        lines.append(
            f"  {said.sign} {one.phase}: {one.text}: {one.measured or 'not measured'}{line}"
        )
    if len(wrong) > _MAX_BROKEN:
        lines.append(f"    and {len(wrong) - _MAX_BROKEN} more")
    return lines


def _held(run: Run) -> list[str]:
    held = sum(one.held is True for one in run.findings)
    return (
        [f"  ✓ {held} of {words.count(len(run.findings), 'expectation')} held"]
        if run.findings
        else []
    )


def _money(run: Run) -> list[str]:
    if not run.invariants:
        return []
    valid = sum(one.verdict == "valid" for one in run.invariants)
    lines = [
        f"  ✕ money: {one.number} {one.name}: {one.detail}"
        for one in run.invariants
        if one.verdict == "violated"
    ][:3]
    return [
        *lines,
        f"  {'✕' if lines else '✓'} money: {valid} of {len(run.invariants)} laws proved",
    ]


def _faults(run: Run) -> list[str]:
    lines = []
    for one in run.faults[:_MAX_FAULTS]:
        met = "not counted" if one.met is None else f"met {one.met:,} ×"
        lines.append(f"  ⚡ {one.words or one.kind}: {met}")
    if len(run.faults) > _MAX_FAULTS:
        lines.append(f"    and {words.count(len(run.faults) - _MAX_FAULTS, 'fault')} more")
    return lines


def _detected(of: Figures) -> str:
    if of.time_to_detect_nominal is None:
        return words.seconds(of.time_to_detect)
    nominal = words.seconds(of.time_to_detect_nominal)
    return f"{words.seconds(of.time_to_detect)} (production {nominal})"


def _alerts(run: Run) -> list[str]:
    judged = [one for one in run.alerts if one.held is not None]
    if judged:
        held = sum(one.held is True for one in judged)
        sign = "✓" if held == len(judged) else "✕"
        return [f"  {sign} alerts: {held} of {words.count(len(judged), 'contract')} kept"]
    return [f"  ? alerts: {run.alerts[0].measured}"] if run.alerts else []


def _figures(run: Run) -> list[str]:
    of = run.figures
    told = [
        ("availability", of.availability, words.percent(of.availability)),
        ("goodput", of.goodput, words.percent(of.goodput)),
        ("mitigated in", of.time_to_mitigate, words.seconds(of.time_to_mitigate)),
        ("recovered in", of.time_to_recover, words.seconds(of.time_to_recover)),
        ("detected in", of.time_to_detect, _detected(of)),
        ("unsettled", of.unsettled, str(of.unsettled)),
    ]
    there = [f"{name} {text}" for name, value, text in told if value is not None]
    return [f"  {' · '.join(there)}"] if there else []
