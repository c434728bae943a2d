"""Traces from the event through the request to the result, on a real Kafka, to a collector that speaks OTLP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.integration.pipeline import Pipeline, event
from tests.kafka.records import Event, produce
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

DEFINITION = """\
name: acme
method: POST
url: {url}/send
parameters: {{json: '{{"msgs": [{{"to": "$$To", "tid": "$$TemplateID", "ref": "$$uid"}}]}}'}}
batching: {{key: msgs, records: 10}}
response: {{rules: [{{status: 200, then: accept}}]}}
http: {{private_hosts: true}}
"""


class Outside(BaseHTTPRequestHandler):
    """The provider, and the collector of spans."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces":
            scopes = [it for one in ExportTraceServiceRequest.FromString(body).resource_spans for it in one.scope_spans]
            self.server.spans += [span for scope in scopes for span in scope.spans]
        else:
            self.server.requests.append((dict(self.headers), orjson.loads(body)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def outside() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Outside) as server:
        served: Any = server
        served.spans, served.requests = [], []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield served
        server.shutdown()
        thread.join()


def test_the_trace_of_an_event_reaches_the_request_and_the_result(pipeline: Pipeline, outside: Any) -> None:
    url = f"http://127.0.0.1:{outside.server_port}"
    (pipeline.folder / "definitions" / "acme.yaml").write_text(DEFINITION.format(url=url))
    pipeline.configure(tracing={"enabled": True, "propagate": True})
    pipeline.create_topics()
    traces = {f"m{number}": f"00-{number:032x}-{number:016x}-01" for number in (1, 2, 3)}
    campaigns = {"m1": "alone", "m2": "together", "m3": "together", "m4": "together"}
    events = [event(n, provider="acme", campaign=campaigns[f"m{n}"]) for n in (1, 2, 3, 4)]
    headers = [*({"traceparent": text.encode()} for text in traces.values()), {}]
    records = [Event(orjson.dumps(it), partition=0, headers=of) for it, of in zip(events, headers, strict=True)]
    produce(pipeline.bootstrap, pipeline.source, records)
    worker = pipeline.worker(OTEL_EXPORTER_OTLP_ENDPOINT=url)
    pipeline.wait_for_results(4)
    assert worker.stop() == 0, worker.output
    wait_until(lambda: len(outside.spans) == 2, "both spans", within=10)
    by_size = {len(body["msgs"]): headers["traceparent"].split("-") for headers, body in outside.requests}
    alone, together = (next(it for it in outside.spans if it.span_id.hex() == by_size[size][2]) for size in (1, 3))
    assert (int(alone.trace_id.hex(), 16), int(alone.parent_span_id.hex(), 16)) == (1, 1)
    assert together.parent_span_id == b""
    assert {int(link.trace_id.hex(), 16) for link in together.links} == {2, 3}
    carried = {}
    for record in pipeline.read_result_records():
        carried[orjson.loads(record.value or b"")["message_id"]] = record.headers.get("traceparent", b"").decode()
    assert carried == {**traces, "m4": ""}
