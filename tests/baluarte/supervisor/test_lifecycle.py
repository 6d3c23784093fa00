"""The state machine of one process, with a time that only the test moves."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baluarte.supervisor.lifecycle import (
    LIVING,
    Action,
    Crash,
    Event,
    Exited,
    Freeze,
    Hold,
    Kill,
    Launch,
    Launched,
    NotLaunched,
    Pause,
    Probed,
    Release,
    RestartPolicy,
    Resume,
    Situation,
    Slow,
    Start,
    State,
    Stop,
    Tell,
    Terminate,
    Thaw,
    Tick,
    step,
)

POLICY = RestartPolicy(
    first_pause=1, longest_pause=8, stable_after=30, start_timeout=10, grace=5, tries=3
)


class Life:
    """Feeds events into the machine and remembers what it wanted."""

    def __init__(self, policy: RestartPolicy = POLICY) -> None:
        self.policy = policy
        self.now = 100.0
        self.situation = Situation()
        self.actions: list[Action] = []

    def __call__(self, *events: Event) -> list[Action]:
        """What the last of `events` led to, without what was told."""
        for event in events:
            self.situation, actions = step(self.situation, event, self.now, self.policy, 0.0)
            self.actions = [action for action in actions if not isinstance(action, Tell)]
            self.told = [action.text for action in actions if isinstance(action, Tell)]
        return self.actions

    def later(self, seconds: float) -> list[Action]:
        self.now += seconds
        return self(Tick())

    @property
    def state(self) -> State:
        return self.situation.state


def ready_life() -> Life:
    life = Life()
    life(Start(), Launched(7), Probed(ready=True))
    return life


def test_a_start_leads_to_ready() -> None:
    """Launch, then the first good probe: ready, and it is said how long it took."""
    life = Life()
    assert life(Start()) == [Launch()]
    assert life(Launched(7)) == []
    assert life(Probed(ready=False)) == []
    assert life.state is State.STARTING
    life.now += 1.5
    life(Probed(ready=True))
    assert (life.state, life.situation.pid) == (State.READY, 7)
    assert life.told == ["ready in 1.5 s"]


def test_a_crash_is_answered_by_a_pause_that_doubles() -> None:
    """Restarts come after 1, 2, 4, 8 and again 8 seconds, and are counted."""
    life = ready_life()
    for number, pause in enumerate((1, 2, 4, 8, 8), start=1):
        assert life(Exited(1)) == []
        assert life.state is State.BACKOFF
        assert life.told == [f"ended with code 1; starting again in {pause:.1f} s"]
        assert life.later(pause - 0.01) == []
        assert life.later(0.02) == [Launch()]
        life(Launched(7 + number), Probed(ready=True))
        assert life.situation.restarts == number


def test_a_stable_process_earns_the_first_pause_again() -> None:
    """Failures in a row are forgotten after `stable_after` of being ready."""
    life = ready_life()
    life(Exited(1))
    life.later(1)
    life(Launched(8), Probed(ready=True))
    life.later(30)
    life(Exited(1))
    assert life.told == ["ended with code 1; starting again in 1.0 s"]


def test_jitter_takes_up_to_half() -> None:
    """Processes that fell together do not rise together."""
    assert POLICY.pause(3, 0.0) == 4
    assert POLICY.pause(3, 1.0) == 2
    assert POLICY.pause(10_000, 0.0) == 8


def test_what_was_never_ready_is_given_up() -> None:
    """After `tries` failed starts it has failed, with the last reason."""
    life = Life()
    life(Start(), Launched(7), Exited(1))
    life.later(1)
    life(NotLaunched("no such file"))
    life.later(2)
    life(Launched(9), Exited(-9))
    assert life.state is State.FAILED
    assert life.situation.reason == "was ended by signal 9"
    assert "given up after 3 tries" in life.told[0]
    assert life.later(1_000) == []


def test_what_was_ready_once_is_never_given_up() -> None:
    """A database outage of an hour must not end a service for good."""
    life = ready_life()
    for _ in range(50):
        life(Exited(1))
        assert life.later(8) == [Launch()]
        life(Launched(8))


def test_a_start_that_takes_too_long_is_ended_and_repeated() -> None:
    """Not ready in time: asked to end, killed if it does not, then a pause and another try."""
    life = Life()
    life(Start(), Launched(7))
    assert life.later(10) == [Terminate()]
    assert life.later(5) == [Kill()]
    life(Exited(-9))
    assert life.state is State.BACKOFF
    assert life.situation.reason == "was not ready within 10 s"
    assert life.later(1) == [Launch()]


def test_a_stop_asks_and_then_insists() -> None:
    """SIGTERM, after the grace SIGKILL, and SIGKILL again as long as it is there."""
    life = ready_life()
    assert life(Stop()) == [Terminate()]
    assert life.state is State.STOPPING
    assert life.later(4.9) == []
    assert life.later(0.1) == [Kill()]
    assert life.later(5) == [Kill()]
    life(Exited(-9))
    assert (life.state, life.situation.pid) == (State.STOPPED, None)


def test_a_stop_during_a_start_waits_for_the_pid() -> None:
    """A process that is being forked cannot get a signal yet; it gets it as soon as it is there."""
    life = Life()
    life(Start())
    assert life(Stop()) == []
    assert life(Launched(7)) == [Terminate()]
    forced = Life()
    forced(Start())
    assert forced(Stop(force=True)) == []
    assert forced(Launched(7)) == [Kill()]


def test_a_forced_stop_kills_at_once() -> None:
    """The second Ctrl-C does not wait for the grace."""
    life = ready_life()
    life(Stop())
    assert life(Stop(force=True)) == [Kill()]


def test_a_stop_in_a_pause_needs_no_process() -> None:
    """There is nothing to end, so it is stopped."""
    life = ready_life()
    life(Exited(1), Stop())
    assert life.state is State.STOPPED
    assert life.later(100) == []


def test_a_stop_while_it_is_ended_for_slowness_is_final() -> None:
    """It is not started again after the operator wanted it stopped."""
    life = Life()
    life(Start(), Launched(7))
    life.later(10)
    life(Stop(), Exited(0))
    assert life.state is State.STOPPED


def test_unready_is_shown_and_not_punished() -> None:
    """A process whose dependency is away is left running and comes back by itself."""
    life = ready_life()
    assert life(Probed(ready=False)) == []
    assert (life.state, life.told) == (State.UNREADY, ["runs but is not ready"])
    assert life.later(1_000) == []
    life(Probed(ready=True))
    assert (life.state, life.told) == (State.READY, ["ready again"])


@pytest.mark.parametrize("state", list(State))
def test_late_news_change_nothing(state: State) -> None:
    """A probe without a process, an exit told twice: no state is left because of them."""
    still = replace(Situation(), state=state)
    if state in LIVING:
        still = replace(still, pid=None)
    assert step(still, Probed(ready=True), 1.0, POLICY, 0.0) == (still, ())
    if state not in LIVING:
        assert step(still, Exited(0), 1.0, POLICY, 0.0) == (still, ())


def test_a_kill_is_answered_like_any_death() -> None:
    """SIGKILL, then the usual pause and restart: the fault is over at once."""
    life = ready_life()
    assert life(Crash()) == [Kill()]
    life(Exited(-9))
    assert life.state is State.BACKOFF
    assert life.later(1) == [Launch()]


def test_what_is_held_down_is_not_restarted() -> None:
    """Killed at once and then left alone, however long, until it is released."""
    life = ready_life()
    assert life(Hold()) == [Kill()]
    life(Exited(-9))
    assert (life.state, life.situation.pid, life.told) == (State.HELD, None, ["held down"])
    assert life.later(100_000) == []
    assert life(Release()) == [Launch()]
    assert life.situation.failures == 0, "an outage on purpose is no failure of the part's"
    life(Launched(8), Probed(ready=True))
    assert life.state is State.READY


def test_a_hold_reaches_what_is_about_to_start() -> None:
    """In a pause it is never launched; a launch under way is killed as soon as there is a pid."""
    waiting = ready_life()
    waiting(Exited(1))
    assert waiting(Hold()) == []
    assert waiting.state is State.HELD
    assert waiting.later(100) == []
    starting = Life()
    starting(Start())
    assert starting(Hold()) == []
    assert starting(Launched(7)) == [Kill()]
    starting(Exited(-9))
    assert starting.state is State.HELD
    failing = Life()
    failing(Start(), Hold(), NotLaunched("no such file"))
    assert failing.state is State.HELD


def test_a_hold_of_what_is_ended_for_slowness() -> None:
    """A start that took too long and is being ended is held down instead of repeated."""
    life = Life()
    life(Start(), Launched(7))
    assert life.later(10) == [Terminate()]
    assert life(Hold()) == [Kill()]
    life(Exited(-9))
    assert life.state is State.HELD


def test_a_release_before_the_end_is_told_starts_it_afterwards() -> None:
    """Never two processes: the old one's end is waited for."""
    life = ready_life()
    life(Hold())
    assert life(Release()) == []
    assert life(Exited(-9)) == []
    assert life.state is State.BACKOFF
    assert life.later(1) == [Launch()]


def test_a_kill_that_does_not_work_is_repeated() -> None:
    """A held process that is still there after the grace gets SIGKILL again."""
    life = ready_life()
    life(Hold())
    assert life.later(5) == [Kill()]


def test_a_paused_process_is_not_asked_and_not_restarted() -> None:
    """Its silence is no news: neither probes nor the time of a start count until it goes on."""
    life = Life()
    life(Start(), Launched(7))
    life.now += 4
    assert life(Pause()) == [Freeze()]
    assert life(Probed(ready=False)) == []
    assert life.later(100_000) == []
    assert life(Resume()) == [Thaw()]
    assert life.state is State.STARTING
    assert life.later(5.9) == [], "six seconds of its start were left"
    assert life.later(0.2) == [Terminate()]


def test_a_ready_process_is_ready_again_after_a_pause() -> None:
    """It goes on in the state that it was in, with the time of being ready that it had left."""
    life = ready_life()
    life(Pause(), Resume())
    assert (life.state, life.situation.pid) == (State.READY, 7)
    assert life(Resume()) == [], "once is enough"


def test_a_paused_process_is_continued_before_it_is_asked_to_end() -> None:
    """A signal other than SIGKILL would wait for ever in a process that does not run."""
    life = ready_life()
    life(Pause())
    assert life(Stop()) == [Thaw(), Terminate()]
    assert life.state is State.STOPPING
    forced = ready_life()
    forced(Pause())
    assert forced(Stop(force=True)) == [Thaw(), Kill()]


def test_a_paused_process_that_others_kill_is_restarted() -> None:
    """The fault is spent then, and its end does nothing."""
    life = ready_life()
    life(Pause(), Exited(-9))
    assert life.state is State.BACKOFF
    assert life(Resume()) == []
    assert life.later(1) == [Launch()]


def test_a_stop_of_what_is_held_down_is_final() -> None:
    """Also while its end is on its way; a release afterwards starts nothing."""
    orders: list[list[Event]] = [[Exited(-9), Stop()], [Stop(), Exited(-9)]]
    for told in orders:
        life = ready_life()
        life(Hold(), *told)
        assert life.state is State.STOPPED
        assert life(Release()) == []
        assert life.later(100) == []


def test_slow_starts_are_late_by_the_delay() -> None:
    """After a death and after a release; when the fault ends, a start that waits is hastened."""
    life = ready_life()
    life(Slow(20), Exited(1))
    assert life.told == ["ended with code 1; starting again in 21.0 s"]
    assert life.later(20.9) == []
    assert life.later(0.2) == [Launch()]
    life(Launched(8), Probed(ready=True), Hold(), Exited(-9))
    assert life(Release()) == []
    assert life.later(19.9) == []
    life(Slow(0.0))
    assert life.later(0) == [Launch()]


@pytest.mark.parametrize("event", [Crash(), Hold(), Release(), Pause(), Resume()])
@pytest.mark.parametrize("state", [State.STOPPED, State.FAILED])
def test_faults_find_nothing_where_nothing_runs(event: Event, state: State) -> None:
    """No change at all, by which the caller knows that the fault hit nothing."""
    still = replace(Situation(), state=state)
    assert step(still, event, 1.0, POLICY, 0.0) == (still, ())


EVENTS = st.one_of(
    st.just(Start()),
    st.just(Stop()),
    st.just(Stop(force=True)),
    st.builds(Probed, st.booleans()),
    st.just(Tick()),
    st.sampled_from([Crash(), Hold(), Release(), Pause(), Resume(), Slow(3.0), Slow(0.0)]),
    st.just("process"),
)


@given(st.lists(st.tuples(EVENTS, st.floats(0, 20)), max_size=60))
def test_never_two_processes_and_a_stop_always_ends(  # noqa: C901 - one world, three laws
    events: list[tuple[Event | str, float]],
) -> None:
    """Whatever happens, at most one process is alive, and Stop with SIGKILL leads to none.

    "process" stands for the outside world doing what it may: a launch succeeds, or the process ends.
    """
    life, launching, alive, frozen = Life(), 0, 0, False

    def apply(event: Event) -> None:
        nonlocal launching, alive, frozen
        for action in life(event):
            if isinstance(action, Launch):
                launching += 1
            if isinstance(action, Kill | Terminate | Freeze | Thaw):
                assert alive == 1
            if isinstance(action, Freeze | Thaw):
                frozen = isinstance(action, Freeze)
            assert not (frozen and isinstance(action, Terminate)), "it could not hear"
        assert launching + alive <= 1

    def world() -> None:
        nonlocal launching, alive, frozen
        if launching:
            launching, alive = 0, 1
            apply(Launched(7))
        elif alive:
            alive, frozen = 0, False
            apply(Exited(1))

    for event, seconds in events:
        life.now += seconds
        if isinstance(event, str):
            world()
        else:
            apply(event)
        assert frozen == (life.state is State.PAUSED)
    apply(Stop(force=True))
    world()
    world()
    assert (launching, alive) == (0, 0)
    assert life.state in {State.STOPPED, State.FAILED}
