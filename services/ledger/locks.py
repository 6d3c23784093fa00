"""The lock order of the ledger, and every statement that locks more than one row.

Accounts by id, in one statement. Nothing more is needed: a transfer, its entries and its hold belong to
accounts that are locked before anything about them is read, so their rows are guarded by those locks.
`FOR NO KEY UPDATE` lets readers and foreign keys pass. The one conflict that the locks do not order is
one id posted with other accounts at the same time: there the primary key decides, and the loser of
that race is posted alone and finds the winner's row.
"""

from typing import Final

LOCK_TIMEOUT_MS: Final = 1_000
"""Longest wait for one account's lock, milliseconds: locks are held for one batch, which takes some
tens; whoever holds one longer is stuck, and the accounts of others must not wait for it."""

ACCOUNTS_BY_ID: Final = """
SELECT id, owner_id, currency, balance, held, overdraft, active, version, now() AS now
FROM accounts WHERE id = ANY($1::uuid[])
ORDER BY id
FOR NO KEY UPDATE
"""

ANY_KNOWN: Final = """
SELECT EXISTS (SELECT FROM ledger_transfers WHERE id = ANY($2::uuid[]))
    OR EXISTS (SELECT FROM holds WHERE transfer_id = ANY($2::uuid[]))
"""

# A function of the session, so that it has no version of its own: its text is the code's. Each of its
# statements sees what was committed when it began (a volatile function, READ COMMITTED), so the
# look-up sees whatever was committed while we waited for the locks.
DEFINE: Final = f"""
CREATE FUNCTION pg_temp.lock_and_look(accounts uuid[], transfers uuid[])
RETURNS TABLE (
    id uuid, owner_id uuid, currency text, balance bigint, held bigint, overdraft bigint,
    active boolean, version bigint, now timestamptz
) VOLATILE LANGUAGE plpgsql AS $lock_and_look$
#variable_conflict use_column
BEGIN
    RETURN QUERY {ACCOUNTS_BY_ID};
    RETURN QUERY SELECT NULL::uuid, NULL::uuid, NULL::text, NULL::bigint, NULL::bigint,
        NULL::bigint, ({ANY_KNOWN}), NULL::bigint, now();
END $lock_and_look$
"""

LOCK_AND_LOOK: Final = "SELECT * FROM pg_temp.lock_and_look($1, $2)"
"""In one round trip: lock the accounts $1 and read them, then look whether any of the ids $2 is known.
The last row tells that, as `active`, and has no `id`."""
