"""The command line: a clear table and an exit code that a pipeline can trust."""

import asyncio
import random
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chaos.history.__main__ import main, run
from chaos.history.driver import DriveConfig
from chaos.history.state import ServerState, save_state
from chaos.history.workload import Mix
from tests.chaos.history.model_bank import ModelBank, live
from tests.chaos.history.mutant_banks import CommitsLater

CONFIG = DriveConfig(
    operations=120,
    in_flight=6,
    customers=4,
    funds=1_000,
    max_amount=400,
    repeat=0.2,
    mix=Mix(0.7, 0.08, 0.07, 0.15),
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Where a history and a snapshot go."""
    return tmp_path / "history.jsonl", tmp_path / "state.json"


def lived(bank: ModelBank, files: tuple[Path, Path]) -> None:
    asyncio.run(live(bank, files[0], CONFIG))
    save_state(bank.state(), files[1])


def checked(files: tuple[Path, Path], *more: str) -> Result:
    arguments = ["check", str(files[0]), "--state", str(files[1]), *more]
    return CliRunner().invoke(main, arguments, env={"BALUARTE_LEDGER_DATABASE_URL": None})


def test_a_valid_run_exits_with_zero(files: tuple[Path, Path]) -> None:
    """All eleven checks green."""
    lived(ModelBank(random.Random(1)), files)

    result = checked(files)

    assert result.exit_code == 0, result.output
    assert result.output.rstrip().endswith("money: VALID")


def test_a_violated_run_exits_with_one_and_shows_evidence(files: tuple[Path, Path]) -> None:
    """The bank that lost acknowledged transfers is found out, with an example."""
    lived(CommitsLater(random.Random(1)), files)

    result = checked(files)

    assert result.exit_code == 1
    assert "it is gone" in result.output


def test_an_unknown_run_exits_with_two(files: tuple[Path, Path]) -> None:
    """Nothing checked is not green, whatever was excused."""
    lived(ModelBank(random.Random(1)), files)
    save_state(ServerState(), files[1])
    history = files[0].read_text().splitlines()[0]
    files[0].write_text(history + "\n")

    assert checked(files).exit_code == 2
    assert checked(files, "--may-be-unknown", "conserved").exit_code == 2


def test_the_snapshot_can_be_kept(files: tuple[Path, Path], tmp_path: Path) -> None:
    """A verdict is repeatable from the files that it was made of."""
    lived(ModelBank(random.Random(1)), files)

    first = checked(files, "--save-state", str(tmp_path / "kept.json"))
    again = checked((files[0], tmp_path / "kept.json"))

    assert first.output == again.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "h.jsonl"], "give the URLs of the databases, or --state"),
        (["check", "h.jsonl", "--ledger-url", "x"], "missing: --transactions-url"),
        (["drive", "h.jsonl", "--check"], "--check needs the URLs"),
        (["drive", "h.jsonl", "--customers", "1"], "customers must be at least 2"),
        (["drive"], "Missing argument 'HISTORY'"),
    ],
)
def test_a_mistake_is_told_and_exits_with_two(arguments: list[str], words: str) -> None:
    """Usage errors say what to give, before anything is sent."""
    clean = {
        f"BALUARTE_{n}_DATABASE_URL": None for n in ("LEDGER", "TRANSACTIONS", "NOTIFICATIONS")
    }

    result = CliRunner().invoke(main, arguments, env=clean)

    assert result.exit_code == 2
    assert words in result.output


def test_a_file_that_is_no_history_exits_with_two_without_a_traceback(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be judged is told in one line."""
    files[0].write_text("garbage\n")
    save_state(ServerState(), files[1])
    monkeypatch.setattr("sys.argv", ["history", "check", str(files[0]), "--state", str(files[1])])

    with pytest.raises(SystemExit) as left:
        run()

    assert left.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_a_saved_snapshot_that_is_none_is_told(files: tuple[Path, Path]) -> None:
    """A wrong file is named."""
    lived(ModelBank(random.Random(1)), files)
    files[1].write_text("[]")

    assert "is no saved snapshot" in str(checked(files).exception)
