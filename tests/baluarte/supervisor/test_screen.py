"""What the operator sees."""

import io

from rich.console import Console

from baluarte.supervisor.screen import duration, show_state

STATE = {
    "parts": [
        {
            "name": "notifications",
            "state": "backoff",
            "pid": 4_194_303,
            "restarts": 12,
            "uptimeSeconds": 90_061.0,
            "url": "postgresql://127.0.0.1:65535",
            "reason": "was ended by signal 9; starting again in 0.2 s, after a reason that is long",
        },
        {
            "name": "users",
            "state": "starting",
            "pid": None,
            "restarts": 0,
            "uptimeSeconds": None,
            "url": None,
            "reason": None,
        },
    ]
}


def test_nothing_of_the_state_is_cut() -> None:
    """On a narrow terminal, or piped, each part has one whole line with all that is known of it."""
    out = io.StringIO()
    show_state(STATE, Console(file=out, width=40, soft_wrap=True))
    heading, notifications, users = out.getvalue().rstrip().splitlines()
    assert heading.split() == ["part", "state", "pid", "restarts", "uptime", "url"]
    for told in ("4194303", "12", "25 h 1 min", "postgresql://127.0.0.1:65535", "that is long"):
        assert told in notifications
    assert users.split() == ["users", "starting", "–", "0", "–", "–"]


def test_durations_are_for_people() -> None:
    """Two units at most."""
    assert [duration(s) for s in (None, 8.9, 185, 7_440)] == ["–", "8 s", "3 min 5 s", "2 h 4 min"]
