"""`python -m tests.prove run [NAME…]` proves what is stale or named; `stale` names what is.

Resumable: what holds and has not changed since is passed over, so an interrupted run goes on where it was.
"""

import asyncio
import fnmatch
import sys
import time
import traceback
from collections.abc import Sequence

from tests.prove.catalogue import PROOFS
from tests.prove.ledger_of_proofs import RESULTS, Figures, Proof, table

MAX_SECONDS = 1_500.0
"""Longest that one proof may take."""


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 all hold, 1 one does not, 2 wrong usage."""
    match list(arguments):
        case ["stale"]:
            return _stale()
        case ["run", *names]:
            return _run(names)
    print("usage: python -m tests.prove run [NAME or PATTERN…] | stale", file=sys.stderr)
    return 2


def _stale() -> int:
    for proof in PROOFS:
        reason = proof.stale_because()
        if reason:
            print(f"stale proof: {proof.name} ({reason}); renew it with `make prove`")
    return 0


def _chosen(names: Sequence[str]) -> list[Proof]:
    if not names:
        return [proof for proof in PROOFS if proof.stale_because()]
    return [proof for proof in PROOFS if any(fnmatch.fnmatch(proof.name, name) for name in names)]


def _run(names: Sequence[str]) -> int:
    chosen = _chosen(names)
    if names and not chosen:
        print(f"no proof is called {' or '.join(names)}", file=sys.stderr)
        return 2
    if not chosen:
        print("nothing to prove: every result is current")
    failed = 0
    for number, proof in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {proof.name}: {proof.shows}", flush=True)
        failed += not _prove(proof)
        RESULTS.joinpath("README.md").write_text(table(PROOFS))
    return 1 if failed else 0


def _prove(proof: Proof) -> bool:
    started = time.monotonic()
    figures: Figures = {}
    try:
        figures = asyncio.run(_bounded(proof))
        holds = True
    except Exception as error:  # noqa: BLE001 - whatever goes wrong, the proof does not hold
        traceback.print_exc()
        figures = {"error": type(error).__name__}
        holds = False
    seconds = time.monotonic() - started
    proof.keep(holds=holds, figures=figures, seconds=seconds)
    told = ", ".join(f"{key} {value}" for key, value in figures.items())
    print(f"    {'holds' if holds else 'DOES NOT HOLD'} after {seconds:.0f} s: {told}", flush=True)
    return holds


async def _bounded(proof: Proof) -> Figures:
    async with asyncio.timeout(MAX_SECONDS):
        return await proof.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
