"""How many rows an operation may ask for at most: page sizes multiply where lists stand in lists.

Depth and aliases do not bound that: a page of users with a page of transactions each, thirty times
aliased, would keep the process busy for minutes. It is counted before anything is asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
)

from graphql_api.paging import DEFAULT_PAGE, LARGEST_PAGE

PAGE_ARGUMENT = "first"

CEILING = 1_000_000_000
"""Where counting stops: nothing near it is admitted."""


def paged_fields(schema: GraphQLSchema) -> frozenset[str]:
    """Names of the fields that answer pages."""
    return frozenset(
        name
        for kind in schema.type_map.values()
        if isinstance(kind, GraphQLObjectType)
        for name, field in kind.fields.items()
        if PAGE_ARGUMENT in field.args
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """Counts the rows of operations of one valid document (so fragments have no cycles).

    Args:
        paged: names of the fields that answer pages.
        fragments: the document's, by name.
    """

    paged: frozenset[str]
    fragments: Mapping[str, FragmentDefinitionNode]

    @classmethod
    def of(cls, document: DocumentNode, paged: frozenset[str]) -> "Rows":
        return cls(
            paged,
            {
                node.name.value: node
                for node in document.definitions
                if isinstance(node, FragmentDefinitionNode)
            },
        )

    def count(self, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
        """Most rows that the operation asks for with these variables."""
        given = {
            node.variable.name.value: int(node.default_value.value)
            for node in operation.variable_definitions or ()
            if isinstance(node.default_value, IntValueNode)
        }
        given |= {name: value for name, value in variables.items() if type(value) is int}
        return _Count(self, given).selection(operation.selection_set)


class _Count:
    def __init__(self, rows: Rows, sizes: Mapping[str, int]) -> None:
        self._rows = rows
        self._sizes = sizes
        self._known: dict[str, int] = {}

    def selection(self, selections: SelectionSetNode | None) -> int:
        nodes = selections.selections if selections else ()
        return min(sum(self._node(node) for node in nodes), CEILING)

    def _node(self, node: SelectionNode) -> int:
        if isinstance(node, FieldNode):
            below = self.selection(node.selection_set)
            return self._page(node) * (1 + below) if node.name.value in self._rows.paged else below
        if isinstance(node, InlineFragmentNode):
            return self.selection(node.selection_set)
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value)
        return 0

    def _fragment(self, name: str) -> int:
        if name not in self._known:
            self._known[name] = self.selection(self._rows.fragments[name].selection_set)
        return self._known[name]

    def _page(self, node: FieldNode) -> int:
        """The page size asked for; one out of bounds is refused later, by name."""
        for argument in node.arguments or ():
            if argument.name.value == PAGE_ARGUMENT:
                value = argument.value
                if isinstance(value, IntValueNode):
                    return _bounded(int(value.value))
                if isinstance(value, VariableNode):
                    return _bounded(self._sizes.get(value.name.value, DEFAULT_PAGE))
        return DEFAULT_PAGE


def _bounded(size: int) -> int:
    return max(1, min(size, LARGEST_PAGE))
