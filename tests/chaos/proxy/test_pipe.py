"""The pipe: toxics in a row, toxicity, and that no byte is lost or out of turn."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.proxy.limits import PIECE_COST
from chaos.proxy.toxics.bandwidth import Bandwidth
from chaos.proxy.toxics.latency import Latency
from chaos.proxy.toxics.slicer import Slicer
from chaos.proxy.toxics.slow_close import SlowClose
from chaos.proxy.toxics.toxic import Mark, Toxic
from tests.chaos.proxy.fakes import Line, chunks

milliseconds = st.integers(0, 500)
delay_like: st.SearchStrategy[Toxic] = st.one_of(
    st.builds(Latency, latency=milliseconds, jitter=milliseconds),
    st.builds(Bandwidth, rate=st.integers(1, 1_000)),
    st.builds(SlowClose, delay=milliseconds),
    st.integers(1, 50).flatmap(
        lambda size: st.builds(
            Slicer,
            average_size=st.just(size),
            size_variation=st.integers(0, size - 1),
            delay=st.integers(0, 2_000),
        )
    ),
)


@dataclass(frozen=True)
class Change:
    """Something that happens to the toxics while data flows."""

    what: str
    toxic: Toxic
    which: int


changes = st.builds(
    Change,
    what=st.sampled_from(["add", "remove", "alter", "none"]),
    toxic=delay_like,
    which=st.integers(0, 5),
)


def apply(line: Line, change: Change) -> None:
    fresh = Line(change.toxic).doses[0]
    fresh.name = f"{len(line.doses)}-{change.what}"
    if change.what == "add":
        line.doses.append(fresh)
        line.pipe.add(fresh, line.now)
    elif line.doses and change.what == "remove":
        line.pipe.remove(line.doses.pop(change.which % len(line.doses)), line.now)
    elif line.doses and change.what == "alter":
        dose = line.doses[change.which % len(line.doses)]
        if type(dose.toxic) is type(change.toxic):
            dose.toxic = change.toxic
            line.pipe.alter(dose, line.now)


@given(
    toxics=st.lists(delay_like, max_size=4),
    data=st.binary(max_size=600),
    sizes=st.lists(st.integers(1, 100), max_size=8),
    pauses=st.lists(st.floats(0, 0.3), min_size=12, max_size=12),
    events=st.lists(changes, max_size=12),
    bound=st.sampled_from([1, 1_000, 1_000_000]),
    seed=st.integers(0, 5),
)
def test_bytes_arrive_complete_and_in_order(
    toxics: list[Toxic],
    data: bytes,
    sizes: list[int],
    pauses: list[float],
    events: list[Change],
    bound: int,
    seed: int,
) -> None:
    """For any chunking and any delay-like toxics, added, changed and removed in mid-stream, however
    little one may hold: all bytes arrive, in order, then the end, none early, and nothing is held."""
    line = Line(*toxics, bound=bound, seed=seed)
    parts = chunks(data, sizes)
    sent = 0
    for number, pause in enumerate(pauses):
        if number < len(parts):
            line.send(parts[number])
            sent += len(parts[number])
        if number < len(events):
            apply(line, events[number])
        line.run(line.now + pause)
        assert len(line.data) <= sent
    line.send(*parts[len(pauses) :], Mark.END)
    line.run(line.now + 3_600.0)

    assert line.data == data
    assert line.marks == [Mark.END]
    assert line.out[-1].mark is Mark.END
    assert line.times == sorted(line.times)
    assert line.pipe.held == 0
    assert line.pipe.wake() is None


def test_without_toxics_the_pipe_is_idle() -> None:
    """With nothing in the way data may go past the pipe, and again once a toxic has been removed."""
    line = Line(Latency(latency=5))
    assert not line.pipe.idle

    line.pipe.remove(line.doses[0], line.now)

    assert line.pipe.idle


def test_a_removed_toxic_lets_go_at_once_and_in_order() -> None:
    """What waited goes on when the toxic is taken away, ahead of what comes later."""
    line = Line(Latency(latency=60_000))
    line.send(b"a", b"b")

    line.pipe.remove(line.doses[0], line.now)
    line.send(b"c")

    assert line.arrived == [(0.0, b"a"), (0.0, b"b"), (0.0, b"c")]


@pytest.mark.parametrize("toxicity", [0.0, 0.25, 1.0])
def test_toxicity_is_the_share_of_connections(toxicity: float) -> None:
    """Of many connections about that share is affected; 0 is none and 1 is all of them."""
    affected = sum(
        bool(Line(Latency(latency=1), toxicity=toxicity, seed=seed).pipe.affected_by)
        for seed in range(1_000)
    )

    assert affected == pytest.approx(1_000 * toxicity, abs=0 if toxicity in (0, 1) else 60)


def test_toxicity_is_drawn_once_per_connection() -> None:
    """A connection keeps its draw: a higher toxicity only adds connections, and a lower takes those away."""
    lines = [Line(Latency(latency=1), toxicity=0.3, seed=seed) for seed in range(200)]

    def affected(toxicity: float) -> set[int]:
        for line in lines:
            line.doses[0].toxicity = toxicity
            line.pipe.alter(line.doses[0], line.now)
        return {seed for seed, line in enumerate(lines) if line.pipe.affected_by}

    few = affected(0.3)
    many = affected(0.6)

    assert few < many
    assert affected(0.3) == few


def test_a_full_toxic_holds_up_the_one_in_front() -> None:
    """Thin slices do not pile up behind the slicer: they are cut only when there is room."""
    bound = 10 * (PIECE_COST + 1)
    line = Line(Slicer(average_size=1), Latency(latency=1_000), bound=bound)

    line.send(b"x" * 10_000)

    assert line.pipe.held <= 10_000 + PIECE_COST + bound
    line.run(10_000.0)
    assert line.data == b"x" * 10_000
