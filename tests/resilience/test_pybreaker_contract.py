"""What the breaker takes from pybreaker, private names included: a new release must keep it."""

import inspect
from typing import Any

import pybreaker

from resilience.breaker import CircuitBreaker
from resilience.testing import FakeClock

#: Name → what of it is relied upon.
STATE_NAMES = {"open", "closed", "half-open"}


def test_the_states_have_their_names() -> None:
    """The strings that the factory is asked for are these three."""
    names = {pybreaker.STATE_OPEN, pybreaker.STATE_CLOSED, pybreaker.STATE_HALF_OPEN}
    assert names == STATE_NAMES


def test_the_factory_makes_the_first_state_while_the_breaker_is_made() -> None:
    """`_create_new_state` is called by `__init__`, for `closed` and with no state before."""
    asked: list[tuple[str, object]] = []

    class Spy(pybreaker.CircuitBreaker):
        def _create_new_state(  # type: ignore[no-untyped-def]
            self, new_state, prev_state=None, notify=False
        ):
            asked.append((new_state, prev_state))
            return super()._create_new_state(new_state, prev_state, notify)

    spy = Spy()
    assert asked == [("closed", None)]
    spy.open()
    assert asked[-1][0] == "open"
    assert isinstance(asked[-1][1], pybreaker.CircuitClosedState)


def test_transitions_go_through_the_state_setter_of_the_subclass() -> None:
    """`open`, `half_open` and `close` set `self.state`, which a subclass may override."""
    set_to: list[str] = []

    class Spy(pybreaker.CircuitBreaker):
        @property
        def state(self) -> Any:
            return self._state

        @state.setter
        def state(self, name: str) -> None:
            set_to.append(name)

    spy = Spy(throw_new_error_on_trip=False)
    assert spy.open() is False
    spy.half_open()
    spy.close()
    assert set_to == ["open", "half-open", "closed"]


def test_the_private_names_in_use_exist() -> None:
    """`_lock`, `_state`, `_state_storage` and `_success_threshold` are where they were."""
    breaker = pybreaker.CircuitBreaker(success_threshold=7)
    with breaker._lock:
        assert breaker._state.name == "closed"
    assert breaker._success_threshold == 7
    breaker._state_storage.increment_success_counter()
    assert breaker._state_storage.success_counter == 1
    breaker._state_storage.reset_success_counter()
    assert breaker._state_storage.success_counter == 0


def test_a_state_takes_notify_and_tells_nobody_without_it() -> None:
    """State classes accept `notify=False` and then call no listener and reset nothing."""
    for state in (
        pybreaker.CircuitClosedState,
        pybreaker.CircuitOpenState,
        pybreaker.CircuitHalfOpenState,
    ):
        assert "notify" in inspect.signature(state).parameters


def test_good_probes_are_counted_by_pybreaker_up_to_the_threshold() -> None:
    """`CircuitHalfOpenState.on_success` counts in the storage and closes at the threshold."""
    breaker = pybreaker.CircuitBreaker(success_threshold=2)
    breaker.half_open()
    breaker._state.on_success()
    assert breaker.current_state == "half-open"
    breaker._state.on_success()
    assert breaker.current_state == "closed"


def test_our_states_are_pybreakers_states() -> None:
    """Subclassed and not forked: whoever looks for pybreaker's classes finds them."""
    breaker = CircuitBreaker("users", clock=FakeClock())
    assert isinstance(breaker, pybreaker.CircuitBreaker)
    assert isinstance(breaker.state, pybreaker.CircuitClosedState)
    breaker.open()
    assert isinstance(breaker.state, pybreaker.CircuitOpenState)
    assert breaker.current_state == "open"
    breaker.half_open()
    assert isinstance(breaker.state, pybreaker.CircuitHalfOpenState)
