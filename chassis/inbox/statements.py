"""The inbox worker's statements."""

from sqlalchemy import text

# The oldest open message of every key after `after`, in the order of keys: an index probe per key,
# however many messages wait behind a parked one. The recursion stops when the limit is reached.
READY = text(
    """
WITH RECURSIVE head AS (
    (SELECT key, state, next_attempt_at FROM inbox
     WHERE consumer = :consumer AND state <> 'done' AND key > :after
     ORDER BY key, seq LIMIT 1)
    UNION ALL
    SELECT next.* FROM head CROSS JOIN LATERAL (
        SELECT key, state, next_attempt_at FROM inbox
        WHERE consumer = :consumer AND state <> 'done' AND key > head.key
        ORDER BY key, seq LIMIT 1
    ) AS next
)
SELECT key FROM head
WHERE state = 'pending' AND next_attempt_at <= clock_timestamp()
LIMIT :limit
"""
)
# The inner look finds the head; the outer one locks it and looks again whether it is still open, as
# another replica may have finished it in between.
HEAD = text(
    """
SELECT message_id, payload, attempts, failures FROM inbox
WHERE consumer = :consumer AND message_id = (
    SELECT message_id FROM inbox
    WHERE consumer = :consumer AND key = :key AND state <> 'done'
    ORDER BY seq LIMIT 1
) AND state = 'pending' AND next_attempt_at <= clock_timestamp()
FOR UPDATE SKIP LOCKED
"""
)
DONE = text(
    "UPDATE inbox SET state = 'done', done_at = clock_timestamp(), payload = NULL,"
    " attempts = attempts + 1 WHERE consumer = :consumer AND message_id = :message_id"
)
FAILED = text(
    "UPDATE inbox SET state = :state, attempts = attempts + 1, failures = :failures,"
    " last_error = :code,"
    " next_attempt_at = clock_timestamp() + make_interval(secs => :pause)"
    " WHERE consumer = :consumer AND message_id = :message_id"
    " AND state = 'pending' AND attempts = :attempts"
)
PRUNE = text(
    "DELETE FROM inbox WHERE (consumer, message_id) IN ("
    " SELECT consumer, message_id FROM inbox WHERE state = 'done'"
    " AND done_at < clock_timestamp() - make_interval(days => :days)"
    " ORDER BY done_at LIMIT :batch FOR UPDATE SKIP LOCKED)"
)
STATS = text(
    "SELECT count(*) FILTER (WHERE state = 'pending') AS pending,"
    " count(*) FILTER (WHERE state = 'parked') AS parked,"
    " extract(epoch FROM clock_timestamp() - min(received_at)) AS oldest_age"
    " FROM (SELECT state, received_at FROM inbox"
    " WHERE consumer = :consumer AND state <> 'done' LIMIT :limit) AS open"
)
