"""Spans of one process, sent as OTLP: what happened within a request, how long, and what caused it.

    with span("users /users/get", Kind.CLIENT, parent=call.traceparent) as attempt:
        headers["traceparent"] = attempt.traceparent

Like logs, tracing belongs to the process: `configure` turns it on, and until then a span costs one look at a
variable. Within a trace the parent is the span around; a cause that came over the wire or through a table is
handed in as its W3C trace context. Attributes come from an allow-list, and no exception's text is recorded:
drivers put row values into it. Sampling is decided once, where a trace begins, by its id.
"""

from collections.abc import Iterable, Sequence
from contextvars import ContextVar, Token
from enum import Enum
from types import TracebackType
from typing import Final, Self

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace import Span as SdkSpan

from chassis.errors import CodedError

ATTRIBUTES: Final = frozenset(
    {
        "http.request.method", "http.route", "http.response.status_code", "peer.service",
        "graphql.operation.type", "graphql.root_field", "db.system.name", "db.operation.name",
        "db.query.text", "messaging.destination.name", "messaging.batch.message_count",
        "baluarte.attempt", "baluarte.outcome", "baluarte.correlation_id", "baluarte.batch",
        "baluarte.cache", "error.type",
    }
)  # fmt: skip
"""What a span may say. Values are routes, codes, counts and statements with placeholders: nobody's data."""

MAX_LINKS: Final = 32
"""Causes that a span over a batch names; a batch may have thousands."""

MAX_TEXT: Final = 500
"""Characters of a statement that are kept."""

QUEUE: Final = 2_048
"""Ended spans that wait to be sent; further ones are dropped while the collector is away."""

SEND_SECONDS: Final = 3.0
"""For one batch to be taken by the collector."""

_VERSION: Final = "00"

Value = str | int | float | bool


class Kind(Enum):
    """What a span is to the process on the other side."""

    INTERNAL = SpanKind.INTERNAL
    SERVER = SpanKind.SERVER
    CLIENT = SpanKind.CLIENT
    PRODUCER = SpanKind.PRODUCER
    CONSUMER = SpanKind.CONSUMER


class Tracing:
    """Tracing of this process while it lasts. Made by `configure`; closed with the process."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    async def close(self) -> None:
        """Send what is left, within `SEND_SECONDS`, and turn tracing off."""
        import asyncio

        _state.tracer = None
        await asyncio.to_thread(self._provider.shutdown)


class _State:
    """Whether this process traces."""

    tracer: Tracer | None = None


_state = _State()
_current: ContextVar["Span | None"] = ContextVar("span", default=None)


def configure(
    service: str, exporter: SpanExporter, *, sample: float, trust_callers: bool = True
) -> Tracing:
    """Turn tracing on.

    Args:
        sample: share of the traces that begin here, 0 to 1.
        trust_callers: whether a caller's decision to sample is followed. Not at the edge, where anybody
            could have every request recorded.
    """
    return use(
        service,
        BatchSpanProcessor(
            exporter, max_queue_size=QUEUE, export_timeout_millis=int(SEND_SECONDS * 1000)
        ),
        sample=sample,
        trust_callers=trust_callers,
    )


def use(
    service: str, processor: SpanProcessor, *, sample: float = 1.0, trust_callers: bool = True
) -> Tracing:
    """Turn tracing on with a processor of one's own, as tests do."""
    ratio: Sampler = TraceIdRatioBased(sample)
    provider = TracerProvider(
        sampler=ParentBased(ratio) if trust_callers else ratio,
        resource=Resource({"service.name": service, "service.namespace": "baluarte"}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(processor)
    _state.tracer = provider.get_tracer("baluarte")
    return Tracing(provider)


def otlp(url: str) -> SpanExporter:
    """Sends spans to the collector at `url`, by HTTP."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=SEND_SECONDS)


class Span:
    """One span, as a context manager; does nothing where nothing is traced.

    Attributes:
        traceparent: the context to hand on: this span's, or, untraced, the parent's as it came.
        named: whether its name was given after it began.
    """

    __slots__ = ("_span", "_token", "named", "traceparent")

    def __init__(self, span: SdkSpan | None, traceparent: str | None) -> None:
        self._span = span
        self.traceparent = traceparent
        self.named = False
        self._token: Token[Span | None] | None = None

    @property
    def recorded(self) -> bool:
        """Whether anybody will see it."""
        return self._span is not None and self._span.is_recording()

    def name(self, text: str) -> None:
        """Rename it, for what is known only in the end."""
        if self._span is not None:
            self._span.update_name(text)
            self.named = True

    def tell(self, key: str, value: Value | None) -> None:
        """Set an attribute. One that is not in `ATTRIBUTES` is left out."""
        if self._span is not None and value is not None and key in ATTRIBUTES:
            self._span.set_attribute(key, value[:MAX_TEXT] if isinstance(value, str) else value)

    def fail(self, kind: str) -> None:
        """Mark it as failed; `kind` is a code or the exception's type."""
        if self._span is not None:
            self.tell("error.type", kind)
            self._span.set_status(StatusCode.ERROR)

    def __enter__(self) -> Self:
        if self._span is not None:
            self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._span is None:
            return
        if error is not None:
            self.fail(error.code if isinstance(error, CodedError) else type(error).__name__)
        self._span.end()
        if self._token is not None:
            _current.reset(self._token)


_UNTRACED: Final = Span(None, None)


def span(
    name: str,
    kind: Kind = Kind.INTERNAL,
    *,
    parent: str | None = None,
    causes: Iterable[str | None] = (),
    begins: bool = False,
) -> Span:
    """A span to enter.

    Args:
        parent: the cause's trace context, where it is not the span around.
        causes: contexts of further causes, for what is done for many at once; the first is the parent
            where none is given.
        begins: whether it may begin a trace of its own. Else it is only made within one: what a worker
            does without a cause would fill every trace store with polling.
    """
    tracer = _state.tracer
    if tracer is None:
        return _UNTRACED if parent is None else Span(None, parent)
    contexts = [found for found in map(parse, causes) if found is not None][:MAX_LINKS]
    context = parse(parent) or (contexts[0] if contexts else _around())
    if context is None and not begins:
        return _UNTRACED
    made = tracer.start_span(
        name,
        context=None if context is None else set_span_in_context(NonRecordingSpan(context)),
        kind=kind.value,
        links=[Link(each) for each in contexts[1:]],
        record_exception=False,
        set_status_on_exception=False,
    )
    return Span(made, text_of(made.get_span_context()))


def within() -> bool:
    """Whether the running task works within a span that is recorded."""
    return around().recorded


def around() -> Span:
    """The span that the running task works in; one that does nothing where there is none."""
    return _current.get() or _UNTRACED


def current_traceparent() -> str | None:
    """The context of the span around, to be stored with what it causes."""
    return around().traceparent


def _around() -> SpanContext | None:
    return parse(current_traceparent())


def parse(text: str | None) -> SpanContext | None:
    """A W3C trace context; None for none and for one that cannot be read."""
    parts: Sequence[str] = text.split("-") if text else ()
    if len(parts) != 4:
        return None
    try:
        context = SpanContext(
            int(parts[1], 16),
            int(parts[2], 16),
            is_remote=True,
            trace_flags=TraceFlags(int(parts[3], 16)),
        )
    except ValueError:
        return None
    return context if context.is_valid else None


def text_of(context: SpanContext) -> str:
    """The W3C form."""
    flags = int(context.trace_flags)
    return f"{_VERSION}-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"
