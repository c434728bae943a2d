"""The first real message: to a number of the settings only, written down first, through the topic that workers read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from connector.errors import ConnectorError
from connector.web.first_message import EventTransport, WrittenEvent
from connector.web.first_message_api import FirstMessageApi
from tests.web.serving import served, with_tokens
from tests.web.test_studio_api import KeptDeeds

PLACE = WrittenEvent("sms.messages", 3, 17)
PAST = "2020-01-01T00:00:00Z"
NUMBERS = ["+919812345671", "+919812345672"]


class KeptEvents(EventTransport):
    """Keeps what is written; its results come from the test."""

    def __init__(self, *results: dict[str, Any] | bytes) -> None:
        self.written: list[tuple[bytes, dict[str, Any], tuple[tuple[str, bytes], ...]]] = []
        self.results = results
        self.away = False

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[AsyncIterator[Sequence[bytes | None]]]:
        if self.away:
            raise ConnectorError("no broker answers")

        async def values() -> AsyncIterator[Sequence[bytes | None]]:
            yield [each if isinstance(each, bytes) else json.dumps(each).encode() for each in self.results]

        yield values()

    async def write(self, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]) -> WrittenEvent:
        self.written.append((key, json.loads(value), tuple(headers)))
        return PLACE


def result(offset: int = 17, **more: Any) -> dict[str, Any]:
    source = {"topic": PLACE.topic, "partition": PLACE.partition, "offset": offset}
    return {"status": "accepted", "source": source, "completed_at": "2026-01-31T08:00:00Z", **more}


def body(**more: Any) -> str:
    return json.dumps({"provider": "acme", "number": 1, "reason": "first message", **more})


def told(text: str) -> list[tuple[str, Any]]:
    parts = [part.split("\n", 1) for part in text.split("\n\n") if part]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in parts]


async def test_it_goes_to_a_number_of_ours_whatever_the_event_says_and_its_result_is_told() -> None:
    events, deeds = KeptEvents(b"no json", result(16), result(provider_message_id="x1")), KeptDeeds()
    settings = with_tokens(test_numbers=NUMBERS)
    async with served(settings, [FirstMessageApi(settings, events, deeds)]) as ask:
        given = body(event={"to": "+4915112345678", "provider": "other", "body": "Hi", "expires_at": PAST})
        answer = await ask.as_role("editor", "POST", "/api/studio/test", given)
    (key, event, headers), *others = events.written
    assert not others
    assert (key, event["to"], event["provider"], event["body"]) == (NUMBERS[1].encode(), NUMBERS[1], "acme", "Hi")
    assert event["message_id"].startswith("test-")
    assert "expires_at" not in event
    assert headers == (("test", b"true"),)
    (first, place), (last, end) = told(answer.text)
    assert (first, place) == ("written", msgspec.to_builtins(PLACE))
    assert (last, end["status"], end["provider_message_id"]) == ("result", "accepted", "x1")
    assert deeds.lines == [("asked", "test.send", "editor"), ("done", "test.send", "editor")]
    assert "981234" not in answer.text


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (body(number=2), 422),
        (body(number=-1), 422),
        (body(reason=""), 422),
        (body(provider="../x"), 422),
        (body(event={"custom": 3}), 422),
        (body(to="+4915112345678"), 422),
    ],
)
async def test_what_is_refused_is_not_written(given: str, status: int) -> None:
    events, settings = KeptEvents(), with_tokens(test_numbers=NUMBERS)
    async with served(settings, [FirstMessageApi(settings, events, KeptDeeds())]) as ask:
        assert (await ask.as_role("editor", "POST", "/api/studio/test", given)).status == status
        for role in ("viewer", "operator"):
            assert (await ask.as_role(role, "POST", "/api/studio/test", body())).status == 403
    assert events.written == []


async def test_what_a_provider_said_of_it_is_masked_and_holds_nothing_that_does_not_show() -> None:
    said = result(reason="no +919812345671\u202e", code="+919812345671", provider_message_id="x\u200b1")
    settings = with_tokens(test_numbers=NUMBERS)
    async with served(settings, [FirstMessageApi(settings, KeptEvents(said), KeptDeeds())]) as ask:
        answer = await ask.as_role("editor", "POST", "/api/studio/test", body())
    end = told(answer.text)[-1][1]
    assert "981234" not in answer.text
    assert (end["reason"], end["provider_message_id"]) == ("no +**********71\\u202e", "x\\u200b1")


async def test_nothing_is_sent_that_cannot_be_written_down_and_nothing_where_no_numbers_are() -> None:
    events, deeds, settings = KeptEvents(), KeptDeeds(), with_tokens(test_numbers=NUMBERS)
    deeds.away = True
    async with served(settings, [FirstMessageApi(settings, events, deeds)]) as ask:
        assert (await ask.as_role("editor", "POST", "/api/studio/test", body())).status == 503
    none = with_tokens()
    async with served(none, [FirstMessageApi(none, events, KeptDeeds())]) as ask:
        assert (await ask.as_role("editor", "POST", "/api/studio/test", body())).status == 404
    assert events.written == []


async def test_kafka_that_is_away_is_said_and_the_deed_has_failed() -> None:
    events, deeds, settings = KeptEvents(), KeptDeeds(), with_tokens(test_numbers=NUMBERS)
    events.away = True
    async with served(settings, [FirstMessageApi(settings, events, deeds)]) as ask:
        answer = await ask.as_role("editor", "POST", "/api/studio/test", body())
    assert (answer.status, json.loads(answer.text)["title"]) == (503, "no broker answers")
    assert deeds.lines[-1] == ("failed", "test.send", "editor")
