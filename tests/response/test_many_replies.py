# ruff: noqa: E501 - a table is read across
"""Made-up replies by the thousand, for every decoder: no exception, one outcome per message, none over the bound.

`make check` reads a few of each. REPLIES=100000 makes it as many per decoder (a quarter of an hour; -s shows the slowest):

    REPLIES=100000 .venv/bin/python -m pytest tests/response/test_many_replies.py --timeout=0 -s
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from typing import Any

import pytest

from connector.model import Reply
from connector.response.reply_reader import ReplyReader
from connector.response.work import SECONDS

from .build import NOW, batch, messages, reader
from .test_anything import ENTRIES, RULES

REPLIES = int(os.environ.get("REPLIES", "600"))
SEED = int(os.environ.get("SEED", "1"))
KIB = 1024

READERS = {
    name: [reader(decode=decode, rules=RULES, entries=ENTRIES, batched=batched) for batched in (True, False)]
    for name, decode in {"json": ("json",), "xml": ("xml",), "text": ("none",), "all": ("json", "xml", "none")}.items()
}
NAMES = ["code", "codes", "ok", "list", "map", "rest", "to", "id", "n", "state", "job", "until", "after", "text"]
NUMBERS = [
    b"0",
    b"-1",
    b"1e300",
    b"1e999",
    b"4.9e-324",
    b"9" * 19,
    b"9" * 21,
    b"9" * 101,
    b"9" * 5000,
    b"NaN",
    b"1.",
    b"007",
]
TEXTS = [
    "",
    "000",
    "ok",
    "Failed#x",
    "1" + " " * 3000 + "x",
    "9812300001",
    "é" * 50,
    "\ud83d",
    "\x00",
    "x" * 5000,
    "{}",
    "[1",
    "a=b",
]


def value(draw: random.Random, depth: int = 0) -> bytes:
    """A value as JSON text."""
    kind = draw.randrange(8 if depth < 5 else 3)
    if kind == 0:
        return draw.choice(NUMBERS)
    if kind == 1:
        return draw.choice([b"null", b"true", b"false"])
    if kind == 2:
        return json.dumps(draw.choice(TEXTS)).encode()
    if kind < 5:
        return b"[" + b",".join(value(draw, depth + 1) for _ in range(draw.randrange(5))) + b"]"
    keys = (json.dumps(draw.choice([*NAMES, messages(1)[0].to, "é"])).encode() for _ in range(draw.randrange(6)))
    return b"{" + b",".join(key + b":" + value(draw, depth + 1) for key in keys) + b"}"


def element(draw: random.Random, depth: int = 0) -> bytes:
    """A value as XML."""
    name = draw.choice([*NAMES, "x:y", "é"]).encode()
    attributes = b"".join(
        b' %s="%d"' % (draw.choice(NAMES).encode(), draw.randrange(9)) for _ in range(draw.randrange(3))
    )
    if depth > 5 or draw.random() < 0.3:
        text = draw.choice(TEXTS).encode("utf-8", "replace").replace(b"\x00", b"")
        return b"<%s%s>%s</%s>" % (name, attributes, text.replace(b"<", b"&lt;"), name)
    return b"<%s%s>%s</%s>" % (
        name,
        attributes,
        b"".join(element(draw, depth + 1) for _ in range(draw.randrange(5))),
        name,
    )


def line(draw: random.Random) -> bytes:
    """A reply of text: lines, pairs, commas."""
    said = [*TEXTS, "OK 12", "919812300001=a1", "to=919812300001&id=7", '"a","b"', "success | 919812300001 | x"]
    mark = draw.choice(["\n", "\r\n", "&", ",", "|"])
    return mark.join(draw.choice(said) for _ in range(draw.randrange(30))).encode("utf-8", "replace")


def harmed(body: bytes, draw: random.Random) -> bytes:
    """Cut, repeated, with bytes changed, in another encoding, or grown until it is large."""
    kind = draw.randrange(10)
    at = draw.randrange(len(body) + 1)
    if kind == 0:
        return body[:at]
    if kind == 1:
        return body[:at] + draw.randbytes(draw.randrange(5)) + body[at:]
    if kind == 2:
        return body.decode("utf-8", "replace").encode(draw.choice(["utf-16", "utf-32", "utf-8-sig", "utf-16-be"]))
    if kind == 3:
        piece = body[at : at + draw.randrange(1, 40)]
        return body[:at] + piece * draw.choice([10, 1000, 64 * KIB // (len(piece) or 1)]) + body[at:]
    if kind == 4:
        return draw.choice([b"[", b'{"a":', b"<a>", b"(", b'"', b"\\", b"&amp;", b"9", b" "]) * draw.choice(
            [50, 5000, 64 * KIB]
        )
    if kind == 5 and draw.random() < 0.05:
        return b"[" + b",".join([body] * (1024 * KIB // (len(body) + 1))) + b"]"
    return body


MADE = {"json": value, "xml": element, "text": line, "all": lambda draw: draw.choice([value, element, line])(draw)}


@pytest.mark.parametrize("decoder", READERS)
def test_no_reply_ends_in_an_exception_or_holds_the_loop(decoder: str) -> None:
    draw = random.Random(f"{SEED} {decoder}")
    slowest = 0.0
    for number in range(REPLIES):
        body = harmed(MADE[decoder](draw), draw)
        by: ReplyReader = draw.choice(READERS[decoder])
        count = draw.choice([1, 1, 3, 50])
        sent: list[Any] = messages(count)
        reply = Reply(draw.choice([200, 200, 202, 400, 429, 503]), {"retry-after": "1"}, body, draw.random() < 0.05)
        begun = time.thread_time()
        reading = by.read(reply, sent, batch(), NOW)
        slowest = max(slowest, time.thread_time() - begun)
        assert "reader" not in by.faults, (number, body[:200])
        assert len(reading.outcomes) == count, (number, body[:200])
        assert slowest < 4 * SECONDS, (number, body[:200])
    sys.stdout.write(f"{decoder}: {REPLIES:,} replies, the slowest {slowest * 1000:.0f} ms of CPU\n")
