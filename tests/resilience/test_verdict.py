"""What errors say: the default classifier, kind by kind."""

import asyncio

import pytest

from resilience.errors import AttemptTimedOut, CircuitOpen, DeadlineExceeded, RateLimited
from resilience.verdict import Fault, Verdict, careful, classify


class SaysItself(Exception):
    verdict = Verdict(Fault.CALLER, retryable=False)


class Busy(Exception):
    retryable = True
    retry_after = 2


class Nonsense(Exception):
    verdict = "yes"
    retry_after = "soon"


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (CircuitOpen("users", 1.0), Verdict(Fault.UNKNOWN)),
        (RateLimited("users", 1.0), Verdict(Fault.UNKNOWN)),
        (DeadlineExceeded("late"), Verdict(Fault.UNKNOWN)),
        (AttemptTimedOut("slow"), Verdict(Fault.DEPENDENCY, retryable=True)),
        (SaysItself(), Verdict(Fault.CALLER)),
        (Busy(), Verdict(Fault.DEPENDENCY, retryable=True, retry_after=2.0)),
        (ConnectionRefusedError(), Verdict(Fault.DEPENDENCY, retryable=True)),
        (TimeoutError(), Verdict(Fault.DEPENDENCY, retryable=True)),
        (asyncio.IncompleteReadError(b"", 1), Verdict(Fault.DEPENDENCY)),
        (ValueError("a bug"), Verdict(Fault.DEPENDENCY)),
        (Nonsense(), Verdict(Fault.DEPENDENCY)),
    ],
)
def test_each_error_says_whose_fault_it_is_and_whether_to_try_again(
    error: Exception, verdict: Verdict
) -> None:
    """Rejections are no evidence; errors that carry a decision are believed; bugs are final."""
    assert classify(error) == verdict


def test_a_classifier_that_raises_is_told_and_makes_a_failure_of_the_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Policies settle what they hold by the verdict, so there always is one."""

    def broken(error: Exception) -> Verdict:
        raise RuntimeError("a bug in the classifier")

    assert careful(broken)(KeyError("x")) == Verdict(Fault.DEPENDENCY)
    assert caplog.messages == ["a classifier raised on KeyError"]
    assert careful(classify)(Busy()) == classify(Busy())
