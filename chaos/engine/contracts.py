"""Alert contracts, judged by what people were told. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chaos.engine.ports import Notice
from chaos.grammar.scalars import duration
from chaos.record import AlertSeen, Finding
from chaos.scenarios.contracts import ANY_PAGE, Contract

SLOWEST: Final = 15.0
"""Speed of the rules below which no alert is demanded: scenarios' faults last seconds, and at production's
pace an outage of eight seconds is none of which anybody should be told."""

STRETCH: Final = "alerts"
"""In place of a finding's phase."""

Key = tuple[str, str]
"""Name and service of an alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of a run's alerts.

    Attributes:
        injected_at: when the first fault was to begin.
        reverted_at: when all were gone; None while they are there.
        before: what stood already when the first fault began.
        rules: names that the watch knows; None when it could not be asked.
        now: seconds of the run.
    """

    notices: Sequence[Notice]
    injected_at: float
    reverted_at: float | None
    speed: float
    place: str
    before: frozenset[Key]
    rules: frozenset[str] | None
    now: float

    def about(self, contract: Contract) -> list[Notice]:
        """The messages since the first fault that a contract covers."""
        return [
            one
            for one in self.notices
            if one.at >= self.injected_at and contract.covers(one.alert, one.service)
        ]


def is_over(contract: Contract, told: Told, standing: frozenset[Key] = frozenset()) -> bool:
    """Whether waiting longer cannot change the judgement of a contract, other than for the worse.

    Args:
        standing: what fires now, or is about to. An alert that moves to another channel when its fault ends
            is over in the one before it is told in the other.
    """
    if contract.fires is None or told.speed < SLOWEST:
        return True
    about = told.about(contract)
    fired = next((one for one in about if one.firing), None)
    if fired is None:
        return told.now > told.injected_at + (contract.within or 0.0) / told.speed
    gone = _over_at(about) is not None and not any(contract.covers(*key) for key in standing)
    return gone or told.now > _end(contract, told, fired)


def judged(contracts: Sequence[Contract], told: Told) -> tuple[AlertSeen, ...]:
    """Every contract with what came of it."""
    return tuple(_judge(contract, told) for contract in contracts)


def not_judged(contracts: Sequence[Contract], why: str) -> tuple[AlertSeen, ...]:
    """Every contract, when there is nothing to judge by."""
    return tuple(_seen(contract, None, why) for contract in contracts)


def findings(seen: Sequence[AlertSeen], *, speed: float) -> list[Finding]:
    """Those of the contracts that belong among the run's expectations."""
    return [
        Finding(
            id=f"{number}-alert-{one.name.replace(' ', '-')}",
            text=one.wanted,
            phase=STRETCH,
            held=one.held,
            wanted=one.wanted,
            measured=one.measured,
            line=one.line,
        )
        for number, one in enumerate(seen, start=1)
        if one.held is not None or one.measured != too_slow(speed)
    ]


def too_slow(speed: float) -> str:
    """Why nothing is demanded of rules that run so slowly."""
    return (
        f"not judged: the rules run at {speed:g} times production's pace, for which these faults are too "
        f"short; start with BALUARTE_MONITORING_SPEED={SLOWEST:g} or more"
    )


def detected(
    seen: Sequence[AlertSeen], wanted: Sequence[Contract], injected_at: float
) -> float | None:
    """Seconds from the first fault until people were told of the first alert that was demanded."""
    moments = [
        one.fired_at - injected_at
        for one, contract in zip(seen, wanted, strict=True)
        if contract.fires is not None and one.fired_at is not None
    ]
    return min(moments, default=None)


def _judge(contract: Contract, told: Told) -> AlertSeen:
    unknown = _unknown(contract, told)
    if unknown is not None:
        return _seen(contract, *unknown)
    about = told.about(contract)
    fired = next((one for one in about if one.firing), None)
    stood = [key for key in sorted(told.before) if contract.covers(*key)]
    if stood and (fired is None or contract.silent is not None):
        alert, service = stood[0]
        return _seen(contract, None, f"{alert} of {service or 'all'} stood before the first fault")
    if contract.silent is not None:
        held = fired is None
        return _seen(contract, held, "nobody was" if fired is None else _when(fired, told), fired)
    if fired is None:
        return _seen(contract, False, f"nobody was told within {_waited(told)}")
    over_at = _over_at(about)
    wrong = list(_wrong(contract, told, fired, over_at, about))
    measured = f"{_when(fired, told)}; {_ended(over_at, told)}"
    return _seen(contract, not wrong, "; ".join((measured, *wrong)), fired, over_at)


def _unknown(contract: Contract, told: Told) -> tuple[bool | None, str] | None:
    """That a contract cannot be judged by messages, if so; then whether it holds, and why."""
    if contract.fires is not None and told.speed < SLOWEST:
        return None, too_slow(told.speed)
    if told.rules is None:
        return None, "Prometheus did not say which rules it has"
    if contract.alert != ANY_PAGE and contract.alert not in told.rules:
        # An alert that nobody can be told of breaks a promise to tell, and keeps none of silence.
        return (False if contract.fires else None), f"Prometheus has no rule {contract.alert}"
    return None


def _wrong(
    contract: Contract, told: Told, fired: Notice, over_at: float | None, about: Sequence[Notice]
) -> Iterator[str]:
    if fired.at - told.injected_at > (contract.within or 0.0) / told.speed:
        yield "too late"
    if over_at is None or over_at > _end(contract, told, fired):
        yield "its end was not told in time"
    yield from dict.fromkeys(f"{one.title}: {flaw}" for one in about for flaw in one.flaws)


def _end(contract: Contract, told: Told, fired: Notice) -> float:
    """When the end must have been told; what fires late is not over before."""
    since = max(told.now if told.reverted_at is None else told.reverted_at, fired.at)
    return since + contract.over_within / told.speed


def _over_at(about: Sequence[Notice]) -> float | None:
    """When the last one that fired was over; None while one fires. An alert may move between channels."""
    firing: set[tuple[str, str, str]] = set()
    over_at = None
    for one in about:
        key = (one.alert, one.service, one.channel)
        if one.firing:
            firing.add(key)
            over_at = None
        else:
            firing.discard(key)
            if not firing:
                over_at = one.at
    return over_at


def _when(fired: Notice, told: Told) -> str:
    late = fired.at - told.injected_at
    where = f"in {fired.channel}" if told.place == "Slack" else f"seen in {told.place},"
    subject = f"{fired.alert}{f' of {fired.service}' if fired.service else ''}"
    return f"{subject} {where} after {_both(late, told.speed)}"


def _ended(over_at: float | None, told: Told) -> str:
    if over_at is None:
        return "not over"
    if told.reverted_at is None or over_at < told.reverted_at:
        return "over before the faults were"
    return f"over {_both(over_at - told.reverted_at, told.speed)} after the last fault"


def _both(seconds: float, speed: float) -> str:
    return f"{seconds:.1f} s ({duration(round(seconds * speed))} at production's pace)"


def _waited(told: Told) -> str:
    return _both(told.now - told.injected_at, told.speed)


def _seen(
    contract: Contract,
    held: bool | None,
    measured: str,
    fired: Notice | None = None,
    over_at: float | None = None,
) -> AlertSeen:
    return AlertSeen(
        name=contract.alert,
        wanted=contract.sentence(),
        fired_at=None if fired is None else fired.at,
        resolved_at=over_at,
        held=held,
        service=contract.service or "",
        channel="" if fired is None else fired.channel,
        title="" if fired is None else fired.title,
        measured=measured,
        line=contract.line,
    )
