"""`docs/metrics.md`: every metric of every process, from the processes themselves.

Each is composed as its `app.py` composes it, with settings under which nothing connects, and asked what
it shows. So the page needs no table of its own that could fall behind.
"""

import importlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from baluarte.supervisor.measures import Measures
from chassis.credentials import generate_keys
from chassis.metrics import Described, Metrics
from chassis.settings import SERVICES

MODULES = {
    name: "graphql_api.app" if name == "gateway" else f"services.{name}.app" for name in SERVICES
}

SUPERVISOR = "supervisor"

ANNOUNCED = (
    Described(
        "chaos_experiment_runs_total",
        "counter",
        "Experiments by verdict",
        ("experiment", "verdict"),
    ),
    Described("store_orders_total", "counter", "Orders by outcome", ("outcome",)),
    Described(
        "store_products_below_reorder_level", "gauge", "Products that want to be ordered again", ()
    ),
    Described(
        "loyalty_bonus_oldest_pending_age_seconds", "gauge", "Age of the oldest unpaid bonus", ()
    ),
    Described(
        "exchange_rate_last_update_timestamp_seconds", "gauge", "When rates were last renewed", ()
    ),
)
"""Rules and dashboards know these already; a process that shows one is found by a test, which wants it
taken out of here."""

_HEAD = """<!-- DO NOT EDIT: generated from the composed processes by `make generate`. -->
# Metrics

What each process tells at `/metrics`: in OpenMetrics, with exemplars, to a scraper that asks for it, else
in the text format. Durations and ages are seconds, and every threshold of an objective is an edge of a
bucket. How they are scraped, judged and drawn: [observability.md](observability.md).

- **Labels are bounded.** `operation` is the root field's name from the schema, `several` for an operation
  with more than one root field (counting it under each would count a request twice, and under one would
  blame that one for all), and `other` for introspection and for what was refused before it was known to
  be an operation. A client's operation name, a user, an account or a trace is never a label.
- **`service` is what a series is about, `job` who tells it.** Where a process tells of something else
  (`service="users"` at the gateway is the gateway's view of users), its own label stands
  (`honor_labels`); else the scraper adds the process' name. So an outage of users and what others see of
  it have one label in common.
- **Combinations exist at 0 beforehand**, so that a first error is a step; those of an open set (`code`,
  `type`) appear when they happen. `NaN` stands for what a process cannot know now, such as a queue while
  the bus is away.
- **`chaos_*` exist under `--chaos` only**, where a process has a fault point.
- **Exemplars** name the trace of an observation, if that trace is kept (`traceparent` with the sampled
  flag).

| metric | type | labels | told by | meaning |
|---|---|---|---|---|
"""

_ANNOUNCED_HEAD = """
## Announced

Rules and dashboards know these; they arrive with the process that tells them.

| metric | type | labels | meaning |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Told:
    """A metric and the processes that tell it."""

    metric: Described
    processes: tuple[str, ...]


async def catalogue() -> list[Told]:
    """Every metric of every process, by name."""
    found: dict[str, list[str]] = {}
    known: dict[str, Described] = {}
    with tempfile.TemporaryDirectory() as folder:
        generate_keys(Path(folder), SERVICES)
        for process in SERVICES:
            async with composed(process, Path(folder)) as metrics:
                for metric in metrics.described:
                    if known.setdefault(metric.name, metric) != metric:
                        raise ValueError(f"{metric.name} is not the same in every process")
                    found.setdefault(metric.name, []).append(process)
    for metric in Measures(lambda: {"parts": []}).metrics.described:
        if known.setdefault(metric.name, metric) != metric:
            raise ValueError(f"{metric.name} is not the same in every process")
        found.setdefault(metric.name, []).append(SUPERVISOR)
    return [Told(known[name], tuple(found[name])) for name in sorted(found)]


@asynccontextmanager
async def composed(process: str, folder: Path) -> AsyncIterator[Metrics]:
    """The metrics of a process that is put together and not started."""
    environ = {
        "BALUARTE_STATE_DIR": str(folder),
        "BALUARTE_KEYS_DIR": str(folder),
        "BALUARTE_REDIS_URL": "redis://127.0.0.1:1",
        "BALUARTE_BUS_DATABASE_URL": "postgresql://127.0.0.1:1/bus",
        f"BALUARTE_{process.upper()}_DATABASE_URL": f"postgresql://127.0.0.1:1/{process}",
        "BALUARTE_CHAOS_TOKEN": "x" * 43,
    }
    app: Starlette
    app, _ = await importlib.import_module(MODULES[process]).compose(environ)
    app.build_middleware_stack()
    try:
        yield app.state.metrics
    finally:
        await app.state.registry.close()


async def page() -> str:
    """`docs/metrics.md`."""
    rows = [
        f"| `{told.metric.name}` | {told.metric.kind} | {_labels(told.metric)} "
        f"| {_processes(told.processes)} "
        f"| {told.metric.help} |\n"
        for told in await catalogue()
    ]
    announced = [
        f"| `{metric.name}` | {metric.kind} | {_labels(metric)} | {metric.help} |\n"
        for metric in ANNOUNCED
    ]
    return "".join((_HEAD, *rows, _ANNOUNCED_HEAD, *announced))


def _processes(names: tuple[str, ...]) -> str:
    if set(names) < set(SERVICES) or names == (SUPERVISOR,):
        return ", ".join(names)
    return "all, supervisor" if SUPERVISOR in names else "all"


def _labels(metric: Described) -> str:
    return ", ".join(f"`{label}`" for label in metric.labels)
