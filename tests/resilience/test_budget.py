"""The retry budget: the law that bounds how much load retries add."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from resilience.budget import BudgetOptions, RetryBudget
from resilience.options import InvalidOptionsError
from resilience.testing import FakeClock


def test_ten_calls_pay_for_one_retry() -> None:
    """With a ratio of a tenth and no trickle, the tenth call makes a token whole."""
    budget = RetryBudget(BudgetOptions(ratio=0.1, minimum_per_second=0), clock=FakeClock())
    for _ in range(9):
        budget.deposit()
        assert not budget.reserve()
    budget.deposit()
    assert budget.reserve()
    assert not budget.reserve()


def test_a_trickle_of_traffic_may_retry_as_well() -> None:
    """Without any calls paid in, the minimum per second is available, and not more at once."""
    clock = FakeClock()
    budget = RetryBudget(BudgetOptions(minimum_per_second=2.0), clock=clock)
    assert [budget.reserve() for _ in range(3)] == [True, True, False]
    clock.jump(0.5)
    assert [budget.reserve() for _ in range(2)] == [True, False]
    clock.jump(3_600)
    assert [budget.reserve() for _ in range(3)] == [True, True, False]


def test_a_calm_time_saves_no_more_than_a_burst() -> None:
    """A million good calls allow `burst` retries at once."""
    budget = RetryBudget(BudgetOptions(burst=20, minimum_per_second=0), clock=FakeClock())
    for _ in range(10_000):
        budget.deposit()
    assert sum(budget.reserve() for _ in range(100)) == 20


def test_a_retry_that_was_never_made_is_given_back() -> None:
    """A refund makes the token available again, up to the burst."""
    budget = RetryBudget(BudgetOptions(burst=1, minimum_per_second=0), clock=FakeClock())
    for _ in range(10):
        budget.deposit()
    assert budget.reserve()
    budget.refund()
    budget.refund()
    assert [budget.reserve(), budget.reserve()] == [True, False]


def test_new_options_keep_what_was_saved() -> None:
    """Reconfiguring neither empties the bucket nor leaves more in it than it may hold."""
    budget = RetryBudget(BudgetOptions(burst=20, minimum_per_second=0), clock=FakeClock())
    for _ in range(1_000):
        budget.deposit()
    budget.reconfigure(BudgetOptions(burst=5, minimum_per_second=0))
    assert sum(budget.reserve() for _ in range(100)) == 5


def test_new_options_hold_for_what_is_paid_in_from_now_on() -> None:
    """After a reload each call pays the new share, up to the new burst."""
    budget = RetryBudget(BudgetOptions(ratio=0.1, burst=20, minimum_per_second=0))
    budget.reconfigure(BudgetOptions(ratio=0.5, burst=3, minimum_per_second=0))
    budget.deposit()
    assert budget.tokens == 0.5
    for _ in range(100):
        budget.deposit()
    assert budget.tokens == 3


@pytest.mark.parametrize(
    "wrong", [{"ratio": 1.5}, {"ratio": -0.1}, {"burst": 0.5}, {"minimum_per_second": -1}]
)
def test_a_budget_that_bounds_nothing_is_refused(wrong: dict[str, float]) -> None:
    """Ratios above one, and buckets that never hold a whole token, are no budget."""
    with pytest.raises(InvalidOptionsError):
        BudgetOptions(**wrong)


@given(
    steps=st.lists(
        st.one_of(
            st.just("call"), st.just("retry"), st.floats(0, 5, allow_nan=False), st.just("refund")
        ),
        max_size=200,
    ),
    ratio=st.floats(0, 1),
    minimum=st.floats(0, 5),
)
def test_retries_never_exceed_what_calls_and_time_allow(
    steps: list[str | float], ratio: float, minimum: float
) -> None:
    """retries ≤ ratio × calls + minimum × seconds + the small bucket's first filling."""
    clock = FakeClock(start=0.0)
    budget = RetryBudget(BudgetOptions(ratio=ratio, minimum_per_second=minimum), clock=clock)
    calls = retries = 0
    for step in steps:
        if step == "call":
            budget.deposit()
            calls += 1
        elif step == "retry":
            retries += budget.reserve()
        elif step == "refund":
            if retries:
                budget.refund()
                retries -= 1
        else:
            clock.jump(float(step))
    first = max(1.0, minimum) if minimum else 0.0
    assert retries <= ratio * calls + minimum * clock.monotonic() + first + 1e-6


class BudgetMachine(RuleBasedStateMachine):
    """Reservations and their ends come apart: a token is held while its retry waits."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock(start=0.0)
        self.options = BudgetOptions(ratio=0.25, minimum_per_second=1.0, burst=5)
        self.budget = RetryBudget(self.options, clock=self.clock)
        self.calls = 0
        self.waiting = 0
        self.spent = 0

    @rule()
    def call(self) -> None:
        self.budget.deposit()
        self.calls += 1

    @rule(seconds=st.floats(0, 2))
    def wait(self, seconds: float) -> None:
        self.clock.jump(seconds)

    @rule()
    def reserve(self) -> None:
        self.waiting += self.budget.reserve()

    @rule()
    def retry_is_made(self) -> None:
        if self.waiting:
            self.waiting -= 1
            self.spent += 1

    @rule()
    def retry_is_cancelled(self) -> None:
        if self.waiting:
            self.waiting -= 1
            self.budget.refund()

    @invariant()
    def the_law_holds_for_waiting_and_spent_together(self) -> None:
        allowed = 0.25 * self.calls + self.clock.monotonic() + 1.0
        assert self.waiting + self.spent <= allowed + 1e-6

    @invariant()
    def the_bucket_stays_within_its_bounds(self) -> None:
        assert 0.0 <= self.budget.tokens <= self.options.burst


# Hundreds of runs: they take their time on a busy machine.
TestBudgetMachine = pytest.mark.timeout(120)(BudgetMachine.TestCase)
