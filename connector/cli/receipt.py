"""`sms-connector receipt`: what would this callback mean?"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import click
import orjson

from connector.cli import completing
from connector.cli.inputs import REPLY_BYTES, read_input
from connector.cli.options import settings_options
from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import Definition
from connector.errors import ConnectorError, MessageError, UsageError
from connector.masking import mask_number, mask_phone
from connector.model import Request, Source
from connector.receipts.callback import (
    Callback,
    Inbound,
    Meaning,
    MessageToken,
    NeedsCertificate,
    Reading,
    Refused,
    Token,
    Verified,
)
from connector.receipts.correlation import IndexKeys
from connector.receipts.inbound_reader import InboundRules
from connector.receipts.intents import Intents
from connector.receipts.proving import UnprovableError, proved
from connector.receipts.receipt_reader import ReceiptBounds, ReceiptKeys, ReceiptReader, compile_receipts
from connector.receipts.tokens import Tokens, UrlSecrets
from connector.request.show import curl
from connector.settings import Loaded

URL = "https://receiver.invalid"
"""Stands for `receive.url` where there is none: what is signed over the URL is then refused."""


Told = dict[str, str | int | None]
"""One thing that a callback says, by name."""


class _NotProvedError(ConnectorError):
    """The callback would be refused."""


@click.command()
@click.argument("definition", metavar="FILE", shell_complete=completing.definitions)
@click.option(
    "--request",
    "file",
    required=True,
    metavar="FILE",
    shell_complete=completing.files,
    help="The callback as it came; - for stdin.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.option("--sign", is_flag=True, help="Print the callback with a valid signature instead.")
@click.option("--curl", "as_curl", is_flag=True, help="With --sign: as a curl command to receive.url.")
@click.option("--message", metavar="SOURCE", help="With --sign: TOPIC/PARTITION/OFFSET, for {receipt} in the callback.")
@click.option("--message-id", default="m-1", show_default=True, metavar="ID", help="With --message: its message_id.")
@click.option("--private-key", metavar="PEM", help="With --sign: file of the key that ed25519 signs with.")
@settings_options
def receipt(
    *,
    definition: str,
    file: str,
    as_json: bool,
    sign: bool,
    as_curl: bool,
    message: str | None,
    message_id: str,
    private_key: str | None,
    loaded: Loaded,
) -> None:
    """Show what a captured callback means: who proves it, its entries and their states.

    FILE is a definition or the name of one in the catalogue, whose secrets are read from the environment; the
    keys of references and URLs are those of the settings (`receive`). The request is an HTTP request as text: a line
    `POST /m/acme/TOKEN HTTP/1.1`, headers, an empty line, the body. Numbers and texts are masked. Nothing is written.

    With --sign the request is a sketch, and what is printed is valid: signed as the definition's `verify` says, with
    {secret} as the secret of the URL, and {receipt} and {receipt_short} as references to --message. That is a secret:
    who has it can post receipts.

    Exit codes: 0 shown, 1 it would be refused or cannot be signed, 2 usage, 78 configuration: settings or the
    definition are wrong.

    \b
    Examples:
      sms-connector receipt providers/acme.yaml --request callback.http
      sms-connector receipt twilio --request sketch.http --sign --curl --message sms.messages/0/17
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    if not sign and (as_curl or message or private_key):
        raise UsageError("--curl, --message and --private-key belong to --sign")
    receive = loaded.settings.receive
    keys = ReceiptKeys(
        Tokens([key.get_secret_value() for key in receive.keys], loaded.settings.topics.source_names),
        UrlSecrets([key.get_secret_value() for key in receive.url_keys]),
        IndexKeys(receive.index_secrets),
    )
    defined = load(definition, environment=Environment(os.environ))
    reader = compile_receipts(
        defined,
        keys,
        public_url=receive.url or URL,
        bounds=ReceiptBounds(receive.entries, loaded.settings.receipts.keep),
        rules=InboundRules(Intents(loaded.settings.inbound)),
    )
    raw = read_input("--request", file, REPLY_BYTES)
    if sign:
        if receive.url is None:
            raise UsageError("--sign: the settings have no receive.url and no keys to sign with")
        sketch = parse_request(filled(raw, keys, defined.name, message, message_id), time.time())
        pem = (
            None
            if private_key is None
            else read_input("--private-key", private_key, REPLY_BYTES).decode("ascii", "replace")
        )
        click.echo(signed(sketch, reader, defined, receive.url, pem, as_curl=as_curl))
        return
    callback = parse_request(raw, time.time())
    verified = reader.verify(callback)
    if isinstance(verified, NeedsCertificate):
        raise _NotProvedError("the receiver would first fetch the certificate that the callback names")
    if not isinstance(verified, Verified):
        raise _NotProvedError(f"not verified, answered 403: {verified.reason}")
    for told in described(reader, verified, reader.read(callback, verified)):
        known = {name: value for name, value in told.items() if value is not None}
        click.echo(orjson.dumps(known).decode() if as_json else _line(told))


def filled(raw: bytes, keys: ReceiptKeys, name: str, message: str | None, message_id: str) -> bytes:
    """A sketch with the secret and the references that it has marks for. Raises UsageError."""
    marks: dict[bytes, str] = {}
    if b"{secret}" in raw:
        marks[b"{secret}"] = keys.url_secrets.of(name)
    if b"{receipt" in raw:
        found = re.fullmatch(r"(.+)/([0-9]{1,9})/([0-9]{1,18})", message or "")
        if found is None:
            raise UsageError("--message: {receipt} is a reference to a message; write TOPIC/PARTITION/OFFSET")
        source, now = Source(found[1], int(found[2]), int(found[3])), time.time()
        marks[b"{receipt}"] = keys.tokens.message(name, source, message_id, None, now)
        if b"{receipt_short}" in raw:
            try:
                marks[b"{receipt_short}"] = keys.tokens.short(name, source, now)
            except MessageError as error:
                raise UsageError(f"--message: {error.reason}") from None
    for mark, value in marks.items():
        raw = raw.replace(mark, value.encode())
    return raw


def signed(
    sketch: Callback, reader: ReceiptReader, definition: Definition, url: str, pem: str | None, *, as_curl: bool
) -> str:
    """The callback as its provider would send it: as text, or as a curl command. Raises ConnectorError."""
    assert definition.receipts is not None
    origin = "/".join(url.split("/", 3)[:3])
    for way in definition.receipts.verify:
        try:
            made = proved(sketch, way, origin, secrets.token_hex(16), pem)
        except UnprovableError as error:
            raise _NotProvedError(str(error)) from None
        if isinstance(verified := reader.verify(made), Verified):
            break
    else:
        assert isinstance(verified, Refused)
        raise _NotProvedError(
            f"signed, and still not verified: {verified.reason}; write the path as /r/{definition.name}/{{secret}} or "
            f"/m/{definition.name}/{{receipt}}, below the path of receive.url"
        )
    headers = tuple((name.title(), value) for name, value in made.headers.items())
    target = made.path + (f"?{made.query}" if made.query else "")
    if as_curl:
        return curl(Request(made.method, origin + target, headers, made.body or None), ())
    head = "\n".join([f"{made.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)])
    return f"{head}\n\n{made.body.decode('utf-8', 'backslashreplace')}"


def parse_request(raw: bytes, now: float) -> Callback:
    """An HTTP/1.1 request as text. Raises UsageError."""
    end = b"\r\n\r\n" if b"\r\n\r\n" in raw else b"\n\n"
    head, _, body = raw.partition(end)
    first, *lines = head.decode("latin-1").splitlines() or [""]
    words = first.split()
    if len(words) not in (2, 3) or not words[1].startswith("/"):
        raise UsageError("--request: the first line is not METHOD /path; write POST /m/acme/TOKEN HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise UsageError("--request: a line of the headers has no colon; an empty line stands before the body")
        name = name.strip().lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    length = headers.get("content-length", "")
    body = body[: int(length)] if length.isdigit() else body.rstrip(b"\r\n")  # editors end files with a line break
    path, _, query = words[1].partition("?")
    headers.pop("content-length", None)
    return Callback(words[0].upper(), path, query, headers, body, now)


def described(reader: ReceiptReader, verified: Verified, reading: Reading) -> Iterator[Told]:
    """What a callback means, without numbers and texts."""
    yield {"what": "callback", "verified_by": verified.by, "answer": reading.answer.status, "ignored": reading.ignored}
    for entry in reading.entries:
        meaning = reader.meaning(entry.document)
        assert isinstance(meaning, Meaning)  # `read` has asked already
        yield {
            "what": "receipt",
            "place": f"entry {entry.index + 1} of {entry.count}",
            "state": str(meaning.state),
            "whose": _whose(entry.token) or f"looked up by {', '.join(entry.match)}",
            "id": meaning.id,
            "code": meaning.code,
            "reason": None if meaning.reason is None else mask_phone(meaning.reason),
            "at": None if meaning.at is None else _moment(meaning.at),
            "sequence": meaning.sequence,
            "parts": meaning.parts,
        }
    for each in reading.inbound:
        yield _inbound(each)
    for unmatched in reading.unmatched:
        place = "the whole request" if unmatched.whole else f"entry {unmatched.index + 1} of {unmatched.count}"
        yield {"what": "unmatched", "place": place, "why": str(unmatched.why), "reason": unmatched.reason}
    if reading.handshake is not None:
        yield {"what": "subscription", "place": "the receiver confirms it"}
    for path, count in reader.faults.items():
        yield {"what": "warning", "place": f"{path} failed on this callback ({count}×), so it said nothing"}


def _line(told: Told) -> str:
    """For people."""
    said = {name: value for name, value in told.items() if value is not None}
    head = said.pop("what")
    words = [f"{name.replace('_', ' ')} {value}" for name, value in said.items() if name not in ("place", "state")]
    return f"{head}: " + ", ".join([*(str(said[key]) for key in ("place", "state") if key in said), *words])


def _whose(token: Token | None) -> str | None:
    if token is None:
        return None
    if not isinstance(token, MessageToken):
        return f"batch {token.batch_id}"
    source = token.source
    return f"message {token.message_id or '(short reference)'} at {source.topic}/{source.partition}/{source.offset}"


def _inbound(inbound: Inbound) -> Told:
    return {
        "what": str(inbound.kind),
        "from": None if inbound.sender is None else mask_number(inbound.sender),
        "to": None if inbound.recipient is None else mask_number(inbound.recipient),
        "characters": None if inbound.text is None else len(inbound.text),
        "id": inbound.id,
        "at": None if inbound.at is None else _moment(inbound.at),
        "answers": _whose(inbound.token),
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
