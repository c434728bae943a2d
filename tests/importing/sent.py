"""What curl itself sends, and what the imported definition renders, in one form to compare."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.model import Batch, Message
from connector.request.renderer import compile_operation
from connector.tools.importing.curl import read_command
from connector.tools.importing.draft import from_call
from connector.tools.importing.literal import provider_name
from connector.tools.importing.recognise import Hints, Recognised, recognise

CURL = shutil.which("curl")

Sent = dict[str, Any]


def comparable(method: str, url: str, headers: dict[str, str], body: bytes) -> Sent:
    """A request without what may be written in two ways: order of pairs and headers, spaces in JSON."""
    kind = headers.get("content-type", "").lower().split(";")[0]
    text = body.decode()
    parsed: Any = text
    if "json" in kind:
        parsed = json.loads(text)
    elif "xml" in kind:
        parsed = ET.canonicalize(text, strip_text=True)
    elif "urlencoded" in kind:
        parsed = sorted(parse_qsl(text, keep_blank_values=True))
    parts = urlsplit(url)
    return {
        "method": method,
        "path": parts.path,
        "query": sorted(parse_qsl(parts.query, keep_blank_values=True)),
        "authorization": headers.get("authorization"),
        "key": headers.get("authkey") or headers.get("apikey"),
        "body": parsed,
    }


def rendered(command: str, folder: Path, hints: Hints | None = None, **fields: Any) -> Sent:
    """What the definition made of `command` sends for one message."""
    found = imported(command, hints)
    text = from_call(found, "acme").yaml()
    for secret in found.secrets.values():
        assert len(secret) < 6 or secret not in text.split("\nmethod:", 1)[1] or secret.startswith("+"), text
    file = folder / "acme.yaml"
    file.write_text(text, encoding="utf-8")
    values = {**found.secrets, **fields.pop("environment", {})}
    (operation,) = load(file, environment=Environment(values)).operations
    message = Message("m1", **fields)
    done = compile_operation(operation).render([message], Batch("0" * 32, 0.0))
    assert not done.invalid, done.invalid
    assert done.request is not None
    headers = {name.lower(): value for name, value in done.request.headers}
    return comparable(done.request.method, done.request.url, headers, done.request.body or b"")


def imported(command: str, hints: Hints | None = None) -> Recognised:
    call = read_command(command)
    return recognise(call, provider_name(call.url), hints)


@contextmanager
def listening() -> Iterator[tuple[str, list[Sent]]]:
    """A server that remembers what it was asked."""
    asked: list[Sent] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked.append(comparable(self.command, self.path, headers, body))
            self.send_response(204)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the server looks for this name

        def log_message(self, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def sent_by_curl(command: str, origin: str, address: str, environment: dict[str, str]) -> None:
    """Run `command` in bash, with the provider's origin replaced by `address`."""
    assert command.count(origin) == 1
    script = command.replace(origin, address).replace(
        "curl ", "curl --silent --globoff --noproxy '*' --max-time 10 ", 1
    )
    subprocess.run(["bash", "-c", script], check=True, env={"PATH": "/usr/bin:/bin", **environment}, timeout=20)
