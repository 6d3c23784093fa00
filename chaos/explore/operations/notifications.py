"""Notifications."""

from chaos.explore.operations.operation import FRESHNESS, TRANSACTION, Operation

OPERATIONS = (
    Operation(
        "notifications",
        f"""query News {{
          notifications(first: 2) {{
            {FRESHNESS}
            edges {{ node {{
              id type title body status createdAt transactionId transaction {{ {TRANSACTION} }}
            }} }}
          }}
        }}""",
        copies=True,
    ),
)
