"""Runs one operation: the document, the rules about mutations, the deadline, and the answer's errors."""

import asyncio
import time
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any

from graphql import ExecutionResult, GraphQLSchema, OperationType, execute

from chassis import codes, tracing
from chassis.errors import CodedError
from graphql_api.context import Context
from graphql_api.errors import ErrorBody, Refused, body_of, field_error, refusals
from graphql_api.execution.documents import Document, Documents, Operation
from graphql_api.execution.limits import Limits
from graphql_api.telemetry import NOTHING, Subject, Telemetry, outcome_of
from resilience.deadline import Deadline

UNPROCESSABLE = 422
"""Between services a wrong field is 422; GraphQL over HTTP knows only 400 for it."""


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """A well-formed request over HTTP; what the document says is not looked at yet."""

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client is told.

    Attributes:
        executed: whether the operation ran; if not, there is no `data` entry at all.
        status: HTTP status for `application/graphql-response+json`.
    """

    data: dict[str, Any] | None = None
    errors: list[ErrorBody] = field(default_factory=list)
    extensions: dict[str, Any] = field(default_factory=dict)
    executed: bool = True
    status: int = 200

    def as_json(self) -> dict[str, Any]:
        """The response as the GraphQL specification writes it."""
        body: dict[str, Any] = {}
        if self.errors:
            body["errors"] = self.errors
        if self.executed:
            body["data"] = self.data
        if self.extensions:
            body["extensions"] = self.extensions
        return body

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.errors]


def refusal(error: CodedError, correlation_id: str) -> Answer:
    """The answer to an operation that was not executed."""
    status = codes.BAD_REQUEST.status if error.status == UNPROCESSABLE else error.status
    return Answer(errors=[body_of(error, correlation_id)], executed=False, status=status)


class Executor:
    """Executes operations against one schema.

    Args:
        single_mutations: root fields of which an operation may have one in all.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        documents: Documents,
        telemetry: Telemetry,
        *,
        single_mutations: frozenset[str],
        limits: Limits,
    ) -> None:
        self._schema = schema
        self._documents = documents
        self._telemetry = telemetry
        self._single = single_mutations
        self._limits = limits

    async def run(
        self,
        request: GraphQLRequest,
        context: Context,
        *,
        deadline: Deadline,
        mutations_allowed: bool,
    ) -> Answer:
        """The answer to `request`, by `deadline`; downstream calls keep the earlier one of `context`."""
        started = time.monotonic()
        subject = NOTHING
        correlation_id = context.ask.call.correlation_id
        try:
            document, operation = self._admit(request, mutations_allowed=mutations_allowed)
            subject = self._telemetry.subject(operation.type.value, operation.shape.root_fields)
            answer = await self._execute(document, operation, request, context, deadline)
        except Refused as refused:
            answer = Answer(
                errors=refusals(refused, correlation_id),
                executed=False,
                status=codes.BAD_REQUEST.status,
            )
        except CodedError as error:
            answer = refusal(error, correlation_id)
        self._measure(subject, answer, time.monotonic() - started)
        return answer

    def _admit(
        self, request: GraphQLRequest, *, mutations_allowed: bool
    ) -> tuple[Document, Operation]:
        hits = self._documents.hits
        try:
            document = self._documents.get(request.query)
        finally:
            self._telemetry.document(hit=self._documents.hits > hits)
        operation = document.operation(request.operation_name)
        rows = document.rows.count(operation.node, request.variables or {})
        if rows > self._limits.rows:
            raise codes.OPERATION_TOO_LARGE.error(
                f"The pages hold up to {rows} rows; {self._limits.rows} are allowed. "
                "Ask for smaller pages."
            )
        if operation.type is OperationType.QUERY:
            return document, operation
        if not mutations_allowed:
            raise codes.METHOD_NOT_ALLOWED.error("A mutation is sent with POST.")
        single = [name for name in operation.shape.root_fields if name in self._single]
        if len(single) > 1:
            raise codes.TOO_MANY_MUTATIONS.error()
        return document, operation

    async def _execute(
        self,
        document: Document,
        operation: Operation,
        request: GraphQLRequest,
        context: Context,
        deadline: Deadline,
    ) -> Answer:
        if deadline.expired:
            raise codes.DEADLINE_EXCEEDED.error()
        try:
            async with asyncio.timeout(deadline.remaining()):
                result = await self._resolve(document, request, context)
        except TimeoutError:
            return self._late(operation, context)
        if result.data is None:  # every root field is nullable, so the variables did not fit
            raise Refused(codes.INVALID_INPUT, (result.errors or [])[: self._limits.errors])
        correlation_id = context.ask.call.correlation_id
        errors = [field_error(error, correlation_id) for error in result.errors or ()]
        extensions: dict[str, Any] = {}
        if context.degraded:
            extensions["degraded"] = [item.as_json() for item in context.degraded]
        return Answer(data=result.data, errors=errors, extensions=extensions)

    async def _resolve(
        self, document: Document, request: GraphQLRequest, context: Context
    ) -> ExecutionResult:
        result = execute(
            self._schema,
            document.ast,
            context_value=context,
            variable_values=request.variables,
            operation_name=request.operation_name,
            max_coercion_errors=self._limits.errors,
            hide_suggestions=True,
        )
        return await result if isawaitable(result) else result

    def _late(self, operation: Operation, context: Context) -> Answer:
        """The last net: downstream calls give up a little earlier, each with its own error."""
        code = codes.DEADLINE_EXCEEDED
        if operation.type is OperationType.MUTATION:
            code = codes.OUTCOME_UNKNOWN
        return Answer(errors=[body_of(code.error(), context.ask.call.correlation_id)])

    def _measure(self, subject: Subject, answer: Answer, seconds: float) -> None:
        outcome = outcome_of(answer.codes, degraded=bool(answer.extensions.get("degraded")))
        self._telemetry.answered(subject, outcome, seconds)
        serving = tracing.around()
        serving.name(f"{subject.type} {subject.operation}")
        serving.tell("graphql.operation.type", subject.type)
        serving.tell("graphql.root_field", subject.operation)
        serving.tell("baluarte.outcome", outcome)
        for error in answer.errors:
            path = error.get("path") or [None]
            self._telemetry.field_error(subject.type, path[0], error["extensions"]["code"])
