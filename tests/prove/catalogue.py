"""Every proof of the long tier, in the order in which they run."""

from tests.prove.ledger_of_proofs import Proof

PROOFS: tuple[Proof, ...] = ()
