"""All pipelines of a process: made on demand, reconfigured together, bounded."""

import asyncio
from pathlib import Path

import pytest

from resilience.breaker import BreakerOptions
from resilience.errors import CircuitOpen
from resilience.events import CallRejected
from resilience.pipeline import PipelineOptions
from resilience.policy_file import PolicyFile
from resilience.policy_set import PolicySet
from resilience.testing import FakeClock, ScriptedCall

from .conftest import Recorder

TEXT = """\
[users.breaker]
reason = "a test"
window = "consecutive"
"""


def test_a_dependency_has_one_pipeline_and_each_scope_another(clock: FakeClock) -> None:
    """The same name yields the same pipeline; scopes share options and no state."""
    policies = PolicySet({"users": PipelineOptions(breaker=BreakerOptions())}, clock=clock)
    whole = policies.pipeline("users")
    assert policies.pipeline("users") is whole
    profile = policies.pipeline("users", "profile")
    assert policies.pipeline("users", "profile") is profile
    assert profile is not whole
    assert profile.breaker is not None
    assert whole.breaker is not None
    profile.breaker.open()
    assert whole.breaker.epoch.name == "closed"
    assert profile.source == "users/profile"


def test_an_unknown_dependency_is_a_mistake_with_a_hint(clock: FakeClock) -> None:
    """Nothing is called without policies by a misspelling."""
    with pytest.raises(LookupError, match="'usres'; there are users"):
        PolicySet({"users": PipelineOptions()}, clock=clock).pipeline("usres")


def test_scopes_are_bounded_and_an_open_one_stays(clock: FakeClock) -> None:
    """A thousand invented scopes do not make a thousand pipelines, nor close a breaker."""
    options = {"users": PipelineOptions(breaker=BreakerOptions())}
    policies = PolicySet(options, clock=clock, maximum_scoped=20)
    victim = policies.pipeline("users", "victim")
    assert victim.breaker is not None
    victim.breaker.open()
    for number in range(1_000):
        policies.pipeline("users", str(number))
    assert policies.pipeline("users", "victim") is victim


async def test_a_reload_reaches_calls_that_were_wrapped_before(
    clock: FakeClock, tmp_path: Path
) -> None:
    """A changed file is followed within a second; states stay, whole and scoped."""
    path = tmp_path / "policies.toml"
    path.write_text(TEXT)
    file = PolicyFile(path)
    policies = PolicySet(file.read(), clock=clock)
    guarded = policies.pipeline("users").read(ScriptedCall[str](["fine"]))
    scoped = policies.pipeline("users", "profile")
    watching = asyncio.create_task(policies.watch(file))
    path.write_text(TEXT + 'mode = "forced-open"\n')
    assert await guarded() == "fine"
    await clock.advance(1.0)
    with pytest.raises(CircuitOpen):
        await guarded()
    assert scoped.options.breaker is not None
    assert scoped.options.breaker.mode == "forced-open"
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_broken_file_changes_nothing_and_is_told_once(
    clock: FakeClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong, unreadable or gone: the policies stay, and following goes on with the next one."""
    path = tmp_path / "policies.toml"
    path.write_text(TEXT)
    file = PolicyFile(path)
    policies = PolicySet(file.read(), clock=clock)
    before = policies.pipeline("users").options
    path.write_text(TEXT + "probes = 0\n")
    assert not policies.follow(file)
    assert not policies.follow(file)
    assert caplog.text.count("line 4: users.breaker.probes: must be at least 1") == 1
    path.write_bytes(b"\xff\xfe\x00broken")
    assert not policies.follow(file)
    path.unlink()
    assert not policies.follow(file)
    assert policies.pipeline("users").options == before
    path.write_text(TEXT + "probes = 7\n")
    assert policies.follow(file)
    assert policies.pipeline("users").options.breaker == BreakerOptions(
        window="consecutive", probes=7
    )


def test_a_dependency_that_is_no_longer_named_keeps_its_policies(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that forgets a dependency in use does not unprotect it."""
    options = PipelineOptions(breaker=BreakerOptions())
    policies = PolicySet({"users": options}, clock=clock)
    pipeline = policies.pipeline("users")
    policies.reconfigure({"ledger": PipelineOptions()})
    assert pipeline.options == options
    assert "users is no longer in the policies" in caplog.text


async def test_one_emitter_hears_all_pipelines(clock: FakeClock, recorder: Recorder) -> None:
    """Events say which dependency they are about."""
    policies = PolicySet(
        {
            name: PipelineOptions(breaker=BreakerOptions(mode="forced-open"))
            for name in ("users", "ledger")
        },
        clock=clock,
        events=recorder,
    )
    for name in ("users", "ledger"):
        with pytest.raises(CircuitOpen):
            await policies.pipeline(name).read(ScriptedCall[str](["fine"]))()
    told = [event.source for event in recorder.events if isinstance(event, CallRejected)]
    assert told == ["users", "ledger"]
    await policies.aclose()
