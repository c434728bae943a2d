"""Readers of definitions in a few lines, and callbacks for them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import Definition
from connector.model import Source
from connector.receipts.callback import Callback, Reading, Verified
from connector.receipts.correlation import IndexKeys
from connector.receipts.receipt_reader import ReceiptBounds, ReceiptKeys, ReceiptReader, compile_receipts
from connector.receipts.tokens import Tokens, UrlSecrets

NOW = 1_795_770_000.0
URL = "https://sms.example.com"
KEYS = ReceiptKeys(
    Tokens(["hunter2-token-key-01"], ["sms.messages"]),
    UrlSecrets(["hunter2-url-key-0001"]),
    IndexKeys(["hunter2-index-key-01"]),
)
SOURCE = Source("sms.messages", 3, 4711)

_HEAD = """
name: acme
method: POST
url: https://acme.example.com/send
parameters: {pairs: {to: $$To, text: $$Body}}
"""


def definition(folder: Path, receipts: str) -> Definition:
    file = folder / "acme.yaml"
    file.write_text(f"{_HEAD}receipts:\n" + "".join(f"  {line}\n" for line in receipts.strip().splitlines()))
    return load(file, environment=Environment({"SECRET": "hunter2-of-acme"}))


def reader(folder: Path, receipts: str, bounds: ReceiptBounds | None = None) -> ReceiptReader:
    return compile_receipts(definition(folder, receipts), KEYS, public_url=URL, bounds=bounds)


def token(name: str = "acme", now: float = NOW) -> str:
    return KEYS.tokens.message(name, SOURCE, "m-1", "c-1", now)


def post(
    path: str,
    body: bytes | dict[str, str] = b"",
    *,
    query: str = "",
    method: str = "POST",
    now: float = NOW,
    **headers: str,
) -> Callback:
    kind = "application/json"
    if isinstance(body, dict):
        body, kind = urlencode(body).encode(), "application/x-www-form-urlencoded"
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return Callback(method, path, query, {"content-type": kind, **named}, body, now)


def proved(read: ReceiptReader, callback: Callback) -> Reading:
    verified = read.verify(callback)
    assert isinstance(verified, Verified), verified
    return read.read(callback, verified)
