"""The fault proxy under many connections for long; the suite runs a short form of it."""

from tests.chaos.proxy.soak import Soak, run_soak
from tests.prove.ledger_of_proofs import Figures, Proof

CONNECTIONS, SECONDS = 1_000, 300.0


async def _soak() -> Figures:
    soak = Soak(CONNECTIONS, SECONDS)
    figures = await run_soak(soak)
    assert soak.most_at_once >= CONNECTIONS * 0.9, f"only {soak.most_at_once} at once"
    return figures


PROOFS = (
    Proof(
        "proxy-soak",
        "a thousand connections through the fault proxy for five minutes leave nothing behind",
        _soak,
        ("chaos/proxy", "tests/chaos/proxy"),
    ),
)
