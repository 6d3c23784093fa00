"""What the bank does for its customers."""

from monitoring.grafana.panel import RATE, Board, Panel, Query, Row, quantiles, rate

BOARD = Board(
    "baluarte-business",
    "Baluarte / Business",
    "Transfers, sign-ins, notifications, store and bonuses.",
    (
        Row(
            "Money",
            (
                Panel(
                    "Transfers",
                    "That reached their outcome, by type.",
                    "ops",
                    (rate("bank_transfers_total", "", "type, outcome", "{{type}} {{outcome}}"),),
                ),
                Panel(
                    "Share of failed transfers",
                    "For want of funds, a closed account and the like; an outage does not fail a transfer.",
                    "percentunit",
                    (
                        Query(
                            f'sum(rate(bank_transfers_total{{outcome="failed"}}{RATE}))'
                            f" / (sum(rate(bank_transfers_total{RATE})) > 0)",
                            "failed",
                        ),
                    ),
                ),
                Panel(
                    "Told PENDING",
                    "Requests that were answered before the outcome was known, beside all accepted.",
                    "ops",
                    (
                        Query(f"sum(rate(bank_transfers_accepted_total{RATE}))", "accepted"),
                        Query(
                            f"sum(rate(bank_transfers_answered_pending_total{RATE}))",
                            "told PENDING",
                        ),
                    ),
                ),
                Panel(
                    "Time to the outcome",
                    "As customers experience it.",
                    "s",
                    quantiles("saga_duration_seconds"),
                ),
                Panel(
                    "Repeated requests",
                    "Idempotency keys that came again: with the same request, or with another one.",
                    "ops",
                    (
                        Query(f"sum(rate(idempotent_replays_total{RATE}))", "replays"),
                        Query(f"sum(rate(idempotency_conflicts_total{RATE}))", "conflicts"),
                    ),
                ),
            ),
        ),
        Row(
            "People",
            (
                Panel(
                    "Sign-ins",
                    "By outcome. Many refused ones may be somebody who guesses.",
                    "ops",
                    (rate("users_logins_total", "", "outcome", "{{outcome}}"),),
                ),
                Panel(
                    "Waiting for password hashing",
                    "The pool is bounded: beyond it sign-ins are shed.",
                    "none",
                    (Query("max(users_password_hashing_waiting)", "waiting"),),
                ),
                Panel(
                    "Notifications",
                    "Attempts to deliver, by channel and outcome.",
                    "ops",
                    (
                        rate(
                            "notifications_delivery_attempts_total",
                            "",
                            "channel, outcome",
                            "{{channel}} {{outcome}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            "Store and bonuses",
            (
                Panel(
                    "Orders",
                    "By outcome; arrives with the store.",
                    "ops",
                    (rate("store_orders_total", "", "outcome", "{{outcome}}"),),
                ),
                Panel(
                    "Products to order again",
                    "Below their reorder level; arrives with the store.",
                    "none",
                    (Query("max(store_products_below_reorder_level)", "products"),),
                ),
                Panel(
                    "Oldest unpaid bonus",
                    "Above 5 minutes warns; arrives with loyalty.",
                    "s",
                    (Query("max(loyalty_bonus_oldest_pending_age_seconds)", "bonus"),),
                    limit=300.0,
                ),
            ),
        ),
    ),
)
