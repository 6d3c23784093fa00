"""A process that counts nothing: `python -m benchmarks.observability.muted gateway`.

An alternative composition root. All else stays, the hooks that feed the metrics and their looks at the clock
too, so the difference to a plain process is what metrics themselves cost: look-up of labels, counting,
exemplars.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

from chassis.metrics import Metrics
from chassis.server import Compose, run
from graphql_api.app import compose as compose_gateway
from services.users.app import compose as compose_users

PROCESSES: Mapping[str, Compose] = {"gateway": compose_gateway, "users": compose_users}


class Mute:
    """Takes what a counter, a gauge or a histogram is told, and forgets it."""

    def labels(self, *_: object, **__: object) -> Self:
        return self

    def observe(self, *_: object) -> None:
        """Nothing."""

    inc = dec = set = set_function = observe


MUTE = Mute()


def mute() -> None:
    """From here on, `Metrics` makes metrics that forget."""

    def made(_: Metrics, __: str, ___: str, **____: Sequence[Any]) -> Any:
        return MUTE

    Metrics.counter = cast("Any", made)  # type: ignore[method-assign]
    Metrics.gauge = cast("Any", made)  # type: ignore[method-assign]
    Metrics.histogram = cast("Any", made)  # type: ignore[method-assign]


if __name__ == "__main__":
    mute()
    run(sys.argv[1], PROCESSES[sys.argv[1]])
