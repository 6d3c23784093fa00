"""How options validate themselves: every broken rule at once, each with the option's name."""

from typing import NamedTuple

__all__ = ["InvalidOptionsError", "Rule", "require"]


class Rule(NamedTuple):
    """One thing that must hold for an option, and what to say when it does not."""

    holds: bool
    option: str
    otherwise: str


class InvalidOptionsError(ValueError):
    """Options that contradict themselves or make no sense, with every broken rule."""

    def __init__(self, options: str, broken: tuple[Rule, ...]) -> None:
        super().__init__(
            f"{options}: " + "; ".join(f"{rule.option} {rule.otherwise}" for rule in broken)
        )
        #: (option, what is wrong with it) for each broken rule.
        self.problems = tuple((rule.option, rule.otherwise) for rule in broken)


def require(options: object, *rules: Rule) -> None:
    """Raise `InvalidOptionsError` with every rule that does not hold."""
    broken = tuple(rule for rule in rules if not rule.holds)
    if broken:
        raise InvalidOptionsError(type(options).__name__, broken)
