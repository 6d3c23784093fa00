"""Events: frozen, told to every hook, and harmless whatever a hook does."""

import dataclasses
import logging
import pickle
from typing import get_args

import pytest

from resilience import events
from resilience.errors import CircuitOpen, LoadShed
from resilience.events import SILENT, CallRejected, Emitter, Event

EVENT = CallRejected("users", "breaker", "CircuitOpen", 1.0)


@pytest.mark.parametrize("kind", get_args(Event))
def test_every_event_is_a_frozen_dataclass_that_names_its_source(kind: type) -> None:
    """Hooks can hold on to events, and label them."""
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert dataclasses.fields(kind)[0].name == "source"
    assert kind.__name__ in events.__all__


def test_every_hook_is_told_whatever_the_others_do(caplog: pytest.LogCaptureFixture) -> None:
    """A hook that raises is logged, and neither the caller nor the next hook sees it."""
    told: list[Event] = []

    def broken(event: Event) -> None:
        raise RuntimeError("a bug in the metrics")

    emitter = Emitter(broken, told.append)
    with caplog.at_level(logging.ERROR, logger="resilience"):
        emitter.emit(EVENT)
    assert told == [EVENT]
    assert "CallRejected" in caplog.text


def test_nobody_can_listen_to_the_emitter_that_all_share() -> None:
    """A hook added there would hear every policy of the process."""
    assert not SILENT.listening
    with pytest.raises(TypeError, match="shared"):
        SILENT.add(lambda _: None)


def test_an_emitter_listens_from_its_first_hook_on() -> None:
    """Policies look at `listening` before they make an event."""
    emitter = Emitter()
    assert not emitter.listening
    emitter.add(lambda _: None)
    assert emitter.listening


def test_rejections_tell_what_where_why_and_when_to_come_back() -> None:
    """The text is complete, and the error survives being sent to another process."""
    rejection = LoadShed("users", 0.5, "LOW at a load of 70%")
    text = "users: calls of this priority are shed (LOW at a load of 70%); try again in 0.500 s"
    assert str(rejection) == text
    copy = pickle.loads(pickle.dumps(rejection))
    assert (copy.source, copy.retry_after, copy.detail) == ("users", 0.5, rejection.detail)
    assert str(CircuitOpen("users")) == "users: the circuit breaker is not closed"
