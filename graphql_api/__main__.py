"""`python -m graphql_api`: the gateway as a process."""

from chassis.server import run
from graphql_api.app import compose

if __name__ == "__main__":
    run("gateway", compose)
