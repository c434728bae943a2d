"""Real definitions under replies that were shuffled, cut, doubled and contradicted on their way: every message gets the
truth about itself or `unknown`, never another's outcome and never another's id.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.model import Batch, Message, Reply
from connector.response.reply_reader import ReplyReader, compile_response
from tests.thorough import examples

from .build import NOW

FIXTURES = Path(__file__).parent.parent / "definition" / "fixtures"

# One entry of a reply: the message it is about, its position in the request from 1, and whether it was taken.
Entry = tuple[Message, int, bool]


def number(entry: Entry) -> str:
    return entry[0].to[1:]


def wrapped(status: int, write: Callable[[Entry], Any], around: Callable[[list[Any]], Any]) -> Any:
    return lambda entries: (status, json.dumps(around([write(entry) for entry in entries])).encode())


def bulksms(entry: Entry) -> Any:
    status = {"type": "SENT" if entry[2] else "FAILED"}
    return {"id": f"id-{entry[1]}", "to": number(entry), "status": status, "userSuppliedId": entry[0].message_id}


def exotel(entry: Entry) -> Any:
    said = {"Sid": f"id-{entry[1]}", "To": f"0{number(entry)[2:]}", "Status": "queued" if entry[2] else "failed"}
    return {"SMSMessage": said}


def textlocal(entries: list[Entry]) -> tuple[int, bytes]:
    sent = [{"messages": [{"id": f"id-{e[1]}", "recipient": int(number(e))}]} for e in entries if e[2]]
    failed = [{"number": number(e), "error": {"code": 51}} for e in entries if not e[2]]
    return 200, json.dumps({"status": "success", "messages": sent, "messages_not_sent": failed}).encode()


def clicksend(entry: Entry) -> Any:
    status = "SUCCESS" if entry[2] else "INVALID_RECIPIENT"
    return {"custom_string": entry[0].message_id, "message_id": f"id-{entry[1]}", "status": status}


def talking(entry: Entry) -> Any:
    return {"number": entry[0].to, "statusCode": 101 if entry[2] else 403, "messageId": f"id-{entry[1]}"}


def elks46(entry: Entry) -> Any:
    return {"to": entry[0].to, "status": "created" if entry[2] else "failed", "id": f"id-{entry[1]}"}


def gupshup(entries: list[Entry]) -> tuple[int, bytes]:
    lines = [
        f"success | {number(entry)} | id-{entry[1]}" if entry[2] else f"error | 105 | {number(entry)} | not valid"
        for entry in entries
    ]
    return 200, "\n".join(lines).encode()


def valuefirst(entries: list[Entry]) -> tuple[int, bytes]:
    guids = "".join(
        f'<GUID GUID="id-{entry[1]}" ID="{entry[1]}">{"" if entry[2] else "<ERROR CODE="}'.replace(
            "<ERROR CODE=", '<ERROR CODE="28682"/>'
        )
        + "</GUID>"
        for entry in entries
    )
    return 200, f'<?xml version="1.0"?><MESSAGEACK>{guids}</MESSAGEACK>'.encode()


REPLIES: dict[str, Callable[[list[Entry]], tuple[int, bytes]]] = {
    "bulksms": wrapped(201, bulksms, lambda entries: entries),
    "exotel": wrapped(200, exotel, lambda entries: entries),
    "textlocal": textlocal,
    "elsewhere/clicksend": wrapped(
        200, clicksend, lambda entries: {"response_code": "SUCCESS", "data": {"messages": entries}}
    ),
    "elsewhere/africastalking": wrapped(200, talking, lambda entries: {"SMSMessageData": {"Recipients": entries}}),
    "elsewhere/elks46": wrapped(200, elks46, lambda entries: entries),
    "elsewhere/gupshup": gupshup,
    "elsewhere/valuefirst": valuefirst,
}


@cache
def reader(name: str) -> ReplyReader:
    definition = load(FIXTURES / f"{name}.yaml", environment=Environment.placeholders())
    return compile_response(definition.operations[0])


HARMS = st.lists(
    st.tuples(st.sampled_from(["drop", "repeat", "contradict", "stranger"]), st.integers(0, 99)), max_size=5
)
STRANGER = Message("m-99", "+919899999999", body="hi")


def harmed(entries: list[Entry], harms: list[tuple[str, int]]) -> list[Entry]:
    entries = list(entries)
    for kind, where in harms:
        if kind == "stranger":
            entries.insert(where % (len(entries) + 1), (STRANGER, 99, True))
        elif entries:
            index = where % len(entries)
            message, position, taken = entries[index]
            if kind == "drop":
                del entries[index]
            else:
                entries.append((message, position, taken if kind == "repeat" else not taken))
    return entries


@pytest.mark.parametrize("name", REPLIES)
@settings(max_examples=examples(40), deadline=None)
@given(
    data=st.data(),
    taken=st.lists(st.booleans(), min_size=2, max_size=6),
    harms=HARMS,
    cut=st.none() | st.integers(0, 2000),
)
def test_every_message_gets_the_truth_about_itself_or_unknown(
    name: str, data: st.DataObject, taken: list[bool], harms: list[tuple[str, int]], cut: int | None
) -> None:
    messages = [Message(f"m-{index}", f"+91980000{index:04d}", body="hi") for index in range(len(taken))]
    honest = [(message, index + 1, taken[index]) for index, message in enumerate(messages)]
    entries = harmed(data.draw(st.permutations(honest)), harms)
    status, body = REPLIES[name](entries)
    truncated = cut is not None and cut < len(body)
    reply = Reply(status, {}, body[:cut] if truncated else body, truncated)

    outcomes = reader(name).read(reply, messages, Batch("0" * 32, NOW), NOW).outcomes

    for (message, position, _), outcome in zip(honest, outcomes, strict=True):
        said = {"accept" if entry[2] else "reject" for entry in entries if entry[0] is message}
        if truncated or not entries:
            assert outcome.then in {*said, "unknown"}
        else:
            assert outcome.then == (said.pop() if len(said) == 1 else "unknown")
        assert outcome.provider_message_id in (None, f"id-{position}")
        if outcome.then == "accept":
            assert outcome.provider_message_id == f"id-{position}"
