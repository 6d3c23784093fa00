"""A gateway that asks the replicas of a service in turn, however sick one of them is."""

from collections.abc import Iterator

from chassis import client
from chassis.replicas import Replicas, Try
from chassis.server import run
from graphql_api.app import compose


class Blind(Replicas):
    """One replica for each call, the next for the next."""

    def in_turn(self) -> Iterator[Try]:
        self._turn = (self._turn + 1) % len(self._urls)
        yield Try(self._urls[self._turn], None, self._clock.monotonic())


if __name__ == "__main__":
    client.Replicas = Blind  # type: ignore[attr-defined]
    run("gateway", compose)
