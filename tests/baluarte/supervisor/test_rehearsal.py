"""The settings of every process are read before one starts, and misspelt ones are named."""

from pathlib import Path

import pytest

from baluarte.errors import BaluarteError, Problem
from baluarte.supervisor.plan import Options, make_plan
from baluarte.supervisor.rehearsal import rehearse
from tests.servers import HOUSES


def told_of(
    environ: dict[str, str], *, replicas: dict[str, int] | None = None
) -> tuple[Problem, ...]:
    """All that a start with this environment is refused for; nothing if it is not."""
    options = Options(Path("/state"), replicas=replicas or {})
    try:
        make_plan(options, environ, port_is_free=lambda _: True, checks=[rehearse])
    except BaluarteError as error:
        return error.problems
    return ()


def documented() -> list[str]:
    """The settings that docs/operating.md lists, with a value that each admits."""
    page = (HOUSES / "docs" / "operating.md").read_text().split("## Settings")[1]
    rows = [line.split("|")[1] for line in page.split("## ")[0].splitlines() if "|" in line]
    return [word.strip(" `,") for row in rows for word in row.split() if "BALUARTE_" in word]


def test_plan_and_processes_tell_in_one_list() -> None:
    """A wrong port, a wrong replica and a wrong rate limit are told together, each once."""
    problems = told_of(
        {
            "BALUARTE_GATEWAY_PORT": "many",
            "BALUARTE_RATE_LIMIT": "-1",
            "BALUARTE_ENVIRONMENT": "moon",  # read by the plan and by every process
        },
        replicas={"gateway": 2},
    )
    assert sorted(problem.code for problem in problems) == [
        "REPLICAS_INVALID",
        "SETTING_INVALID",
        "SETTING_INVALID",
        "SETTING_INVALID",
    ]


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("BALUARTE_DATABSE_URL", "BALUARTE_DATABASE_URL"),
        ("BALUARTE_USRES_PORT", "BALUARTE_USERS_PORT"),
        ("BALUARTE_LEGDER_DATABASE_URL", "BALUARTE_LEDGER_DATABASE_URL"),
        ("BALUARTE_RATELIMIT", "BALUARTE_RATE_LIMIT"),
    ],
)
def test_a_misspelt_setting_is_named_with_the_right_one(misspelt: str, meant: str) -> None:
    """It would otherwise quietly mean the default, such as an embedded database."""
    (problem,) = told_of({misspelt: "1"})
    assert problem.code == "SETTING_UNKNOWN"
    assert misspelt in problem.what
    assert f"did you mean {meant}?" in problem.way_out


def test_a_setting_of_nobody_is_refused_without_a_guess() -> None:
    """Where nothing resembles it, the way out is to unset it."""
    (problem,) = told_of({"BALUARTE_ZZZ": "1"})
    assert (problem.code, problem.way_out) == ("SETTING_UNKNOWN", "unset it")


def test_every_documented_setting_is_known() -> None:
    """Whatever else is wrong with its value, no setting of the documentation is unknown."""
    names = documented()
    assert len(names) > 20
    problems = told_of(dict.fromkeys(names, "?"))
    assert [str(problem) for problem in problems if problem.code == "SETTING_UNKNOWN"] == []


def test_a_setting_that_does_not_count_this_time_is_no_mistake(tmp_path: Path) -> None:
    """The webhook's address may stay set while notifications go to the log."""
    assert told_of({"BALUARTE_NOTIFICATIONS_WEBHOOK_URL": "https://receiver.example/"}) == ()


def test_settings_of_our_tools_are_let_be() -> None:
    """Who has just driven a proof of money can start the platform from the same shell."""
    assert told_of({"BALUARTE_STAFF_EMAIL": "admin@baluarte.example"}) == ()


def told_of_policies(folder: Path) -> str:
    """All that a start with the policy files in `folder` is refused for."""
    problems = told_of({"BALUARTE_POLICIES_DIR": str(folder)})
    return "\n".join(f"{problem.what}; {problem.way_out}" for problem in problems)


def test_policy_files_are_read_before_the_start(tmp_path: Path) -> None:
    """Every mistake in the operator's policy files is told with its line, and a file of no process too."""
    (tmp_path / "gateway.toml").write_text("[users.breaker]\nfailure_rate = 2\n")
    (tmp_path / "gatway.toml").write_text("")
    sound = '[postgres.breaker]\nreason = "a slow disk"\nslow_seconds = 8.0\n'
    (tmp_path / "ledger.toml").write_text(sound)

    told = told_of_policies(tmp_path)

    assert "gateway.toml: line 1: users.breaker: needs a reason" in told
    assert "gateway.toml: line 2: users.breaker.failure_rate: must be above 0 and at most 1" in told
    assert "gatway.toml is no process' policy file; there are gateway.toml, users.toml" in told
    assert f"{tmp_path}/ledger.toml" not in told


def test_a_folder_of_policies_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A mistyped directory is not taken for one without files."""
    assert "BALUARTE_POLICIES_DIR" in told_of_policies(tmp_path / "nowhere")
