"""What an answer means to its reader: an outcome for every kind, also of those that nobody gave."""

from typing import Any

import msgspec
import pytest

from chaos.history.answers import Replied, Reply, Unanswered
from chaos.history.events import Op
from chaos.record import Outcome
from loadtests.answers import (
    MARKED_IN_DATA_ONLY,
    MARKED_IN_SUMMARY_ONLY,
    money_query,
    read,
)
from loadtests.documents import ACCOUNT, NOTIFICATIONS, OVERVIEW, STATEMENT, Query

TRANSFER = money_query(Op.TRANSFER)
FIND = money_query(Op.FIND)
FRESH = {"state": "FRESH", "ageSeconds": None}
STALE = {"state": "STALE", "ageSeconds": 90}


def reply(status: int = 200, **body: Any) -> Replied:
    return Replied(status, msgspec.json.encode(body))


def error(code: str | None, message: str = "No.", **more: Any) -> dict[str, Any]:
    coded = {} if code is None else {"code": code}
    return {"message": message, "path": ["me"], "extensions": {**coded, **more}}


def me(freshness: dict[str, Any] = FRESH, account: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"me": {"id": "1", "name": "Ana", "freshness": freshness, "account": account}}


def degraded(*ages: int | None) -> dict[str, Any]:
    return {
        "degraded": [
            {"path": ["me"], "service": "users", "servedFrom": "copy", "ageSeconds": age}
            for age in ages
        ]
    }


@pytest.mark.parametrize(
    ("query", "answer", "outcome", "codes"),
    [
        (OVERVIEW, reply(data=me(freshness=FRESH)), Outcome.FRESH, ()),
        (
            OVERVIEW,
            reply(data=me(STALE), extensions=degraded(90)),
            Outcome.STALE,
            (),
        ),
        (
            OVERVIEW,
            reply(data=me(), errors=[error("UNAVAILABLE")]),
            Outcome.PARTIAL,
            ("UNAVAILABLE",),
        ),
        (
            OVERVIEW,
            reply(data={"me": None}, errors=[error("UNAVAILABLE")]),
            Outcome.REFUSED,
            ("UNAVAILABLE",),
        ),
        (OVERVIEW, reply(429, errors=[error("RATE_LIMITED")]), Outcome.REFUSED, ("RATE_LIMITED",)),
        (OVERVIEW, reply(data={"me": None}), Outcome.FAILED, ("NULL",)),
        (ACCOUNT, reply(data={"account": None}), Outcome.FRESH, ()),
        (
            OVERVIEW,
            reply(data={"me": None}, errors=[error(None)]),
            Outcome.FAILED,
            ("UNCODED",),
        ),
        (
            OVERVIEW,
            reply(data=me(), errors=[error("UNAVAILABLE"), error(None)]),
            Outcome.FAILED,
            ("UNAVAILABLE", "UNCODED"),
        ),
        (OVERVIEW, reply(500, errors=[error("INTERNAL")]), Outcome.FAILED, ("INTERNAL",)),
        (OVERVIEW, Replied(502, b"<html>bad gateway</html>"), Outcome.FAILED, ("HTTP_502",)),
        (OVERVIEW, Replied(200, b'{"data": {"me": {"id'), Outcome.FAILED, ("HTTP_200",)),
        (OVERVIEW, Replied(200, b"\xff\xfe"), Outcome.FAILED, ("HTTP_200",)),
        (OVERVIEW, Unanswered("Timeout: 12 seconds"), Outcome.FAILED, ("LOST",)),
        (OVERVIEW, Unanswered("refused", sent=False), Outcome.FAILED, ("NOT_SENT",)),
        (
            TRANSFER,
            reply(data={"transfer": {"id": "t", "status": "COMPLETED"}}),
            Outcome.FRESH,
            (),
        ),
        (TRANSFER, reply(data={"transfer": {"id": "t", "status": "PENDING"}}), Outcome.QUEUED, ()),
        (
            TRANSFER,
            reply(
                data={
                    "transfer": {
                        "id": "t",
                        "status": "FAILED",
                        "failureReason": "INSUFFICIENT_FUNDS",
                    }
                }
            ),
            Outcome.FRESH,
            ("INSUFFICIENT_FUNDS",),
        ),
        (
            TRANSFER,
            reply(data={"transfer": None}, errors=[error("OUTCOME_UNKNOWN")]),
            Outcome.UNKNOWN,
            ("OUTCOME_UNKNOWN",),
        ),
        (
            TRANSFER,
            reply(data={"transfer": None}, errors=[error("CIRCUIT_BREAKER_OPEN")]),
            Outcome.REFUSED,
            ("CIRCUIT_BREAKER_OPEN",),
        ),
        (TRANSFER, reply(data={"transfer": None}), Outcome.FAILED, ("NULL",)),
        (FIND, reply(data={"transaction": None}), Outcome.FRESH, ()),
        (FIND, reply(data={"transaction": {"id": "t", "status": "PENDING"}}), Outcome.FRESH, ()),
    ],
)
def test_each_answer_has_its_outcome(
    query: Query, answer: Reply, outcome: Outcome, codes: tuple[str, ...]
) -> None:
    """Fresh, stale, partial, queued, refused, unknown, failed: by what the answer says and nothing else."""
    told = read(query, answer)
    assert (told.outcome, told.codes) == (outcome, codes)


def test_the_age_is_that_of_the_oldest_copy() -> None:
    """Whether it stands in the data or in the summary."""
    data = me(STALE, {"id": "a", "freshness": {"state": "STALE", "ageSeconds": 7}})
    assert read(OVERVIEW, reply(data=data, extensions=degraded(90, 7))).stale_age == 90
    assert read(OVERVIEW, reply(data=data, extensions=degraded(120))).stale_age == 120
    assert read(OVERVIEW, reply(data=me(freshness=FRESH))).stale_age is None


def test_a_copy_of_no_age_is_a_copy_all_the_same() -> None:
    """A name that nobody told the age of is stale, and its age is not invented."""
    edges = [{"node": {"receiver": {"name": "B", "freshness": {"state": "STALE"}}}}]
    page = {"transactions": {"freshness": FRESH, "edges": edges}}
    told = read(STATEMENT, reply(data=page, extensions=degraded(None)))
    assert (told.outcome, told.stale_age, told.codes) == (Outcome.STALE, None, ())


def test_a_mark_that_is_missing_is_told() -> None:
    """A copy is marked in the data and in the summary; one of them alone is not what is promised."""
    only_data = read(OVERVIEW, reply(data=me(STALE)))
    only_summary = read(OVERVIEW, reply(data=me(), extensions=degraded(3)))
    assert (only_data.outcome, only_data.codes) == (Outcome.STALE, (MARKED_IN_DATA_ONLY,))
    assert (only_summary.outcome, only_summary.codes) == (Outcome.STALE, (MARKED_IN_SUMMARY_ONLY,))


def test_a_part_that_is_missing_beside_a_copy_is_partial_and_has_an_age() -> None:
    """Both are told, since both are true."""
    told = read(
        OVERVIEW, reply(data=me(STALE), errors=[error("UNAVAILABLE")], extensions=degraded(90))
    )
    assert (told.outcome, told.stale_age) == (Outcome.PARTIAL, 90)


def test_what_the_person_reads_is_kept_short() -> None:
    """The first error's message, on one line and clipped."""
    told = read(OVERVIEW, reply(data={"me": None}, errors=[error("UNAVAILABLE", "a\nb" * 500)]))
    assert "\n" not in told.message
    assert len(told.message) <= 200


def test_what_to_do_next_is_kept() -> None:
    """Whether the same request may succeed later, and when."""
    told = read(
        NOTIFICATIONS,
        reply(
            data={"notifications": None},
            errors=[error("OVERLOADED", retryable=True, retryAfterSeconds=2.5)],
        ),
    )
    assert (told.retryable, told.retry_after) == (True, 2.5)
    assert read(OVERVIEW, Unanswered("gone")).retryable
