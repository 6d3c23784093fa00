"""Each promise is kept by an honest platform, and each lie is seen."""

from dataclasses import dataclass, replace

import pytest

from scripts.outages.course import PARTS
from scripts.outages.observations import Observation, Outage, Phase
from scripts.outages.promises import PROMISES, broken
from tests.scripts.outages.recorded import (
    STALE,
    honest,
    moved,
    not_seen,
    overview,
    refused,
    session,
    statement,
)


@dataclass(frozen=True)
class Lie:
    """One observation of an honest outage replaced, and the promise that it breaks."""

    part: str
    phase: str
    seen: Observation
    breaks: str

    def told(self) -> Outage:
        true = honest(self.part)
        spoilt: Phase = {**true.phases[self.phase], self.seen.question: self.seen}
        return replace(true, **{self.phase: spoilt})  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.part}-{self.phase}-{self.seen.question}-{self.breaks[:24]}"


UNMARKED = replace(overview(account=STALE), degraded=())
NAMELESS = statement(names=STALE)
NAMELESS.data["edges"][0]["node"]["receiver"]["name"] = None
ROWLESS = statement(page=STALE)
ROWLESS.data["edges"].clear()
ACCOUNTLESS = overview()
ACCOUNTLESS.data["account"] = None
UNDATED = overview(account=STALE)
UNDATED.data["account"]["balanceAsOf"] = None

IN_TIME = "every operation is answered within its deadline"
CODED = "a null has a coded error"
MARKED = "a copy is marked, in the data and in `extensions.degraded`"
ONCE = "money moves once per key, and the balance tells of it"
NOT_ACCEPTED = "what was refused was not accepted"
WELL = "all is fresh before and after"
NAMES = "the statement is live, with names marked as stale"
PROFILE = "the profile is a copy"
SIGNED_IN = "who is signed in stays so"
CARRIED_OUT = "transfers are carried out"
NO_SESSION = "signing in and renewing get a coded refusal"
PENDING = "transfers are accepted as PENDING"
LATER = "and complete later, as their key tells"
BALANCE = "the balance is a copy, with `balanceAsOf`"
STATEMENT = "the statement is a copy"
NO_GUESS = "transfers and look-ups get a coded answer, never a guess"
AS_BEFORE = "everything is answered as before"

LIES = [
    Lie("users", "during", replace(overview(profile=STALE), seconds=7.0), IN_TIME),
    Lie("ledger", "during", Observation("overview", 0), IN_TIME),
    Lie("postgres", "during", replace(refused("transfer"), status=500), IN_TIME),
    Lie("users", "during", replace(refused("login"), codes=()), CODED),
    Lie("ledger", "during", ACCOUNTLESS, CODED),
    Lie("ledger", "during", UNMARKED, MARKED),
    Lie("users", "during", replace(overview(), degraded=({},)), MARKED),
    Lie("ledger", "after", overview("7.00"), ONCE),
    Lie("transactions", "after", overview("9.00"), ONCE),
    Lie("postgres", "after", moved("transfer", "PENDING"), ONCE),
    Lie("ledger", "after", moved("transfer", name="t9"), ONCE),
    Lie("transactions", "after", moved("lookup"), NOT_ACCEPTED),
    Lie("postgres", "during", refused("transfer", "INTERNAL"), NOT_ACCEPTED),
    Lie("users", "after", refused("login"), WELL),
    Lie("valkey", "before", overview("10.00", profile=STALE), WELL),
    Lie("users", "during", refused("statement"), NAMES),
    Lie("users", "during", statement(), NAMES),
    Lie("users", "during", statement(page=STALE, names=STALE), NAMES),
    Lie("users", "during", NAMELESS, NAMES),
    Lie("users", "during", refused("overview"), PROFILE),
    Lie("users", "during", overview(), PROFILE),
    Lie("users", "during", refused("overview", "UNAUTHENTICATED"), SIGNED_IN),
    Lie("postgres", "after", refused("refresh", "INVALID_REFRESH_TOKEN"), SIGNED_IN),
    Lie("users", "during", moved("transfer", "PENDING"), CARRIED_OUT),
    Lie("valkey", "during", refused("transfer"), CARRIED_OUT),
    Lie("users", "during", session("login"), NO_SESSION),
    Lie("postgres", "during", refused("refresh", "INVALID_CREDENTIALS"), NO_SESSION),
    Lie("ledger", "during", moved("transfer", "FAILED"), PENDING),
    Lie("ledger", "during", refused("transfer"), PENDING),
    Lie("ledger", "during", not_seen(), LATER),
    Lie("ledger", "after", moved("lookup", "FAILED"), LATER),
    Lie("ledger", "during", overview(), BALANCE),
    Lie("ledger", "during", UNDATED, BALANCE),
    Lie("transactions", "during", statement(), STATEMENT),
    Lie("transactions", "during", ROWLESS, STATEMENT),
    Lie("transactions", "during", moved("transfer", "PENDING"), NO_GUESS),
    Lie("postgres", "during", not_seen(), NO_GUESS),
    Lie("valkey", "during", refused("login"), AS_BEFORE),
    Lie("valkey", "during", statement(page=STALE), AS_BEFORE),
]


@pytest.mark.parametrize("part", PARTS)
def test_an_honest_platform_keeps_all(part: str) -> None:
    """What was recorded of a platform that does as it says breaks no promise."""
    assert broken([honest(part)]) == []


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_a_lie_is_seen(lie: Lie) -> None:
    """One false observation, and the promise that it breaks is named with the outage."""
    complaints = broken([lie.told()])
    assert any(text.startswith(f"{lie.part} down: {lie.breaks}: ") for text in complaints), (
        complaints
    )


def test_every_promise_can_be_broken() -> None:
    """No promise is a sentence that nothing checks."""
    assert {promise.sentence for promise in PROMISES} == {lie.breaks for lie in LIES}


@pytest.mark.parametrize("part", PARTS)
def test_an_unknown_outcome_may_be_either(part: str) -> None:
    """OUTCOME_UNKNOWN lets a transfer be there afterwards or not, and nothing else does."""
    for found in (not_seen(), moved("lookup")):
        true = honest(part)
        during = {**true.during, "transfer": refused("transfer", "OUTCOME_UNKNOWN")}
        after = {**true.after, "lookup": found}
        told = broken([replace(true, during=during, after=after)])
        assert not any(NOT_ACCEPTED in text for text in told)
