"""What clients would have seen of a platform in good and bad weather: a seeded model of a load."""

import random
from collections import Counter
from dataclasses import dataclass

from chaos.record import (
    InvariantResult,
    Outcome,
    Phase,
    Sample,
    Seen,
)

SOURCE = """\
# yaml-language-server: $schema=scenario.schema.json
title: Users are slow
story: A release made the users service take five seconds for everything.
guards: [gateway.users.breaker, gateway.users.fallback]
hypothesis:
  - availability: 99 %
  - latency: {p95: 1 s}
  - money: proved
load: {journeys: {overview: 4, pay: 2}, rate: 12/s, users: 12}
faults:
  - {at: 0 s, for: 10 s, process: users, type: latency, seconds: 5, jitter: 0.5}
expect:
  during:
    - availability: 80 %
    - latency: {p50: 1 s, max: 8 s}
    - breaker: {service: users, state: open, within: 8 s}
    - retry amplification: {service: users, at most: 1.3}
    - met: 5
  after:
    - recovered: 15 s
    - settled: 20 s
abort: {errors: 80 %, for: 5 s}
"""

LAWS = (
    "total conserved",
    "no overdraft",
    "two legs",
    "balance is the replay",
    "acknowledged is durable",
    "same answer",
    "sent by a client",
    "delivered once",
    "settled",
    "held is held",
    "one reversal",
)

STEPS = ("me", "accounts", "transactions", "createTransfer")

MESSAGES = {
    Outcome.FRESH: "",
    Outcome.STALE: "",
    Outcome.PARTIAL: "Your profile cannot be shown right now. Try again in 3 s.",
    Outcome.QUEUED: "",
    Outcome.REFUSED: "The transfer was not made: users did not answer in time. Send it again.",
    Outcome.UNKNOWN: "Nobody knows yet whether the transfer was made. Ask again with the same key.",
    Outcome.FAILED: "no answer within 10 s",
}

CODES = {
    Outcome.STALE: "SERVED_STALE",
    Outcome.PARTIAL: "UNAVAILABLE",
    Outcome.REFUSED: "UNAVAILABLE",
    Outcome.UNKNOWN: "OUTCOME_UNKNOWN",
}

PHASES = (
    Phase(name="warm-up", start=0, end=3),
    Phase(name="baseline", start=3, end=13),
    Phase(name="faults", start=13, end=33),
    Phase(name="recovery", start=33, end=41),
    Phase(name="steady", start=41, end=48),
)


@dataclass(frozen=True)
class Weather:
    """How the platform of an example does between two moments."""

    start: float
    end: float
    latency: float
    outcomes: dict[Outcome, float]


CALM = {Outcome.FRESH: 1.0}
STORM = (
    Weather(
        13, 17, 2.4, {Outcome.FRESH: 5, Outcome.STALE: 2, Outcome.FAILED: 3, Outcome.UNKNOWN: 1}
    ),
    Weather(
        17,
        33,
        0.06,
        {
            Outcome.FRESH: 4,
            Outcome.STALE: 4,
            Outcome.PARTIAL: 2,
            Outcome.QUEUED: 1,
            Outcome.REFUSED: 0.6,
            Outcome.FAILED: 0.2,
        },
    ),
    Weather(33, 35, 0.15, {Outcome.FRESH: 8, Outcome.STALE: 2}),
)


def samples(
    weather: tuple[Weather, ...] = STORM, *, seconds: float = 48, rate: float = 24, seed: int = 7
) -> list[Sample]:
    """What a load of that rate would have seen."""
    draw = random.Random(seed)
    found = []
    at = 0.0
    while (at := at + draw.expovariate(rate)) < seconds:
        now = next((one for one in weather if one.start <= at < one.end), None)
        likely = now.outcomes if now else CALM
        outcome = draw.choices(list(likely), list(likely.values()))[0]
        waited = draw.lognormvariate(0, 0.45) * (now.latency if now else 0.03)
        waited = min(10.0, waited * (3 if outcome is Outcome.FAILED else 1))
        found.append(
            Sample(
                intended=at,
                started=at,
                ended=at + waited,
                journey="overview",
                step=draw.choice(STEPS),
                outcome=outcome,
                codes=(CODES[outcome],) if outcome in CODES else (),
                stale_age=at - 12 + draw.random() if outcome is Outcome.STALE else None,
                status=0 if outcome is Outcome.FAILED else 200,
                message=MESSAGES[outcome],
            )
        )
    return found


def seen(its: list[Sample], phases: tuple[Phase, ...] = PHASES) -> tuple[Seen, ...]:
    """The samples grouped as the engine groups them."""
    counts: Counter[tuple[str, str, Outcome, str, str]] = Counter()
    for one in its:
        phase = next((p.name for p in phases if p.start <= one.intended < p.end), "after")
        counts[phase, one.step, one.outcome, one.codes[0] if one.codes else "", one.message] += 1
    return tuple(
        Seen(phase=phase, step=step, outcome=outcome, code=code, count=count, example=message)
        for (phase, step, outcome, code, message), count in sorted(counts.items())
    )


def laws(**others: str) -> tuple[InvariantResult, ...]:
    """The eleven checks, valid unless said: `laws(settled="violated")`."""
    return tuple(
        InvariantResult(
            number=number,
            name=name,
            verdict=others.get(name.replace(" ", "_"), "valid"),
            detail=f"{137 * number:,} facts looked at",
        )
        for number, name in enumerate(LAWS, start=1)
    )
