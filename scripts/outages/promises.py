"""What the platform promises of each outage, checked on what was recorded.

A promise is a sentence for the reader and a function from an outage to what is wrong with it: nothing, if
it is kept.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from scripts.outages.customer import AMOUNT
from scripts.outages.observations import Observation, Outage

REFUSALS = frozenset({"UNAVAILABLE", "CIRCUIT_BREAKER_OPEN", "DEADLINE_EXCEEDED", "OVERLOADED"})
"""It did not happen: docs/graphql.md."""

UNKNOWN = "OUTCOME_UNKNOWN"
_AMOUNT = Decimal(AMOUNT)


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise. `parts` are the outages that it is about; empty means all."""

    sentence: str
    broken: Callable[[Outage], Iterator[str]]
    parts: tuple[str, ...] = ()

    def about(self, part: str) -> bool:
        return not self.parts or part in self.parts


def broken(outages: Sequence[Outage]) -> list[str]:
    """Everything that is wrong, each with the outage and the promise."""
    return [
        f"{outage.part} down: {promise.sentence}: {complaint}"
        for outage in outages
        for promise in PROMISES
        if promise.about(outage.part)
        for complaint in promise.broken(outage)
    ]


def _all(outage: Outage) -> Iterator[tuple[str, Observation]]:
    for name, phase in outage.phases.items():
        for seen in phase.values():
            yield f"{seen.question}, {name}", seen


def _answered(outage: Outage) -> Iterator[str]:
    for where, seen in _all(outage):
        if seen.status != 200:
            yield f"{where}: HTTP {seen.status or 'gave no answer'}"
        if not seen.in_time:
            yield f"{where}: {seen.seconds:.1f} s with a deadline of {seen.deadline:g} s"


def _nulls_are_coded(outage: Outage) -> Iterator[str]:
    for where, seen in _all(outage):
        if seen.data is None and not seen.codes and seen.question != "lookup":
            yield f"{where}: null without a code"
        no_account = seen.question == "overview" and seen.data and not seen.data["account"]
        if no_account and not seen.codes:
            yield f"{where}: no account and no code"


def _copies_are_marked(outage: Outage) -> Iterator[str]:
    """Whoever reads the data and whoever reads the extensions learn of the same copies."""
    for where, seen in _all(outage):
        in_data = "STALE" in _states(seen.data)
        if in_data != bool(seen.degraded):
            yield f"{where}: freshness says {in_data}, extensions.degraded says {not in_data}"


def _states(data: Any) -> set[str]:
    """Every `freshness.state` in an answer."""
    if isinstance(data, list):
        return set().union(*map(_states, data)) if data else set()
    if not isinstance(data, Mapping):
        return set()
    own = {data["freshness"]["state"]} if data.get("freshness") else set()
    return own.union(*map(_states, data.values()))


def _well_outside(outage: Outage) -> Iterator[str]:
    for name in ("before", "after"):
        for seen in outage.phases[name].values():
            if seen.data is None and seen.question != "lookup":
                yield f"{seen.question}, {name}: null"
            if seen.codes or seen.degraded:
                yield f"{seen.question}, {name}: {', '.join(seen.codes) or 'served from a copy'}"


def _money_moved_once(outage: Outage) -> Iterator[str]:
    """The balance tells of exactly the two transfers that were asked for, each once."""
    again = outage.after["transfer"].data
    if not again or again["status"] != "COMPLETED":
        yield f"the same key ended as {again and again['status']}"
        return
    for seen in (outage.during["transfer"], outage.during["lookup"], outage.after["lookup"]):
        if seen.data and seen.data["id"] != again["id"]:
            yield "the same key names two transfers"
    first, last = _balance(outage.before["overview"]), _balance(outage.after["overview"])
    if first is None or last is None or first - last != 2 * _AMOUNT:
        yield f"the balance went from {first} to {last} by two transfers of {AMOUNT}"


def _balance(seen: Observation) -> Decimal | None:
    account = (seen.data or {}).get("account")
    return Decimal(account["balance"]["amount"]) if account else None


def _refused_is_not_accepted(outage: Outage) -> Iterator[str]:
    """A transfer is accepted, refused or unknown; what was refused is not there afterwards."""
    transfer = outage.during["transfer"]
    if transfer.data:
        return
    if not set(transfer.codes) <= REFUSALS | {UNKNOWN}:
        yield f"answered {', '.join(transfer.codes)}"
    if UNKNOWN not in transfer.codes and outage.after["lookup"].data:
        yield "was refused and was carried out all the same"


def _transfer(*wanted: str) -> Callable[[Outage], Iterator[str]]:
    def check(outage: Outage) -> Iterator[str]:
        seen = outage.during["transfer"]
        got = seen.data["status"] if seen.data else ", ".join(seen.codes)
        if got not in wanted:
            yield f"answered {got}"

    return check


def _no_transfer_is_answered(outage: Outage) -> Iterator[str]:
    for question in ("transfer", "lookup"):
        seen = outage.during[question]
        if seen.data or not seen.codes:
            yield f"{question} answered {seen.data}"


def _completed_later(outage: Outage) -> Iterator[str]:
    if _status(outage.during["lookup"]) != "PENDING":
        yield f"looked up during it: {outage.during['lookup'].data}"
    if _status(outage.after["lookup"]) != "COMPLETED":
        yield f"looked up afterwards: {outage.after['lookup'].data}"


def _status(seen: Observation) -> str | None:
    return seen.data["status"] if seen.data else None


def _profile_is_stale(outage: Outage) -> Iterator[str]:
    profile = outage.during["overview"].data
    if not profile or not profile["name"]:
        yield "there is no profile"
    elif profile["freshness"]["state"] != "STALE":
        yield "the profile is not marked"


def _balance_is_stale(outage: Outage) -> Iterator[str]:
    account = (outage.during["overview"].data or {}).get("account")
    if not account:
        yield "there is no balance"
    elif account["freshness"]["state"] != "STALE" or not account["balanceAsOf"]:
        yield f"the balance is {account['freshness']} as of {account['balanceAsOf']}"


def _statement_is_stale(outage: Outage) -> Iterator[str]:
    page = outage.during["statement"].data
    if not page or not page["edges"]:
        yield "there is no statement"
    elif page["freshness"]["state"] != "STALE":
        yield "the statement is not marked"


def _statement_has_marked_names(outage: Outage) -> Iterator[str]:
    page = outage.during["statement"].data
    if not page or not page["edges"]:
        yield "there is no statement"
        return
    if page["freshness"]["state"] != "FRESH":
        yield "the rows are a copy, though transactions is up"
    for edge in page["edges"]:
        for side in filter(None, (edge["node"]["sender"], edge["node"]["receiver"])):
            if not side["name"] or (side["freshness"] or {}).get("state") != "STALE":
                yield f"a name is {side}"


def _stays_signed_in(outage: Outage) -> Iterator[str]:
    for seen in outage.during.values():
        if refused := set(seen.codes) & {"UNAUTHENTICATED", "TOKEN_EXPIRED", "FORBIDDEN"}:
            yield f"{seen.question}: {', '.join(refused)}"
    if not outage.after["refresh"].data:
        yield "the refresh token of before is no good afterwards"


def _credentials_are_refused(outage: Outage) -> Iterator[str]:
    for question in ("login", "refresh"):
        seen = outage.during[question]
        if seen.data or not set(seen.codes) & (REFUSALS | {UNKNOWN}):
            yield f"{question} answered {'a session' if seen.data else ', '.join(seen.codes)}"


def _as_before(outage: Outage) -> Iterator[str]:
    for question, seen in outage.during.items():
        if seen.data is None or seen.codes or seen.degraded:
            yield f"{question}: {', '.join(seen.codes) or 'degraded'}"
    if _status(outage.during["transfer"]) != "COMPLETED":
        yield f"the transfer is {outage.during['transfer'].data}"


PROMISES = (
    Promise("every operation is answered within its deadline", _answered),
    Promise("a null has a coded error", _nulls_are_coded),
    Promise("a copy is marked, in the data and in `extensions.degraded`", _copies_are_marked),
    Promise("money moves once per key, and the balance tells of it", _money_moved_once),
    Promise("what was refused was not accepted", _refused_is_not_accepted),
    Promise("all is fresh before and after", _well_outside),
    Promise(
        "the statement is live, with names marked as stale", _statement_has_marked_names, ("users",)
    ),
    Promise("the profile is a copy", _profile_is_stale, ("users",)),
    Promise("who is signed in stays so", _stays_signed_in, ("users", "postgres")),
    Promise("transfers are carried out", _transfer("COMPLETED"), ("users", "valkey")),
    Promise(
        "signing in and renewing get a coded refusal",
        _credentials_are_refused,
        ("users", "postgres"),
    ),
    Promise("transfers are accepted as PENDING", _transfer("PENDING"), ("ledger",)),
    Promise("and complete later, as their key tells", _completed_later, ("ledger",)),
    Promise("the balance is a copy, with `balanceAsOf`", _balance_is_stale, ("ledger",)),
    Promise("the statement is a copy", _statement_is_stale, ("transactions",)),
    Promise(
        "transfers and look-ups get a coded answer, never a guess",
        _no_transfer_is_answered,
        ("transactions", "postgres"),
    ),
    Promise("everything is answered as before", _as_before, ("valkey",)),
)
