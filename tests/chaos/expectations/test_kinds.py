"""Each kind of expectation at its edges: what holds, what does not, and what cannot be judged."""

import pytest

from chaos.evidence import When
from chaos.expectations import REGISTRY
from chaos.record import AppliedFault, InvariantResult, Outcome, Transition
from tests.chaos.expectations.evidences import answers, evidence, judged, metrics

STALE = Outcome.STALE
FAILED = Outcome.FAILED


@pytest.mark.parametrize(
    ("stated", "held"),
    [
        ("availability: 90 %", True),
        ("availability: 91 %", False),
        ("availability: {at least: 100 %, step: transfer}", None),
        ("stale: {at least: 30 %}", True),
        ("stale: {at least: 31 %}", False),
        ("stale: {at least: 60 %, within: 5 s}", True),
        ("stale: {at most: 30 %}", True),
        ("stale: {at most: 29 %}", False),
        ("failed: {at most: 10 %}", True),
        ("fresh: {at least: 60 %}", True),
        ("latency: {p50: 100 ms}", True),
        ("latency: {p95: 1.9 s}", False),
        ("latency: {p95: 2 s}", True),
        ("latency: {p50: 1 x baseline}", True),
        ("latency: {max: 20.1 x baseline}", True),
        ("latency: {max: 19 x baseline}", False),
        ("freshness: 30 s", True),
        ("freshness: 29 s", False),
        ("codes: [UNAVAILABLE]", True),
        ("codes: [INTERNAL]", False),
        ("goodput: 90 %", True),
        ("goodput: 91 %", False),
    ],
)
def test_answers(stated: str, held: bool | None) -> None:
    """Of ten answers six are fresh, three stale and slow, one failed; the baseline had ten fresh ones."""
    seen = evidence(
        answers(10, 5),
        answers(6, 12),
        answers(3, 16, STALE, 2.0, stale_age=30.0, codes=("UNAVAILABLE",)),
        answers(1, 12, FAILED, codes=()),
        answers(2, 16),  # beyond ten, for `within`
        answers(50, 22, FAILED),  # between the stretches: judged by nobody
    )
    if not stated.startswith("stale: {at least: 60"):
        seen = evidence(
            answers(10, 5),
            answers(6, 12),
            answers(3, 16, STALE, 2.0, stale_age=30.0, codes=("UNAVAILABLE",)),
            answers(1, 12, FAILED),
            answers(50, 22, FAILED),
        )

    assert judged(stated, seen).held is held


def test_too_few_answers_say_nothing() -> None:
    """Four answers are no share and no quantile."""
    seen = evidence(answers(4, 12))
    for stated in ("availability: 1 %", "latency: {p95: 9 s}", "freshness: 9 s"):
        found = judged(stated, seen)
        assert found.held is None
        assert "only 4" in found.measured


def test_nothing_to_compare_with() -> None:
    """Without a baseline a multiple of it is not known."""
    seen = evidence(answers(10, 12))

    assert judged("latency: {p95: 2 x baseline}", seen).held is None
    assert judged("goodput: 50 %", seen).held is None


def page(state: str, attempts: int = 0, retries: int = 0) -> str:
    states = "".join(
        f'circuit_breaker_state{{service="users",state="{one}"}} {float(one == state)}\n'
        for one in ("closed", "open", "half_open")
    )
    return (
        states
        + f'downstream_call_duration_seconds_count{{service="users",outcome="ok"}} {attempts}\n'
        + f'downstream_retries_total{{service="users"}} {retries}\n'
        + 'downstream_hedges_total{service="users"} 0\n'
    )


@pytest.mark.parametrize(
    ("stated", "held"),
    [
        ("breaker: {service: users, state: open}", True),
        ("breaker: {service: users, state: open, within: 4 s}", True),
        ("breaker: {service: users, state: open, within: 3 s}", False),
        ("breaker: {service: users, state: half_open}", False),
        ("breaker: {service: users, stays: closed}", False),
        ("breaker: {service: ledger, state: open}", None),
        ("breaker: {process: users, service: ledger, state: open}", None),
        ("retry amplification: {service: users, at most: 1.5}", True),
        ("retry amplification: {service: users, at most: 1.4}", False),
        ("retry amplification: {service: ledger, at most: 9}", None),
        (
            "metric: {process: gateway, metric: downstream_retries_total, "
            "labels: {service: users}, at least: 10}",
            True,
        ),
        ("metric: {process: gateway, metric: downstream_retries_total, at most: 9}", False),
        (
            "metric: {process: gateway, metric: downstream_retries_total, of: last, at most: 11}",
            True,
        ),
        ("metric: {process: users, metric: downstream_retries_total, at most: 9}", None),
        ("peak rate: {service: users, at most: 2}", True),
        ("peak rate: {service: users, at most: 0.4}", False),
        ("peak rate: {service: users, at most: 2 x baseline}", False),
    ],
)
def test_metrics(stated: str, held: bool | None) -> None:
    """The breaker opened 4 s after the faults' start; 30 attempts were made for 20 calls."""
    pages = metrics(
        "gateway",
        (1.0, page("closed", 0, 1)),
        (9.0, page("closed", 8, 1)),
        (14.0, page("open", 38, 11)),
        (19.0, page("open", 38, 11)),
        (21.0, page("closed", 38, 11)),
    )

    assert judged(stated, evidence(metrics=pages)).held is held


def test_a_breaker_that_opened_between_two_readings() -> None:
    """A change that was noticed counts, though no reading at a round time shows it."""
    change = Transition(at=12.0, process="gateway", service="users", state="open")
    seen = evidence(metrics=metrics("gateway", (1.0, page("closed"))), transitions=(change,))

    assert judged("breaker: {service: users, state: open, within: 2 s}", seen).held


@pytest.mark.parametrize("kind", ["recovered", "settled", "drained"])
def test_soon_after_the_revert(kind: str) -> None:
    """Counted from the revert at 20 s; what did not happen does not hold."""
    seen = evidence(**{f"{kind}_at": 25.0})

    assert judged(f"{kind}: 5 s", seen, When.AFTER).held is True
    assert judged(f"{kind}: {{within: 4 s}}", seen, When.AFTER).held is False
    assert judged(f"{kind}: 60 s", evidence(), When.AFTER).held is False


def books(**verdicts: str) -> tuple[InvariantResult, ...]:
    names = ("conserved", "solvent", "two-legs", "replay", "durable", "sent", "settled", "held")
    return tuple(
        InvariantResult(number=n, name=name, verdict=verdicts.get(name.replace("-", "_"), "valid"))
        for n, name in enumerate(names)
    )


def test_money() -> None:
    """Violated is no; unknown is nobody knows, unless that law need not be seen."""
    assert judged("money: proved", evidence(money=books())).held is True
    assert judged("money: conserved", evidence(money=books(durable="violated"))).held is False
    assert judged("money: proved", evidence(money=books(durable="unknown"))).held is None
    assert judged("money: conserved", evidence(money=books(durable="unknown"))).held is True
    assert judged("money: proved", evidence(money=books(held="unknown"))).held is True
    unread = judged("money: proved", evidence(money_problem="the database is away"))
    assert (unread.held, unread.measured) == (None, "the database is away")


def test_met() -> None:
    """Counted over all faults, or those of one target; what nobody counts is not known."""

    def fault(target: str, met: int | None) -> AppliedFault:
        return AppliedFault(id=target, owner="", kind="", target=target, words="", start=0, met=met)

    seen = evidence(faults=(fault("users", 3), fault("ledger", 4)))

    assert judged("met: 7", seen).held is True
    assert judged("met: 8", seen).held is False
    assert judged("met: {at least: 4, target: users}", seen).held is False
    assert judged("met: 1", evidence(faults=(fault("users", None),))).held is None


def test_every_kind_explains_itself() -> None:
    """A name, a first line for editors, and stretches in which it can be judged."""
    for name, kind in REGISTRY.items():
        assert kind.name == name
        assert (kind.__doc__ or "").splitlines()[0].endswith(".")
        assert kind.judged
