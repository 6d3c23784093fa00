"""The pages that people look at, in a real browser that reaches no other machine."""

import re

import pytest

from chassis.contract import Operations
from services.ledger.contract import OPERATIONS as LEDGER
from services.users.contract import OPERATIONS as USERS
from tests.kill.platform import Platform
from tests.system import chromium
from tests.system.clients import Services

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _answered(services: Services) -> float:
    """How many operations the gateway has answered well."""
    wanted = 'method="POST",route="/graphql",status_class="2xx"}'
    lines = (await services.page("gateway", "/metrics")).splitlines()
    found = [line for line in lines if "_duration_seconds_count{" in line and wanted in line]
    return sum(float(line.rpartition(" ")[2]) for line in found)


async def test_graphiql_is_drawn(system: Platform, services: Services) -> None:
    """Editor and first query are there, and the schema was fetched, for completion and documentation."""
    before = await _answered(services)
    page = await chromium.rendered(f"{system.url}/graphql")
    text = re.sub(r"<[^>]+>|\s+", "", page)
    assert "graphiql-execute-button" in page
    assert "graphiql-editor" in page
    assert "queryOverview" in text, "the first query is in the editor"
    assert "LoadingGraphiQL" not in text
    assert await _answered(services) == before + 1


@pytest.mark.parametrize(("service", "operations"), [("users", USERS), ("ledger", LEDGER)])
async def test_swagger_is_drawn(system: Platform, service: str, operations: Operations) -> None:
    """Each operation of the service is listed with its path, from the document that it serves itself."""
    page = await chromium.rendered(f"{system.base(service)}/docs")
    assert page.count('class="opblock ') == len(operations)
    for operation in operations:
        assert f'data-path="{operation.path}"' in page
