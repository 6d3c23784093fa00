"""What a dashboard shows, as values; `build` makes Grafana's JSON of it."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

RATE: Final = "[$__rate_interval]"


class Kind(Enum):
    """How a panel draws."""

    LINES = "timeseries"
    STAT = "stat"
    STATES = "state-timeline"


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL and what its series are called; `exemplars` draws links to traces on them."""

    expression: str
    legend: str = ""
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel.

    Attributes:
        description: what it tells, and when to look.
        width: in 24ths of the screen.
        limit: where a line is drawn beyond which it is bad.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = Kind.LINES
    width: int = 8
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable: the values of a label."""

    name: str
    metric: str


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    choices: tuple[Choice, ...] = field(default=())


def quantiles(metric: str, chosen: str = "", by: str = "") -> tuple[Query, ...]:
    """The median, 95 % and 99 % of a histogram."""
    group = f"{by}, le" if by else "le"
    name = f"{{{{{by}}}}} " if by else ""
    return tuple(
        Query(
            f"histogram_quantile({share}, sum by ({group}) (rate({metric}_bucket{chosen}{RATE})))",
            f"{name}p{share * 100:g}",
            exemplars=True,
        )
        for share in (0.5, 0.95, 0.99)
    )


def p95(metric: str, chosen: str, by: str, legend: str) -> Query:
    """The 95th percentile by labels."""
    return Query(
        f"histogram_quantile(0.95, sum by ({by}, le) (rate({metric}_bucket{chosen}{RATE})))",
        legend,
        exemplars=True,
    )


def rate(metric: str, chosen: str, by: str, legend: str) -> Query:
    """The rate of a counter by labels."""
    return Query(f"sum by ({by}) (rate({metric}{chosen}{RATE}))", legend)
