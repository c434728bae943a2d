"""Spans of requests: which trace they belong to, what they say, and what they never say."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from connector.delivery.http import tracing
from connector.delivery.queue.item import Item, TracedItem
from connector.errors import Phase, RequestError, SettingsError
from connector.model import Batch, Reply, Request

TRACES = [f"00-{number:032x}-{number:016x}-01" for number in (0xA, 0xB, 0xC)]


class Provider:
    """A transport that answers, or fails, as it is told."""

    token_refreshes = 0

    def __init__(self, answer: Reply | RequestError) -> None:
        self.answer = answer
        self.headers: dict[str, str] = {}

    async def send(self, request: Request, auth: Any, _: Any = None) -> Reply:
        self.headers = dict(request.headers)
        if isinstance(self.answer, RequestError):
            raise self.answer
        return self.answer

    async def close(self) -> None:
        pass


async def span_of(*traces: str | None, answer: Reply | RequestError, propagate: bool = False) -> tuple[Any, Provider]:
    """The span of a request with one message per trace."""
    exporter, provider = InMemorySpanExporter(), Provider(answer)
    spans = tracing.RequestTracing(propagate=propagate, exporter=exporter)
    attempt: Any = SimpleNamespace(
        items=[TracedItem(b"{}", None, 0, None, datetime.now(UTC), traceparent=it and it.encode()) for it in traces],
        request=Request("GET", "https://sms.example.com/send?to=919812345678&key=k", (("X-A", "1"),)),
        batch=Batch("b1", 0.0),
        route=SimpleNamespace(operation=SimpleNamespace(auth=None)),
    )
    if isinstance(answer, RequestError):
        with pytest.raises(RequestError):
            await spans.send(provider, attempt, "acme")
    else:
        assert await spans.send(provider, attempt, "acme") is answer
    spans.close()
    (span,) = exporter.get_finished_spans()
    return span, provider


async def test_the_trace_of_a_message_alone_is_the_parent() -> None:
    span, _ = await span_of(TRACES[0], answer=Reply(200, {}))
    assert span.kind is SpanKind.CLIENT
    assert (span.parent.trace_id, span.parent.span_id) == (0xA, 0xA)
    assert span.context.trace_id == 0xA
    assert span.links == ()


async def test_the_traces_of_a_batch_are_links_each_once() -> None:
    span, _ = await span_of(TRACES[0], TRACES[1], None, TRACES[0], "no trace", answer=Reply(200, {}))
    assert span.parent is None
    assert [link.context.trace_id for link in span.links] == [0xA, 0xB]
    assert span.attributes["sms.batch.size"] == 5


async def test_a_batch_of_the_largest_size_keeps_every_link() -> None:
    traces = [f"00-{number:032x}-{number:016x}-01" for number in range(1, tracing.MOST_LINKS + 1)]
    span, _ = await span_of(*traces, answer=Reply(200, {}))
    assert len(span.links) == tracing.MOST_LINKS


@pytest.mark.parametrize("traces", [(None,), ("00-short",), (None, None)])
async def test_without_a_trace_the_span_begins_one(traces: tuple[str | None, ...]) -> None:
    span, _ = await span_of(*traces, answer=Reply(200, {}))
    assert span.parent is None
    assert span.links == ()


@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        (Reply(204, {}), StatusCode.UNSET, None),
        (Reply(503, {}), StatusCode.ERROR, "503"),
        (RequestError(Phase.CONNECT, "no connection", uncertain=False), StatusCode.ERROR, "connect"),
        (RequestError(Phase.READ, "time-out", uncertain=True, timed_out=True), StatusCode.ERROR, "uncertain"),
    ],
)
async def test_a_span_says_how_its_request_ended_and_neither_numbers_nor_keys(
    answer: Reply | RequestError, status: StatusCode, kind: str | None
) -> None:
    span, _ = await span_of(TRACES[0], answer=answer)
    assert span.status.status_code is status
    assert span.attributes.get("error.type") == kind
    assert span.attributes["server.address"] == "sms.example.com"
    assert span.attributes["sms.provider"] == "acme"
    assert "98123" not in span.to_json()
    assert "key=k" not in span.to_json()


async def test_requests_carry_a_trace_only_where_that_is_wanted() -> None:
    span, provider = await span_of(TRACES[0], answer=Reply(200, {}), propagate=True)
    assert provider.headers["traceparent"] == f"00-{0xA:032x}-{span.context.span_id:016x}-01"
    _, provider = await span_of(TRACES[0], answer=Reply(200, {}))
    assert provider.headers == {"X-A": "1"}


def test_a_worker_without_tracing_imports_nothing_and_holds_no_room_for_it() -> None:
    code = "import sys, connector.stream.process; sys.exit(any(it.startswith('opentelemetry') for it in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert "traceparent" not in Item.__struct_fields__


def test_where_opentelemetry_is_not_installed_the_setting_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match=r"tracing\.enabled.*kafka-sms-connector\[otel\]"):
        tracing.RequestTracing(propagate=False)
