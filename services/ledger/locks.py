"""The lock order of the ledger, and every statement that locks more than one row.

Accounts by id, in one statement. Nothing more is needed: a transfer, its entries and its hold belong to
accounts that are locked before anything about them is read, so their rows are guarded by those locks.
`FOR NO KEY UPDATE` lets readers and foreign keys pass. The one conflict that the locks do not order is
one id posted with other accounts at the same time: there the primary key decides, and the loser of
that race is posted alone and finds the winner's row.
"""

from typing import Final

ACCOUNTS_BY_ID: Final = """
SELECT id, owner_id, currency, balance, held, overdraft, active, version, now() AS now
FROM accounts WHERE id = ANY($1::uuid[])
ORDER BY id
FOR NO KEY UPDATE
"""

LOCK_TIMEOUT_MS: Final = 1_000
"""Longest wait for one account's lock, milliseconds: locks are held for one batch, which takes some
tens; whoever holds one longer is stuck, and the accounts of others must not wait for it."""
