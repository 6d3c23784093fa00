"""Metrics over time: what is read of a page, and increases over restarts."""

from chaos.evidence.metrics import Metrics, parse

PAGE = """\
# HELP a_total Something
# TYPE a_total counter
a_total{service="users",kind="x\\"y"} 3.0
a_total 4
b{le="+Inf"} 5
broken{ nonsense
a_total NaN-ish
"""


def metrics(*values: float, name: str = "a_total") -> Metrics:
    found = Metrics({name})
    for at, value in enumerate(values):
        found.add("gateway", float(at), f'{name}{{service="users"}} {value}\n')
    return found


def test_only_wanted_names_are_kept() -> None:
    """Comments, other names and broken lines are passed over."""
    assert list(parse(PAGE, {"a_total"})) == [
        ("a_total", frozenset({("service", "users"), ("kind", 'x\\"y')}), 3.0),
        ("a_total", frozenset(), 4.0),
    ]


def test_an_increase_counts_from_the_last_value_before() -> None:
    """A stretch between two readings is not lost."""
    assert metrics(1, 2, 4, 8).increase("gateway", "a_total", {}, 1.5, 2.5) == 2
    assert metrics(1, 2, 4, 8).increase("gateway", "a_total", {}, 0, 9) == 7


def test_an_increase_goes_on_over_a_restart() -> None:
    """A counter that falls began anew at zero."""
    assert metrics(5, 9, 2, 3).increase("gateway", "a_total", {"service": "users"}, 0, 9) == 7


def test_what_was_not_read_twice_is_not_known() -> None:
    """None, and not zero."""
    assert metrics(5).increase("gateway", "a_total", {}, 0, 9) is None
    assert metrics(5, 5).increase("gateway", "other", {}, 0, 9) is None
    assert metrics(5, 5).increase("gateway", "a_total", {}, 0, 9) == 0
