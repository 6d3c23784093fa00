"""Each law at its edges, on stories short enough to judge by eye."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from chaos.history.checker import Report, check
from chaos.history.checks import REGISTRY
from chaos.history.events import Baseline, Op, Request, Status
from chaos.history.state import (
    AccountRow,
    EffectRow,
    EntryRow,
    HoldRow,
    MessageRow,
    ServerState,
    TransactionRow,
)
from chaos.history.verdict import MAX_EVIDENCE, CheckResult, Verdict
from tests.chaos.history.stories import (
    ANA,
    BIA,
    CONSUMER,
    OUTSIDE,
    TRANSFER,
    USER,
    Books,
    Story,
    acknowledged,
)


def result(name: str, story: Story, state: ServerState) -> CheckResult:
    return check(story.told(), state)[name]


def says(found: CheckResult, words: str) -> bool:
    return found.verdict is Verdict.VIOLATED and any(words in line for line in found.evidence)


def test_nothing_to_look_at_is_unknown_and_never_valid() -> None:
    """An empty run proves nothing: every check says so."""
    report = check(Story().told(), ServerState())

    assert report.unknown == set(REGISTRY)
    assert report.verdict is Verdict.UNKNOWN


def test_evidence_is_bounded_and_violations_are_counted() -> None:
    """A check quotes a few violations and counts them all."""
    books = Books()
    for number in range(50):
        books.posts(f"forged-{number}", key=f"forged-{number}", amount=1)

    found = result("sent", Story(), books.state())

    assert (found.violations, len(found.evidence)) == (50, MAX_EVIDENCE)


# Check 1.


def test_money_that_appears_in_one_read_is_seen() -> None:
    """A single read whose total is not zero turns conservation red."""
    story = Story().asks().reads(total=-30).reads().hears(transfer="t-1", status=Status.COMPLETED)

    found = result("conserved", story, Books().posts().state())

    assert says(found, "BRL balances add up to -30")
    assert found.checked == 2


def test_reads_beside_no_operation_are_no_evidence_of_concurrency() -> None:
    """Reads before and after the run alone leave conservation unknown."""
    story = Story().reads()
    story.events += acknowledged().events

    assert result("conserved", story, Books().posts().state()).verdict is Verdict.UNKNOWN


def test_money_that_is_missing_after_the_run_is_seen() -> None:
    """The snapshot's own totals are judged as well."""
    account = AccountRow(ANA, "BRL", 5)

    assert says(result("conserved", Story(), ServerState(accounts=(account,))), "after the run")


# Check 2.


def test_an_overdraft_may_be_used_to_its_last_centavo() -> None:
    """Down to −overdraft is solvent; one centavo below is not."""
    for balance, verdict in ((-100, Verdict.VALID), (-101, Verdict.VIOLATED)):
        account = AccountRow(ANA, "BRL", balance, 0, 100)

        found = result("solvent", Story(), ServerState(accounts=(account,)))

        assert found.verdict is verdict


def test_what_is_held_back_cannot_be_spent() -> None:
    """Held money counts against the limit."""
    account = AccountRow(ANA, "BRL", 5, 6, 0)

    assert says(result("solvent", Story(), ServerState(accounts=(account,))), "held 6")


def test_a_dip_below_the_limit_between_reads_is_seen() -> None:
    """An entry that left too little behind is evidence, even if the balance has recovered."""
    books = Books().posts("t-1", amount=130).posts("t-2", debit=BIA, credit=ANA, amount=130)

    assert says(result("solvent", Story(), books.state()), "transfer t-1 left -130")


def test_a_dip_of_an_earlier_run_is_not_judged() -> None:
    """Limits may change between runs, so older entries are left alone."""
    books = Books().posts("t-1", amount=130, created=5)
    books.posts("t-2", debit=BIA, credit=ANA, amount=130, created=5)
    story = Story(baseline=Baseline(ledger=6))

    assert result("solvent", story, books.state()).verdict is Verdict.VALID


def test_an_overdrawn_read_is_seen() -> None:
    """A read names the accounts that it saw below their limit."""
    story = Story().reads(overdrawn=[ANA])

    assert says(result("solvent", story, Books().state()), f"account {ANA} is below")


# Check 3.


def _without_a_leg(state: ServerState) -> ServerState:
    return msgspec.structs.replace(state, entries=state.entries[:1])


def _with_a_third_leg(state: ServerState) -> ServerState:
    return msgspec.structs.replace(
        state, entries=(*state.entries, EntryRow("t-1", 3, ANA, 1, 1, 9))
    )


def _on_another_account(state: ServerState) -> ServerState:
    first, second = state.entries
    return msgspec.structs.replace(
        state, entries=(first, msgspec.structs.replace(second, account=OUTSIDE))
    )


def _unknown_to_the_ledger(state: ServerState) -> ServerState:
    return msgspec.structs.replace(state, postings=(), entries=())


def _refused_by_the_ledger(state: ServerState) -> ServerState:
    (posting,) = state.postings
    refused = msgspec.structs.replace(posting, status="FAILED")
    return msgspec.structs.replace(state, postings=(refused,), entries=())


def _of_another_amount(state: ServerState) -> ServerState:
    (row,) = state.transactions
    return msgspec.structs.replace(state, transactions=(msgspec.structs.replace(row, amount=31),))


def _failed_with_legs(state: ServerState) -> ServerState:
    (row,) = state.transactions
    failed = msgspec.structs.replace(row, status=Status.FAILED)
    return msgspec.structs.replace(state, transactions=(failed,))


def _legs_without_a_record(state: ServerState) -> ServerState:
    return msgspec.structs.replace(state, postings=(), transactions=())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_without_a_leg, "has 1 legs instead of 2"),
        (_with_a_third_leg, "has 3 legs instead of 2"),
        (_on_another_account, "its legs are"),
        (_unknown_to_the_ledger, "never heard of it"),
        (_refused_by_the_ledger, "has it as FAILED"),
        (_of_another_amount, "moved 30 BRL instead of 31 BRL"),
        (_failed_with_legs, "2 of its legs stand"),
        (_legs_without_a_record, "has no record of"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_legs_that_do_not_match_are_seen(
    damage: Callable[[ServerState], ServerState], words: str
) -> None:
    """Every way in which a transfer and its legs can disagree is told in its own words."""
    assert says(result("two-legs", Story(), damage(Books().posts().state())), words)


# Check 4.


def entries(*steps: tuple[int, int]) -> tuple[EntryRow, ...]:
    """Entries of one account without an order: (amount, balance after)."""
    return tuple(EntryRow(f"t-{n}", 1, ANA, *step) for n, step in enumerate(steps))


def replayed(balance: int, *steps: tuple[int, int]) -> CheckResult:
    state = ServerState(accounts=(AccountRow(ANA, "BRL", balance),), entries=entries(*steps))
    return result("replay", Story(), state)


def test_entries_without_an_order_must_still_chain() -> None:
    """If some order of the entries explains every resulting balance, the account is right."""
    assert replayed(5, (5, 10), (5, 5), (-5, 5)).verdict is Verdict.VALID
    assert replayed(15, (5, 10), (5, 5), (5, 15)).verdict is Verdict.VALID


def test_a_resulting_balance_that_no_order_explains_is_seen() -> None:
    """A wrong resulting balance breaks the chain, though the sum is right."""
    assert says(replayed(15, (5, 10), (5, 6), (5, 15)), "do not chain")


def test_a_loop_apart_from_the_chain_is_seen() -> None:
    """Entries that chain among themselves, but hang on nothing, explain nothing."""
    assert says(replayed(5, (5, 5), (10, 110), (-10, 100)), "are not reached from 0")


def test_entries_of_an_unknown_account_are_seen() -> None:
    """Money cannot lie on an account that does not exist."""
    state = ServerState(entries=entries((5, 5)))

    assert says(result("replay", Story(), state), "which does not exist")


# Check 5.


def test_an_acknowledged_transfer_that_vanished_is_seen() -> None:
    """The essential case: everything balances, and what a client was told is gone."""
    report = check(acknowledged().told(), Books().state())

    assert report.violated == {"durable"}
    assert says(report["durable"], "was told COMPLETED as t-1; it is gone")


@pytest.mark.parametrize(
    ("told", "found", "lawful"),
    [
        (Status.PENDING, Status.COMPLETED, True),
        (Status.PENDING, Status.FAILED, True),
        (Status.COMPLETED, Status.REVERSED, True),
        (Status.COMPLETED, Status.FAILED, False),
        (Status.COMPLETED, Status.PENDING, False),
        (Status.FAILED, Status.COMPLETED, False),
        (Status.FAILED, Status.PENDING, False),
        (Status.REVERSED, Status.COMPLETED, False),
    ],
)
def test_an_acknowledged_status_only_moves_forward(
    told: Status, found: Status, lawful: bool
) -> None:
    """What was told binds: only the transitions that a client knows of are lawful."""
    story = Story().asks().hears(transfer="t-1", status=told)
    state = Books().posts(status=found).state()

    verdict = result("durable", story, state).verdict

    assert (verdict is Verdict.VALID) is lawful


def test_a_completed_transfer_that_only_the_ledger_lost_is_seen() -> None:
    """The transactions service's word is not enough: the money must be in the ledger."""
    state = _unknown_to_the_ledger(Books().posts().state())

    assert says(result("durable", acknowledged(), state), "gone from the ledger")


def test_a_transfer_that_changed_hands_is_seen() -> None:
    """An acknowledged id must still belong to the key that it was told for."""
    state = Books().posts(key="key-2").state()

    assert says(result("durable", acknowledged(), state), "belongs to key key-2")


def test_a_refused_request_that_was_carried_out_is_seen() -> None:
    """A client that was refused every time has not paid."""
    story = Story().asks().hears(code="INSUFFICIENT_FUNDS")

    assert says(result("durable", story, Books().posts().state()), "was refused every time")
    assert result("durable", story, Books().refuses().state()).verdict is Verdict.VALID


def test_a_refused_retry_of_an_unknown_attempt_binds_nobody() -> None:
    """One refusal says nothing about an earlier attempt under the same key."""
    story = Story().asks().loses().asks().hears(code="RATE_LIMITED")

    assert result("durable", story, Books().posts().state()).violations == 0


def test_a_reversal_may_be_answered_to_whoever_asks_second() -> None:
    """Two requests to reverse one transfer name one reversal, which has one owner."""
    reverse = Request(user=USER, target="t-1")
    story = acknowledged()
    story.asks(1, Op.REVERSE, "key-2", reverse)
    story.hears(1, Op.REVERSE, "key-2", transfer="r-1", status=Status.COMPLETED)
    story.asks(1, Op.REVERSE, "key-3", reverse)
    story.hears(1, Op.REVERSE, "key-3", transfer="r-1", status=Status.COMPLETED)
    story.finds(1, "key-3", transfer="r-1", status=Status.COMPLETED)
    books = Books().posts(status=Status.REVERSED)
    books.posts("r-1", "key-2", BIA, ANA, type_="REVERSAL", reverses="t-1")

    assert result("durable", story, books.state()).violations == 0


# Check 6.


def test_a_retry_that_names_another_transfer_is_seen() -> None:
    """One key, two transfers: the client paid twice."""
    story = acknowledged().asks().hears(transfer="t-2", status=Status.COMPLETED)

    assert says(result("same-answer", story, ServerState()), "answered with 2 transfers")


def test_a_second_transfer_behind_a_lost_answer_is_seen() -> None:
    """When answers were lost, the rows under the key tell the same."""
    books = Books().posts("t-1").posts("t-2")
    story = Story().asks().loses().asks().hears(transfer="t-2", status=Status.COMPLETED)

    assert says(result("same-answer", story, books.state()), "made 2 transfers: t-1, t-2")


def test_an_answer_may_not_know_less_than_one_before_it() -> None:
    """Final, then PENDING, is a change of mind."""
    story = acknowledged().finds(transfer="t-1", status=Status.PENDING)

    assert says(result("same-answer", story, ServerState()), "was COMPLETED, then PENDING")


def test_finding_nothing_after_an_acknowledgement_is_seen() -> None:
    """A key that was acknowledged cannot be "not seen yet"."""
    story = Story().asks().hears(transfer="t-1", status=Status.PENDING).finds()

    assert says(result("same-answer", story, ServerState()), "was PENDING, then not found")


def test_finding_nothing_before_an_acknowledgement_is_lawful() -> None:
    """Not seen yet, then seen, is how a slow request looks."""
    story = Story().asks().loses().finds().finds(transfer="t-1", status=Status.PENDING)

    assert result("same-answer", story, ServerState()).verdict is Verdict.VALID


def test_answers_that_cross_may_differ_in_how_far_they_saw() -> None:
    """An answer binds only questions that were asked after it had come."""
    story = Story().asks(1).asks(2)
    story.hears(1, transfer="t-1", status=Status.COMPLETED)
    story.hears(2, transfer="t-1", status=Status.PENDING)

    assert result("same-answer", story, ServerState()).verdict is Verdict.VALID


def test_answers_that_cross_may_not_differ_in_the_outcome() -> None:
    """Carried out and failed cannot both be true, whenever they were asked."""
    story = Story().asks(1).asks(2)
    story.hears(1, transfer="t-1", status=Status.COMPLETED)
    story.hears(2, transfer="t-1", status=Status.FAILED)

    assert says(result("same-answer", story, ServerState()), "both as carried out and as FAILED")


def test_an_answer_marked_stale_binds_nobody() -> None:
    """A copy that says that it is one may lag behind."""
    story = acknowledged().finds(transfer="t-1", status=Status.PENDING, stale=True)

    assert result("same-answer", story, ServerState()).verdict is Verdict.UNKNOWN


def test_one_key_of_two_users_is_two_keys() -> None:
    """Keys are scoped by user."""
    story = acknowledged()
    story.asks(1, request=msgspec.structs.replace(TRANSFER, user="user-bia"))
    story.hears(1, transfer="t-2", status=Status.COMPLETED)

    assert result("same-answer", story, ServerState()).violations == 0


# Check 7.


def test_a_request_whose_outcome_is_unknown_may_have_been_carried_out() -> None:
    """An unanswered invoke allows the transfer, and does not demand it."""
    story = Story().asks()

    assert result("sent", story, Books().posts().state()).verdict is Verdict.VALID
    assert result("sent", story, Books().state()).violations == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": 31},
        {"currency": "USD"},
        {"debit": OUTSIDE},
        {"credit": OUTSIDE},
        {"debit": None},
        {"user": "user-bia"},
    ],
)
def test_a_transfer_other_than_asked_was_never_sent(changed: dict[str, object]) -> None:
    """User, amount, currency and both accounts are those of a request."""
    request = msgspec.structs.replace(TRANSFER, **changed)

    found = result("sent", Story().asks(request=request), Books().posts().state())

    assert found.verdict is Verdict.VIOLATED


def test_a_transfer_of_another_kind_was_never_sent() -> None:
    """A deposit cannot come of a request to transfer."""
    state = Books().posts(type_="DEPOSIT").state()

    assert says(result("sent", Story().asks(), state), "its client asked for transfer of 30 BRL")


def test_the_outside_world_is_any_account_without_a_limit() -> None:
    """A deposit's other side is the system's, which clients do not name."""
    request = Request(user=USER, credit=ANA, amount=30, currency="BRL")
    story = Story().asks(op=Op.DEPOSIT, request=request)

    lawful = Books().posts(type_="DEPOSIT", debit=OUTSIDE, credit=ANA)
    theft = Books().posts(type_="DEPOSIT", debit=BIA, credit=ANA)

    assert result("sent", story, lawful.state()).verdict is Verdict.VALID
    assert result("sent", story, theft.state()).verdict is Verdict.VIOLATED


def test_transfers_from_before_the_run_are_nobodys_of_it() -> None:
    """Rows that are older than the baseline are not held against this run's clients."""
    state = Books().posts("old", key="old", created=9).state()

    assert says(result("sent", Story(), state), "no client sent it")
    story = Story(baseline=Baseline(ledger=10, transactions=10))
    assert result("sent", story, state).verdict is Verdict.UNKNOWN


def test_a_posting_without_a_transaction_is_seen() -> None:
    """The ledger moves nothing on its own account."""
    state = msgspec.structs.replace(Books().posts().state(), transactions=())

    assert says(result("sent", Story().asks(), state), "belongs to no transaction")


# Check 8.


def message(kind: str = "transaction.completed", **more: object) -> MessageRow:
    return MessageRow(id=f"m-{kind}", type=kind, transfer="t-1", **more)  # type: ignore[arg-type]


def delivered(books: Books | None = None, **changes: object) -> CheckResult:
    return result("delivered", Story(), (books or Books().posts()).state(**changes))


def test_an_event_in_the_outbox_is_not_lost() -> None:
    """Outbox + delivered: what still waits will come."""
    assert delivered(outbox=(message(),), effects=()).verdict is Verdict.VALID


def test_an_event_that_is_nowhere_is_lost() -> None:
    """A settled transaction without its event was lost on the way to the outbox or out of it."""
    assert says(delivered(effects=()), "neither in the outbox nor delivered")


def test_an_event_taken_without_effect_is_seen() -> None:
    """A consumer that says done and did nothing is told apart from a lost message."""
    inbox = (message(consumer=CONSUMER, done=True),)

    assert says(delivered(inbox=inbox, effects=()), "took its transaction.completed without")


def test_an_event_that_waits_in_an_inbox_after_quiescence_is_seen() -> None:
    """Parked or forgotten: the effect that is owed has not come."""
    inbox = (message(consumer=CONSUMER, done=False),)

    assert says(delivered(inbox=inbox, effects=()), "has not processed its")


def test_an_event_for_another_consumer_alone_is_seen() -> None:
    """Each consumer must get it."""
    inbox = (message(consumer="somebody-else", done=True),)

    assert says(
        delivered(inbox=inbox, effects=()), f"neither in the outbox nor delivered to {CONSUMER}"
    )


def test_an_effect_for_each_recipient_happens_once() -> None:
    """Two recipients are two effects; one recipient told twice is one too many."""
    kind = "transaction.completed"
    both = (EffectRow(CONSUMER, kind, "t-1", "a"), EffectRow(CONSUMER, kind, "t-1", "b"))

    assert delivered(effects=both).verdict is Verdict.VALID
    assert says(delivered(effects=(*both, both[0])), "told a 2 times")


def test_two_events_of_one_outcome_are_seen() -> None:
    """Another message id is another event, and dedupe cannot help against it."""
    second = MessageRow("other", "transaction.completed", "t-1")

    assert says(delivered(outbox=(message(), second)), "2 events tell of it instead of 1")


def test_an_event_that_is_not_true_is_seen() -> None:
    """Nobody may hear that a completed transfer failed."""
    assert says(delivered(outbox=(message("transaction.failed"),)), "says transaction.failed")


def test_a_reversed_transfer_owes_both_its_events() -> None:
    """It was completed, and then reversed: consumers hear of both."""
    found = delivered(Books().posts(status=Status.REVERSED))

    assert says(found, "its transaction.reversed is neither")
    assert found.checked == 2


def test_an_inbox_that_forgot_the_content_counts_as_the_event_without_a_trace() -> None:
    """A processed row without its type stands for what has no other trace, once."""
    done = (MessageRow("m-1", "", "t-1", CONSUMER, done=True),)
    both = (*done, MessageRow("m-2", "", "t-1", CONSUMER, done=True))
    reversed_ = Books().posts(status=Status.REVERSED)

    assert delivered(inbox=done).verdict is Verdict.VALID
    assert says(delivered(inbox=done, effects=()), "took its transaction.completed without effect")
    assert says(delivered(reversed_, inbox=done), "its transaction.reversed is neither")
    assert says(delivered(reversed_, inbox=both), "took its transaction.reversed without effect")
    assert says(delivered(inbox=both), "2 events tell of it instead of 1")


def test_a_reversals_own_event_is_owed_without_an_effect() -> None:
    """Both sides hear of it by the event of the original; the event must arrive all the same."""
    books = Books().posts(type_="REVERSAL", reverses="t-0")
    done = (MessageRow("m-1", "", "t-1", CONSUMER, done=True),)

    assert delivered(books, inbox=done, effects=()).verdict is Verdict.VALID
    assert says(delivered(books, effects=()), "neither in the outbox nor delivered")


def test_without_a_consumer_in_the_snapshot_nothing_is_proved() -> None:
    """A snapshot that looked at no consumer says nothing about delivery."""
    assert delivered(consumers=()).verdict is Verdict.UNKNOWN


# Checks 9, 10, 11.


def test_what_is_still_pending_or_held_is_seen() -> None:
    """After quiescence everything has ended."""
    hold = HoldRow("h-1", ANA, 5, "HELD")
    row = TransactionRow("t-9", USER, "key-9", "TRANSFER", Status.PENDING, 5, "BRL")

    found = result("settled", Story(), ServerState(holds=(hold,), transactions=(row,)))

    assert says(found, "transaction t-9 (key key-9) is still PENDING")
    assert says(found, f"5 on account {ANA} is still held")


@pytest.mark.parametrize("status", ["CAPTURED", "VOIDED", "EXPIRED"])
def test_an_ended_hold_holds_nothing(status: str) -> None:
    """Only open holds count."""
    hold = HoldRow("h-1", ANA, 5, status)
    kept, freed = AccountRow(ANA, "BRL", 9, 5), AccountRow(ANA, "BRL", 9, 0)

    kept_result = result("held", Story(), ServerState(accounts=(kept,), holds=(hold,)))
    freed_result = result("held", Story(), ServerState(accounts=(freed,), holds=(hold,)))

    assert says(kept_result, "holds back 5, its open holds say 0")
    assert freed_result.verdict is Verdict.VALID


def test_holds_of_one_account_add_up() -> None:
    """Several open holds are held together; one on no account is seen."""
    holds = (HoldRow("h-1", ANA, 5, "HELD"), HoldRow("h-2", ANA, 2, "HELD"))
    accounts = (AccountRow(ANA, "BRL", 9, 7),)

    fine = result("held", Story(), ServerState(accounts=accounts, holds=holds))
    astray = result("held", Story(), ServerState(holds=holds))

    assert fine.verdict is Verdict.VALID
    assert says(astray, "which does not exist")


def reversal(original: Status = Status.REVERSED, **changes: object) -> CheckResult:
    given: dict[str, object] = {
        "transfer": "r-1",
        "key": "key-2",
        "debit": BIA,
        "credit": ANA,
        "type_": "REVERSAL",
        "reverses": "t-1",
    }
    books = Books().posts(status=original).posts(**(given | changes))  # type: ignore[arg-type]
    return result("one-reversal", Story(), books.state())


def test_a_reversal_mirrors_its_original() -> None:
    """Same amount, back the same way, once, and the original says so."""
    assert reversal().verdict is Verdict.VALID
    assert says(reversal(amount=29), "not the mirror")
    assert says(reversal(debit=ANA, credit=BIA), "not the mirror")
    assert says(reversal(reverses="t-9"), "the original was never posted")
    assert says(reversal(original=Status.COMPLETED), "the original is still COMPLETED")


def test_a_reversed_transfer_has_its_reversal() -> None:
    """REVERSED without a reversal in the ledger is a word without money."""
    state = Books().posts(status=Status.REVERSED).state()

    assert says(result("one-reversal", Story(), state), "the ledger has no reversal")


def test_a_reversal_of_a_reversal_is_seen() -> None:
    """What was taken back stays so."""
    books = Books().posts(status=Status.REVERSED)
    books.posts("r-1", "k-2", BIA, ANA, type_="REVERSAL", reverses="t-1", status=Status.REVERSED)
    books.posts("r-2", "k-3", ANA, BIA, type_="REVERSAL", reverses="r-1")

    found = result("one-reversal", Story(), books.state())

    assert says(found, "the original is a reversal itself")


def test_a_whole_story_is_valid_but_for_what_did_not_happen() -> None:
    """A lawful story with a read, a retry and a reversal satisfies every check."""
    story = Story().asks().reads().hears(transfer="t-1", status=Status.COMPLETED)
    story.finds(transfer="t-1", status=Status.COMPLETED)
    story.asks(op=Op.REVERSE, key="key-2", request=Request(user=USER, target="t-1"))
    story.hears(op=Op.REVERSE, key="key-2", transfer="r-1", status=Status.COMPLETED)
    books = Books().posts(status=Status.REVERSED)
    books.posts("r-1", "key-2", BIA, ANA, type_="REVERSAL", reverses="t-1")
    books.effects.append(EffectRow(CONSUMER, "transaction.reversed", "t-1", USER))

    report: Report = check(story.told(), books.state())

    assert report.verdict is Verdict.VALID, report.text()


def test_replacing_a_result_keeps_the_report_honest() -> None:
    """One violated result makes the whole report violated, whatever else is valid."""
    report = check(acknowledged().told(), Books().posts().state())
    first, *others = report.results
    spoilt = replace(report, results=(replace(first, verdict=Verdict.VIOLATED), *others))

    assert spoilt.verdict is Verdict.VIOLATED
