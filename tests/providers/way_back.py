"""A definition, the fake of its provider, and what is read of what that calls: for the tests of the way back."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import Definition
from connector.model import Batch, Message, Outcome, Source
from connector.receipts.callback import Callback, Inbound, Meaning, NeedsCertificate, Reading, ReceiptEntry, Verified
from connector.receipts.correlation import IndexKeys
from connector.receipts.receipt_reader import ReceiptKeys, ReceiptReader, compile_receipts
from connector.receipts.sent_references import ReferenceSigner
from connector.receipts.tokens import Tokens, UrlSecrets
from connector.request.renderer import compile_operation
from connector.response.reply_reader import compile_response
from connector.tools.simulator.callbacks.aws_callbacks import SnsCallbacks
from connector.tools.simulator.receipts.fate import Fate, NetworkState, course
from tests.simulator.receiver import Arrived, Receiver

from .shipped import DEMO, Provider, as_asked, message, provided

URL = "https://sms.example.com"
TOPIC = "arn:aws:sns:us-east-1:123456789012:sms-receipts"
KEYS = ReceiptKeys(
    Tokens(["hunter2-token-key-01"], ["sms.messages"]),
    UrlSecrets(["hunter2-url-key-0001"]),
    IndexKeys(["hunter2-index-key-01"]),
)
BATCH_ID = "0123456789abcdef" * 2

P, S, D = NetworkState.PENDING, NetworkState.SENT, NetworkState.DELIVERED
U, E, B = NetworkState.UNDELIVERED, NetworkState.EXPIRED, NetworkState.BLOCKED
SAME = {state: state.value for state in NetworkState}
FINAL = {state: SAME[state] for state in (D, U, E, B)}

MEANS: dict[str, dict[NetworkState, str]] = {
    "aliyun": FINAL | {E: "undelivered", B: "undelivered"},
    "aws-eum": SAME,
    "aws-pinpoint": FINAL | {P: "pending"},
    "bulksms": FINAL | {S: "sent"},
    "exotel": FINAL | {E: "undelivered"},
    "infobip": FINAL | {B: "undelivered"},
    "jasmin": FINAL | {S: "sent", B: "undelivered"},
    "kannel": SAME | {B: "undelivered"},
    "msg91": FINAL | {E: "undelivered"},
    "nimbus-biz": FINAL | {B: "undelivered"},
    "plivo": SAME | {E: "undelivered"},
    "smsindiahub": FINAL | {S: "sent", B: "undelivered"},
    "smsindiahub-legacy": FINAL | {S: "sent", B: "undelivered"},
    "tencent": FINAL | {E: "undelivered", B: "undelivered"},
    "textlocal": FINAL | {E: "unknown", B: "undelivered"},
    "twilio": SAME | {E: "undelivered"},
    "vonage": SAME | {S: "pending"},
}
"""What each fake tells, in our words; what is not here it does not tell."""

LOOKED_UP = {"smsindiahub": {"id"}, "smsindiahub-legacy": {"id"}, "tencent": {"id"}}
"""Nothing of ours comes back: what is compared with results."""

BATCHES = {
    "exotel": {"To|digits|last(10)"},
    "msg91": {"batch", "To|digits"},
    "nimbus-biz": {"To|digits|last(10)"},
    "plivo": {"To|digits"},
    "textlocal": {"To|digits"},
}
"""One reference for a whole request: beside it, what tells its messages apart."""


@cache
def definition(name: str) -> Definition:
    optional = {"AWS_EUM_TOPIC": TOPIC, "AWS_EUM_CONFIGURATION_SET": "receipts"}
    return load(name, environment=Environment({**DEMO, **optional}))


@dataclass(frozen=True, slots=True)
class SentRequest:
    """One request, and what its reply said of each message."""

    batch_id: str
    messages: Sequence[Message]
    outcomes: Sequence[Outcome]


class Way:
    """One definition, its fake, and what is read of what it calls."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.reader: ReceiptReader = compile_receipts(definition(provider.name), KEYS, public_url=URL)
        self.readings: list[Reading] = []
        self.answers: list[int] = []
        self.sent: list[SentRequest] = []

    def answer(self, arrived: Arrived) -> tuple[int, bytes]:
        """As the receiver does."""
        path, _, query = arrived.target.partition("?")
        headers = {name.lower(): value for name, value in arrived.headers.items()}
        callback = Callback(arrived.method, path, query, headers, arrived.body, time.time())
        verified = self.reader.verify(callback)
        if isinstance(verified, NeedsCertificate):
            reporter = self.provider.fake.reporter
            assert isinstance(reporter, SnsCallbacks)
            self.reader.certificates.add(verified.url, reporter.certificate, callback.now)
            verified = self.reader.verify(callback)
        if not isinstance(verified, Verified):
            self.answers.append(403)
            return 403, repr(verified).encode()
        reading = self.reader.read(callback, verified)
        self.readings.append(reading)
        self.answers.append(reading.answer.status)
        return reading.answer.status, reading.answer.body

    async def send(self, *messages: Message) -> None:
        """One request, whose messages stand in Kafka where the last digits of their ids say."""
        asked = as_asked(self.provider.name, messages)
        way = self.provider.operation(asked)
        now = time.time()
        places = [source(each) for each in asked]
        references = ReferenceSigner(KEYS.tokens, self.provider.name, URL).of(asked, places, now)
        batch = BATCH_ID[:-2] + f"{places[0].offset:02x}"  # some providers repeat the reply to a request they know
        rendered = compile_operation(way).render(asked, Batch(batch, now, references=references))
        assert len(rendered.sent) == len(asked), rendered.invalid
        assert rendered.request is not None
        reply = await self.provider.transport.send(rendered.request, way.auth)
        assert reply.status < 300, reply.body
        reading = compile_response(way, self.provider.definition.secrets).read(
            reply, asked, Batch(batch, now, references=references), now
        )
        self.sent.append(SentRequest(batch, asked, list(reading.outcomes)))

    @property
    def entries(self) -> list[ReceiptEntry]:
        return [entry for reading in self.readings for entry in reading.entries]

    @property
    def inbound(self) -> list[Inbound]:
        return [each for reading in self.readings for each in reading.inbound]

    def state(self, entry: ReceiptEntry) -> str:
        meaning = self.reader.meaning(entry.document)
        assert isinstance(meaning, Meaning), meaning
        return meaning.state.value


def source(sent: Message) -> Source:
    return Source("sms.messages", 3, int(sent.message_id.removeprefix("m")))


def fated(number: int, fate: Fate | None) -> Message:
    digits = fate.value if fate is not None else "5500"
    return message(number, to=f"+9198{number:02d}{digits}{number:02d}")


@asynccontextmanager
async def back(name: str, **more: Any) -> AsyncIterator[tuple[Way, Receiver]]:
    """A definition, its fake and a receiver behind the public URL, where the fake knows it as the registered one.
    `more`: knobs of its receipts.
    """
    async with provided(name, definition=definition(name)) as provider, Receiver() as receiver:
        way = Way(provider)
        receiver.answer = way.answer
        own: dict[str, Any] = {"confirmed": True, "topic": TOPIC} if name == "aws-eum" else {}
        if name == "kannel":  # as its get-url would be written
            own["inbound"] = f"{way.reader.url()}?from=%p&to=%P&text=%a&id=%I&at=%T"
        knobs = {"url": way.reader.url(), "via": receiver.url, "delay": [0, 0], "retry": "none", **own, **more}
        provider.set(account="demo", receipts=knobs)
        yield way, receiver


def told(name: str, fate: Fate | None) -> list[str]:
    """What the fake tells of a message, in our words."""
    steps = course(fated(1, fate).to)
    return [MEANS[name][step.state] for step in steps if step.state is not None and step.state in MEANS[name]]
