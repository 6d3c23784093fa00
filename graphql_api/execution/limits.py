"""How large and how deep an operation may be, found by one walk over its syntax before anything costly.

Validation compares fields that share a response name pairwise, so a short document can keep a core busy
for a second; these bounds keep the worst document at about a tenth of that (`tests/…/test_limits.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from chassis import codes

INTROSPECTION = frozenset({"__schema", "__type"})
"""Fields whose selections are not measured: tools nest them deeply, and only development answers them."""

COUNT_CEILING = 1_000_000
"""Where counting stops: fragments that double each other grow without bound."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one operation.

    Attributes:
        tokens: of the document; a page of a rich client needs some 300.
        depth: of nested fields; the deepest that the schema has is 9.
        aliases: all fragments unfolded; a dashboard uses a handful.
        fragments: defined in the document.
        repeats: times that one response name may stand in one selection set.
        rows: that all pages of an operation may hold together; some 30 µs of this process each.
        errors: most errors of one kind that are told.
    """

    tokens: int = 1_000
    depth: int = 12
    aliases: int = 30
    fragments: int = 30
    repeats: int = 10
    rows: int = 5_000
    errors: int = 5


@dataclass(frozen=True, slots=True)
class Shape:
    """What one operation asks for, fragments unfolded."""

    depth: int
    aliases: int
    root_fields: tuple[str, ...]


def check(document: DocumentNode, limits: Limits) -> dict[str, Shape]:
    """The shape of each operation by its name ("" for an anonymous one).

    Raises:
        CodedError: OPERATION_TOO_LARGE, OPERATION_TOO_DEEP, TOO_MANY_ALIASES.
    """
    walk = _Walk(document, limits)
    try:
        shapes = {
            node.name.value if node.name else "": walk.shape(node)
            for node in document.definitions
            if isinstance(node, OperationDefinitionNode)
        }
    except RecursionError:
        raise codes.OPERATION_TOO_DEEP.error() from None
    for shape in shapes.values():
        if shape.depth > limits.depth:
            raise codes.OPERATION_TOO_DEEP.error(
                f"Fields are nested {shape.depth} deep; {limits.depth} levels are allowed."
            )
        if shape.aliases > limits.aliases:
            raise codes.TOO_MANY_ALIASES.error(
                f"The operation has {shape.aliases} aliases; {limits.aliases} are allowed."
            )
    return shapes


class _Walk:
    """Measures selection sets; each fragment once, a cycle as nothing (validation refuses it)."""

    def __init__(self, document: DocumentNode, limits: Limits) -> None:
        self._limits = limits
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        if len(self._fragments) > limits.fragments:
            raise codes.OPERATION_TOO_LARGE.error(
                f"The document defines {len(self._fragments)} fragments; "
                f"{limits.fragments} are allowed."
            )
        self._measured: dict[str, tuple[int, int]] = {}
        for fragment in self._fragments.values():
            self._bound_repeats(fragment.selection_set)

    def shape(self, operation: OperationDefinitionNode) -> Shape:
        self._bound_repeats(operation.selection_set)
        depth, aliases = self._measure(operation.selection_set)
        names = tuple(self._root_fields(operation.selection_set, set()))
        return Shape(depth, aliases, names)

    def _measure(self, selections: SelectionSetNode | None) -> tuple[int, int]:
        """Depth of nesting and number of aliases below."""
        depth = aliases = 0
        for node in selections.selections if selections else ():
            below, more = self._measure_one(node)
            depth = max(depth, below)
            aliases = min(aliases + more, COUNT_CEILING)
        return depth, aliases

    def _measure_one(self, node: SelectionNode) -> tuple[int, int]:
        if isinstance(node, FieldNode):
            if node.name.value in INTROSPECTION:
                return 1, int(node.alias is not None)
            depth, aliases = self._measure(node.selection_set)
            return depth + 1, aliases + int(node.alias is not None)
        if isinstance(node, InlineFragmentNode):
            return self._measure(node.selection_set)
        if isinstance(node, FragmentSpreadNode):
            return self._measure_fragment(node.name.value)
        return 0, 0

    def _measure_fragment(self, name: str) -> tuple[int, int]:
        known = self._measured.get(name)
        if known is None:
            self._measured[name] = (0, 0)
            fragment = self._fragments.get(name)
            known = self._measure(fragment.selection_set) if fragment else (0, 0)
            self._measured[name] = known
        return known

    def _bound_repeats(self, selections: SelectionSetNode) -> None:
        """Raise when a response name stands too often in a selection set, inline fragments unfolded."""
        seen: dict[str, int] = {}
        for node in _fields(selections):
            name = (node.alias or node.name).value
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > self._limits.repeats:
                raise codes.OPERATION_TOO_LARGE.error(
                    f"A field stands more than {self._limits.repeats} times in one selection; "
                    "ask for it once."
                )
            if node.selection_set and node.name.value not in INTROSPECTION:
                self._bound_repeats(node.selection_set)

    def _root_fields(self, selections: SelectionSetNode, spread: set[str]) -> Iterator[str]:
        """Names of the root fields, once for each time that one is asked for."""
        for node in selections.selections:
            if isinstance(node, FieldNode):
                yield node.name.value
            elif isinstance(node, InlineFragmentNode):
                yield from self._root_fields(node.selection_set, spread)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                spread.add(node.name.value)
                fragment = self._fragments.get(node.name.value)
                if fragment:
                    yield from self._root_fields(fragment.selection_set, spread)


def _fields(selections: SelectionSetNode) -> Iterator[FieldNode]:
    for node in selections.selections:
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(node.selection_set)
