"""The pages that people look at, in a real browser that reaches no other machine."""

import re

import pytest

from chassis.contract import Operations
from services.ledger.contract import OPERATIONS as LEDGER
from services.users.contract import OPERATIONS as USERS
from tests.kill.platform import Platform
from tests.system import chromium

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_graphiql_is_drawn(system: Platform) -> None:
    """Editor, panes and the first query are there; "Loading" is not what it stays at."""
    page = await chromium.rendered(f"{system.url}/graphql")
    text = re.sub(r"<[^>]+>|\s+", "", page)
    assert "graphiql-execute-button" in page
    assert "graphiql-editor" in page
    assert "queryOverview" in text, "the first query is in the editor"
    assert "LoadingGraphiQL" not in text


@pytest.mark.parametrize(("service", "operations"), [("users", USERS), ("ledger", LEDGER)])
async def test_swagger_is_drawn(system: Platform, service: str, operations: Operations) -> None:
    """Each operation of the service is listed with its path, from the document that it serves itself."""
    page = await chromium.rendered(f"{system.base(service)}/docs")
    assert page.count('class="opblock ') == len(operations)
    for operation in operations:
        assert f'data-path="{operation.path}"' in page
