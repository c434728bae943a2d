"""What every definition sends comes back: its request, the fake's callbacks over HTTP, what they prove and mean."""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import msgspec
import pytest

from connector.model import Batch, Request, Source
from connector.receipts.callback import (
    BatchToken,
    Callback,
    Kind,
    Meaning,
    MessageToken,
    Verified,
)
from connector.receipts.phones import key_of
from connector.receipts.receipt_reader import compile_receipts
from connector.receipts.sent_references import ReferenceSigner
from connector.request.renderer import compile_operation
from connector.tools.simulator.receipts.fate import Fate
from tests.simulator.receiver import Receiver
from tests.waiting import eventually

from .shipped import NAMES, as_asked, message, shipped
from .way_back import (
    BATCH_ID,
    BATCHES,
    KEYS,
    LOOKED_UP,
    MEANS,
    URL,
    Way,
    back,
    definition,
    fated,
    source,
    told,
)

ONE_OF = "A-REFERENCE"


def test_every_definition_has_receipts_but_those_whose_provider_is_not_known_to_send_any() -> None:
    without = {name for name in NAMES if shipped(name).receipts is None}
    assert without == {"nimbus", "ovh", "skebby", "speedsms"}
    assert set(NAMES) - without == set(MEANS)


@pytest.mark.parametrize("name", sorted(MEANS))
async def test_what_became_of_a_message_comes_back_for_it_and_for_no_other(name: str) -> None:
    fates = {1: None, 2: Fate.UNDELIVERED, 3: Fate.EXPIRED, 4: Fate.BLOCKED}
    expected = {number: sorted(told(name, fate)) for number, fate in fates.items()}
    count = sum(map(len, expected.values()))
    async with back(name) as (way, receiver):
        for number, fate in fates.items():
            await way.send(fated(number, fate))
        await wait_for_entries(way, receiver, count)
        assert set(way.answers) <= {200, 204}
        assert [unmatched.reason for reading in way.readings for unmatched in reading.unmatched] == []
        assert not way.reader.faults
        states = defaultdict(list)
        for entry in way.entries:
            if name in LOOKED_UP:
                assert entry.token is None
                assert set(entry.match) == LOOKED_UP[name]
                states[entry.match["id"]].append(way.state(entry))
            else:
                assert isinstance(entry.token, MessageToken)
                assert entry.token.source.partition == 3
                states[entry.token.source.offset].append(way.state(entry))
    found = sorted(sorted(each) for each in states.values())
    assert found == sorted(expected.values())
    if name not in LOOKED_UP:
        assert {number: sorted(each) for number, each in states.items()} == expected


async def wait_for_entries(way: Way, receiver: Receiver, count: int) -> None:
    await eventually(lambda: len(way.entries) >= count, f"{count} entries of {receiver.url}", within=10)
    assert len(way.entries) == count


@pytest.mark.parametrize("name", sorted(set(BATCHES) | {"aws-pinpoint", "bulksms", "infobip"}))
async def test_of_a_batch_each_message_is_known_or_its_number_beside_the_request(name: str) -> None:
    messages = [fated(number, None) for number in (1, 2)]
    async with back(name) as (way, receiver):
        await way.send(*messages)
        await wait_for_entries(way, receiver, 2 * len(told(name, None)))
        assert [unmatched.reason for reading in way.readings for unmatched in reading.unmatched] == []
        for entry in way.entries:
            if name not in BATCHES:
                assert isinstance(entry.token, MessageToken)
                assert entry.token.source in [source(each) for each in messages]
                continue
            assert isinstance(entry.token, BatchToken)
            assert entry.token.batch_id == BATCH_ID[:-2] + "01"
            assert set(entry.match) == BATCHES[name]
            (number,) = [value for key, value in entry.match.items() if key.startswith("To")]
            assert any(each.to.endswith(number) for each in messages)


@pytest.mark.parametrize("name", sorted(set(MEANS) - {"msg91", "nimbus-biz", *LOOKED_UP}))
async def test_a_reply_stop_is_an_opt_out_of_the_phone_that_wrote_it(name: str) -> None:
    sent = fated(7, Fate.STOP)
    async with back(name) as (way, _):
        await way.send(sent)
        await eventually(lambda: bool(way.inbound), "a reply", within=10)
        (reply,) = way.inbound
        assert reply.kind is Kind.OPT_OUT
        assert reply.by not in {"token", "none"}
        assert reply.sender is not None
        assert key_of(reply.sender) == key_of(sent.to)
        assert reply.text == (None if name == "aws-pinpoint" else "STOP")


# ---- as their documentation shows them

DOCUMENTED: dict[str, tuple[Any, dict[str, str], bytes]] = {
    "aliyun": (
        [
            {"phone_number": "1381111****", "send_time": "2017-01-01 00:00:00", "report_time": "2026-11-27 08:00:00"}
            | {
                "success": success,
                "err_code": code,
                "err_msg": "said",
                "sms_size": "1",
                "biz_id": "12345",
                "out_id": ONE_OF,
            }
            for success, code in ((True, "DELIVERED"), (False, "MK:0001"))
        ],
        {"DELIVERED": "delivered", "MK:0001": "undelivered"},
        b'{"code":0,"msg":"ok"}',
    ),
    "tencent": (
        [
            {"user_receive_time": "2026-11-27 08:00:00", "nationcode": "86", "mobile": "13800000000", "sid": "2019:1"}
            | {"report_status": status, "errmsg": code, "description": "said"}
            for status, code in (("SUCCESS", "DELIVRD"), ("FAIL", "UNDELIV"))
        ],
        {"DELIVRD": "delivered", "UNDELIV": "undelivered"},
        b'{"result":0,"errmsg":"OK"}',
    ),
    "jasmin": (
        [
            {"id": "16fd2706-8baf-433b-82eb-8c7fada847da", "message_status": status, "level": level} | more
            for status, level, more in (
                ("ESME_ROK", "1", {}),
                ("ESME_RINVNUMDESTS", "1", {}),
                ("DELIVRD", "2", {"id_smsc": "2", "sub": "001", "dlvrd": "001", "err": "000", "text": "hello"}),
                ("EXPIRED", "2", {"id_smsc": "2", "err": "001"}),
            )
        ],
        {"ESME_ROK": "sent", "ESME_RINVNUMDESTS": "undelivered", "000": "delivered", "001": "expired"},
        b"ACK/Jasmin",
    ),
}
"""Entries, what each means by its code, and what the provider wants to hear."""


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_a_callback_as_it_is_documented_is_read_and_answered_as_the_provider_wants(name: str) -> None:
    entries, means, answer = DOCUMENTED[name]
    reader = compile_receipts(definition(name), KEYS, public_url=URL)
    now = time.time()
    token = KEYS.tokens.message(name, Source("sms.messages", 3, 7), "m7", None, now)
    path = f"/m/{name}/{token}" if name == "jasmin" else reader.url().removeprefix(URL)
    bodies = [json.dumps(entries).replace(ONE_OF, token)] if name != "jasmin" else [urlencode(each) for each in entries]
    kind = "application/x-www-form-urlencoded" if name == "jasmin" else "application/json"
    found: dict[str, str] = {}
    for body in bodies:
        callback = Callback("POST", path, "", {"content-type": kind}, body.encode(), now)
        verified = reader.verify(callback)
        assert isinstance(verified, Verified), verified
        reading = reader.read(callback, verified)
        assert reading.answer.body == answer
        assert (reading.unmatched, reading.inbound) == ([], [])
        for entry in reading.entries:
            meaning = reader.meaning(entry.document)
            assert isinstance(meaning, Meaning)
            assert meaning.code is not None
            found[meaning.code] = meaning.state.value
            assert entry.match == ({"id": "2019:1"} if name == "tencent" else {})
            assert (entry.token is None) is (name == "tencent")
            assert meaning.at in (None, 1_795_737_600.0)  # eight in the morning in China
    assert found == means
    assert not reader.faults


# ---- what a request holds more ---------------------------------------------------------------------------------------

ONE, SHORT, BATCH_TOKEN = "ONE", "SHORT", "BATCH"  # kinds of reference, as `named` shows them
CALLBACK, BATCH_CALLBACK = (f"{URL}/m/NAME/{kind}" for kind in (ONE, BATCH_TOKEN))

MORE: dict[str, dict[str, str]] = {
    "aliyun.send": {"OutId": ONE},
    "aws-eum.send": {"Context.receipt": ONE},
    "aws-pinpoint.send": {
        "Addresses.+919800000019.Context.receipt": ONE,
        "Addresses.+919800000029.Context.receipt": ONE,
    },
    "bulksms.send": {"0.userSuppliedId": SHORT, "1.userSuppliedId": SHORT},
    "exotel.bulk": {"StatusCallback": BATCH_CALLBACK},
    "exotel.single": {"StatusCallback": CALLBACK},
    "infobip.send": {
        f"messages.{number}.webhooks.{name}": value
        for number in (0, 1)
        for name, value in (("delivery.url", BATCH_CALLBACK), ("callbackData", ONE))
    },
    "jasmin.send": {"dlr": "yes", "dlr-url": CALLBACK, "dlr-level": "3", "dlr-method": "POST"},
    "kannel.send": {
        "X-Kannel-DLR-Url": f"{CALLBACK}?type=%d&at=%T&id=%F&answer=%A",
        "X-Kannel-DLR-Mask": "31",
    },
    "msg91.send": {"CRQID": BATCH_TOKEN},
    "nimbus-biz.send": {"DlrUrl": f"{BATCH_CALLBACK}?MsgID=%23MESSAGEID%23&Phno=%23PHNO%23&Status=%23STATUS%23"},
    "plivo.send": {"url": BATCH_CALLBACK},
    "textlocal.send": {"data.receipt_url": BATCH_CALLBACK},
    "twilio.send": {"StatusCallback": f"{CALLBACK}#rc=5&rp=all"},
    "vonage.send": {"client-ref": SHORT},
}
"""Operation → what its request holds where receipts are asked for, and did not hold before. Nothing else changes."""

ALONE = {
    operation for operation in MORE if operation.split(".")[0] not in {*BATCHES, "bulksms", "infobip", "aws-pinpoint"}
}


@pytest.mark.parametrize("operation", [f"{name}.{way.name}" for name in NAMES for way in shipped(name).operations])
def test_a_request_holds_what_comes_back_where_receipts_are_asked_for_and_nothing_more_where_not(
    operation: str,
) -> None:
    name, _, called = operation.partition(".")
    count = 1 if operation in ALONE | {"exotel.single"} else 2
    plain = flat(rendered(name, called, count, referring=False))
    more = flat(rendered(name, called, count, referring=True))
    assert [key for key in plain if key not in more] == []
    changed = {key: named(name, value) for key, value in more.items() if plain.get(key) != value}
    assert changed == {key: value.replace("NAME", name) for key, value in MORE.get(operation, {}).items()}


def rendered(name: str, called: str, count: int, *, referring: bool) -> Request:
    loaded = shipped(name)
    (way,) = [each for each in loaded.operations if each.name == called]
    renderer = compile_operation(way)
    messages = as_asked(name, [message(number) for number in range(1, min(count, renderer.max_records) + 1)])
    signer = ReferenceSigner(KEYS.tokens, name, URL)
    references = signer.of(messages, [source(each) for each in messages], 0.0) if referring else None
    request = renderer.render(messages, Batch(BATCH_ID, 0.0, references=references)).request
    assert request is not None
    return request


def flat(request: Request) -> dict[str, str]:
    """Headers, query and body of a request as paths and texts."""
    body = (request.body or b"").decode()
    found: dict[str, Any] = {**dict(request.headers), **dict(parse_qsl(urlsplit(request.url).query))}
    if body.startswith(("{", "[")):
        found |= dict(_paths(msgspec.json.decode(body)))
    elif "=" in body:
        for key, value in parse_qsl(body):
            inner = json.loads(value) if value.startswith("{") else value
            found |= dict(_paths({key: inner}))
    return {key: str(value) for key, value in found.items()}


def _paths(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    items: Any = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path, value
        return
    for key, inner in items:
        yield from _paths(inner, f"{path}.{key}".strip("."))


def named(name: str, text: str) -> str:
    """The text with the kind of reference in its place."""

    def kind(found: re.Match[str]) -> str:
        try:
            token = KEYS.tokens.read(name, found[0])
        except ValueError:
            return found[0]
        if isinstance(token, BatchToken):
            return BATCH_TOKEN
        return SHORT if token.message_id is None else ONE

    return (
        unquote(re.sub("[A-Za-z0-9_-]{18,}", kind, text)) if "%2F" in text else re.sub("[A-Za-z0-9_-]{18,}", kind, text)
    )
