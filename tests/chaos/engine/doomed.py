"""An engine that will be killed: it puts faults into a real proxy and waits for its end.

python -m tests.chaos.engine.doomed PROXY_URL
"""

import asyncio
import sys
import time

from chaos.engine.owners import appointed
from chaos.engine.plan import make_plan
from chaos.engine.ports import World
from chaos.engine.run import Engine
from chaos.owners import crew
from chaos.record import Outcome, Run
from chaos.roster import Edge, Owner, OwnerKind, Roster
from tests.chaos.engine.fakes import SCENARIO, Load, Pages, scenario

LEASE_SECONDS = 2.5
"""So that the test need not wait for ten."""

FAULTS = (
    "  - {for: 2 min, edge: users-postgres, type: latency, latency: 300 ms}\n"
    "  - {for: 2 min, edge: users-valkey, type: down}\n"
)


async def main(url: str) -> None:
    roster = Roster(
        gateway="",
        supervisor_token="",
        chaos_token="",
        owners=(Owner(kind=OwnerKind.PROXIES, name="proxies", url=url),),
        edges=tuple(
            Edge(name=name, source="users", target=name)
            for name in ("users-postgres", "users-valkey")
        ),
    )
    one = "  - {at: 0 s, for: 5 s, process: users, type: error, status: 503}\n"
    text = SCENARIO.replace(one, FAULTS).replace("baseline: 4 s", "baseline: 500 ms")
    plan = make_plan(scenario(text), 1, roster, lease=LEASE_SECONDS)
    start = time.monotonic()
    now = lambda: time.monotonic() - start  # noqa: E731
    async with crew(roster) as owners:
        world = World(
            owners=dict(appointed(owners)),
            load=Load(now, lambda _: (Outcome.FRESH, 0.01)),
            pages=Pages(lambda: "closed"),
        )
        engine = Engine(
            plan, world, Run(id="doomed", scenario="s", title="t"), time.monotonic, start
        )
        run = await engine.run()
        print(run.verdict, run.reason)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
