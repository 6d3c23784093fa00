"""What a mutation did, as against what it said: the part of the judgement that needs a second look.

Pure. An answer claims something about its effect; afterwards the platform, healthy again, is asked what
happened.
"""

from enum import StrEnum
from typing import Final

from chaos.explore.answer import Answer

UNKNOWN_CODES: Final = frozenset({"OUTCOME_UNKNOWN", "INTERNAL", ""})
"""After which the effect may or may not have happened. All other codes say that nothing was done."""


class Claim(StrEnum):
    """What an answer says of the effect."""

    DONE = "done"
    ACCEPTED = "accepted"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


class Fact(StrEnum):
    """What became of it, as a healthy platform says afterwards."""

    HAPPENED = "happened"
    PENDING = "pending"
    ABSENT = "absent"
    LOST = "lost"
    """What was there before is gone, and nothing came in its place."""
    UNCLEAR = "unclear"
    """Nobody could tell."""


def claim(answer: Answer, root: str) -> Claim:
    """What an answer to the mutation `root` claims."""
    if answer.body is None:
        return Claim.UNKNOWN
    value = (answer.body.data or {}).get(root)
    if value is None:
        found = {
            error.code for error in answer.body.errors if not error.path or error.path[0] == root
        }
        return Claim.NOT_DONE if found and not found & UNKNOWN_CODES else Claim.UNKNOWN
    if isinstance(value, dict) and value.get("status") == "PENDING":
        return Claim.ACCEPTED
    return Claim.DONE


_LIES: Final = {
    (Claim.DONE, Fact.ABSENT): "said done, and it did not happen",
    (Claim.DONE, Fact.PENDING): "said done, and it is still pending",
    (Claim.ACCEPTED, Fact.ABSENT): "said accepted, and nothing is known of it",
    (Claim.ACCEPTED, Fact.PENDING): "said accepted, and never carried out",
    (Claim.NOT_DONE, Fact.HAPPENED): "said failed, though it happened",
    (Claim.NOT_DONE, Fact.PENDING): "said failed, though it was accepted",
}


def lies(claimed: Claim, fact: Fact) -> tuple[str, ...]:
    """What is wrong between a claim and the fact, once everything has come to rest."""
    if fact is Fact.UNCLEAR:
        return ("nobody can tell afterwards what happened",)
    if fact is Fact.LOST:
        return ("no new session came, and the old one is lost, too",)
    found = _LIES.get((claimed, fact))
    if claimed is Claim.UNKNOWN and fact is Fact.PENDING:
        found = "its outcome stayed unknown"
    return (found,) if found else ()
