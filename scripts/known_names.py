"""`chaos/grammar/names.py`: what a scenario may name, for a house that may not import where it comes from."""

from pathlib import Path

from graphql_api.schema import build_schema, core_schema
from loadtests.journeys import JOURNEYS
from monitoring.prometheus.rules import all_alerts

FILE = Path(__file__).parents[1] / "chaos" / "grammar" / "names.py"

_HEAD = '''"""What a scenario may name: alerts with their severities, journeys, steps.

DO NOT EDIT: generated from monitoring/prometheus, loadtests/journeys and graphql_api by `make generate`.
"""

from collections.abc import Mapping
from typing import Final

SEVERITIES: Final[Mapping[str, str]] = {
'''


def module() -> str:
    """The file's text; of an alert with several severities, the first one of the table."""
    found: dict[str, str] = {}
    for alert in all_alerts():
        found.setdefault(alert.name, alert.severity)
    severities = [f'    "{name}": "{severity}",\n' for name, severity in sorted(found.items())]
    journeys = _tuple("JOURNEYS", "What people do.", sorted(JOURNEYS))
    steps = _tuple("STEPS", "Root fields of GraphQL: what a journey asks for.", _root_fields())
    return "".join((_HEAD, *severities, "}\n", journeys, steps))


def _tuple(name: str, about: str, words: list[str]) -> str:
    rows = "".join(f'    "{word}",\n' for word in words)
    return f'\n{name}: Final[tuple[str, ...]] = (\n{rows})\n"""{about}"""\n'


def _root_fields() -> list[str]:
    schema = core_schema(build_schema())
    roots = (schema.query_type, schema.mutation_type)
    return sorted(field for root in roots if root is not None for field in root.fields)


if __name__ == "__main__":
    FILE.write_text(module())
