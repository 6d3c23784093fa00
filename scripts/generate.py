"""Renews the files that are generated from the code: `make generate`. Tests compare them."""

import asyncio
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import monitoring.files
from baluarte.chaos.mechanisms import POLICY_FILES
from chaos.scenarios import schema as scenario_schema
from chassis import codes
from graphql_api.schema import build_schema, sdl
from resilience.policy_file import POLICIES
from scripts import metrics_page

ROOT = Path(__file__).parents[1]

_HEAD = """<!-- DO NOT EDIT: generated from chassis/codes.py by `make generate`. -->
# Error codes

Every error carries `extensions.code` (GraphQL) or `code` (problem documents between services). A code is
never renamed and never changes its meaning. *Retryable* says whether the same request may succeed later;
a money mutation is sent again with the **same** idempotency key.

| code | status | what happened | what to do | retryable |
|---|---|---|---|---|
"""


def error_page() -> str:
    """`docs/errors.md`."""
    rows = [
        f"| `{code.name}` | {code.status} | {code.meaning} | {code.advice} "
        f"| {'yes' if code.retryable else 'no'} |"
        for code in codes.all_codes()
    ]
    return _HEAD + "\n".join(rows) + "\n"


_POLICIES_HEAD = """<!-- DO NOT EDIT: generated from the processes' policies.toml by `make generate`. -->
# The policies in force

What every process calls, the policies around it, and the reason for each number. What is not said has the
default of [the library](resilience.md), whose reasons stand beside it in the source. To change a number
without a new build, put a copy of a process' file as `<process>.toml` into `BALUARTE_POLICIES_DIR`
([operating](operating.md)); a copy that is put there, changed or taken away is followed at runtime.
"""


_DEFAULTS_HEAD = """
## Defaults

What holds for everything that a file does not say. A row without a reason shares the one above it.
"""


def policy_page() -> str:
    """`docs/policies.md`."""
    processes = (
        _process(name, tomllib.loads(path.read_text())) for name, path in POLICY_FILES.items()
    )
    defaults = (_defaults(name, kind) for name, kind in POLICIES.items())
    return "".join((_POLICIES_HEAD, *processes, _DEFAULTS_HEAD, *defaults))


def _defaults(policy: str, kind: type) -> str:
    """The defaults of a policy's options; a reason is the `#:` comment above the option."""
    rows = [f"\n### {policy}\n\n| option | default | because |\n|---|---|---|\n"]
    reason: list[str] = []
    for line in map(str.strip, inspect.getsource(kind).splitlines()):
        if line.startswith("#: "):
            reason.append(line[3:])
        elif option := _OPTION.match(line):
            rows.append(f"| {option[1]} | {option[2]} | {' '.join(reason)} |\n")
            reason = []
        elif line.startswith("def "):
            break
    return "".join(rows)


_OPTION = re.compile(r"(\w+): [^=]+ = (.+)$")


def _process(name: str, downstreams: dict[str, dict[str, Any]]) -> str:
    parts = [f"\n## {name}\n"]
    for source, policies in downstreams.items():
        parts.append(f"\n### {name} → {source}\n\n| policy | numbers | because |\n|---|---|---|\n")
        for policy, table in policies.items():
            if isinstance(table, dict):
                parts.append(f"| {policy} | {_numbers(table)} | {table['reason']} |\n")
            elif table:
                parts.append(
                    f"| {policy} | on | equal shared reads at the same time are one call |\n"
                )
    return "".join(parts)


def _numbers(table: dict[str, Any]) -> str:
    if not table.get("enabled", True):
        return "**off**"
    told = (f"{key} {value}" for key, value in table.items() if key not in {"reason", "enabled"})
    return ", ".join(told) or "defaults"


def main() -> None:
    (ROOT / "chaos" / "scenarios" / "scenario.schema.json").write_text(scenario_schema.text())
    (ROOT / "docs" / "policies.md").write_text(policy_page())
    (ROOT / "docs" / "errors.md").write_text(error_page())
    (ROOT / "docs" / "metrics.md").write_text(asyncio.run(metrics_page.page()))
    monitoring.files.write()
    (ROOT / "graphql_api" / "schema.graphql").write_text(sdl(build_schema()))


if __name__ == "__main__":
    main()
