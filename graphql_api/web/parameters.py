"""The parameters of a GraphQL request: shape checked, nothing executed, every mistake coded."""

from collections.abc import Mapping
from typing import Any

import msgspec

from chassis import codes
from graphql_api.execution.executor import GraphQLRequest

CHARSETS = frozenset({"", "utf-8", "utf8"})

_decoder = msgspec.json.Decoder()


def require_json(content_type: str | None) -> None:
    """Raise UNSUPPORTED_MEDIA_TYPE unless the body is said to be JSON in UTF-8.

    A browser's form cannot send this type, so that no other site can make a signed-in browser post.
    """
    media, *parameters = (piece.strip().lower() for piece in (content_type or "").split(";"))
    if media != "application/json":
        raise codes.UNSUPPORTED_MEDIA_TYPE.error("Send the operation as application/json.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in CHARSETS:
            raise codes.UNSUPPORTED_MEDIA_TYPE.error("Send the body in UTF-8.")


def from_body(body: bytes) -> GraphQLRequest:
    """The request that a POST body holds.

    Raises:
        CodedError: BAD_REQUEST.
    """
    return _checked(_decode(body, "The body"))


def from_query(parameters: Mapping[str, str]) -> GraphQLRequest:
    """The request that a GET's query string holds.

    Raises:
        CodedError: BAD_REQUEST.
    """
    given: dict[str, Any] = dict(parameters)
    for name in ("variables", "extensions"):
        if name in given:
            given[name] = _decode(given[name].encode("utf-8", "replace"), f"`{name}`")
    return _checked(given)


def _decode(text: bytes, what: str) -> Any:
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise codes.BAD_REQUEST.error(f"{what} is not JSON in UTF-8.") from None
    except RecursionError:
        raise codes.BAD_REQUEST.error(f"{what} is nested too deeply.") from None


def _checked(value: Any) -> GraphQLRequest:
    if isinstance(value, list):
        raise codes.BAD_REQUEST.error("Batches are not accepted; send each operation by itself.")
    if not isinstance(value, dict):
        raise codes.BAD_REQUEST.error("The request is not a JSON object with a `query`.")
    query = value.get("query")
    if not isinstance(query, str) or not query.strip():
        raise codes.BAD_REQUEST.error("`query` must hold the GraphQL document.", field="query")
    _optional(value, "extensions", dict)  # well-formed or refused; none is defined, so none is kept
    return GraphQLRequest(
        query=query,
        operation_name=_optional(value, "operationName", str),
        variables=_optional(value, "variables", dict),
    )


def _optional(value: dict[str, Any], name: str, kind: type[Any]) -> Any:
    item = value.get(name)
    if item is not None and not isinstance(item, kind):
        noun = "a text" if kind is str else "an object"
        raise codes.BAD_REQUEST.error(f"`{name}` must be {noun} or null.", field=name)
    return item
