"""Claims and facts: what an answer says of its effect, and which pairs are lies."""

from typing import Any

import msgspec
import pytest

from chaos.explore.answer import Answer, read
from chaos.explore.effects import Claim, Fact, claim, lies


def answer(value: Any, *codes: str) -> Answer:
    errors = [
        {"message": "no", "path": ["deposit"], "extensions": {"code": code}} for code in codes
    ]
    told = {"data": {"deposit": value}} | ({"errors": errors} if errors else {})
    return read(200, msgspec.json.encode(told), 0.1, 0.0)


@pytest.mark.parametrize(
    ("given", "claimed"),
    [
        (answer({"status": "COMPLETED"}), Claim.DONE),
        (answer(True), Claim.DONE),
        (answer({"status": "PENDING"}), Claim.ACCEPTED),
        (answer(None, "UNAVAILABLE"), Claim.NOT_DONE),
        (answer(None, "CIRCUIT_BREAKER_OPEN"), Claim.NOT_DONE),
        (answer(None, "OUTCOME_UNKNOWN"), Claim.UNKNOWN),
        (answer(None, "INTERNAL"), Claim.UNKNOWN),
        (answer(None), Claim.UNKNOWN),
        (Answer(0, trouble="reset"), Claim.UNKNOWN),
    ],
)
def test_what_an_answer_claims(given: Answer, claimed: Claim) -> None:
    """Codes say that nothing was done, but for those that say that nobody knows."""
    assert claim(given, "deposit") is claimed


def test_which_pairs_are_lies() -> None:
    """A claim must be the fact; where nothing is claimed, the outcome must at least become known."""
    honest = {
        (Claim.DONE, Fact.HAPPENED),
        (Claim.ACCEPTED, Fact.HAPPENED),
        (Claim.NOT_DONE, Fact.ABSENT),
        (Claim.UNKNOWN, Fact.HAPPENED),
        (Claim.UNKNOWN, Fact.ABSENT),
    }
    for claimed in Claim:
        for fact in Fact:
            assert bool(lies(claimed, fact)) == ((claimed, fact) not in honest), (claimed, fact)
    assert lies(Claim.NOT_DONE, Fact.HAPPENED) == ("said failed, though it happened",)
