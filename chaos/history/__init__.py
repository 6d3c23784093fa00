"""Proof of money: drive the platform, write down what clients were told, and judge it.

run = await drive(DriveConfig(), client, "run.jsonl", sampler=auditor)
check(read_history(run.path), await auditor.state()).raise_if_invalid()
"""

from chaos.history.auditor import Auditor
from chaos.history.checker import MoneyError, Report, check
from chaos.history.driver import DriveConfig, Progress, Run, drive
from chaos.history.events import History, HistoryError, read_history
from chaos.history.graphql import EnrolError, GraphQLClient
from chaos.history.snapshot import AuditError, Urls
from chaos.history.state import ServerState, load_state, save_state
from chaos.history.verdict import Verdict
from chaos.history.workload import Mix

__all__ = [
    "AuditError",
    "Auditor",
    "DriveConfig",
    "EnrolError",
    "GraphQLClient",
    "History",
    "HistoryError",
    "Mix",
    "MoneyError",
    "Progress",
    "Report",
    "Run",
    "ServerState",
    "Urls",
    "Verdict",
    "check",
    "drive",
    "load_state",
    "read_history",
    "save_state",
]
