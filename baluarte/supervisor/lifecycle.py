"""One process' life as a state machine: values and a time in, values and actions out.

Nothing here touches a process or a clock; `part.py` does what the actions say and reports back with
events. A process that ends by itself is started again after an exponential, jittered pause. Before
it was ready once it gets a few tries only, since a wrong setting does not heal; afterwards it is
restarted for ever, at a bounded rate. Faults on purpose (`faults/`) are events like any other, so that
whatever they do to a process is undone here, in whichever state they meet it.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias


class State(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    """Runs and was ready, but says now that it is not: a dependency is away. Not restarted for it."""
    BACKOFF = "backoff"
    STOPPING = "stopping"
    FAILED = "failed"
    """Given up: it never became ready."""
    PAUSED = "paused"
    """Stopped in its tracks by a fault; not asked, and not restarted for being silent."""
    HELD = "held down"
    """Ended by a fault, and not started again until it is released. There is no process."""


RUNNING = frozenset({State.STARTING, State.READY, State.UNREADY})
LIVING = RUNNING | {State.PAUSED, State.STOPPING}
"""States with a process, or with one on its way."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """All in seconds, but for `tries`."""

    first_pause: float = 0.25
    longest_pause: float = 10.0
    stable_after: float = 30.0
    """Ready for this long, a process has earned the first pause again."""
    start_timeout: float = 30.0
    """Longest that a start may take until ready; a cold, busy machine needs several seconds."""
    grace: float = 5.0
    """Between the request to stop and SIGKILL: more than the 3 s that services drain."""
    tries: int = 5
    """Starts that may fail before the first success."""

    def pause(self, failures: int, jitter: float) -> float:
        """The pause after the `failures`-th failure in a row; `jitter` in [0, 1] takes up to half."""
        full = min(self.longest_pause, self.first_pause * 2.0 ** min(failures - 1, 32))
        return full * (1 - jitter / 2)


@dataclass(frozen=True, slots=True)
class Start:
    """Wanted running."""


@dataclass(frozen=True, slots=True)
class Launched:
    pid: int


@dataclass(frozen=True, slots=True)
class NotLaunched:
    reason: str


@dataclass(frozen=True, slots=True)
class Exited:
    """Ended; a negative code is the signal that ended it."""

    code: int


@dataclass(frozen=True, slots=True)
class Probed:
    """It was asked whether it is ready."""

    ready: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """Wanted stopped; with `force` at once."""

    force: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """`wake_at` has come."""


@dataclass(frozen=True, slots=True)
class Crash:
    """A fault: SIGKILL, once; it is restarted as after any other end."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A fault: ended with SIGKILL, and not restarted until `Release`."""


@dataclass(frozen=True, slots=True)
class Release:
    """The end of `Hold`."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A fault: stopped in its tracks until `Resume`."""


@dataclass(frozen=True, slots=True)
class Resume:
    """The end of `Pause`."""


@dataclass(frozen=True, slots=True)
class Slow:
    """A fault: starts from here on are `delay` seconds late; 0 ends it."""

    delay: float


Event: TypeAlias = (
    Start
    | Launched
    | NotLaunched
    | Exited
    | Probed
    | Stop
    | Tick
    | Crash
    | Hold
    | Release
    | Pause
    | Resume
    | Slow
)


@dataclass(frozen=True, slots=True)
class Launch:
    """Start the process, then report `Launched` or `NotLaunched`, and `Exited` at its end."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """Send the signal that asks it to end."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Send SIGKILL to it, to its process group and to all below it."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """Send SIGSTOP to it, to its process group and to all below it."""


@dataclass(frozen=True, slots=True)
class Thaw:
    """Send SIGCONT to all that `Freeze` stopped."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Something that the operator should know."""

    text: str
    level: str = "info"


Action: TypeAlias = Launch | Terminate | Kill | Freeze | Thaw | Tell


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a process is in its life. Times are on the monotonic clock."""

    state: State = State.STOPPED
    since: float = 0.0
    pid: int | None = None
    launched_at: float | None = None
    wake_at: float | None = None
    launches: int = 0
    failures: int = 0
    """In a row; forgotten once it was ready for `stable_after`."""
    ever_ready: bool = False
    restart_wanted: bool = False
    """While STOPPING: start again afterwards."""
    forced: bool = False
    """While STOPPING: with no time given."""
    held: bool = False
    """HELD, or STOPPING and HELD afterwards."""
    paused_in: State | None = None
    """While PAUSED: the state that it goes on in."""
    time_left: float | None = None
    """While PAUSED: what was left until `wake_at`, since a paused process cannot be late."""
    start_delay: float = 0.0
    """By which starts are late, through a fault."""
    reason: str | None = None

    @property
    def restarts(self) -> int:
        return max(0, self.launches - 1)


Step: TypeAlias = tuple[Situation, tuple[Action, ...]]


def step(now: Situation, event: Event, time: float, policy: RestartPolicy, jitter: float) -> Step:
    """What `event` at `time` makes of the situation, and what is to be done.

    An event that makes no sense in a state (a late probe, an exit reported twice) changes nothing.
    """
    match event:
        case Start():
            if now.state in {State.STOPPED, State.FAILED}:
                return _launch(replace(now, failures=0, forced=False), time)
        case Launched(pid):
            return _launched(now, pid, time, policy)
        case NotLaunched(reason):
            return _ended(now, f"could not be started: {reason}", time, policy, jitter)
        case Exited(code):
            return _ended(now, describe_exit(code), time, policy, jitter)
        case Probed(ready):
            return _probed(now, ready, time, policy)
        case Stop(force):
            return _stop(now, force, time, policy)
        case Tick():
            if now.wake_at is not None and time >= now.wake_at:
                return _woken(now, time, policy)
        case _:
            return _faulted(now, event, time, policy)
    return now, ()


def _faulted(now: Situation, event: Event, time: float, policy: RestartPolicy) -> Step:
    match event:
        case Crash():
            if now.state in RUNNING and now.pid is not None:
                return now, (Kill(),)
        case Hold():
            return _hold(now, time, policy)
        case Release():
            return _release(now, time)
        case Pause():
            return _pause(now, time)
        case Resume():
            return _resume(now, time)
        case Slow(delay):
            return _slow(now, delay, time)
    return now, ()


def describe_exit(code: int) -> str:
    """`ended with code 1`, `was ended by signal 9`."""
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"


def _enter(now: Situation, state: State, time: float, wake_at: float | None) -> Situation:
    return replace(now, state=state, since=time, wake_at=wake_at)


def _launch(now: Situation, time: float) -> Step:
    started = _enter(replace(now, launches=now.launches + 1), State.STARTING, time, None)
    started = replace(started, pid=None, launched_at=time, reason=None, forced=False)
    return started, (Launch(),)


def _launched(now: Situation, pid: int, time: float, policy: RestartPolicy) -> Step:
    known = replace(now, pid=pid)
    if now.state is State.STOPPING:  # told to stop while it was being started
        end = Kill() if now.forced else Terminate()
        return replace(known, wake_at=time + policy.grace), (end,)
    return replace(known, wake_at=time + policy.start_timeout), ()


def _ended(now: Situation, reason: str, time: float, policy: RestartPolicy, jitter: float) -> Step:
    gone = replace(now, pid=None, reason=reason, paused_in=None, time_left=None)
    if now.state not in LIVING:
        return now, ()
    if now.state is State.STOPPING and now.held:
        return replace(_enter(gone, State.HELD, time, None), reason=None), (_HELD_DOWN,)
    if now.state is State.STOPPING and not now.restart_wanted:
        return replace(_enter(gone, State.STOPPED, time, None), reason=None), (Tell("stopped"),)
    failed = replace(gone, failures=now.failures + 1, restart_wanted=False)
    if now.state is State.STOPPING:  # we ended it, for not becoming ready
        failed = replace(failed, reason=now.reason)
    if not failed.ever_ready and failed.failures >= policy.tries:
        text = f"{failed.reason}; given up after {failed.failures} tries"
        return _enter(failed, State.FAILED, time, None), (Tell(text, "error"),)
    pause = policy.pause(failed.failures, jitter) + now.start_delay
    text = f"{failed.reason}; starting again in {pause:.1f} s"
    return _enter(failed, State.BACKOFF, time, time + pause), (Tell(text, "warning"),)


def _probed(now: Situation, ready: bool, time: float, policy: RestartPolicy) -> Step:
    if now.pid is None:
        return now, ()
    if ready and now.state in {State.STARTING, State.UNREADY}:
        again = now.state is State.UNREADY
        up = _enter(now, State.READY, time, time + policy.stable_after)
        took = time - (now.launched_at or time)
        text = "ready again" if again else f"ready in {took:.1f} s"
        return replace(up, ever_ready=True, reason=None), (Tell(text),)
    if not ready and now.state is State.READY:
        return _enter(now, State.UNREADY, time, None), (Tell("runs but is not ready", "warning"),)
    return now, ()


def _stop(now: Situation, force: bool, time: float, policy: RestartPolicy) -> Step:
    if now.state in {State.BACKOFF, State.HELD}:
        return replace(_enter(now, State.STOPPED, time, None), held=False), (Tell("stopped"),)
    if now.state is State.PAUSED:  # a paused process could not act on the signal
        awake, actions = _resume(now, time)
        stopping, more = _stop(awake, force, time, policy)
        return stopping, (*actions, *more)
    if now.state not in LIVING:
        return now, ()
    stopping = now
    if now.state is not State.STOPPING:
        stopping = _enter(now, State.STOPPING, time, time + policy.grace)
    stopping = replace(stopping, restart_wanted=False, held=False, forced=force or now.forced)
    if now.pid is None:  # `Launched` will come, and be answered
        return replace(stopping, wake_at=None), ()
    if force:
        return stopping, (Kill(),)
    return stopping, () if now.state is State.STOPPING else (Terminate(),)


def _woken(now: Situation, time: float, policy: RestartPolicy) -> Step:
    match now.state:
        case State.BACKOFF:
            return _launch(now, time)
        case State.READY:  # long enough
            return replace(now, failures=0, wake_at=None), ()
        case State.STARTING:
            reason = f"was not ready within {policy.start_timeout:g} s"
            stopping = _enter(now, State.STOPPING, time, time + policy.grace)
            told = Tell(f"{reason}; ending it", "warning")
            return replace(stopping, restart_wanted=True, reason=reason), (told, Terminate())
        case State.STOPPING:  # and again, should one SIGKILL not do
            told = Tell(f"did not stop within {policy.grace:g} s; killed", "warning")
            return replace(now, wake_at=time + policy.grace), (told, Kill())
        case _:
            return now, ()


_HELD_DOWN = Tell("held down", "warning")


def _hold(now: Situation, time: float, policy: RestartPolicy) -> Step:
    if now.state is State.BACKOFF:
        return replace(_enter(now, State.HELD, time, None), held=True), (_HELD_DOWN,)
    ending_anyway = now.state is State.STOPPING and now.restart_wanted
    if now.state not in RUNNING and not ending_anyway:
        return now, ()
    ending = _enter(now, State.STOPPING, time, time + policy.grace)
    ending = replace(ending, held=True, restart_wanted=False, forced=True)
    if now.pid is None:  # `Launched` will come, and be answered
        return replace(ending, wake_at=None), ()
    return ending, (Kill(),)


def _release(now: Situation, time: float) -> Step:
    if not now.held:
        return now, ()
    released = replace(now, held=False)
    if now.state is not State.HELD:  # its end is still on its way
        return replace(released, restart_wanted=True, reason="was held down"), ()
    if now.start_delay:
        text = f"released; starting in {now.start_delay:.1f} s"
        return _enter(released, State.BACKOFF, time, time + now.start_delay), (Tell(text),)
    started, actions = _launch(released, time)
    return started, (Tell("released; starting"), *actions)


def _pause(now: Situation, time: float) -> Step:
    if now.state not in RUNNING or now.pid is None:
        return now, ()
    left = None if now.wake_at is None else max(0.0, now.wake_at - time)
    paused = replace(_enter(now, State.PAUSED, time, None), paused_in=now.state, time_left=left)
    return paused, (Freeze(), Tell("paused", "warning"))


def _resume(now: Situation, time: float) -> Step:
    if now.state is not State.PAUSED or now.paused_in is None:
        return now, ()
    wake_at = None if now.time_left is None else time + now.time_left
    awake = _enter(now, now.paused_in, time, wake_at)
    return replace(awake, paused_in=None, time_left=None), (Thaw(), Tell("continued"))


def _slow(now: Situation, delay: float, time: float) -> Step:
    slowed = replace(now, start_delay=delay)
    if now.state is State.BACKOFF and now.wake_at is not None:
        later = now.wake_at + delay - now.start_delay
        slowed = replace(slowed, wake_at=max(time, later))
    return slowed, ()
