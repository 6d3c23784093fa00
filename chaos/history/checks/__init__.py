"""The money checks, one file each. A new check is one new file and one line here."""

from typing import Final

from chaos.history.checks import (
    conserved,
    delivered,
    durable,
    held,
    one_reversal,
    replay,
    same_answer,
    sent,
    settled,
    solvent,
    two_legs,
)
from chaos.history.verdict import Check

REGISTRY: Final[dict[str, Check]] = {
    module.CHECK.name: module.CHECK
    for module in (
        conserved,
        solvent,
        two_legs,
        replay,
        durable,
        same_answer,
        sent,
        delivered,
        settled,
        held,
        one_reversal,
    )
}
"""Every check by its name, in the order of their numbers."""

__all__ = ["REGISTRY"]
