"""Counterexamples: what is written down of a failure, and that it can be run again."""

from pathlib import Path

import pytest

from chaos.explore import counterexample
from chaos.explore.campaign import Plan, explore
from chaos.explore.laboratory import Laboratory
from chaos.explore.operations import OPERATIONS
from tests.chaos.explore.paper_bank import DECLARED, PaperBank

PLAN = Plan(operations=("account",), down=False)


async def test_a_failure_is_written_down_and_fails_again(tmp_path: Path) -> None:
    """The file holds all that a replay needs: its run fails in the same way, and an honest one does not."""
    bank = PaperBank(broken="unmarked copies")
    failure = (await explore(bank, DECLARED, PLAN, lambda _: None)).failures[0]
    path = counterexample.save(tmp_path / "new", 1, counterexample.of(failure, DECLARED, seed=5))

    kept = counterexample.load(path)
    assert (path.name, kept.seed, kept.declared) == ("001-account.json", 5, "Query.account: STALE")
    assert kept.fault_set() == failure.smallest
    assert "said to be fresh" in kept.violations[0]

    async def again(platform: PaperBank) -> bool:
        laboratory = Laboratory(platform, DECLARED)
        return (await laboratory.run(OPERATIONS["account"], kept.copy, kept.fault_set())).failed

    assert await again(PaperBank(broken="unmarked copies"))
    assert not await again(PaperBank())


async def test_tokens_are_not_written_down() -> None:
    """An answer with a session is kept without its tokens."""
    hidden = counterexample._without_tokens(
        {"data": {"login": {"accessToken": "secret", "user": {"id": "1"}, "refreshToken": None}}}
    )
    assert hidden == {
        "data": {"login": {"accessToken": "…", "user": {"id": "1"}, "refreshToken": None}}
    }


@pytest.mark.parametrize(
    "content",
    ["", "{}", '{"format": "baluarte-counterexample", "version": 9}'],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, content: str) -> None:
    """What cannot be replayed is refused with the file's name."""
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(counterexample.CounterexampleError, match=r"x\.json"):
        counterexample.load(path)
