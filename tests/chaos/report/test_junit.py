"""JUnit files: of the common shape, and never greener than the run."""

from collections.abc import Callable
from xml.etree import ElementTree as ET

import msgspec
import pytest

from chaos.record import AlertSeen, Run, Verdict
from chaos.report.junit import junit
from tests.chaos.report import examples

SHAPE: dict[str, tuple[set[str], set[str], list[str]]] = {
    "testsuites": (
        set(),
        {"name", "tests", "failures", "errors", "skipped", "time"},
        ["testsuite"],
    ),
    "testsuite": (
        {"name", "tests"},
        {"failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
        ["properties", "testcase", "system-out", "system-err"],
    ),
    "properties": (set(), set(), ["property"]),
    "property": ({"name", "value"}, set(), []),
    "testcase": (
        {"name", "classname"},
        {"time", "status"},
        ["skipped", "error", "failure", "system-out", "system-err"],
    ),
    "failure": (set(), {"message", "type"}, []),
    "error": (set(), {"message", "type"}, []),
    "skipped": (set(), {"message"}, []),
    "system-out": (set(), set(), []),
}
"""By element: attributes that it needs, that it may have, and its children in their order: what the schemas
of Jenkins, GitLab and Ant have in common."""


def misshapen(node: ET.Element) -> list[str]:
    """Where a document leaves the common shape."""
    if node.tag not in SHAPE:
        return [f"unknown element {node.tag}"]
    needed, allowed, children = SHAPE[node.tag]
    found = [f"{node.tag} lacks {name}" for name in needed - set(node.attrib)]
    found += [f"{node.tag} has {name}" for name in set(node.attrib) - needed - allowed]
    order = [children.index(child.tag) if child.tag in children else -1 for child in node]
    if -1 in order or order != sorted(order):
        found.append(f"children of {node.tag}: {[child.tag for child in node]}")
    return found + [fault for child in node for fault in misshapen(child)]


def cases(run: Run) -> dict[str, str]:
    """Kind of outcome by name of the testcase."""
    root = ET.fromstring(junit([run]))
    return {
        case.get("name", ""): case[0].tag if len(case) else "passed"
        for case in root.iter("testcase")
    }


@pytest.mark.parametrize("make", examples.ALL.values(), ids=examples.ALL.keys())
def test_a_document_has_the_common_shape(make: Callable[[], Run]) -> None:
    """It parses, readers know every element and attribute, and the sums are those of its cases."""
    root = ET.fromstring(junit([make(), examples.passed()]))
    assert misshapen(root) == []
    for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root.get(kind, "")) == len(list(root.iter(tag)))
    assert int(root.get("tests", "")) == len(list(root.iter("testcase")))
    assert sum(int(suite.get("tests", "")) for suite in root) == int(root.get("tests", ""))


def test_what_did_not_hold_is_a_failure_and_what_nobody_knows_an_error() -> None:
    """Findings, laws and alerts become testcases, each of the kind that its outcome deserves."""
    told = cases(examples.deviated())
    assert told["verdict"] == "failure"
    assert told["during: availability of at least 80 % (line 14)"] == "failure"
    assert told["during: retry amplification of users at most 1.3 (line 17)"] == "error"
    assert told["during: at least 5 requests met the faults (line 18)"] == "passed"
    assert told["9: settled"] == "failure"
    assert told["11: one reversal"] == "skipped"
    assert told["1: total conserved"] == "passed"
    assert told["BreakerOpen of users"] == "passed"
    unwatched = (AlertSeen(name="Unwatched", wanted="told", measured="no watch"),)
    assert (
        cases(msgspec.structs.replace(examples.deviated(), alerts=unwatched))["Unwatched"]
        == "skipped"
    )
    assert told["LedgerDown"] == "failure"


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        (Verdict.PASSED, "passed"),
        (Verdict.DEVIATED, "failure"),
        *(
            (verdict, "error")
            for verdict in Verdict
            if verdict not in {Verdict.PASSED, Verdict.DEVIATED}
        ),
    ],
)
def test_only_a_passed_run_is_green(verdict: Verdict, kind: str) -> None:
    """The verdict is a testcase of its own: with no finding at all, a run that proved nothing is red."""
    run = msgspec.structs.replace(examples.empty(), verdict=verdict, reason="because")
    assert cases(run) == {"verdict": kind}
    if kind != "passed":
        assert f"{verdict}: because" in junit([run]).decode()


def test_a_time_that_is_none_is_left_out() -> None:
    """A start that is no date gives no timestamp, and a date one without its zone."""
    assert b"timestamp" not in junit([examples.empty()])
    assert b'timestamp="2026-01-14T09:15:02"' in junit([examples.passed()])
