"""What the OpenAPI document admits, and what it does not, never ends in a 500."""

import asyncio

import pytest

from chassis.credentials import Credentials
from services.users.contract import OPERATIONS, Role
from tests.services.fuzzing import fuzz
from tests.services.users.running import Users


@pytest.mark.may_block  # Hypothesis holds the interpreter while it makes requests up
async def test_no_made_up_request_breaks_the_service(users: Users) -> None:
    """Right and wrong requests to every operation, by an admin through a service that may, end in a code."""
    admin = await users.staff(Role.ADMIN)
    callers = {
        item.path: "gateway" if "gateway" in item.callers else "baluarte" for item in OPERATIONS
    }
    credentials = {name: Credentials.load(users.keys_dir, name) for name in ("gateway", "baluarte")}

    def headers(path: str) -> dict[str, str]:
        return {
            "authorization": f"Bearer {credentials[callers[path]].token_for('users')}",
            "user-authorization": f"Bearer {admin.access_token}",
        }

    assert await asyncio.to_thread(fuzz, users.url, headers) > 10 * len(OPERATIONS)
