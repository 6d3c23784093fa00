"""A gateway whose rate limiter has nowhere to count without Valkey: a lost cache stops every request."""

from chassis.server import run
from graphql_api import app
from graphql_api.security.rate_limit import Store
from graphql_api.telemetry import Telemetry


def _only_shared(valkey: Store | None, telemetry: Telemetry) -> Store:
    del telemetry
    assert valkey is not None
    return valkey


if __name__ == "__main__":
    app._store = _only_shared
    run("gateway", app.compose)
