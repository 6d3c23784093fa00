"""What the schema promises: the declarations of `@degrades` in the SDL that a gateway serves."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from graphql import (
    FieldNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    get_named_type,
    parse,
)
from graphql.language import EnumValueNode, IntValueNode

DIRECTIVE: Final = "degrades"


class To(StrEnum):
    """What a field becomes while the service behind it does not answer."""

    STALE = "STALE"
    NULL = "NULL"
    ERROR = "ERROR"
    QUEUED = "QUEUED"


@dataclass(frozen=True, slots=True)
class Degrades:
    """One declaration. `max_stale_seconds` is 0 where no copies are served."""

    to: To
    max_stale_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Declared:
    """The schema with its declarations."""

    schema: GraphQLSchema

    @classmethod
    def of(cls, sdl: str) -> "Declared":
        """Read an SDL. Raises `graphql.GraphQLError` when it is none."""
        return cls(build_schema(sdl))

    def root_fields(self) -> tuple[str, ...]:
        """Everything that can be asked, queries first."""
        roots = (self.schema.query_type, self.schema.mutation_type)
        return tuple(name for root in roots if root is not None for name in root.fields)

    def root(self, operation: OperationDefinitionNode) -> GraphQLObjectType:
        """The type that an operation's first fields belong to."""
        found = self.schema.get_root_type(operation.operation)
        if found is None:
            raise LookupError(f"the schema has no {operation.operation.value}")
        return found

    def of_field(self, parent: str, field: str) -> Degrades | None:
        """The declaration of `parent.field`, if it has one."""
        kind = self.schema.type_map[parent]
        node = kind.fields[field].ast_node if isinstance(kind, GraphQLObjectType) else None
        for directive in (node.directives or ()) if node else ():
            if directive.name.value == DIRECTIVE:
                arguments = directive.arguments or ()
                given = {argument.name.value: argument.value for argument in arguments}
                to, seconds = given["to"], given.get("maxStaleSeconds")
                assert isinstance(to, EnumValueNode)  # noqa: S101 - the schema's type says so
                age = int(seconds.value) if isinstance(seconds, IntValueNode) else 0
                return Degrades(To(to.value), age)
        return None

    def object_type(self, parent: GraphQLObjectType, field: str) -> GraphQLObjectType | None:
        """The type of the objects in a field; None for scalars."""
        found = get_named_type(parent.fields[field].type)
        return found if isinstance(found, GraphQLObjectType) else None


def only_operation(document: str) -> OperationDefinitionNode:
    """The one operation of a document. Raises ValueError when it has none or several."""
    found = [
        node for node in parse(document).definitions if isinstance(node, OperationDefinitionNode)
    ]
    if len(found) != 1:
        raise ValueError(f"a document must have one operation, and this one has {len(found)}")
    return found[0]


def only_field(operation: OperationDefinitionNode) -> FieldNode:
    """The one root field of an operation. Raises ValueError when it has none or several."""
    selections = operation.selection_set.selections
    if len(selections) != 1 or not isinstance(selections[0], FieldNode):
        raise ValueError("an operation to explore asks for one root field")
    return selections[0]
