"""The driver against a bank in memory: what it sends, repeats, writes down and looks up."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.history.book import NOT_SEEN
from chaos.history.case import Kind, Operation, pair
from chaos.history.client import Command, Outcome, Parties, Party, SampleError
from chaos.history.driver import DriveConfig, Progress, drive
from chaos.history.events import Answer, Baseline, Op, Sample, Status, read_history
from chaos.history.workload import Mix, Workload
from tests.chaos.history.model_bank import SMALL, ModelBank, ModelClient, Weather, live

CALM = Weather(0, 0, 0, 0)
PEOPLE = Parties(tuple(Party(f"user-{n}", f"account-{n}") for n in range(4)), Party("staff", ""))


async def no_pause(_seconds: float) -> None:
    await asyncio.sleep(0)


def operations(path: Path) -> list[Operation]:
    return list(pair(read_history(path)))


def workload(seed: int = 1, run: str = "run", mix: Mix | None = None) -> Workload:
    return Workload(PEOPLE, run=run, seed=seed, mix=mix or Mix(), max_amount=500, currency="BRL")


class Script(ModelClient):
    """A client whose answers a test decides; the bank is not asked."""

    def __init__(self, *outcomes: Outcome, found: Outcome | None = None) -> None:
        super().__init__(ModelBank(random.Random(0)))
        self.outcomes = list(outcomes)
        self.found = found or Outcome(Kind.OK, Answer("t", Status.COMPLETED))
        self.keys: list[str] = []

    async def enrol(self, customers: int) -> Parties:
        return replace(PEOPLE, customers=PEOPLE.customers[:customers])

    async def perform(self, command: Command) -> Outcome:
        await asyncio.sleep(0)
        self.keys.append(command.key)
        if len(self.outcomes) > 1:
            return self.outcomes.pop(0)
        return self.outcomes[0]

    async def find(self, party: Party, key: str) -> Outcome:
        return self.found


ONE = DriveConfig(
    operations=1, in_flight=1, customers=2, repeat=0, believe=0, max_attempts=3, resolve_seconds=5
)
DONE = Outcome(Kind.OK, Answer("t", Status.COMPLETED))
UNKNOWN = Outcome(Kind.INFO, Answer(code="LOST"), retry=True)


async def test_a_calm_run_settles_everything(tmp_path: Path) -> None:
    """Without faults each operation is sent once, answered, and none stays open."""
    run, report = await live(
        ModelBank(random.Random(1)), tmp_path / "h.jsonl", replace(SMALL, repeat=0), CALM
    )

    assert run.operations == SMALL.operations + SMALL.customers
    assert sum(run.attempts.values()) == run.operations
    assert (run.attempts[Kind.INFO], run.unresolved) == (0, 0)
    assert run.reads > 0
    assert not report.violated


async def test_an_unknown_outcome_is_sent_again_under_the_same_key(tmp_path: Path) -> None:
    """A retry is a new invoke of the same key, until the answer is definite."""
    client = Script(DONE, DONE, UNKNOWN, UNKNOWN, DONE)

    run = await drive(ONE, client, tmp_path / "h.jsonl", sleep=no_pause)

    assert client.keys[2:] == [client.keys[2]] * 3
    kinds = [op.kind for op in operations(run.path) if op.key == client.keys[2]]
    assert kinds == [Kind.INFO, Kind.INFO, Kind.OK]
    assert run.unresolved == 0


async def test_attempts_are_bounded_and_open_keys_are_looked_up(tmp_path: Path) -> None:
    """What stays unknown is asked for by its key at the end."""
    client = Script(DONE, DONE, UNKNOWN)

    run = await drive(ONE, client, tmp_path / "h.jsonl", sleep=no_pause)

    assert Counter(client.keys)[client.keys[-1]] == ONE.max_attempts
    last = operations(run.path)[-1]
    assert (last.op, last.key, last.answer.status) == (Op.FIND, client.keys[-1], Status.COMPLETED)
    assert run.unresolved == 0


async def test_a_pending_answer_is_followed_up(tmp_path: Path) -> None:
    """PENDING is definite, yet not the end: the driver asks what became of it."""
    client = Script(DONE, DONE, Outcome(Kind.OK, Answer("t", Status.PENDING)))

    run = await drive(ONE, client, tmp_path / "h.jsonl", sleep=no_pause)

    assert Op.FIND in {op.op for op in operations(run.path)}
    assert run.unresolved == 0


async def test_what_nobody_can_tell_is_counted_as_unresolved(tmp_path: Path) -> None:
    """A key that is never found stays open, and the run says so."""
    client = Script(DONE, DONE, UNKNOWN, found=Outcome(Kind.OK, Answer()))

    run = await drive(ONE, client, tmp_path / "h.jsonl", sleep=no_pause)

    assert run.unresolved == 1
    finds = [op for op in operations(run.path) if op.op is Op.FIND]
    assert len(finds) == ONE.max_attempts, "bounded"
    assert "1 unresolved" in run.text()


async def test_a_definite_refusal_is_not_sent_again(tmp_path: Path) -> None:
    """The driver does not argue."""
    client = Script(DONE, DONE, Outcome(Kind.FAIL, Answer(code="INVALID_AMOUNT")))

    await drive(ONE, client, tmp_path / "h.jsonl", sleep=no_pause)

    assert len(client.keys) == 3


async def test_some_clients_take_a_refusals_word(tmp_path: Path) -> None:
    """A client that goes away leaves a key that was only refused, which check 5 then judges."""
    client = Script(Outcome(Kind.FAIL, Answer(code="UNAVAILABLE"), retry=True))

    run = await drive(replace(ONE, believe=1), client, tmp_path / "h.jsonl", sleep=no_pause)

    assert set(Counter(client.keys).values()) == {1}
    assert run.unresolved == 0


async def test_an_unknown_outcome_is_never_taken_for_an_answer(tmp_path: Path) -> None:
    """However trusting a client is, OUTCOME_UNKNOWN is asked again."""
    client = Script(UNKNOWN)

    await drive(replace(ONE, believe=1), client, tmp_path / "h.jsonl", sleep=no_pause)

    assert set(Counter(client.keys).values()) == {ONE.max_attempts}


async def test_a_refusal_after_an_unknown_attempt_is_not_the_last_word(tmp_path: Path) -> None:
    """The earlier attempt may have been carried out, so the key is sent until that is known."""
    refused = Outcome(Kind.FAIL, Answer(code="UNAVAILABLE"), retry=True)
    client = Script(DONE, DONE, UNKNOWN, refused, DONE)

    run = await drive(replace(ONE, believe=1), client, tmp_path / "h.jsonl", sleep=no_pause)

    assert Counter(client.keys)[client.keys[-1]] == 3
    assert run.unresolved == 0


async def test_nobody_asks_for_ever_after_a_key_that_is_not_seen(tmp_path: Path) -> None:
    """A request that never arrived is given up after a while, and counted."""
    client = Script(DONE, DONE, UNKNOWN, found=Outcome(Kind.OK, Answer()))
    config = replace(ONE, max_attempts=50)

    run = await drive(config, client, tmp_path / "h.jsonl", sleep=no_pause)

    finds = [op for op in operations(run.path) if op.op is Op.FIND]
    assert len(finds) == NOT_SEEN
    assert run.unresolved == 1


async def test_the_platforms_wait_is_respected(tmp_path: Path) -> None:
    """A retry comes no sooner than the platform asked for."""
    client = Script(
        DONE, DONE, Outcome(Kind.FAIL, Answer(code="RATE_LIMITED"), retry=True, retry_after=7), DONE
    )
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    await drive(ONE, client, tmp_path / "h.jsonl", sleep=note)

    assert pauses == [7]


async def test_the_invoke_is_written_before_the_request_is_sent(tmp_path: Path) -> None:
    """Whatever the platform sees, the history has already."""
    path = tmp_path / "h.jsonl"

    class Looking(Script):
        async def perform(self, command: Command) -> Outcome:
            last = read_history(path).events[-1]
            assert (last.key, type(last).__name__) == (command.key, "Invoke")
            return await super().perform(command)

    await drive(ONE, Looking(DONE), path, sleep=no_pause)


async def test_some_answered_keys_are_sent_once_more(tmp_path: Path) -> None:
    """Double clicks happen without faults, so check 6 always has something to look at."""
    client = Script(DONE)

    await drive(replace(ONE, repeat=1), client, tmp_path / "h.jsonl", sleep=no_pause)

    assert set(Counter(client.keys).values()) == {2}


async def test_at_most_in_flight_operations_are_open(tmp_path: Path) -> None:
    """Each worker has one operation open at a time."""
    open_now, most = 0, 0

    class Counting(Script):
        async def perform(self, command: Command) -> Outcome:
            nonlocal open_now, most
            open_now += 1
            most = max(most, open_now)
            await asyncio.sleep(0)
            open_now -= 1
            return DONE

    config = replace(ONE, operations=40, in_flight=7)
    await drive(config, Counting(DONE), tmp_path / "h.jsonl", sleep=no_pause)

    assert most == 7


async def test_progress_is_told_after_each_operation(tmp_path: Path) -> None:
    """A test can kill something half-way."""
    told: list[Progress] = []
    config = replace(ONE, operations=5)

    await drive(config, Script(DONE), tmp_path / "h.jsonl", on_progress=told.append, sleep=no_pause)

    assert told == [Progress(n, 7) for n in range(1, 8)]


async def test_a_sample_that_fails_is_written_as_unknown(tmp_path: Path) -> None:
    """While the database is down the reader keeps trying, and hides nothing."""

    class Blinking:
        tries = 0

        async def sample(self) -> Sample:
            self.tries += 1
            if self.tries % 2:
                raise SampleError("away")
            return Sample({"BRL": 0}, 2)

    run = await drive(
        replace(ONE, operations=20),
        Script(DONE),
        tmp_path / "h.jsonl",
        sampler=Blinking(),
        sleep=no_pause,
    )

    kinds = {op.kind for op in operations(run.path) if op.op is Op.READ}
    assert {Kind.OK, Kind.INFO} <= kinds
    assert run.reads > 0


async def test_a_broken_client_ends_the_run_and_keeps_the_history(tmp_path: Path) -> None:
    """An error that is no outcome is a bug: the run stops, and what was written can be read."""

    class Broken(Script):
        async def perform(self, command: Command) -> Outcome:
            raise ZeroDivisionError

    path = tmp_path / "h.jsonl"
    with pytest.raises(ExceptionGroup):
        await drive(ONE, Broken(DONE), path, sampler=Broken(DONE), sleep=no_pause)

    assert read_history(path).events


async def test_the_header_tells_how_to_repeat_the_run(tmp_path: Path) -> None:
    """Seed and baseline are in the file."""
    baseline = Baseline(ledger=1, transactions=2)
    config = replace(ONE, seed=99)

    await drive(config, Script(DONE), tmp_path / "h.jsonl", baseline=baseline, sleep=no_pause)

    head = read_history(tmp_path / "h.jsonl").header
    assert (head.seed, head.baseline) == (99, baseline)
    assert head.run
    assert head.started


def test_the_same_seed_sends_the_same() -> None:
    """Kinds, parties and amounts depend on the seed alone; keys also on the run."""
    first, again = list(workload(5).commands(200)), list(workload(5).commands(200))
    other_run, other = list(workload(5, "run2").commands(200)), list(workload(6).commands(200))

    assert first == again
    assert [command.request for command in other_run] == [command.request for command in first]
    assert {command.key for command in other_run}.isdisjoint(command.key for command in first)
    assert [command.request for command in other] != [command.request for command in first]


def test_keys_are_what_the_platform_takes() -> None:
    """A key is 8 to 64 of [A-Za-z0-9_-], and never used twice."""
    keys = [command.key for command in workload(run="0123456789ab").commands(500)]

    assert len(set(keys)) == 500
    assert all(8 <= len(key) <= 64 and key.replace("-", "").isalnum() for key in keys)


def test_a_reversal_mirrors_a_completed_transfer() -> None:
    """Only what was carried out is reversed, by staff, the other way round."""
    work = workload(mix=Mix(0.0, 0.0, 0.0, 1.0))
    first = next(iter(work.commands(1)))
    assert first.op is Op.TRANSFER, "nothing to reverse yet"

    work.completed(first, "t-pending", Status.PENDING)
    assert next(iter(work.commands(1))).op is Op.TRANSFER
    work.completed(first, "t-1", Status.COMPLETED)
    reverse = next(iter(work.commands(1)))

    assert (reverse.op, reverse.party, reverse.request.target) == (Op.REVERSE, PEOPLE.staff, "t-1")
    assert reverse.request.debit == first.request.credit
    assert reverse.request.credit == first.request.debit


def test_without_staff_nothing_is_reversed() -> None:
    """The workload asks nobody for what nobody may do."""
    work = Workload(
        replace(PEOPLE, staff=None),
        run="r",
        seed=1,
        mix=Mix(0.0, 0.0, 0.0, 1.0),
        max_amount=5,
        currency="BRL",
    )
    first = next(iter(work.commands(1)))
    work.completed(first, "t-1", Status.COMPLETED)

    assert next(iter(work.commands(1))).op is Op.TRANSFER


@pytest.mark.parametrize(
    "wrong",
    [
        {"operations": 0},
        {"in_flight": 0},
        {"customers": 1},
        {"funds": -1},
        {"max_amount": 0},
        {"repeat": 1.5},
        {"believe": -0.1},
        {"max_attempts": 0},
        {"backoff_base": 3.0},
        {"read_every": 0},
    ],
)
def test_a_config_that_cannot_work_is_refused(wrong: dict[str, float]) -> None:
    """Mistakes are told before the first request."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DriveConfig(**wrong)  # type: ignore[arg-type]


def test_a_mix_needs_a_positive_weight() -> None:
    """A mix of nothing sends nothing."""
    with pytest.raises(ValueError, match="weights"):
        Mix(0, 0, 0, 0)
    with pytest.raises(ValueError, match="weights"):
        Mix(-1)
