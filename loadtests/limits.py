"""Bounds of the load, each with its reason."""

from typing import Final

MAX_USERS: Final = 200
"""Users of one process. Each has an address of its own (the last part of an IPv4 address), and enrolling
them costs the platform a password hash each."""

CLIENT_SECONDS: Final = 12.0
"""Longest that a client waits: the gateway ends every operation within 10 s, so that an answer that takes
longer is lost."""

CONNECT_SECONDS: Final = 3.0
"""Longest that a connection may take: on one machine, or in one data centre, far more than it needs."""

BACKLOG_SECONDS: Final = 10.0
"""Arrivals that may wait for a free user, in seconds of the load's rate: a person who has not even been
served the first byte by then has gone away."""

MIN_BACKLOG: Final = 10
"""Fewest arrivals that may wait: with a low rate, ten seconds of it would be hardly any."""

DRAIN_SECONDS: Final = 5.0
"""How long users go on with what waits and what they have begun after the last arrival. On a platform that is
well it takes no time; on one that is not, what has no answer by then is looked up instead."""

RESOLVE_SECONDS: Final = 60.0
"""How long keys whose fate is open are looked up after that, as `chaos.history` does."""

RESOLVERS: Final = 8
"""Keys that are looked up at the same time."""

ENROLLERS: Final = 3
"""Users who register at the same time: passwords are hashed one by one, and a queue of sixteen is shared
with whoever else signs in."""

ENROL_SECONDS: Final = 120.0
"""Longest that letting one user in may take, unless told; it outlasts the window of a rate limit."""

SEND_ATTEMPTS: Final = 8
"""Times that one idempotency key, or one refresh token, is sent in a journey. With full jitter up to 2 s
some 6 s: whoever is still not served by then looks again later."""

LOOK_UPS: Final = 6
"""Times that a PENDING payment is looked up in its journey; what is still open is looked up at the end."""

BACKOFF_SECONDS: Final = (0.1, 2.0)
"""Ceiling of the first pause and of any, before full jitter."""

MAX_PAUSE: Final = 5.0
"""Longest that a user waits because the platform asked for it: whoever is told to wait longer gives up."""

REFRESH_GRACE_SECONDS: Final = 25.0
"""How long the same refresh token may be sent again. The platform allows 30 s after its first use; the
answer must be back by then."""

READ_SECONDS: Final = 0.25
"""Between two samples of all accounts, for the law that no money is made or lost."""
