"""A run as it is watched: plain lines anywhere, a live picture on a terminal."""

import sys
from collections import deque
from types import TracebackType
from typing import Final, Protocol, Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from chaos.engine.ports import Glance
from chaos.record import Moment, Outcome, Phase, Transition

LINES: Final = 8
"""Of the log below the picture."""

_STYLES: Final = {"info": "", "warning": "yellow", "error": "bold red"}
_STATES: Final = {"closed": "green", "open": "bold red", "half_open": "yellow"}
_OUTCOMES: Final = {
    Outcome.FRESH: "green",
    Outcome.STALE: "cyan",
    Outcome.PARTIAL: "cyan",
    Outcome.QUEUED: "cyan",
    Outcome.REFUSED: "yellow",
    Outcome.UNKNOWN: "yellow",
    Outcome.FAILED: "bold red",
}


class Watch(Protocol):
    """An observer that is there while a block runs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def phase(self, phase: Phase) -> None: ...

    def moment(self, moment: Moment) -> None: ...

    def transition(self, transition: Transition) -> None: ...

    def glance(self, glance: Glance) -> None: ...


class Lines:
    """One line for each thing that happens, and one a few seconds for how it goes."""

    EVERY: Final = 5.0

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file or sys.stdout
        self._told = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def phase(self, phase: Phase) -> None:
        length = phase.end - phase.start
        self._say(phase.start, f"phase {phase.name}" + (f", {length:g} s at most" * bool(length)))

    def moment(self, moment: Moment) -> None:
        self._say(moment.at, moment.text)

    def transition(self, transition: Transition) -> None:
        where = f"{transition.process} → {transition.service}"
        self._say(transition.at, f"breaker {where} is {transition.state}")

    def glance(self, glance: Glance) -> None:
        if glance.now - self._told < self.EVERY or not glance.rates:
            return
        self._told = glance.now
        rates = ", ".join(f"{rate:g} {outcome}" for outcome, rate in sorted(glance.rates.items()))
        p95 = f", p95 {glance.p95 * 1_000:.0f} ms" if glance.p95 is not None else ""
        self._say(glance.now, f"answers a second: {rates}{p95}")

    def _say(self, at: float, text: str) -> None:
        print(f"{at:6.1f} s  {text}", file=self._file, flush=True)


class Picture:
    """Phase with progress, rates, breakers, faults and the latest lines, drawn anew as things change."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        self._title = title
        self._glance: Glance | None = None
        self._log: deque[Text] = deque(maxlen=LINES)
        self._done: list[str] = []
        self._live = Live(console=console, refresh_per_second=8, get_renderable=self._draw)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def phase(self, phase: Phase) -> None:
        self._done.append(phase.name)

    def moment(self, moment: Moment) -> None:
        line = f"{moment.at:6.1f} s  {moment.text}"
        self._log.append(Text(line, style=_STYLES[moment.level], no_wrap=True))

    def transition(self, transition: Transition) -> None:
        line = (
            f"{transition.at:6.1f} s  breaker {transition.process} → "
            f"{transition.service} is {transition.state}"
        )
        self._log.append(Text(line, style=_STATES[transition.state], no_wrap=True))

    def glance(self, glance: Glance) -> None:
        self._glance = glance

    def _draw(self) -> Group:
        head = Text(self._title, style="bold")
        if self._glance is None:
            return Group(head, Text("the load's users sign in …", style="dim"), *self._log)
        return Group(head, self._phases(self._glance), _table(self._glance), *self._log)

    def _phases(self, glance: Glance) -> Table:
        table = Table.grid(padding=(0, 1))
        spent, most = glance.now - glance.phase_began, glance.phase_at_most
        past = " › ".join(self._done[:-1])
        told = f"{spent:.0f} s" + (f" of {most:.0f} s at most" if most else "")
        bar = ProgressBar(total=most or None, completed=min(spent, most or spent), width=30)
        table.add_row(Text(past, style="dim"), Text(glance.phase, style="bold"), bar, Text(told))
        return table


def _table(glance: Glance) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    rates = Text()
    for outcome in Outcome:
        if outcome in glance.rates:
            rates.append(f"{glance.rates[outcome]:g} {outcome}  ", style=_OUTCOMES[outcome])
    if glance.p95 is not None:
        rates.append(f"p95 {glance.p95 * 1_000:.0f} ms")
    table.add_row("answers a second", rates)
    breakers = Text()
    for (process, service), state in sorted(glance.breakers.items()):
        if state != "closed":
            breakers.append(f"{process} → {service} {state}  ", style=_STATES[state])
    table.add_row("breakers", breakers if len(breakers) else Text("all closed", style="green"))
    faults = Text("\n".join(glance.faults) or "none in place", style="magenta")
    table.add_row("faults", faults)
    return table


def watch(title: str, *, plain: bool) -> Watch:
    """The picture on a terminal, lines elsewhere or when they are asked for."""
    console = Console(highlight=False)
    return Lines() if plain or not console.is_terminal else Picture(title, console)
