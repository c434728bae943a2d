"""Traces by OpenTelemetry, an extra of this package: `pip install 'kafka-sms-connector[otel]'`.

An event may carry the header `traceparent` (https://www.w3.org/TR/trace-context/). The request its message leaves with
has a span: the event's trace is its parent where the message is alone, else one of its links. Spans name neither
recipients nor URLs, which may hold recipients and credentials.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING

import msgspec
from yarl import URL

from connector import __version__
from connector.delivery.http.transport import MayLeave, Transport, always
from connector.delivery.queue.attempt import Attempt
from connector.delivery.queue.item import TracedItem
from connector.errors import Problem, RequestError, SettingsError
from connector.model import Reply, Request

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import SpanContext

HEADER = "traceparent"

HEADER_BYTES = 128
"""It has 55 today, and versions to come may append to it. What is longer is passed over."""

MOST_LINKS = 1000
"""The largest batch. OpenTelemetry's own default would leave most of its messages without their request."""

FLUSH_SECONDS = 5.0
"""A collector that is away must not hold up the end of the process; spans may be lost, results are not."""


def require() -> None:
    """Raise SettingsError, naming the extra, where OpenTelemetry is not installed."""
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        extra = "pip install 'kafka-sms-connector[otel]', or build the image with --build-arg LOCK=full"
        remedy = f"{extra}, or set it to false"
        raise SettingsError([Problem("tracing needs OpenTelemetry", remedy, path="tracing.enabled")])


class RequestTracing:
    """Makes the spans of requests.

    Args:
        propagate: requests carry `traceparent`, so that the provider can go on with the trace.
        exporter: takes the spans; by default they go where OpenTelemetry's own variables say (OTEL_EXPORTER_OTLP_…).

    Raises:
        SettingsError: OpenTelemetry is not installed.
    """

    def __init__(self, *, propagate: bool, exporter: SpanExporter | None = None) -> None:
        require()
        from opentelemetry import trace
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import SpanLimits, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        if exporter is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter()
        ours = {"service.name": "sms-connector", "service.version": __version__}
        self._spans = TracerProvider(
            resource=Resource.create({**ours, **OTELResourceDetector().detect().attributes}),
            span_limits=SpanLimits(max_links=MOST_LINKS),
            shutdown_on_exit=False,  # it would wait for a collector that is away
        )
        self._spans.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._spans.get_tracer("connector", __version__)
        self._propagator = TraceContextTextMapPropagator()
        self._propagate = propagate
        self._trace = trace

    async def send(self, transport: Transport, attempt: Attempt, provider: str, may_leave: MayLeave = always) -> Reply:
        """Send the request of an attempt within a span of its own. Raises what `transport` raises."""
        trace, request = self._trace, attempt.request
        parents = [self._propagator.extract({HEADER: text}) for text in _traces(attempt)]
        url = URL(request.url, encoded=True)
        attributes: dict[str, str | int] = {
            "http.request.method": request.method,
            "server.address": url.host or "",
            "server.port": url.port or 0,
            "sms.provider": provider,
            "sms.batch.id": attempt.batch.id,
            "sms.batch.size": len(attempt.items),
        }
        alone = len(attempt.items) == 1 and len(parents) == 1
        with self._tracer.start_as_current_span(
            request.method,
            context=parents[0] if alone else None,
            kind=trace.SpanKind.CLIENT,
            links=[] if alone else [trace.Link(span) for span in map(_span_of, parents) if span.is_valid],
            attributes=attributes,
            record_exception=False,  # with its traceback
            set_status_on_exception=False,
        ) as span:
            try:
                reply = await transport.send(self._carrying(request), attempt.route.operation.auth, may_leave)
            except RequestError as error:
                span.set_attribute("error.type", "uncertain" if error.uncertain else error.phase.value)
                span.set_status(trace.StatusCode.ERROR, str(error))
                raise
            span.set_attribute("http.response.status_code", reply.status)
            if reply.status >= 400:
                span.set_attribute("error.type", str(reply.status))
                span.set_status(trace.StatusCode.ERROR)
            return reply

    def _carrying(self, request: Request) -> Request:
        if not self._propagate:
            return request
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return msgspec.structs.replace(request, headers=(*request.headers, *carrier.items()))

    def close(self) -> None:
        """Send what is left, for a few seconds."""
        flush = threading.Thread(target=self._spans.force_flush, daemon=True)
        flush.start()
        flush.join(FLUSH_SECONDS)


def _traces(attempt: Attempt) -> Iterable[str]:
    """What the events of these messages carry: each trace once."""
    texts = [item.traceparent for item in attempt.items if isinstance(item, TracedItem)]
    return [text.decode("ascii", "replace") for text in dict.fromkeys(texts) if text is not None]


def _span_of(context: Context) -> SpanContext:
    from opentelemetry.trace import get_current_span

    return get_current_span(context).get_span_context()
