"""What the processes' `/metrics` said over time: values by process, name and labels.

Counters of a process that was restarted begin anew at 0; an increase counts on over it.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

MAX_PAGE_BYTES: Final = 8 * 1024 * 1024
"""Of one process' page; a longer one is not read on."""

KEPT: Final = frozenset(
    {
        "circuit_breaker_state",
        "circuit_breaker_transitions_total",
        "downstream_call_duration_seconds_count",
        "downstream_hedges_total",
        "downstream_rejections_total",
        "downstream_retries_total",
        "fallback_served_total",
        "http_server_request_duration_seconds_count",
    }
)
"""Names that are kept in every run; a scenario's own come on top. A page has thousands of series."""

_LINE: Final = re.compile(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Labels = frozenset[tuple[str, str]]


class Series(NamedTuple):
    """Which one."""

    process: str
    name: str
    labels: Labels


class Point(NamedTuple):
    """A value at a time (seconds of the run)."""

    at: float
    value: float


def parse(page: str, names: Collection[str]) -> Iterator[tuple[str, Labels, float]]:
    """The values of the wanted names on a page in Prometheus' text format."""
    for line in page.splitlines():
        if line.startswith("#") or (found := _LINE.match(line)) is None or found[1] not in names:
            continue
        try:
            yield found[1], frozenset(_LABEL.findall(found[2] or "")), float(found[3])
        except ValueError:
            continue


class Metrics:
    """All that was read in a run."""

    def __init__(self, names: Collection[str] = KEPT) -> None:
        self.names = frozenset(names)
        self._series: dict[Series, list[Point]] = defaultdict(list)
        self._by_name: dict[tuple[str, str], set[Series]] = defaultdict(set)
        self.reads: dict[str, int] = defaultdict(int)
        """Pages read, by process."""

    def add(self, process: str, at: float, page: str) -> None:
        """Keep what a page says."""
        self.reads[process] += 1
        for name, labels, value in parse(page, self.names):
            series = Series(process, name, labels)
            self._series[series].append(Point(at, value))
            self._by_name[process, name].add(series)

    def matching(self, process: str, name: str, labels: Mapping[str, str]) -> list[Series]:
        """Series of that process and name that have (at least) these labels."""
        wanted = set(labels.items())
        return [one for one in self._by_name.get((process, name), ()) if wanted <= one.labels]

    def points(self, series: Series) -> list[Point]:
        """The course of one series."""
        return self._series.get(series, [])

    def last(
        self, process: str, name: str, labels: Mapping[str, str], start: float, end: float
    ) -> list[float]:
        """Every sum of the matching series in a stretch, in order."""
        sums: dict[float, float] = defaultdict(float)
        for series in self.matching(process, name, labels):
            for at, value in self.points(series):
                if start <= at <= end:
                    sums[at] += value
        return [sums[at] for at in sorted(sums)]

    def increase(
        self, process: str, name: str, labels: Mapping[str, str], start: float, end: float
    ) -> float | None:
        """By how much counters grew in a stretch, summed; None when it was read less than twice.

        The last value before the stretch is where counting begins.
        """
        total, read = 0.0, False
        for series in self.matching(process, name, labels):
            steps = list(self.steps(series, start, end))
            read = read or bool(steps)
            total += sum(step for _, _, step in steps)
        return total if read else None

    def steps(
        self, series: Series, start: float, end: float
    ) -> Iterator[tuple[float, float, float]]:
        """(from, to, increase) between one reading and the next; a fall is a restart."""
        before: Point | None = None
        for point in self.points(series):
            if point.at > end:
                return
            if before is not None and point.at >= start:
                grown = point.value - before.value
                yield before.at, point.at, grown if grown >= 0 else point.value
            before = point

    def processes(self) -> list[str]:
        """Those that were read at all."""
        return sorted(self.reads)

    def labels_of(self, process: str, name: str, label: str) -> list[str]:
        """The values that a label has."""
        return sorted(
            {
                value
                for series in self._by_name.get((process, name), ())
                for key, value in series.labels
                if key == label
            }
        )
