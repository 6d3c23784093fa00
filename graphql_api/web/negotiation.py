"""Which of our media types a client accepts (RFC 9110, section 12.5.1, and GraphQL over HTTP)."""

from dataclasses import dataclass

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"

MAX_RANGES = 32
"""Most media ranges looked at in one Accept header; browsers send about eight."""


@dataclass(frozen=True, slots=True)
class _Range:
    type: str
    subtype: str
    quality: float

    def matches(self, media: str) -> bool:
        kind, _, subtype = media.partition("/")
        return self.type in {"*", kind} and self.subtype in {"*", subtype}

    @property
    def specificity(self) -> int:
        return (self.type != "*") + (self.subtype != "*")


def accepted(header: str | None, offers: tuple[str, ...]) -> str | None:
    """The best of `offers` for an Accept header, earlier offers first where the client has no wish.

    Returns None when nothing fits. Without a header anything does.
    """
    if header is None or not header.strip():
        return offers[0]
    ranges = _parse(header)
    best: tuple[float, int] | None = None
    chosen: str | None = None
    for offer in offers:
        matching = [item for item in ranges if item.matches(offer)]
        if not matching:
            continue
        most = max(matching, key=lambda item: item.specificity)
        rank = (most.quality, most.specificity)
        if most.quality > 0 and (best is None or rank > best):
            best, chosen = rank, offer
    return chosen


def response_type(header: str | None) -> str | None:
    """The media type of a GraphQL answer; None when the client accepts neither.

    A client that names both alike gets the newer one; a bare `*/*` gets JSON, as old clients expect.
    """
    if header is None or not header.strip():
        return JSON
    named = [item for item in _parse(header) if item.specificity == 2]
    if any(item.matches(GRAPHQL_RESPONSE) for item in named):
        return accepted(header, (GRAPHQL_RESPONSE, JSON))
    return accepted(header, (JSON, GRAPHQL_RESPONSE))


def prefers_html(header: str | None) -> bool:
    """Whether a browser asks for a page rather than for data."""
    return accepted(header, (JSON, GRAPHQL_RESPONSE, HTML)) == HTML


def _parse(header: str) -> list[_Range]:
    ranges = []
    for part in header.split(",")[:MAX_RANGES]:
        media, *parameters = (piece.strip() for piece in part.split(";"))
        kind, slash, subtype = media.lower().partition("/")
        if slash and kind and subtype:
            ranges.append(_Range(kind, subtype, _quality(parameters)))
    return ranges


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return quality if 0.0 <= quality <= 1.0 else 0.0
    return 1.0
