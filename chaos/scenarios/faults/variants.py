"""A fault's line in the file: its owner by its target's key, its attributes by its type.

- {at: 0 s, for: 8 s, process: users, type: latency, seconds: 5}
- {at: 1 s, for: 5 s, edge: users-postgres, type: latency, latency: 300 ms}
- {at: 0 s, part: postgres, type: kill}
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from chaos.grammar.problems import unknown
from chaos.grammar.shapes import (
    Member,
    Source,
    entries,
    members,
    members_schema,
    read_members,
)
from chaos.scenarios.faults.fault import Fault


@dataclass(frozen=True, slots=True)
class Owned:
    """The faults of one kind of owner.

    Attributes:
        key: names the target, and so tells whose fault it is.
        of: the fault's class.
        types: a dataclass of attributes for each type.
    """

    key: str
    of: type[Fault]
    types: Mapping[str, type[Any]]


@dataclass(frozen=True, slots=True)
class FaultShape:
    """One line, for whichever owner."""

    owners: tuple[Owned, ...]

    def read(self, source: Source, node: yaml.Node) -> Fault:
        pairs = entries(source, node)
        owner = next((one for one in self.owners if one.key in pairs), None)
        if owner is None:
            keys = ", ".join(f"`{one.key}`" for one in self.owners)
            raise source.wrong(node, f"a fault names its target: one of {keys}")
        if "type" not in pairs:
            kinds = ", ".join(owner.types)
            raise source.wrong(node, f"a fault of a {owner.key} needs its `type`: {kinds}")
        type_node = pairs["type"][1]
        name = type_node.value if isinstance(type_node, yaml.ScalarNode) else "…"
        if name not in owner.types:
            said = unknown(f"fault of a {owner.key} called", name, owner.types)
            raise source.wrong(type_node, said)
        return self._build(source, node, owner, name)

    def _build(self, source: Source, node: yaml.Node, owner: Owned, name: str) -> Fault:
        own, kind = members(owner.of), owner.types[name]
        rest = _without_type(node)
        values = read_members(source, rest, (*own, *members(kind)), f"{name} of a {owner.key}")
        fields = {member.field for member in own}
        try:
            variant = kind(**{key: value for key, value in values.items() if key not in fields})
            given = {key: value for key, value in asdict(variant).items() if value is not None}
            return owner.of(
                **{key: value for key, value in values.items() if key in fields},
                type=name,
                attributes=given,
                line=node.start_mark.line + 1,
            )
        except ValueError as error:
            raise source.wrong(node, str(error)) from None

    def schema(self) -> dict[str, Any]:
        return {"title": "fault"} | {
            "oneOf": [_schema(owner, name) for owner in self.owners for name in owner.types]
        }


def _schema(owner: Owned, name: str) -> dict[str, Any]:
    known: tuple[Member, ...] = (*members(owner.of), *members(owner.types[name]))
    shape = members_schema(known)
    shape["title"] = f"{name} of a {owner.key}"
    shape["properties"] = {"type": {"const": name}, **shape["properties"]}
    shape["required"] = ["type", owner.key, *(key for key in shape["required"] if key != owner.key)]
    return shape


def _without_type(node: yaml.Node) -> yaml.MappingNode:
    pairs = [pair for pair in node.value if pair[0].value != "type"]
    return yaml.MappingNode(node.tag, pairs, node.start_mark, node.end_mark)
