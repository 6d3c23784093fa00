"""The report: three verdicts, one table, and speed."""

import time
from pathlib import Path

import msgspec
import pytest

from chaos.history.checker import MoneyError, check
from chaos.history.checks import REGISTRY
from chaos.history.events import Answer, Event, History, Invoke, Ok, Op, Request, Status, header
from chaos.history.state import (
    POSTED,
    AccountRow,
    EffectRow,
    EntryRow,
    PostingRow,
    ServerState,
    TransactionRow,
    load_state,
    save_state,
)
from chaos.history.verdict import Verdict
from tests.chaos.history.stories import Books, Story, acknowledged

LARGE = 100_000
ACCOUNTS = 100


def large_run(count: int) -> tuple[History, ServerState]:
    """A correct run of `count` transfers, made without a driver."""
    events: list[Event] = []
    entries, postings, rows, effects = [], [], [], []
    balances = [0] * ACCOUNTS
    for n in range(count):
        key, transfer = f"key-{n}", f"transfer-{n}"
        debit, credit = n % ACCOUNTS, (n * 7 + 1) % ACCOUNTS
        if debit == credit:
            credit = (credit + 1) % ACCOUNTS
        for leg, (index, amount) in enumerate(((debit, -1), (credit, 1)), start=1):
            balances[index] += amount
            entries.append(EntryRow(transfer, leg, str(index), amount, balances[index], n))
        request = Request("user", str(debit), str(credit), 1, "BRL")
        answer = Answer(transfer, Status.COMPLETED)
        begun = {"process": n % 64, "op": Op.TRANSFER, "key": key}
        events.append(Invoke(time=2 * n, value=request, **begun))  # type: ignore[arg-type]
        events.append(Ok(time=2 * n + 1, value=answer, **begun))  # type: ignore[arg-type]
        postings.append(PostingRow(transfer, POSTED, str(debit), str(credit), 1, "BRL"))
        rows.append(TransactionRow(transfer, "user", key, "TRANSFER", Status.COMPLETED, 1, "BRL"))
        effects.append(EffectRow("notifications", "transaction.completed", transfer, "user"))
    state = ServerState(
        accounts=tuple(AccountRow(str(i), "BRL", b, 0, 10**9) for i, b in enumerate(balances)),
        entries=tuple(entries),
        postings=tuple(postings),
        transactions=tuple(rows),
        effects=tuple(effects),
        consumers=("notifications",),
    )
    return History(header(), tuple(events)), state


def without_order(entry: EntryRow) -> EntryRow:
    return msgspec.structs.replace(entry, order=None)


@pytest.mark.parametrize(("count", "ordered"), [(LARGE, True), (LARGE // 4, False)])
def test_a_hundred_thousand_operations_are_judged_in_seconds(count: int, ordered: bool) -> None:
    """The checker is linear: a soak run's history is judged while one waits.

    Measured at 4 s of processor time for all of them; the bound leaves room for a slower machine.
    """
    history, state = large_run(count)
    if not ordered:
        state = msgspec.structs.replace(state, entries=tuple(map(without_order, state.entries)))

    began = time.process_time()
    report = check(history, state)
    took = time.process_time() - began

    assert not report.violated, report.text()
    assert report["durable"].checked == count
    assert took < 20, f"took {took:.1f} s"


def test_the_report_shows_every_check_with_its_verdict_and_count() -> None:
    """A reader sees each law, what came of it, and on how much evidence."""
    text = check(acknowledged().told(), Books().state()).text()

    for law in REGISTRY.values():
        assert law.law in text
    assert "1 money operations: 1 ok, 0 fail, 0 info" in text
    assert "VIOLATED  1 acknowledged outcomes" in text
    assert "- transfer key-1 at 0.000000 s was told COMPLETED as t-1; it is gone" in text
    assert text.endswith("money: VIOLATED")


def test_hidden_violations_are_counted_in_the_report() -> None:
    """What is not quoted is still said."""
    books = Books()
    for number in range(12):
        books.posts(f"t-{number}", key=f"k-{number}", amount=1)

    assert "… and 2 more" in check(Story().told(), books.state()).text()


def test_a_violated_report_raises_with_its_text() -> None:
    """A test that judges a run fails with the evidence."""
    report = check(acknowledged().told(), Books().state())

    with pytest.raises(MoneyError, match="it is gone") as caught:
        report.raise_if_invalid(may_be_unknown=REGISTRY)
    assert caught.value.report is report
    assert report.exit_code == 1


def test_an_unknown_check_is_not_valid_unless_the_caller_expects_it() -> None:
    """Unknown is never green by itself; a workload without reversals says so."""
    report = check(acknowledged().told(), Books().posts().state())

    assert report.unknown == {"conserved", "same-answer", "one-reversal"}
    assert (report.verdict, report.exit_code) == (Verdict.UNKNOWN, 2)
    with pytest.raises(MoneyError):
        report.raise_if_invalid()
    with pytest.raises(MoneyError):
        report.raise_if_invalid(may_be_unknown={"one-reversal"})
    report.raise_if_invalid(may_be_unknown={"conserved", "same-answer", "one-reversal"})


def test_the_report_says_what_weakens_it() -> None:
    """A torn history and servers that were not at rest are told to the reader."""
    history = History(header(), (), torn=True)

    text = check(history, ServerState(quiet=False)).text()

    assert "note: the last line of the history was torn" in text
    assert "note: the servers had not come to rest" in text


def test_a_snapshot_survives_its_file(tmp_path: Path) -> None:
    """A verdict can be repeated from files, without the servers."""
    path = tmp_path / "state.json"
    state = Books().posts().state(quiet=False)

    save_state(state, path)

    assert load_state(path) == state
