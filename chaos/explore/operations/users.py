"""Profiles."""

from chaos.explore.operations.operation import (
    ACCOUNT,
    FRESHNESS,
    PROFILE,
    TRANSACTION,
    Actor,
    Effect,
    Operation,
)

_WHOLE = f"""
{PROFILE}
account {{ {ACCOUNT} }}
transactions(first: 3) {{ {FRESHNESS} edges {{ node {{ {TRANSACTION} }} }} }}
"""

OPERATIONS = (
    Operation(
        "me",
        f"query Me {{ me {{ {_WHOLE} }} }}",
        copies=True,
    ),
    Operation(
        "user",
        f"query User($id: ID!) {{ user(id: $id) {{ {_WHOLE} }} }}",
        Actor.STAFF,
        lambda scene: {"id": scene.customer.id},
        copies=True,
    ),
    Operation(
        "users",
        f"""query Users($search: String!) {{
          users(first: 3, search: $search) {{ {FRESHNESS} edges {{ node {{ {PROFILE} }} }} }}
        }}""",
        Actor.STAFF,
        lambda scene: {"search": scene.customer.email},
    ),
    Operation(
        "updateProfile",
        f"""mutation Move($input: UpdateProfileInput!) {{
          updateProfile(input: $input) {{ {PROFILE} }}
        }}""",
        variables=lambda scene: {"input": {"address": f"Rua {scene.word}"}},
        effect=Effect.ADDRESS,
    ),
    Operation(
        "updateBankingDetails",
        f"""mutation Bank($input: UpdateBankingDetailsInput!) {{
          updateBankingDetails(input: $input) {{ {PROFILE} }}
        }}""",
        variables=lambda scene: {
            "input": {
                "agency": "0001",
                "accountNumber": f"7{scene.number:06}-1",
                "accountType": "SAVINGS",
            }
        },
        effect=Effect.BANKING_DETAILS,
    ),
    Operation(
        "setUserActive",
        f"""mutation Activate($input: SetUserActiveInput!) {{
          setUserActive(input: $input) {{ {PROFILE} }}
        }}""",
        Actor.STAFF,
        lambda scene: {"input": {"userId": scene.other.id, "active": False}},
        effect=Effect.ACTIVATION,
    ),
)
