"""OpenAPI 3.1 from a contract: the same structs that decode requests, so the document cannot drift."""

from typing import Any

import msgspec

from chassis import codes
from chassis.codes import Code
from chassis.contract import Operation, Operations, UserAccess
from chassis.errors import Problem

REF = "#/components/schemas/{name}"

_EVERY = (codes.DEADLINE_EXCEEDED, codes.INTERNAL, codes.METHOD_NOT_ALLOWED)
_WITH_BODY = (
    codes.BAD_REQUEST,
    codes.INVALID_INPUT,
    codes.PAYLOAD_TOO_LARGE,
    codes.UNSUPPORTED_MEDIA_TYPE,
)
_WITH_CALLER = (codes.SERVICE_UNAUTHENTICATED, codes.SERVICE_FORBIDDEN)
_WITH_USER = (codes.UNAUTHENTICATED, codes.TOKEN_EXPIRED)
_WITH_EFFECT = (codes.OUTCOME_UNKNOWN,)
_WITH_STATE = (codes.UNAVAILABLE, codes.OVERLOADED)


def document(service: str, operations: Operations) -> dict[str, Any]:
    """The OpenAPI document of a service, as plain values."""
    types = {item.request for item in operations} | {item.response for item in operations}
    ordered = [*sorted(types, key=lambda item: item.__name__), Problem]
    refs, components = msgspec.json.schema_components(ordered, ref_template=REF)
    by_type = dict(zip(ordered, refs, strict=True))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Baluarte: {service}",
            "version": "1",
            "description": "Operations between services. Clients use the GraphQL gateway.",
        },
        "paths": {item.path: _path(item, by_type) for item in operations},
        "components": {
            "schemas": components,
            "securitySchemes": {
                "service": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The calling service's own credential",
                },
                "user": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "User-Authorization",
                    "description": "`Bearer` and the user's access token",
                },
            },
        },
    }


def _path(operation: Operation[Any, Any], refs: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {
            "200": {
                "description": "Done",
                "content": {"application/json": {"schema": refs[operation.response]}},
            },
            **_problems(operation, refs),
        },
    }
    if operation.method == "POST":
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": refs[operation.request]}},
        }
    if operation.callers:
        described["description"] = f"For {', '.join(sorted(operation.callers))}."
        described["security"] = _security(operation)
    return {operation.method.lower(): described}


def _security(operation: Operation[Any, Any]) -> list[dict[str, list[str]]]:
    alone: dict[str, list[str]] = {"service": []}
    both: dict[str, list[str]] = {"service": [], "user": []}
    return {
        UserAccess.NONE: [alone],
        UserAccess.OPTIONAL: [alone, both],
        UserAccess.REQUIRED: [both],
    }[operation.user]


def errors_of(operation: Operation[Any, Any]) -> list[Code]:
    """Every code that the operation can answer with."""
    found = [*operation.errors, *_EVERY, *_WITH_STATE]
    if operation.method == "POST":
        found += _WITH_BODY
    if operation.callers:
        found += _WITH_CALLER
    if operation.user is not UserAccess.NONE:
        found += _WITH_USER
    if not operation.reads:
        found += _WITH_EFFECT
    return list(dict.fromkeys(found))


def _problems(operation: Operation[Any, Any], refs: dict[Any, Any]) -> dict[str, Any]:
    by_status: dict[int, list[Code]] = {}
    for code in errors_of(operation):
        by_status.setdefault(code.status, []).append(code)
    return {
        str(status): {
            "description": "; ".join(f"`{code.name}`: {code.meaning}" for code in found),
            "content": {"application/problem+json": {"schema": refs[Problem]}},
        }
        for status, found in sorted(by_status.items())
    }
