"""The reports of one run, written into its folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from chaos.record import Run
from chaos.report import journal
from chaos.report.curves import curves_of, read_samples
from chaos.report.html import page
from chaos.report.junit import junit

SAMPLES: Final = "samples.jsonl"


@dataclass(frozen=True, slots=True)
class Reports:
    """Where each report is."""

    html: Path
    junit: Path
    journal: Path


def write_reports(run: Run, folder: Path) -> Reports:
    """Write `report.html`, `junit.xml` and `journal.json` beside the run's record.

    A run without curves gets those of the samples in `folder`, when they are there. The record itself,
    `run.json`, is for tools and is not written anew.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reports = Reports(folder / "report.html", folder / "junit.xml", folder / "journal.json")
    whole = with_curves(run, folder)
    reports.html.write_text(page(whole), encoding="utf-8")
    reports.junit.write_bytes(junit([run]))
    reports.journal.write_bytes(journal.encoded(run))
    return reports


def with_curves(run: Run, folder: Path) -> Run:
    """The run, with curves from its samples where it brings none; without, when there are none to read."""
    if run.curves:
        return run
    try:
        curves = curves_of(read_samples(folder / SAMPLES))
    except (OSError, msgspec.MsgspecError):
        return run
    return msgspec.structs.replace(run, curves=curves)
