"""Whether the exploration left the money as it must be: the checks that need no client's history."""

from typing import Final

from chaos.explore.port import PlatformError
from chaos.history.auditor import Auditor
from chaos.history.case import Case
from chaos.history.checks import REGISTRY
from chaos.history.events import History, header
from chaos.history.snapshot import AuditError, Urls
from chaos.history.state import ServerState
from chaos.history.verdict import Verdict, conclude
from chaos.roster import Roster

CHECKS: Final = ("conserved", "solvent", "two-legs", "replay", "delivered", "settled", "held")
"""By SQL alone: every balance is the replay of its entries, their sum is zero, nothing is left over."""


async def complaints(roster: Roster) -> list[str]:
    """What is wrong with the money, once all has come to rest. Raises `PlatformError`."""
    databases = roster.databases
    try:
        urls = Urls(databases["ledger"], databases["transactions"], databases["notifications"])
        async with Auditor(urls) as auditor:
            return judged(await auditor.state())
    except KeyError as error:
        raise PlatformError(f"the roster names no database of {error}") from None
    except AuditError as error:
        raise PlatformError(f"the auditor: {error}") from None


def judged(state: ServerState) -> list[str]:
    """What is wrong in a snapshot."""
    case = Case(History(header(), ()), state)
    results = [conclude(REGISTRY[name], case) for name in CHECKS]
    return [
        f"{result.check.law}: {line}"
        for result in results
        if result.verdict is Verdict.VIOLATED
        for line in result.evidence
    ]
