"""Messages as Alertmanager posts them to Slack: those of a real one, with its links' hosts replaced."""

from typing import Any

RUNBOOKS = "https://github.com/baluarte/baluarte/blob/main/docs/runbooks"


def message(
    alert: str = "ServiceDown",
    service: str = "users",
    *,
    firing: bool = True,
    drill: bool = True,
    severity: str = "page",
    **changes: Any,
) -> dict[str, Any]:
    """One about an alert; `changes` are keys of its attachment."""
    state = severity.upper() if firing else "RESOLVED"
    title = f"[{state}{' · game day' if drill else ''}] {alert} · {service}"
    colours = {"page": "danger", "warn": "warning", "info": "#439fe0"}
    summary = f"*No process of {service} answers*"
    told = f"{summary}\nEvery scrape of {service} has failed for a minute.\nSince 10:00:00 UTC.\n"
    over = f"{summary}: over.\nIt lasted 4s, from 10:00:00 to 10:00:04 UTC.\n"
    actions = [
        {"type": "button", "text": "Runbook", "url": f"{RUNBOOKS}/{alert}.md" if firing else ""},
        {"type": "button", "text": "Dashboard", "url": "http://localhost:3000/d/baluarte-overview"},
    ]
    attachment = {
        "title": title,
        "title_link": "http://127.0.0.1:9093/#/alerts?filter=%7Balertname%3D%22ServiceDown%22%7D",
        "text": told if firing else over,
        "fallback": title,
        "mrkdwn_in": ["text"],
        "color": colours[severity] if firing else "good",
        "actions": actions,
    }
    attachment["actions"] = [
        {"type": "button", "text": "Runbook", "url": f"{RUNBOOKS}/{alert}.md"},
        actions[1],
    ]
    channel = "#baluarte-gameday" if drill else f"#baluarte-{severity}"
    return {"channel": channel, "username": "", "attachments": [attachment | changes]}
