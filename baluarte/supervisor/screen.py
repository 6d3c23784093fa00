"""What the operator sees while the platform runs: a line for each thing that happens.

On a terminal the lines have colours; elsewhere they are plain, so that they can be piped and read
by a program.
"""

import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from baluarte.supervisor.lifecycle import Tell

_WIDEST = 1_000  # columns; a reason is one line of text
_STYLES = {"info": "", "warning": "yellow", "error": "bold red"}
_STATE_STYLES = {
    "ready": "green",
    "starting": "cyan",
    "unready": "yellow",
    "backoff": "yellow",
    "stopping": "cyan",
    "stopped": "dim",
    "failed": "bold red",
    "paused": "magenta",
    "held down": "magenta",
}


class _PatientConsole(Console):
    """Keeps quiet when nobody reads any more: the platform goes on, as its logs do."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        with contextlib.suppress(OSError):  # so that the last flush, at exit, finds something open
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _console() -> Console:
    return _PatientConsole(highlight=False, soft_wrap=True)


@dataclass(slots=True)
class Screen:
    """Prints to `console`."""

    console: Console = field(default_factory=_console)

    def tell(self, part: str, message: Tell) -> None:
        """One line: the part, then what happened."""
        line = Text(f"  {part:<16}", style="bold")
        style = "green" if message.text.startswith("ready") else _STYLES[message.level]
        line.append(message.text, style=style)
        self.console.print(line)

    def show(self, text: str = "", style: str = "") -> None:
        self.console.print(Text(text, style=style))


def state_table(state: Mapping[str, Any]) -> Table:
    """The answer of the API's /state as a table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("part", "state", "pid", "restarts", "uptime", "url", ""):
        justify: Any = "right" if name in {"pid", "restarts", "uptime"} else "left"
        table.add_column(name, justify=justify, no_wrap=name != "")
    for part in state["parts"]:
        table.add_row(
            part["name"],
            Text(part["state"], style=_STATE_STYLES.get(part["state"], "")),
            str(part["pid"] or "–"),
            str(part["restarts"]),
            duration(part["uptimeSeconds"]),
            part["url"] or "–",
            "; ".join(filter(None, (part["reason"], *map(_fault, part.get("faults", ()))))),
        )
    return table


def _fault(fault: Mapping[str, Any]) -> str:
    late = f" by {fault['delay']:g} s" if "delay" in fault else ""
    return f"fault {fault['id']}: {fault['kind']}{late}, {fault['remainingSeconds']:.0f} s left"


def show_state(state: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the answer of /state, as wide as it is: a pid or an address that is cut helps nobody."""
    console = console or _console()
    table = state_table(state)
    unbounded = console.options.update(max_width=_WIDEST)
    needed = Measurement.get(console, unbounded, table).maximum
    console.width = max(console.width, needed)
    console.print(table)


def duration(seconds: float | None) -> str:
    """`8 s`, `3 min 5 s`, `2 h 4 min`."""
    if seconds is None:
        return "–"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3_600} h {whole % 3_600 // 60} min"
