"""What an error says: about whom, whether another try can help, and when.

One classifier serves the breaker, the retry, the adaptive limit and the fallback, so that they
cannot disagree about the same error.
"""

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass

from resilience.errors import AttemptTimedOut, DeadlineExceeded, Rejected

__all__ = ["Classifier", "Fault", "Verdict", "careful", "classify"]

logger = logging.getLogger("resilience")


class Fault(enum.Enum):
    """Whose fault an error is."""

    #: The dependency's: it counts against it.
    DEPENDENCY = "dependency"
    #: The caller's: the dependency answered, and the answer is no. A success of the dependency.
    CALLER = "caller"
    #: Nobody's that could be told: the call was not made, or not given its time.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an error says."""

    fault: Fault
    #: Whether the same call may succeed later.
    retryable: bool = False
    #: Seconds that the dependency asked us to wait before another try.
    retry_after: float | None = None


Classifier = Callable[[Exception], Verdict]

_NOT_ATTEMPTED = Verdict(Fault.UNKNOWN)
_FAILED = Verdict(Fault.DEPENDENCY)
_TIMED_OUT = Verdict(Fault.DEPENDENCY, retryable=True)


def careful(classifier: Classifier) -> Classifier:
    """`classifier`, but one that cannot hurt: what it raises is logged.

    Policies settle what they hold by what it says, so it must say something: an error that cannot
    be judged is a failure of the dependency, as any that carries no decision.
    """

    def judge(error: Exception) -> Verdict:
        try:
            return classifier(error)
        except Exception:
            logger.exception("a classifier raised on %s", type(error).__name__)
            return _FAILED

    return judge


def classify(error: Exception) -> Verdict:
    """The default: errors may carry their decision; what carries none is the dependency's fault.

    - a rejection or a passed deadline is no evidence, and trying again at once would only add load;
    - an error with a `verdict` attribute says itself what it means;
    - an error with a `retryable` attribute, or an `OSError` (connection lost, refused, timed out),
      may be retried, after its `retry_after` where it has one.
    """
    if isinstance(error, Rejected | DeadlineExceeded):
        return _NOT_ATTEMPTED
    if isinstance(error, AttemptTimedOut):
        return _TIMED_OUT
    verdict = getattr(error, "verdict", None)
    if isinstance(verdict, Verdict):
        return verdict
    retryable = getattr(error, "retryable", isinstance(error, OSError))
    retry_after = getattr(error, "retry_after", None)
    return Verdict(
        Fault.DEPENDENCY,
        retryable=bool(retryable),
        retry_after=float(retry_after) if isinstance(retry_after, int | float) else None,
    )
