"""Events in Avro, and a schema registry that can be away: a new schema for every block of events."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import Any

import fastavro
import orjson

from connector.formats.wire import frame, unframe

BLOCK = 500
"""Events of one schema: workers ask for the next one all the time."""
FIELDS = ("message_id", "to", "provider", "campaign_id", "body", "hid")
SCHEMA = {"type": "record", "name": "E", "fields": [{"name": name, "type": "string"} for name in FIELDS]}
MAP = {**{name: name for name in FIELDS[:-1]}, "custom": "{hid: hid}"}

_parsed = fastavro.parse_schema(SCHEMA)


def as_avro(document: dict[str, Any], number: int) -> bytes:
    """An event of the suite as its registry's serializer would write it."""
    out = BytesIO()
    event = {**{name: document[name] for name in FIELDS[:-1]}, "hid": document["custom"]["hid"]}
    fastavro.schemaless_writer(out, _parsed, event)
    return frame(number // BLOCK + 1, out.getvalue())


def as_json(value: bytes) -> bytes:
    """What such an event says, for the audit; of others what they are."""
    if not value.startswith(b"\0"):
        return value
    return orjson.dumps(fastavro.schemaless_reader(BytesIO(unframe(value)[1]), _parsed, None))


class Registry:
    """Answers for every schema.

    Attributes:
        away: it answers 503.
    """

    def __init__(self) -> None:
        self.away = False
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"schema": json.dumps(SCHEMA)}).encode()
                self.send_response(503 if registry.away else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
