"""GraphiQL: in development only, offline, under a strict policy."""

import re

import pytest

from chassis.settings import Environment
from graphql_api.graphiql import HERE
from graphql_api.graphiql.vendor import ASSETS, PACKAGES
from tests.graphql_api.driving import Gateway, in_environment
from tests.graphql_api.fakes import Platform

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def development(platform: Platform) -> Gateway:
    """A gateway in development."""
    return Gateway(platform, in_environment(Environment.DEVELOPMENT))


async def test_a_browser_gets_the_page(development: Gateway) -> None:
    """At /graphql, with a policy that lets nothing in from elsewhere; / leads there."""
    reply = await development.get("/graphql", BROWSER)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/html")
    policy = reply.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    assert (await development.get("/", BROWSER)).headers["location"] == "/graphql"


async def test_a_browser_with_a_query_gets_data(development: Gateway) -> None:
    """An operation in the address is executed, not shown a page."""
    reply = await development.get("/graphql", BROWSER, query="{ __typename }")
    assert reply.json == {"data": {"__typename": "Query"}}


async def test_everything_the_page_needs_is_ours(development: Gateway) -> None:
    """Each script and style is served from here; the page names no other host and has no inline script."""
    html = (await development.get("/graphql", BROWSER)).body.decode()
    assert not re.search(r"https?://", html)
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    links = re.findall(r'(?:src|href)="(/[^"]+)"', html)
    assert len(links) == 6
    for link in links:
        reply = await development.get(link)
        assert reply.status == 200, link
        assert reply.body


@pytest.mark.parametrize("environment", [Environment.TEST, Environment.PRODUCTION])
async def test_elsewhere_there_is_no_page(platform: Platform, environment: Environment) -> None:
    """Outside development a browser's visit is a malformed request, and no asset exists."""
    gateway = Gateway(platform, in_environment(environment))
    reply = await gateway.get("/graphql", BROWSER)
    assert (reply.status, reply.codes) == (400, ["BAD_REQUEST"])
    assert (await gateway.get("/graphiql/start.js")).status == 404
    assert (await gateway.get("/")).status == 404


async def test_no_file_outside_is_served(development: Gateway) -> None:
    """A path that climbs out of the assets finds nothing."""
    for path in (
        "/graphiql/../page.html",
        "/graphiql/%2e%2e/vendor.py",
        "/graphiql/..%2fvendor.py",
    ):
        assert (await development.get(path)).status == 404


def test_every_vendored_file_has_its_licence() -> None:
    """What `vendor.py` lists is there, each package with its licence text."""
    for package in PACKAGES:
        for target in package.files.values():
            assert (ASSETS / target).stat().st_size > 0
        assert f"LICENSE.{package.name}.txt" in package.files.values()
    own = {"start.js", "start.css", "NOTICE.txt"}
    listed = {target for package in PACKAGES for target in package.files.values()}
    assert {path.name for path in ASSETS.iterdir()} == own | listed
    assert (HERE / "page.html").exists()
