"""What each process would complain of is told before any of them starts."""

from pathlib import Path

from baluarte.supervisor.plan import Options, make_plan
from baluarte.supervisor.rehearsal import rehearse


def problems(tmp_path: Path, **environ: str) -> list[str]:
    told = {f"BALUARTE_{name}": value for name, value in environ.items()}
    plan = make_plan(Options(tmp_path), told, port_is_free=lambda _: True)
    return [f"{problem.what}; {problem.way_out}" for problem in rehearse(plan)]


def test_settings_of_single_processes_are_read_before_the_start(tmp_path: Path) -> None:
    """A wrong setting of one process is one problem, told once."""
    assert problems(tmp_path) == []
    (told,) = problems(tmp_path, RATE_LIMIT="many")
    assert "BALUARTE_RATE_LIMIT" in told


def test_policy_files_are_read_before_the_start(tmp_path: Path) -> None:
    """Every mistake in the operator's policy files is told with its line, and a file of no process too."""
    (tmp_path / "gateway.toml").write_text("[users.breaker]\nfailure_rate = 2\n")
    (tmp_path / "gatway.toml").write_text("")
    (tmp_path / "ledger.toml").write_text(
        '[postgres.breaker]\nreason = "a slow disk"\nslow_seconds = 8.0\n'
    )

    told = "\n".join(problems(tmp_path, POLICIES_DIR=str(tmp_path)))

    assert "gateway.toml: line 1: users.breaker: needs a reason" in told
    assert "gateway.toml: line 2: users.breaker.failure_rate: must be above 0 and at most 1" in told
    assert "gatway.toml is no process' policy file; there are gateway.toml, users.toml" in told
    assert "ledger.toml" not in told.replace("users.toml, ledger.toml", "")


def test_a_folder_of_policies_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A mistyped directory is not taken for one without files."""
    told = problems(tmp_path, POLICIES_DIR=str(tmp_path / "nowhere"))
    assert any("BALUARTE_POLICIES_DIR" in problem for problem in told)
