"""What receipts know messages by: in the request, in its repetition, and in what its reply is compared with."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote, unquote

import msgspec

from connector.clock import ManualClock
from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.delivery.counts import LaneCounts
from connector.delivery.queue.attempt import Attempt, Part, Replay
from connector.delivery.queue.item import Item
from connector.delivery.route import compile_routes
from connector.delivery.sending.request_builder import RequestBuilder, Router
from connector.model import Message, Reply, Source
from connector.receipts.callback import MessageToken
from connector.receipts.sent_references import ReferenceSigner
from connector.receipts.tokens import Tokens

TOKENS = Tokens(["hunter2-token-key-01"], ["sms.messages"])
SIGNER = ReferenceSigner(TOKENS, "acme", "https://sms.example.com")
DEFINITION = """
name: acme
method: POST
url: https://acme.example.com/send
parameters:
  json:
    - {to: $$To, text: $$Body, ref: "$${receipt('short')|default(message_id())}", callback: "$${receipt_url()?}"}
batching: {key: ., records: 10}
idempotent: 1h
response:
  rules: [{status: 200, then: entries}]
  entries: [{each: "@", match: {"receipt('short')|default(message_id())": ref}, then: accept}]
receipts: {match: token, state: s, states: {delivered: d}}
"""


class Built:
    """A request builder of one definition."""

    def __init__(self, folder: Path, text: str = DEFINITION, signer: ReferenceSigner | None = SIGNER) -> None:
        file = folder / "acme.yaml"
        file.write_text(text)
        routes = compile_routes(load(file, environment=Environment({})))
        self.reader = routes[0].reader
        self.clock = ManualClock()
        self.builder = RequestBuilder(
            routes,
            Router("acme", routes),
            host=cast(
                Any, SimpleNamespace(decode=_decoded, suppressed=lambda _items, _messages: (), suppression_changes=0)
            ),
            outcome_handler=cast(Any, None),
            counts=LaneCounts(),
            clock=self.clock,
            signer=signer,
        )
        self.key = Router("acme", routes).key(_message(1), False)

    def attempt(self, items: Sequence[Item], sealed: Replay | None = None) -> Attempt:
        attempt, _ = self.builder.prepare(Part(self.key, list(items), sealed))
        assert attempt is not None
        return attempt

    def statuses(self, attempt: Attempt, echoed: Sequence[str]) -> list[str]:
        body = msgspec.json.encode([{"ref": ref} for ref in echoed])
        reading = self.reader.read(Reply(200, {}, body), attempt.messages, attempt.batch, 0.0)
        return [outcome.then for outcome in reading.outcomes]


def _message(number: int) -> Message:
    return Message(f"m{number}", f"+4477009000{number:02d}", provider="acme", campaign_id="c", body="Hello")


def _items(*numbers: int) -> list[Item]:
    origin = SimpleNamespace(topic="sms.messages", partition=3, live=True)
    return [Item(msgspec.json.encode(_message(n)), origin, 100 + n, None, datetime.now(UTC)) for n in numbers]


def _decoded(items: Sequence[Item]) -> list[Message]:
    return [msgspec.json.decode(item.raw, type=Message) for item in items]


def _records(attempt: Attempt) -> list[dict[str, str]]:
    assert attempt.request.body is not None
    return msgspec.json.decode(attempt.request.body, type=list[dict[str, str]])


def test_every_message_of_a_batch_has_a_reference_of_its_own_that_says_where_it_stands(tmp_path: Path) -> None:
    built = Built(tmp_path)
    attempt = built.attempt(_items(1, 2, 3))
    records = _records(attempt)
    for number, record in zip((1, 2, 3), records, strict=True):
        prefix, token = record["callback"].rsplit("/", 1)
        assert prefix == "https://sms.example.com/m/acme"
        long, short = TOKENS.read("acme", token), TOKENS.read("acme", record["ref"])
        assert isinstance(long, MessageToken)
        assert isinstance(short, MessageToken)
        assert long.source == short.source == Source("sms.messages", 3, 100 + number)
        assert (long.message_id, long.campaign_id) == (f"m{number}", "c")
    assert built.statuses(attempt, [record["ref"] for record in records]) == ["accept"] * 3


def test_a_message_of_a_retry_topic_is_known_by_the_place_of_its_event(tmp_path: Path) -> None:
    item = _items(1)[0]
    item.source = Source("sms.messages", 7, 9)
    record = _records(Built(tmp_path).attempt([item]))[0]
    token = TOKENS.read("acme", record["callback"].rsplit("/", 1)[1])
    assert isinstance(token, MessageToken)
    assert token.source == item.source


def test_the_reply_to_a_request_that_is_repeated_as_it_was_is_compared_with_what_it_holds(tmp_path: Path) -> None:
    built = Built(tmp_path)
    items = _items(1, 2)
    first = built.attempt(items)
    built.clock.advance(3 * 86_400.0)  # another day: what is made anew would differ
    sealed = Replay(first.request, first.batch, built.clock.monotonic() + 10)
    again = built.attempt(items, sealed)
    assert again.request is first.request
    assert again.messages[0] is not first.messages[0]  # they were decoded anew
    assert built.statuses(again, [record["ref"] for record in _records(first)]) == ["accept", "accept"]


def test_a_reply_is_not_compared_with_a_reference_that_the_request_does_not_hold(tmp_path: Path) -> None:
    """As where somebody extends a definition of the catalogue with a record of his own."""
    text = DEFINITION.replace("ref: \"$${receipt('short')|default(message_id())}\"", 'ref: "$${message_id()}"')
    built = Built(tmp_path, text)
    attempt = built.attempt(_items(1, 2))
    assert [record["ref"] for record in _records(attempt)] == ["m1", "m2"]
    assert built.statuses(attempt, ["m2", "m1"]) == ["accept", "accept"]


def test_without_receive_url_nothing_is_referred_to(tmp_path: Path) -> None:
    built = Built(tmp_path, signer=None)
    attempt = built.attempt(_items(1, 2))
    assert attempt.batch.references is None
    assert _records(attempt)[0] == {"to": "+447700900001", "text": "Hello", "ref": "m1"}
    assert built.statuses(attempt, ["m1", "m2"]) == ["accept", "accept"]


def test_an_operation_that_refers_to_nothing_makes_no_references(tmp_path: Path) -> None:
    text = DEFINITION.replace("receipt('short')|default(message_id())", "message_id()")
    text = text.replace(', callback: "$${receipt_url()?}"', "")
    assert Built(tmp_path, text).attempt(_items(1)).batch.references is None


def test_a_reference_that_a_provider_echoes_stands_in_no_reason(tmp_path: Path) -> None:
    """Who could read it in a result could post receipts of that message."""
    text = DEFINITION.replace(
        "{status: 200, then: entries}",
        "{status: 200, then: entries}, {status: 400, then: split, reason: why, code: code}",
    )
    built = Built(tmp_path, text)
    items = _items(1, 2)
    first = built.attempt(items)
    callback, short = _records(first)[0]["callback"], _records(first)[1]["ref"]
    again = built.attempt(items, Replay(first.request, first.batch, built.clock.monotonic() + 10))
    for attempt in (first, again):
        for echoed in (callback, quote(callback, safe=""), short, b64encode(callback.encode()).decode()):
            body = msgspec.json.encode({"why": f"the field {echoed} is wrong", "code": short})
            reading = built.reader.read(Reply(400, {}, body), attempt.messages, attempt.batch, 0.0)
            said = f"{reading.outcomes[0].reason} {reading.outcomes[0].code}"
            assert "is wrong" in said
            for token in (callback.rsplit("/", 1)[1], short):
                assert token not in unquote(said)
                assert token[:20] not in said
