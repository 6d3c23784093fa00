"""Money."""

from collections.abc import Mapping
from typing import Any

from chaos.explore.operations.operation import (
    AMOUNT,
    FRESHNESS,
    TRANSACTION,
    Actor,
    Effect,
    Operation,
    Scene,
)


def _cash(scene: Scene) -> Mapping[str, Any]:
    return {"input": {"idempotencyKey": scene.key, "amount": AMOUNT}}


def _transfer(scene: Scene) -> Mapping[str, Any]:
    paid = {"idempotencyKey": scene.key, "amount": AMOUNT, "receiverId": scene.other.id}
    return {"input": paid}


def _reverse(scene: Scene) -> Mapping[str, Any]:
    return {"input": {"idempotencyKey": scene.key, "transactionId": scene.transaction}}


OPERATIONS = (
    Operation(
        "transaction",
        f"query Transaction($id: ID!) {{ transaction(id: $id) {{ {TRANSACTION} }} }}",
        variables=lambda scene: {"id": scene.transaction},
        copies=True,
    ),
    Operation(
        "transactions",
        f"""query Statement {{
          transactions(first: 3) {{
            {FRESHNESS} edges {{ node {{ {TRANSACTION} }} }} pageInfo {{ hasNextPage }}
          }}
        }}""",
        copies=True,
    ),
    Operation(
        "transfer",
        f"mutation Pay($input: TransferInput!) {{ transfer(input: $input) {{ {TRANSACTION} }} }}",
        variables=_transfer,
        effect=Effect.MONEY,
    ),
    Operation(
        "deposit",
        f"mutation PayIn($input: CashInput!) {{ deposit(input: $input) {{ {TRANSACTION} }} }}",
        variables=_cash,
        effect=Effect.MONEY,
    ),
    Operation(
        "withdraw",
        f"mutation PayOut($input: CashInput!) {{ withdraw(input: $input) {{ {TRANSACTION} }} }}",
        variables=_cash,
        effect=Effect.MONEY,
    ),
    Operation(
        "reverse",
        f"mutation Undo($input: ReverseInput!) {{ reverse(input: $input) {{ {TRANSACTION} }} }}",
        Actor.STAFF,
        _reverse,
        effect=Effect.MONEY,
        payment=True,
    ),
)
