"""The A/B of a run: whose faults were for one cohort, and whether it shows."""

from chaos.engine.cohorts import comparison
from chaos.record import AppliedFault, Comparison
from tests.chaos.expectations.evidences import answers, evidence


def fault(headers: dict[str, str] | None) -> AppliedFault:
    return AppliedFault(
        id="1",
        owner="gateway",
        kind="latency",
        target="gateway",
        words="latency",
        start=10.0,
        end=20.0,
        parameters={"seconds": 0.3} | ({"headers": headers} if headers else {}),
    )


B = fault({"x-cohort": "b"})


def compared(*faults: AppliedFault, slower: float = 0.3, cohorts: str = "ab") -> Comparison | None:
    """A hundred answers to each cohort, each a little other than the next; those to b so much slower."""
    groups = [
        answers(
            1,
            10 + n / 20,
            seconds=0.1 + n / 10_000 + (slower if cohort == "b" else 0.0),
            cohort=cohort,
        )
        for cohort in cohorts
        for n in range(100)
    ]
    return comparison(evidence(*groups), faults)


def test_a_fault_for_one_cohort_is_compared() -> None:
    """Those who met it wait longer, which is told with its test; both are answered as often."""
    found = compared(B, B)

    assert found is not None
    assert (found.control, found.treated) == ("a", "b")
    assert (found.control_size, found.treated_size) == (100, 100)
    told = {one.measure: one.differs for one in found.contrasts}
    assert told == {"availability": False, "latency": True}


def test_no_difference_is_not_told_as_one() -> None:
    """The same waits in both: a fault that does nothing is seen to do nothing."""
    found = compared(B, slower=0.0)

    assert found is not None
    assert {one.differs for one in found.contrasts} == {False}


def test_faults_for_all_have_no_control() -> None:
    """One of them for everybody, two cohorts, or no faults: there is nothing to compare."""
    assert compared(B, fault(None)) is None
    assert compared(B, fault({"x-cohort": "a"})) is None
    assert compared(fault({"x-other": "b"})) is None
    assert compared() is None


def test_one_control_or_none() -> None:
    """With three cohorts nobody says which is the control, and with one there is none."""
    assert compared(B, cohorts="abc") is None
    assert compared(B, cohorts="b") is None
