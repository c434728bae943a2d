"""Receivers as processes on a real Kafka: definitions whose callbacks are signed, callers, and what the topics hold.

What is compared comes from outside the connector: what each caller was answered, and what a consumer of another client
reads with isolation `read_committed`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from connector.model import Source
from connector.receipts.tokens import Tokens, UrlSecrets
from tests import marked
from tests.kafka.ports import free_ports
from tests.kafka.records import Record, end_offsets, read_all
from tests.processes import ConnectorProcess, StartConnector
from tests.waiting import wait_until

KEY, URL_KEY = f"{marked.SECRET}-token-key-0001", f"{marked.SECRET}-url-key-000001"
SECRET = f"{marked.SECRET}-of-acme"
PUBLIC = "https://sms.example.com/back"

ACME = """
name: acme
method: POST
url: https://acme.example.com/send
parameters: {pairs: {to: $$To, text: $$Body}}
receipts:
  verify: {hmac: {secret: "${ACME_SECRET}", header: X-Signature}}
  decode: json
  each: "[]"
  match: {token: ref}
  state: state
  states: {delivered: OK, undelivered: NO}
  id: id
  replies: [{when: "kind == 'mo'", from: from, text: text, id: id}]
"""
TWILIO = """
name: twilio
method: POST
url: https://api.example.com/send
parameters: {pairs: {to: $$To, text: $$Body}}
receipts:
  verify: {twilio: {secret: "${ACME_SECRET}"}}
  decode: form
  id: MessageSid
  state: MessageStatus
  states: {delivered: delivered, undelivered: [undelivered, failed, canceled], sent: sent, pending: [queued, sending]}
  code: ErrorCode
  reply: {status: 204}
"""
PLAIN = """
name: plain
method: POST
url: https://plain.example.com/send
parameters: {pairs: {to: $$To, text: $$Body}}
receipts: {decode: form, state: state, states: {delivered: OK}, id: id, reply: {status: 204}}
"""


@dataclass
class Answers:
    """What callers were answered: the ids of those that are acknowledged, and how often each status came."""

    acknowledged: set[str] = field(default_factory=set)
    statuses: Counter[int | str] = field(default_factory=Counter)


class Receiving:
    """Topics, definitions and receivers of one test.

    Attributes:
        topics, kafka: of the settings; a test may write others before it configures.
    """

    def __init__(self, folder: Path, bootstrap: str, unique: str, start: StartConnector) -> None:
        self.bootstrap = bootstrap
        self.unique = unique
        self._start = start
        self.definitions = folder / "definitions"
        self.config = folder / "connector.yaml"
        self.source = f"{unique}.messages"
        self.matched, self.unmatched = f"{unique}.receipts.matched", f"{unique}.receipts.unmatched"
        self.inbound = f"{unique}.inbound"
        names = ("results", "dead_letters", "journal", "control", "receipts")
        self.topics: dict[str, Any] = {name: f"{unique}.{name}" for name in names}
        self.topics |= {
            "sources": [self.source],
            "retry_prefix": f"{unique}.retry",
            "receipts_matched": self.matched,
            "receipts_unmatched": self.unmatched,
            "inbound": self.inbound,
            "receipts_in": f"{unique}.receipts.in",
            "receipts_index": f"{unique}.receipts.index",
        }
        self.kafka: dict[str, str] = {"bootstrap.servers": bootstrap}
        self.tokens = Tokens([KEY], [self.source])
        self.secrets = UrlSecrets([URL_KEY])
        self.definitions.mkdir()
        (self.definitions / "acme.yaml").write_text(ACME)
        (self.definitions / "plain.yaml").write_text(PLAIN)

    def configure(self, **receive: Any) -> None:
        """Write connector.yaml."""
        keys = {"url": PUBLIC, "keys": ["${TOKEN_KEY}"], "url_keys": ["${URL_KEY}"]}
        document = {
            "kafka": self.kafka,
            "group": self.unique,
            "topics": self.topics,
            "providers": [str(self.definitions)],
            "receive": {**keys, **receive},
            "log": {"format": "json"},
        }
        self.config.write_bytes(orjson.dumps(document))

    def create_topics(self, *options: str) -> None:
        """With the connector's own command."""
        made = self._command("topics", "create", "--replication", "1", *(options or ("--partitions", "4")))
        assert made.wait() == 0, made.output

    def receiver(self, name: str = "r0", *options: str, ready: bool = True) -> Receiver:
        """Start one on a free port."""
        (port,) = free_ports(1)
        arguments = ["--set", f"receive.listen=127.0.0.1:{port}", "--set", "health.port=0", *options]
        receiver = Receiver(self._command("receive", *arguments, name=name), port)
        if ready:
            receiver.process.wait_for("callbacks are taken", 90)
        return receiver

    def states(self, *options: str, name: str = "states") -> ConnectorProcess:
        """Start `receipts run`, with options."""
        return self._command("receipts", "run", *options, name=name)

    def command(self, *arguments: str) -> ConnectorProcess:
        """Run a command to its end."""
        process = self._command(*arguments)
        process.wait()
        return process

    def _command(self, *arguments: str, name: str = "") -> ConnectorProcess:
        env = {"TOKEN_KEY": KEY, "URL_KEY": URL_KEY, "ACME_SECRET": SECRET}
        return self._start(*arguments, "--config", str(self.config), name=name, env=env)

    def token(self, number: int, definition: str = "acme") -> str:
        """Of message `number`."""
        source = Source(self.source, number % 4, number)
        return self.tokens.message(definition, source, f"m-{number}", "c-1", time.time())

    def read(self, *topics: str) -> list[Record]:
        """Everything acknowledged in these topics."""
        return read_all(self.bootstrap, *topics)

    def stored(self) -> Counter[str]:
        """How often each provider's id stands in the topic of receipts whose message is known."""
        return Counter(orjson.loads(record.value or b"")["id"] for record in self.read(self.matched))

    def count(self, topic: str) -> int:
        return sum(end_offsets(self.bootstrap, topic).values())


@dataclass
class Receiver:
    """One receiver as a process."""

    process: ConnectorProcess
    port: int
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/back"

    def pages(self) -> str:
        """Where health and metrics are."""
        lines = (orjson.loads(line) for line in self.process.output.splitlines() if line.startswith("{"))
        return str(next(line["url"] for line in lines if line.get("event") == "health"))

    def wait_listening(self) -> None:
        def there() -> bool:
            with socket.socket() as asked:
                return asked.connect_ex(("127.0.0.1", self.port)) == 0

        wait_until(there, f"port {self.port} to be taken")


@asynccontextmanager
async def caller(**options: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """A provider's HTTP client."""
    connector = aiohttp.TCPConnector(limit=64, **options)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


def signed(entries: Any, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """A body as acme signs it."""
    body = orjson.dumps(entries)
    return body, {"X-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


async def post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str], **options: Any
) -> tuple[int | str, str]:
    """Status, or the error's name, and body."""
    try:
        async with session.post(url, data=io.BytesIO(body), headers=headers, **options) as response:
            return response.status, await response.text()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return type(error).__name__, ""


async def report(
    session: aiohttp.ClientSession, receiving: Receiving, url: str, number: int, answers: Answers, **more: Any
) -> int | str:
    """One receipt of acme about message `number`; what was answered is noted."""
    identifier = f"id-{number}"
    body, headers = signed([{"ref": receiving.token(number), "state": "OK", "id": identifier, **more}])
    status, _ = await post(session, f"{url}/r/acme", body, headers)
    answers.statuses[status] += 1
    if status == 200:
        answers.acknowledged.add(identifier)
    return status


async def reported(
    session: aiohttp.ClientSession, receiving: Receiving, url: str, numbers: range, answers: Answers
) -> None:
    """Receipts of many messages, 32 at once."""
    waiting = iter(numbers)

    async def some() -> None:
        for number in waiting:
            await report(session, receiving, url, number, answers)

    await asyncio.gather(*(some() for _ in range(32)))
