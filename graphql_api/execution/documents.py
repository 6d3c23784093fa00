"""Parsed and validated documents, remembered within bounds of count and of bytes.

The rules live as long as the process: a rule class made per request would never hit a cache that it is
part of the key of, and Strawberry's own caches are bounded by count only. Only valid documents are kept,
so that garbage cannot push good ones out for free.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import NoSchemaIntrospectionCustomRule

from chassis import codes
from graphql_api.errors import Refused
from graphql_api.execution.limits import Limits, Shape, check
from graphql_api.execution.rows import Rows, paged_fields

MAX_DOCUMENTS = 1_000
"""Most documents kept: an application has tens to hundreds."""

MAX_BYTES = 32_000_000
"""Most memory that the kept documents may take, by estimate."""

BYTES_PER_TOKEN = 600
"""What a token costs once parsed: 370 measured with tracemalloc, and room for newer versions."""

TOO_MANY = "Document contains more than"
TOO_DEEP = "Document is nested too deeply"
"""How graphql-core words the two refusals that have codes of their own; a test holds it to that."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One executable operation of a document."""

    node: OperationDefinitionNode
    shape: Shape

    @property
    def type(self) -> OperationType:
        return self.node.operation


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document within the limits."""

    ast: DocumentNode
    operations: dict[str, Operation]
    rows: Rows
    weight: int

    def operation(self, name: str | None) -> Operation:
        """The operation to run.

        Raises:
            CodedError: INVALID_INPUT when the name does not settle which.
        """
        if name is None:
            if len(self.operations) != 1:
                raise codes.INVALID_INPUT.error(
                    "The document has several operations; say which in `operationName`.",
                    field="operationName",
                )
            return next(iter(self.operations.values()))
        found = self.operations.get(name) if name else None
        if found is None:
            raise codes.INVALID_INPUT.error(
                "The document has no operation of that name.", field="operationName"
            )
        return found


class Documents:
    """Turns texts into documents that may be executed.

    Args:
        introspection: whether `__schema` and `__type` are answered.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits,
        *,
        introspection: bool,
        max_documents: int = MAX_DOCUMENTS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._schema = schema
        self._limits = limits
        self._paged = paged_fields(schema)
        self._rules: Sequence[type[ASTValidationRule]] = (
            specified_rules
            if introspection
            else (*specified_rules, NoSchemaIntrospectionCustomRule)
        )
        self._max_documents = max_documents
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self.bytes = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, source: str) -> Document:
        """The document that `source` writes.

        Raises:
            Refused: it does not parse, or does not fit the schema.
            CodedError: it is larger than the limits.
        """
        found = self._kept.get(source)
        if found is not None:
            self.hits += 1
            self._kept.move_to_end(source)
            return found
        self.misses += 1
        document = self._prepare(source)
        self._keep(source, document)
        return document

    def _prepare(self, source: str) -> Document:
        ast = self._parse(source)
        shapes = check(ast, self._limits)
        errors = validate(
            self._schema,
            ast,
            self._rules,
            max_errors=self._limits.errors,
            hide_suggestions=True,
        )
        if errors:
            raise Refused(codes.GRAPHQL_VALIDATION_FAILED, errors[: self._limits.errors])
        operations: dict[str, Operation] = {}
        for node in ast.definitions:
            if isinstance(node, OperationDefinitionNode):
                name = node.name.value if node.name else ""
                operations[name] = Operation(node, shapes[name])
        weight = len(source) * 4 + (ast.token_count or 0) * BYTES_PER_TOKEN
        return Document(ast, operations, Rows.of(ast, self._paged), weight)

    def _parse(self, source: str) -> DocumentNode:
        try:
            return parse(source, max_tokens=self._limits.tokens)
        except GraphQLError as error:
            if TOO_DEEP in error.message:
                raise codes.OPERATION_TOO_DEEP.error() from None
            if TOO_MANY in error.message:
                raise codes.OPERATION_TOO_LARGE.error(
                    f"The document has more than {self._limits.tokens} tokens."
                ) from None
            raise Refused(codes.GRAPHQL_PARSE_FAILED, [error]) from None

    def _keep(self, source: str, document: Document) -> None:
        if document.weight > self._max_bytes:
            return
        self._kept[source] = document
        self.bytes += document.weight
        while len(self._kept) > self._max_documents or self.bytes > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self.bytes -= dropped.weight
