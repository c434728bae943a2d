"""Operations, messages and replies in a line each."""

from __future__ import annotations

import json
from typing import Any

from connector.definition.expression_text import parse
from connector.definition.tree import Batching, Constant, EntrySource, Match, NoAuth, Object, Operation, Response, Rule
from connector.model import Batch, Message, Reply
from connector.response.reply_reader import ReplyReader, ReplyReading, compile_response

NOW = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC, a Tuesday


def rule(place: str, spec: dict[str, Any]) -> Rule:
    given = dict(spec)
    status = given.pop("status", ())
    if isinstance(status, int):
        status = ((status, status),)
    header = tuple(given.pop("header", {}).items())
    return Rule(path=place, status=status, header=header, **given)


def match(spec: Any) -> Match:
    if isinstance(spec, str):
        return Match(kind=spec)
    return Match(kind="expressions", pairs=tuple((parse(left), right) for left, right in spec.items()))


def entry_source(place: str, spec: dict[str, Any]) -> EntrySource:
    given = dict(spec)
    rules = tuple(rule(f"{place}.rules[{i}]", each) for i, each in enumerate(given.pop("rules", ())))
    return EntrySource(path=place, match=match(given.pop("match")), rules=rules, **given)


def response(*, decode: tuple[Any, ...] = ("json",), rules: Any = (), entries: Any = ()) -> Response:
    return Response(
        decode=decode,
        rules=tuple(rule(f"response.rules[{i}]", each) for i, each in enumerate(rules)),
        entries=tuple(entry_source(f"response.entries[{i}]", each) for i, each in enumerate(entries)),
    )


def operation(given: Response | None, *, batched: bool = True) -> Operation:
    return Operation(
        name="send",
        path="",
        method="POST",
        url=Constant("https://sms.example.com/send"),
        query=Object(()),
        headers=Object(()),
        auth=NoAuth(),
        kind="json",
        body=None,
        batching=Batching(keys=(("msgs",),), max_records=1000) if batched else None,
        response=given,
    )


def reader(*, batched: bool = True, secrets: dict[str, str] | None = None, **given: Any) -> ReplyReader:
    return compile_response(operation(response(**given), batched=batched), secrets or {})


def messages(count: int) -> list[Message]:
    return [Message(message_id=f"m{i}", to=f"+9198123{i:05d}", body="hi") for i in range(count)]


def reply(body: Any = b"", status: int = 200, *, truncated: bool = False, **headers: str) -> Reply:
    if not isinstance(body, bytes):
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, truncated)


def batch() -> Batch:
    return Batch(id="0" * 32, now=NOW)


def read(by: ReplyReader, to: Reply, count: int = 1) -> ReplyReading:
    return by.read(to, messages(count), batch(), NOW)
