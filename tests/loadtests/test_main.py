"""The command line: what it lists, what it refuses, and exit codes that the engine can trust."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from baluarte.embedded.ports import free_port
from chaos.record import Outcome, Sample
from loadtests.__main__ import main
from loadtests.journeys import JOURNEYS
from loadtests.samples import SampleWriter
from loadtests.shapes import SHAPES
from tests import servers


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "loadtests", *arguments],
        cwd=servers.HOUSES,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


class Refusing(http.server.BaseHTTPRequestHandler):
    """A gateway that lets nobody in."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        error = {"message": "Nobody.", "extensions": {"code": "FORBIDDEN", "retryable": False}}
        body = json.dumps({"data": {"register": None}, "errors": [error]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        """Say nothing."""


@pytest.fixture
def refusing() -> Iterator[str]:
    """Its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(5)


def test_all_journeys_and_shapes_are_listed() -> None:
    """By name, with a sentence each."""
    listed = run("list")
    assert listed.returncode == 0
    told = {name: journey.text for name, journey in JOURNEYS.items()}
    told |= {name: shape.text for name, shape in SHAPES.items()}
    for name, text in told.items():
        assert f"  {name:<14} {text}\n" in listed.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--roster or --host"),
        (("--host", "http://x", "--roster", "y"), "--roster or --host"),
        (("--roster", "nowhere.json"), "is no roster"),
        (("--host", "http://x", "--journeys", "steal=1"), "there is no 'steal'"),
        (("--host", "http://x", "--journeys", "pay=0"), "must be positive"),
        (("--host", "http://x", "--journeys", "reverse"), "needs staff"),
        (("--host", "http://x", "--users", "1"), "users must be between 2"),
        (("--host", "http://x", "--rate", "0"), "rate must be positive"),
        (("--host", "http://x", "--seconds", "0"), "seconds must be positive"),
        (("--host", "http://x", "--shape", "zigzag"), "zigzag"),
    ],
)
def test_a_mistake_is_told_before_anything_is_sent(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    """Exit code 2, a sentence, and no files."""
    out = tmp_path / "run"
    done = CliRunner().invoke(main, ["run", "--out", str(out), *arguments])
    assert (done.exit_code, out.exists()) == (2, False), done.output
    assert words in done.output


def test_records_of_another_run_are_left_alone(tmp_path: Path) -> None:
    """A folder is one run; the exit code is that of a mistake."""
    (tmp_path / "samples.jsonl").write_text("theirs")
    done = run("run", "--out", str(tmp_path), "--host", f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 2, done.stderr
    assert "of another run" in done.stderr
    assert (tmp_path / "samples.jsonl").read_text() == "theirs"


def test_a_platform_that_refuses_users_is_not_loaded(tmp_path: Path, refusing: str) -> None:
    """Exit code 4, at once, with what it said; nothing was offered."""
    done = run("run", "--out", str(tmp_path / "run"), "--host", refusing)
    assert (done.returncode, done.stdout) == (4, "")
    assert "cannot register a user: FORBIDDEN: Nobody." in done.stderr


def test_a_platform_that_is_not_there_is_given_up(tmp_path: Path) -> None:
    """Exit code 4 when patience ends."""
    there = f"http://127.0.0.1:{free_port()}"
    done = run("run", "--out", str(tmp_path / "run"), "--host", there, "--enrol-seconds", "2")
    assert (done.returncode, done.stdout) == (4, "")
    assert "NOT_SENT" in done.stderr


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.STALE, 0), (Outcome.REFUSED, 3)])
def test_a_finished_run_can_be_judged(tmp_path: Path, outcome: Outcome, code: int) -> None:
    """Exit code 3, with the reason, when a threshold was missed."""
    with SampleWriter(tmp_path / "samples.jsonl") as writer:
        writer.write(
            Sample(intended=0, started=0, ended=1, journey="pay", step="transfer", outcome=outcome)
        )
    done = run("judge", str(tmp_path), "--p95", "2", "--error-share", "0.1")
    assert done.returncode == code, done.stdout
    assert ("kept no promise" in done.stdout) == (code == 3)


def test_what_cannot_be_judged_is_a_mistake(tmp_path: Path) -> None:
    """No samples, no verdict."""
    assert run("judge", str(tmp_path)).returncode == 2
