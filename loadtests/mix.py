"""Who does what: the weights of journeys, and the cohorts of users, as the command line writes them."""

import random
from collections.abc import Collection, Mapping

from loadtests.limits import MAX_USERS


def weights(text: str, known: Collection[str] | None = None) -> dict[str, float]:
    """Read `overview=4,pay=3`: positive weights by name.

    Raises:
        ValueError: says which part is wrong, and what there is to choose from.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition("=")
        try:
            found[name] = float(weight or 1)
        except ValueError:
            raise ValueError(f"{part.strip()!r} is not name=weight") from None
        if not 0 < found[name] < float("inf"):
            raise ValueError(f"the weight of {name} must be positive")
        if known is not None and name not in known:
            raise ValueError(f"there is no {name!r}; choose from {', '.join(sorted(known))}")
    return found


def cohorts(shares: Mapping[str, float], users: int, seed: int) -> tuple[str, ...]:
    """The cohort of each user: as near to the shares as whole users can be, in a seeded order."""
    if not 1 <= users <= MAX_USERS:
        raise ValueError(f"users must be between 1 and {MAX_USERS}")
    total = sum(shares.values())
    exact = {name: users * share / total for name, share in shares.items()}
    counts = {name: int(part) for name, part in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: users - sum(counts.values())]:
        counts[name] += 1
    members = [name for name in shares for _ in range(counts[name])]
    random.Random(f"cohorts {seed}").shuffle(members)  # noqa: S311 - repeatable, not secret
    return tuple(members)
