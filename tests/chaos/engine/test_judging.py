"""What is judged when: the hypothesis throughout, and `expect` in its place."""

from chaos.engine.judging import LATER, judge, wanted
from chaos.evidence import Evidence, When
from tests.chaos.engine.fakes import scenario

TEXT = """
title: T
story: S
guards: [gateway.users.retry]
hypothesis:
  - availability: 99 %
  - latency: {p95: 1 s}
  - money: conserved
load: {journeys: {overview: 1}}
faults:
  - {for: 1 s, process: users, type: abort}
expect:
  during:
    - availability: 80 %
    - availability: {at least: 50 %, step: me}
  after:
    - recovered: 5 s
"""


def test_expect_takes_the_place_of_the_hypothesis() -> None:
    """Only for the same subject and stretch; money is judged once, at the end."""
    found = [(when, stated.what.name, stated.line) for when, stated in wanted(scenario(TEXT))]

    assert found == [
        (When.BASELINE, "availability", 6),
        (When.BASELINE, "latency", 7),
        (When.DURING, "latency", 7),
        (When.DURING, "availability", 14),
        (When.DURING, "availability", 15),
        (When.AFTER, "availability", 6),
        (When.AFTER, "latency", 7),
        (When.AFTER, "money", 8),
        (When.AFTER, "recovered", 17),
    ]


def test_every_probe_is_evaluated() -> None:
    """Without any evidence each one says that it does not know, and none hides another."""
    findings = judge(scenario(TEXT), Evidence(), LATER)

    assert len(findings) == 7
    assert {finding.held for finding in findings} == {None}
    assert len({finding.id for finding in findings}) == 7
    assert all(finding.measured for finding in findings)
