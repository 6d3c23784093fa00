"""The whole exploration on a platform of paper: what an honest one gives, and that each lie is found."""

import pytest

from chaos.explore.calls import CallKey, Injected
from chaos.explore.campaign import Exploration, Plan, explore
from chaos.explore.effects import Claim, claim
from chaos.explore.judge import Result
from chaos.explore.laboratory import TRIES, BaselineNotMet, Copy, Experiment
from chaos.explore.port import Unrest
from tests.chaos.explore.paper_bank import ACCOUNT, CREATE, DECLARED, MUTANTS, POST, PaperBank

PLAN = Plan(operations=("account", "deposit"))


async def explored(bank: PaperBank, plan: Plan = PLAN) -> Exploration:
    return await explore(bank, DECLARED, plan, lambda _: None)


def of(
    exploration: Exploration, operation: str, *kinds: str, copy: Copy = Copy.KEPT
) -> list[Experiment]:
    return [
        it
        for it in exploration.experiments
        if (it.operation, it.copy, tuple(f.kind for f in it.faults)) == (operation, copy, kinds)
        and not it.down
    ]


async def test_an_honest_platform_keeps_its_promises() -> None:
    """Every combination ends in what is declared, nothing is left untried, and nothing is unmet."""
    exploration = await explored(PaperBank())

    assert not exploration.failures
    assert not exploration.unmet
    assert {it.judgement.result for it in exploration.experiments} == {
        Result.FULL,
        Result.STALE,
        Result.NULL,
        Result.QUEUED,
        Result.ERROR,
    }
    assert exploration.pruned > 0


async def test_one_fault_is_mended_by_the_retry_and_two_leave_the_copy() -> None:
    """The matrix tells a retry from a fallback, and a person with a copy from one without."""
    exploration = await explored(PaperBank())

    assert [it.judgement.result for it in of(exploration, "account", "error")] == [Result.FULL]
    twice = of(exploration, "account", "error", "error")
    assert [it.judgement.result for it in twice] == [Result.STALE]
    assert [fault.call.nth for fault in twice[0].faults] == [1, 2]
    bare = of(exploration, "account", "error", "error", copy=Copy.NONE)
    assert [it.judgement.result for it in bare] == [Result.NULL]


async def test_nested_calls_are_explored_too() -> None:
    """A call that a service makes on behalf of the operation meets every kind of fault."""
    exploration = await explored(PaperBank())

    post = CallKey("transactions", "ledger", POST)
    for kind in ("error", "latency", "lose_answer"):
        experiment = next(
            it for it in exploration.experiments if it.faults == (Injected(post, kind),)
        )
        done = kind in {"latency", "lose_answer"}
        assert claim(experiment.answer, "deposit") is (Claim.DONE if done else Claim.ACCEPTED)


async def test_each_service_is_down_once_under_what_needs_it() -> None:
    """The outage of a service is tried under the operations that were seen to call it, and no others."""
    exploration = await explored(PaperBank())

    down = {
        (it.down, it.operation): it.judgement.result for it in exploration.experiments if it.down
    }
    assert down[("ledger", "deposit")] is Result.QUEUED
    assert down[("transactions", "deposit")] is Result.ERROR
    assert ("transactions", "account") not in down


@pytest.mark.parametrize("broken", MUTANTS)
async def test_a_broken_promise_is_found_and_told(broken: str) -> None:
    """Every mutant of the gateway is caught, and the sentence names what it does."""
    exploration = await explored(PaperBank(broken=broken))

    told = [
        text for failure in exploration.failures for text in failure.experiment.judgement.violations
    ]
    assert any(MUTANTS[broken] in text for text in told), told


async def test_a_failing_set_is_made_as_small_as_it_can_be() -> None:
    """Where only two faults together show the defect, both are told; where one is enough, only that one."""
    hidden = await explored(PaperBank(broken="unmarked copies"))
    assert {len(it.smallest) for it in hidden.failures if not it.experiment.down} == {2}

    plain = await explored(PaperBank(broken="FAILED for want of the ledger"))
    assert {len(it.smallest) for it in plain.failures if not it.experiment.down} == {1}


async def test_an_operation_that_fails_by_itself_stops_the_exploration() -> None:
    """On a platform that is not well nothing is said of faults."""
    bank = PaperBank(dead="ledger")

    with pytest.raises(BaselineNotMet, match="account without faults"):
        await explored(bank)


async def test_a_fault_that_no_call_met_is_told_and_not_called_good() -> None:
    """Without proof that the fault was met the experiment is made again, and then counts as unmet."""
    blind = _Blind()
    exploration = await explored(blind, Plan(operations=("account",), depth=1, down=False))

    assert exploration.unmet == tuple(it for it in exploration.experiments if it.faults)
    assert exploration.unmet
    assert blind.runs > 2 * TRIES * len(exploration.unmet)  # the run and the truth, each time


class _Blind(PaperBank):
    """Its faults are never met."""

    def _call(
        self, caller: str, service: str, route: str, correlation: str, work: object
    ) -> object:
        self.placed.clear()
        self.placed[correlation] = ()
        return super()._call(caller, service, route, correlation, work)


async def test_a_run_that_a_policy_disturbed_does_not_count() -> None:
    """When a breaker moved or a retry was refused meanwhile, the experiment is made again."""
    bank = _Restless()
    plan = Plan(operations=("account",), kinds=("error",), depth=1, down=False)
    exploration = await explored(bank, plan)

    calm = PaperBank()
    await explored(calm, plan)
    assert bank.runs > calm.runs
    assert len(exploration.experiments) == 4


class _Restless(PaperBank):
    """Its policies change their mind during the first runs."""

    looks: int = 0

    async def unrest(self) -> Unrest:
        self.looks += 1
        return Unrest(policies=float(min(self.looks, 4)))


async def test_a_late_cache_excuses_a_failure_once_and_no_more() -> None:
    """A failed run in which the cache was late is made again; one that fails each time is a failure."""
    plan = Plan(operations=("account",), kinds=("error",), down=False)

    assert (await explored(_LateCache(broken="unmarked copies"), plan)).failures
    honest = _LateCache()
    assert not (await explored(honest, plan)).failures
    calm = PaperBank()
    await explored(calm, plan)
    assert honest.runs == calm.runs


class _LateCache(PaperBank):
    """Its cache fails all the time, which is no reason to make good runs again."""

    looks: int = 0

    async def unrest(self) -> Unrest:
        self.looks += 1
        return Unrest(caches=float(self.looks))


def test_the_plan_names_calls_as_people_read_them() -> None:
    """A call reads as who asks whom for what, and which time."""
    assert str(CallKey("gateway", "ledger", ACCOUNT)) == "gateway → ledger /v1/accounts/get"
    assert str(CallKey("gateway", "transactions", CREATE, 2)).endswith("create #2")
