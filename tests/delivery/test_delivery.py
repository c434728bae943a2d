"""A lane with nothing faked but the provider: definitions as users write them, requests and replies over sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from connector.clock import SystemClock
from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.delivery.http.client import HttpTransport
from connector.delivery.lane import Lane
from connector.delivery.limits.circuit_breaker import BreakerSettings
from connector.delivery.limits.lane_settings import LaneSettings
from connector.delivery.queue.item import Item
from connector.model import Message, Result
from tests.delivery.hosts import FakeHost

BATCHED = """
method: POST
url: ${URL}
auth: {basic: {username: user, password: "${PASSWORD}"}}
parameters:
  json: |
    {"hid": "$$hid", "cid": "$$CampaignID", "msgs": [{"to": "$$To", "text": "$$Body", "ref": "$${message_id()}"}]}
batching: {key: msgs, records: 3}
response:
  rules: [{status: 200, then: entries}]
  entries:
    - each: results
      match: {message_id(): ref}
      id: id
      rules:
        - {when: "error", then: reject, code: error, reason: text}
        - {when: id, then: accept}
http: {private_hosts: true}
retry: {attempts: 3, base: 10ms, cap: 20ms}
"""

decode_message = msgspec.json.Decoder(Message).decode


@dataclass
class Setup:
    lane: Lane
    requests: list[Any]
    results: dict[str, Result] = field(default_factory=dict)

    def offer(self, *ids: str, **fields: Any) -> None:
        for number, message_id in enumerate(ids):
            message = Message(
                message_id=message_id,
                to=f"+9198123456{number:02d}",
                campaign_id="c7",
                body=f"Hello {message_id}",
                custom={"hid": "h1"},
                **fields,
            )
            origin = SimpleNamespace(topic="sms.messages", partition=3)
            self.lane.offer(Item(msgspec.json.encode(message), origin, number, None, datetime.now(UTC)), message)
        self.lane.wake()

    async def until(self, count: int) -> None:
        running = asyncio.create_task(self.lane.run())
        async with asyncio.timeout(20):
            while len(self.results) < count:
                await asyncio.sleep(0.005)
                if running.done():
                    await running
        self.lane.close()
        await running


Answer = Callable[[Any, int], web.StreamResponse]


@asynccontextmanager
async def provider(tmp_path: Path, text: str, answer: Answer) -> AsyncIterator[Setup]:
    requests: list[Any] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        requests.append(SimpleNamespace(headers=request.headers, body=body))
        return answer(body, len(requests))

    app = web.Application()
    app.router.add_post("/send", handle)
    async with TestServer(app) as server:
        file = tmp_path / "acme.yaml"
        file.write_text(text)
        values = {"URL": str(server.make_url("/send")), "PASSWORD": "hunter2-word"}
        definition = load(file, environment=Environment(values))
        transport = HttpTransport(definition)

        def finish(items: Sequence[Item], results: Sequence[Result]) -> None:
            for result in results:
                assert result.message_id not in setup.results
                setup.results[str(result.message_id)] = result

        lane = Lane(
            definition,
            host=FakeHost(finish),
            transport=transport,
            clock=SystemClock(),
            settings=LaneSettings(breaker=BreakerSettings(delay=0.05, cap=0.1, row_seconds=0.0)),
        )
        setup = Setup(lane, requests)
        try:
            yield setup
        finally:
            await lane.drain(0.0)
            await transport.close()


def accepted(body: Any, _count: int) -> web.Response:
    return web.json_response({"results": [{"ref": m["ref"], "id": f"p-{m['ref']}"} for m in reversed(body["msgs"])]})


async def test_a_definition_is_sent_and_its_reply_attributed(tmp_path: Path) -> None:
    async with provider(tmp_path, BATCHED, accepted) as setup:
        setup.offer("a", "b", "c", "d")
        await setup.until(4)
        assert [len(request.body["msgs"]) for request in setup.requests] == [3, 1]
        assert setup.requests[0].body["cid"] == "c7"
        assert setup.requests[0].headers["Authorization"].startswith("Basic ")
        result = setup.results["b"]
        assert (result.status, result.provider_message_id, result.provider) == ("accepted", "p-b", "acme")
        assert (result.batch_size, result.attempts, result.http_status) == (3, 1, 200)
        assert (result.source.partition, result.source.offset) == (3, 1)


async def test_reasons_show_neither_secrets_nor_numbers(tmp_path: Path) -> None:
    def refused(body: Any, _count: int) -> web.Response:
        text = "user:hunter2-word may not text +919812345600"
        return web.json_response({"results": [{"ref": m["ref"], "error": "E7", "text": text} for m in body["msgs"]]})

    async with provider(tmp_path, BATCHED, refused) as setup:
        setup.offer("a")
        await setup.until(1)
        assert (setup.results["a"].status, setup.results["a"].code) == ("rejected", "E7")
        reason = setup.results["a"].reason or ""
        assert "${PASSWORD}" in reason
        assert "hunter2-word" not in reason
        assert "9812345600" not in reason


async def test_a_message_that_lacks_a_value_is_invalid_and_the_others_are_sent(tmp_path: Path) -> None:
    text = BATCHED.replace('"text": "$$Body"', '"text": "$$Body", "nick": "$$nick"')
    async with provider(tmp_path, text, accepted) as setup:
        shared: dict[str, Any] = {"campaign_id": "c7", "body": "Hi"}
        message = Message(message_id="a", to="+919812345600", custom={"hid": "h", "nick": "x"}, **shared)
        lacking = Message(message_id="b", to="+919812345601", custom={"hid": "h"}, **shared)
        for offset, one in enumerate((message, lacking)):
            origin = SimpleNamespace(topic="sms.messages", partition=0)
            setup.lane.offer(Item(msgspec.json.encode(one), origin, offset, None, datetime.now(UTC)), one)
        await setup.until(2)
        assert setup.results["a"].status == "accepted"
        assert setup.results["b"].status == "invalid"
        assert "nick" in (setup.results["b"].reason or "")


@pytest.mark.parametrize(("status", "final"), [(500, "failed"), (422, "rejected"), (410, "rejected")])
async def test_built_in_rules_end_what_a_provider_keeps_refusing(tmp_path: Path, status: int, final: str) -> None:
    async with provider(tmp_path, BATCHED, lambda _body, _count: web.Response(status=status)) as setup:
        setup.offer("a")
        await setup.until(1)
        assert setup.results["a"].status == final
        assert setup.results["a"].attempts == (4 if status == 500 else 1)  # one more, as an outage


async def test_only_what_was_refused_is_sent_again(tmp_path: Path) -> None:
    def partly(body: Any, count: int) -> web.Response:
        if count > 1:
            return accepted(body, count)
        entries = [
            {"ref": m["ref"], "id": "p" if m["ref"] != "b" else None, "busy": m["ref"] == "b"} for m in body["msgs"]
        ]
        return web.json_response({"results": entries})

    text = BATCHED.replace("      rules:\n", "      rules:\n        - {when: busy, then: retry}\n")
    async with provider(tmp_path, text, partly) as setup:
        setup.offer("a", "b", "c")
        await setup.until(3)
        assert [[m["ref"] for m in request.body["msgs"]] for request in setup.requests] == [["a", "b", "c"], ["b"]]
        assert {name: result.attempts for name, result in setup.results.items()} == {"a": 1, "b": 2, "c": 1}


async def test_under_report_a_broken_reply_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    def broken(_body: Any, _count: int) -> web.StreamResponse:
        return web.Response(body=json.dumps({"results": []}).encode(), headers={"Content-Encoding": "gzip"})

    async with provider(tmp_path, BATCHED + "on_uncertain: report\n", broken) as setup:
        setup.offer("a", "b")
        await setup.until(2)
        assert {result.status for result in setup.results.values()} == {"unknown"}
        assert len(setup.requests) == 1


CURRENT_FORM = """\
method: POST
url: ${URL}
auth: {basic: {username: user, password: "${PASSWORD}"}}
parameters:
  json: |
    {
      "hid": "$$hid", //Global Key-Value pair
      "tid": "$$TemplateID",
      "cid": "$$CampaignID",
      "type": "template",
      "msgs": [
        {
          "seq": 1,
          "to": "$$To",
          "uid": "$$uid", //Message Body Key-Value pair
          "mid": "$$MessageID",
          "variables": "$$TemplateVariables",
          "enc": "utf8"
        }
      ]
    }
batching: {key: msgs, records: 1000}
response:
  rules: [{when: results, then: entries}]
  entries:
    - {each: results, match: {MessageID: mid}, id: id, then: accept}
http: {private_hosts: true}
"""


def answered(body: Any, _count: int) -> web.Response:
    """An entry per record in another order, by the id the request brought."""
    return web.json_response({"results": [{"mid": m["mid"], "id": f"p-{m['mid']}"} for m in reversed(body["msgs"])]})


def form_event(number: int, **custom: Any) -> Message:
    return Message(
        message_id=f"m{number}",
        to=f"+9198123456{number:02d}",
        campaign_id="c7",
        template_id="1107",
        template_variables={"name": "Asha"},
        custom={"hid": 7, "uid": f"u{number}", **custom},
    )


def file(setup: Setup, *messages: Message) -> None:
    for offset, message in enumerate(messages):
        origin = SimpleNamespace(topic="sms.messages", partition=0)
        setup.lane.offer(Item(msgspec.json.encode(message), origin, offset, None, datetime.now(UTC)), message)


async def test_the_current_payload_of_clevertaps_form_is_sent_and_answered_by_the_messages_ids(tmp_path: Path) -> None:
    async with provider(tmp_path, CURRENT_FORM, answered) as setup:
        file(setup, form_event(1), form_event(2))
        await setup.until(2)
        assert [request.body for request in setup.requests] == [
            {
                "hid": 7,
                "tid": "1107",
                "cid": "c7",
                "type": "template",
                "msgs": [
                    {
                        "seq": 1,
                        "to": f"+91981234560{number}",
                        "uid": f"u{number}",
                        "mid": f"m{number}",
                        "variables": {"name": "Asha"},
                        "enc": "utf8",
                    }
                    for number in (1, 2)
                ],
            }
        ]
        found = {name: (result.status, result.provider_message_id) for name, result in setup.results.items()}
        assert found == {"m1": ("accepted", "p-m1"), "m2": ("accepted", "p-m2")}
        assert setup.lane.counts.custom_message_ids == 0


async def test_an_events_own_message_id_goes_first_for_one_release_and_is_told_once(tmp_path: Path) -> None:
    """On the wire, and in what replies are compared with."""
    async with provider(tmp_path, CURRENT_FORM.replace("1000", "1"), answered) as setup:
        with capture_logs() as told:
            file(setup, form_event(1, MessageID="theirs-1"), form_event(2), form_event(3, MessageID="theirs-3"))
            await setup.until(3)
        assert [m["mid"] for request in setup.requests for m in request.body["msgs"]] == ["theirs-1", "m2", "theirs-3"]
        assert setup.results["m1"].provider_message_id == "p-theirs-1"
        assert setup.lane.counts.custom_message_ids == 2
        warnings = [entry for entry in told if "custom.MessageID" in entry["event"]]
        assert [(entry["log_level"], entry["provider"]) for entry in warnings] == [("warning", "acme")]
        assert "theirs" not in str(warnings)
