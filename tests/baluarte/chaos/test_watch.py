"""How a run is watched: plain lines, and a picture on a terminal."""

import io

from rich.console import Console

from baluarte.chaos.watch import Lines, Picture, Watch, watch
from chaos.engine.ports import Glance
from chaos.record import Moment, Phase, Transition


def play(observer: Watch) -> None:
    """What an engine tells."""
    observer.phase(Phase(name="baseline", start=3.0, end=8.0))
    observer.phase(Phase(name="faults", start=8.0, end=16.0))
    observer.moment(Moment(at=8.0, text="fault begins: users: latency", level="warning"))
    observer.transition(Transition(at=9.0, process="gateway", service="users", state="open"))
    observer.glance(
        Glance(
            now=10.0,
            phase="faults",
            phase_began=8.0,
            phase_at_most=8.0,
            rates={"fresh": 3.5, "stale": 8.0},
            p95=0.25,
            breakers={("gateway", "users"): "open", ("gateway", "ledger"): "closed"},
            faults=("users: latency",),
        )
    )


def test_lines_say_everything_once() -> None:
    """Phases, what happens, breakers, and how it goes: each on a line with its time."""
    out = io.StringIO()
    with Lines(out) as lines:
        play(lines)

    assert out.getvalue().splitlines() == [
        "   3.0 s  phase baseline, 5 s at most",
        "   8.0 s  phase faults, 8 s at most",
        "   8.0 s  fault begins: users: latency",
        "   9.0 s  breaker gateway → users is open",
        "  10.0 s  answers a second: 3.5 fresh, 8 stale, p95 250 ms",
    ]


def test_the_picture_shows_it_all() -> None:
    """Phase and progress, rates, open breakers, faults in place, and the latest lines."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    with Picture("Users are slow", console) as picture:
        play(picture)

    file = console.file
    assert isinstance(file, io.StringIO)
    shown = file.getvalue()
    for wanted in (
        "Users are slow",
        "baseline",
        "2 s of 8 s at most",
        "3.5 fresh",
        "p95 250 ms",
        "gateway → users open",
        "users: latency",
        "breaker gateway → users is open",
    ):
        assert wanted in shown


def test_elsewhere_than_on_a_terminal_lines_are_plain() -> None:
    """Also on one, when they are asked for."""
    assert isinstance(watch("T", plain=True), Lines)
    assert isinstance(watch("T", plain=False), Lines)
