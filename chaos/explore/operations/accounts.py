"""Accounts."""

from chaos.explore.operations.operation import ACCOUNT, Operation

OPERATIONS = (Operation("account", f"query Account {{ account {{ {ACCOUNT} }} }}", copies=True),)
