"""The A/B of a run whose faults were for one cohort of users: who met them, against who did not. Pure.

The load tells each user's cohort in a header, so a fault that names a value of that header is for one cohort
only, and all others are its control.
"""

from collections.abc import Sequence
from typing import Final

from chaos.evidence import Evidence, When
from chaos.record import AppliedFault, Comparison
from chaos.statistics import compare

HEADER: Final = "x-cohort"
"""As `loadtests` sends it, in the fault point's spelling."""


def comparison(evidence: Evidence, faults: Sequence[AppliedFault]) -> Comparison | None:
    """Two cohorts in the stretch with faults; None when the faults were for all, or for several cohorts."""
    treated = {_cohort(fault) for fault in faults}
    if len(treated) != 1 or (name := treated.pop()) is None:
        return None
    samples = evidence.of(When.DURING)
    others = sorted({sample.cohort for sample in samples if sample.cohort} - {name})
    return compare(samples, others[0], name) if len(others) == 1 else None


def _cohort(fault: AppliedFault) -> str | None:
    """The one cohort that a fault was for."""
    headers = fault.parameters.get("headers") or {}
    return headers.get(HEADER)
