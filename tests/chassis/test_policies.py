"""A process' policies: from its file, in place of the operator's, followed at runtime, told in metrics."""

import logging
import os
import re
from pathlib import Path

import pytest

from baluarte.chaos.mechanisms import POLICY_FILES
from chassis import codes, database
from chassis.errors import CodedError, Unreached
from chassis.metrics import Metrics
from chassis.policies import Policies, policy_file, read
from chassis.policy_metrics import outcome_of
from chassis.settings import Environment, Settings, SettingsError
from resilience import AttemptTimedOut, Fault
from resilience.policy_file import PolicyFile
from resilience.testing import FakeClock
from scripts.generate import policy_page

ROOT = Path(__file__).parents[2]
FILES = POLICY_FILES
TWO_FAILURES = """
[users.breaker]
reason = "a test's"
window = "consecutive"
consecutive_failures = 2
break_seconds = 10.0
break_jitter = 0.0

[users.bulkhead]
reason = "a test's"
max_concurrent = 7
"""


def settings(policies_dir: Path | None = None) -> Settings:
    return Settings(
        service="gateway",
        environment=Environment.TEST,
        host="127.0.0.1",
        port=0,
        state_dir=Path("/nonexistent"),
        keys_dir=Path("/nonexistent"),
        database_url=None,
        bus_database_url=None,
        amqp_url=None,
        redis_url=None,
        peers={},
        log_level="INFO",
        policies_dir=policies_dir,
    )


@pytest.mark.parametrize("process", FILES)
def test_every_shipped_file_is_sound(process: str) -> None:
    """Each process' own file parses, and every downstream in it has a breaker."""
    options = read(PolicyFile(FILES[process]))

    assert all(found.breaker is not None for found in options.values())


@pytest.mark.parametrize("process", FILES)
def test_nothing_that_costs_twice_is_retried_by_the_policies(process: str) -> None:
    """Units of work, published batches and counts repeat themselves where they know how: not here."""
    options = read(PolicyFile(FILES[process]))

    repeated = {"postgres", "postgres-writer", "bus", "valkey", "webhook"} & options.keys()
    assert [name for name in repeated if options[name].retry is not None] == []


@pytest.mark.parametrize("process", FILES)
def test_every_downstream_that_a_process_opens_is_in_its_file(process: str) -> None:
    """What the composition roots ask policies for is named in the files."""
    root = FILES[process].with_name("app.py").read_text()
    asked = set(re.findall(r'process\.client\("(\w+)"\)', root))

    assert asked <= read(PolicyFile(FILES[process])).keys()


def test_the_page_of_policies_is_current() -> None:
    """docs/policies.md is generated from the files; `make generate` renews it."""
    assert (ROOT / "docs" / "policies.md").read_text() == policy_page()


def test_the_operators_file_takes_the_place_of_our_own(tmp_path: Path) -> None:
    """With a directory of the operator's, that process' file in it is the one; others keep ours."""
    (tmp_path / "gateway.toml").write_text(TWO_FAILURES)

    assert policy_file(settings(tmp_path), FILES["gateway"]).path == tmp_path / "gateway.toml"
    (tmp_path / "gateway.toml").unlink()
    assert policy_file(settings(tmp_path), FILES["gateway"]).path == FILES["gateway"]
    assert policy_file(settings(), FILES["gateway"]).path == FILES["gateway"]


def test_a_wrong_file_stops_the_start_and_names_every_line(tmp_path: Path) -> None:
    """Mistakes are settings that are wrong: all of them, each with its place and the way out."""
    (tmp_path / "gateway.toml").write_text(
        '[users.breaker]\nfailure_rat = 0.5\n\n[users.retry]\nreason = "x"\n'
    )

    with pytest.raises(SettingsError) as caught:
        Policies.open(settings(tmp_path), FILES["gateway"])

    text = str(caught.value)
    assert "line 1: users.breaker: needs a reason" in text
    assert "line 2: users.breaker.failure_rat: is no option: did you mean failure_rate?" in text


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    """A file that is not there is a setting that is wrong."""
    with pytest.raises(SettingsError, match="cannot be read"):
        Policies.open(settings(), tmp_path / "none.toml")


async def test_a_changed_file_is_followed_without_losing_state(tmp_path: Path) -> None:
    """An open breaker stays open under new numbers; a file with errors changes nothing."""
    path = tmp_path / "policies.toml"
    path.write_text(TWO_FAILURES)
    policies = Policies.open(settings(), path)
    pipeline = policies.pipeline("users")
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    follow = policies._follow

    path.write_text(TWO_FAILURES.replace("max_concurrent = 7", "max_concurrent = 3"))
    os.utime(path, ns=(1, 1))
    await follow()
    assert pipeline.bulkhead is not None
    assert (pipeline.bulkhead.options.max_concurrent, pipeline.breaker.current_state) == (3, "open")

    path.write_text("[users.nothing]\n")
    os.utime(path, ns=(2, 2))
    await follow()
    assert pipeline.bulkhead.options.max_concurrent == 3


async def test_a_file_that_comes_later_is_followed_until_it_goes(tmp_path: Path) -> None:
    """An empty directory is enough for a start; what is put there counts at once, and not for ever."""
    own = tmp_path / "own.toml"
    own.write_text(TWO_FAILURES)
    directory = tmp_path / "operators"
    directory.mkdir()
    policies = Policies.open(settings(directory), own)
    pipeline = policies.pipeline("users")
    assert pipeline.bulkhead is not None

    operators = directory / f"{settings().service}.toml"
    for text, concurrent in (("max_concurrent = 3", 3), ("max_concurrent = nonsense", 3)):
        operators.write_text(TWO_FAILURES.replace("max_concurrent = 7", text))
        await policies._follow()
        assert pipeline.bulkhead.options.max_concurrent == concurrent
    operators.unlink()
    await policies._follow()
    assert pipeline.bulkhead.options.max_concurrent == 7


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"service": "users", **labels})


async def test_the_metrics_tell_what_the_policies_did(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Attempts by outcome, rejections by reason, the breaker's state and its changes; 0 before."""
    path = tmp_path / "policies.toml"
    path.write_text(TWO_FAILURES)
    clock, metrics = FakeClock(), Metrics()
    policies = Policies(PolicyFile(path).read(), metrics, clock=clock)
    assert value(metrics, "circuit_breaker_state", state="closed") == 1, "before it is there"
    pipeline = policies.pipeline("users")

    async def fail() -> None:
        raise codes.UNAVAILABLE.error()

    guarded = pipeline.mutation(fail)
    assert value(metrics, "circuit_breaker_state", state="closed") == 1
    assert value(metrics, "downstream_rejections_total", reason="breaker_open") == 0
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(Exception, match=r"UNAVAILABLE|breaker"):
                await guarded()

    assert value(metrics, "downstream_call_duration_seconds_count", outcome="server_error") == 2
    assert value(metrics, "downstream_rejections_total", reason="breaker_open") == 1
    assert value(metrics, "circuit_breaker_state", state="open") == 1
    assert value(metrics, "circuit_breaker_state", state="closed") == 0
    changed = {"from": "closed", "to": "open"}
    assert value(metrics, "circuit_breaker_transitions_total", **changed) == 1
    assert value(metrics, "bulkhead_limit") == 7
    assert value(metrics, "bulkhead_in_flight") == 0

    await clock.advance(10.0)
    with pytest.raises(CodedError):
        await guarded()
    assert value(metrics, "circuit_breaker_state", state="open") == 1
    changed = {"from": "half_open", "to": "open"}
    assert value(metrics, "circuit_breaker_transitions_total", **changed) == 1


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (codes.INSUFFICIENT_FUNDS.error(), "client_error"),
        (codes.UNAVAILABLE.error(), "server_error"),
        (codes.INTERNAL.error(), "server_error"),
        (Unreached.of(codes.UNAVAILABLE.error()), "connect_error"),
        (ConnectionRefusedError(), "connect_error"),
        (codes.DEADLINE_EXCEEDED.error(), "timeout"),
        (AttemptTimedOut(), "timeout"),
        (RuntimeError(), "server_error"),
    ],
)
def test_each_end_of_an_attempt_has_its_outcome(error: Exception | None, outcome: str) -> None:
    """The label tells apart who is to blame, as the catalogue of metrics lists it."""
    assert outcome_of(error) == outcome


async def test_a_database_is_not_blamed_for_what_runs_in_its_units_of_work() -> None:
    """Only errors of the database open its breaker: not the broker's, not a business refusal's."""
    assert database.judge(codes.UNAVAILABLE.error(service="bus")).fault is Fault.UNKNOWN
    assert database.judge(codes.INSUFFICIENT_FUNDS.error()).fault is Fault.UNKNOWN
    assert database.judge(ValueError()).fault is Fault.UNKNOWN
    assert database.judge(database.UniqueViolation("x")).fault is Fault.CALLER
    assert database.judge(database.DatabaseUnavailable("x")).fault is Fault.DEPENDENCY
    assert database.judge(database.OutcomeUnknown("x")).fault is Fault.DEPENDENCY
