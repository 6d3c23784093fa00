"""Numbers and verdicts as people read them."""

import math
from dataclasses import dataclass
from typing import Final

from chaos.record import Outcome, Verdict

NOTHING: Final = "–"


def seconds(value: float | None) -> str:
    """`340 ms`, `1.2 s`, `2 min 5 s`; a dash for nothing."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if abs(value) < 0.9995:
        milliseconds = value * 1_000
        return f"{number(milliseconds)} ms" if value else "0 s"
    if abs(value) < 119.5:
        return f"{number(value)} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def number(value: float | None) -> str:
    """Three digits that count, no more: `0.0012`, `1.25`, `143`, `12,400`."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 6)}f}".rstrip("0").rstrip(".")


def percent(share: float | None) -> str:
    """A share of one in per cent. What is not quite all is never rounded up to 100 %."""
    if share is None or not math.isfinite(share):
        return NOTHING
    value = share * 100
    if 99 < value < 100:
        value = min(value, 99.99)
        return f"{math.floor(value * 100) / 100:.2f}".rstrip("0").rstrip(".") + " %"
    return f"{number(round(value, 1))} %"


def quantity(value: float | None, unit: str) -> str:
    """A value in the unit of its curve."""
    if unit == "s":
        return seconds(value)
    if unit == "share":
        return percent(value)
    if unit == "1/s":
        return f"{number(value)}/s" if value is not None else NOTHING
    return f"{number(value)} {unit}".strip()


def count(many: int, one: str, several: str = "") -> str:
    """`1 finding`, `3 findings`."""
    return f"{many:,} {one if many == 1 else several or one + 's'}"


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict for people. `tone` is a class of the stylesheet; the sign tells it without colour."""

    word: str
    sign: str
    tone: str
    means: str


VERDICTS: Final[dict[Verdict, Said]] = {
    Verdict.PASSED: Said(
        "Passed", "✓", "good", "Every expectation held, and requests met the faults."
    ),
    Verdict.DEVIATED: Said(
        "Deviated", "✕", "bad", "The faults were met and an expectation did not hold."
    ),
    Verdict.BASELINE_NOT_MET: Said(
        "Baseline not met",
        "!",
        "doubt",
        "The platform was not well before any fault; nothing was injected.",
    ),
    Verdict.PROBE_ERROR: Said(
        "Probe error", "?", "doubt", "A question could not be answered, so nobody knows."
    ),
    Verdict.INCONCLUSIVE: Said(
        "Inconclusive", "?", "doubt", "No request met a fault: whatever held, held without it."
    ),
    Verdict.ABORTED: Said(
        "Aborted", "■", "doubt", "An abort condition came true, or an operator stopped the run."
    ),
    Verdict.INTERRUPTED: Said("Interrupted", "■", "doubt", "The run was ended from outside."),
    Verdict.ERROR: Said("Error", "✕", "bad", "The engine or the injection of a fault failed."),
}

OUTCOMES: Final[dict[Outcome, str]] = {
    Outcome.FRESH: "fresh data",
    Outcome.STALE: "stale, marked",
    Outcome.PARTIAL: "partial, with a reason",
    Outcome.QUEUED: "queued",
    Outcome.REFUSED: "refused, with a code",
    Outcome.UNKNOWN: "outcome unknown",
    Outcome.FAILED: "failed",
}


def judged(held: bool | None) -> Said:
    """What became of an expectation."""
    if held is None:
        return Said("unknown", "?", "doubt", "It could not be judged.")
    return Said("held", "✓", "good", "") if held else Said("not held", "✕", "bad", "")


LAWS: Final[dict[str, Said]] = {
    "valid": Said("valid", "✓", "good", "Checked, and nothing violates it."),
    "violated": Said("violated", "✕", "bad", "Money or an answer was wrong."),
    "unknown": Said("unknown", "?", "doubt", "Nothing was there to check: nothing was proved."),
}
"""By what a check of the proof of money concludes."""
