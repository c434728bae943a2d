"""A real lane before a provider that verifies signatures, or wants a login: what becomes of the messages."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from pathlib import Path

from connector.model import Status

from .raw_provider import OK, RawLane
from .servers import Behaviour, Server, reply, serving

SECRET = "hunter2-of-the-lane"
RULES = """
http: {private_hosts: true, total: 5s}
retry: {attempts: 3, base: 10ms, cap: 10ms}
limits: {concurrency: 1}
response:
  rules:
    - {when: "status == 'ok'", then: accept, id: id}
    - {when: "status == 'busy'", then: retry}
"""
SIGNED = """
name: acme
method: POST
url: http://127.0.0.1:PORT/send
parameters: {json: {messages: [{ref: "$${message_id()}", to: $$To, text: $$Body}]}}
batching: {key: messages, records: 10}
auth:
  sign:
    values: {secret: hunter2-of-the-lane, text: "$${nonce()}.$${body()}"}
    headers: {X-Nonce: "$${nonce()}", X-Signature: "$${text|hmac(secret)}"}
"""
LOGIN = """
name: acme
method: POST
url: http://127.0.0.1:PORT/send
parameters: {json: {to: $$To, text: $$Body}}
auth:
  login:
    request: {url: "http://127.0.0.1:PORT/login", json: {user: me}}
    token: token
    use: {headers: {X-Session: $$token}}
    renew: {when: "status == 'expired'"}
"""


def definition(text: str) -> str:
    return (text + RULES).replace("{", "{{").replace("}", "}}").replace("PORT", "{port}")


def named(raw: bytes, name: str) -> str:
    found = re.search(rf"(?im)^{name}: (.*?)\r$", raw.partition(b"\r\n\r\n")[0].decode("latin-1") + "\r\n")
    return "" if found is None else found[1]


def verifying(*first: bytes) -> Behaviour:
    """Answers 401 to what is not signed right, and `first` to the first ones that are."""
    waiting = list(first)

    async def behave(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while raw := await server.read(reader):
            text = named(raw, "X-Nonce").encode() + b"." + raw.partition(b"\r\n\r\n")[2]
            right = named(raw, "X-Signature") == hmac.digest(SECRET.encode(), text, "sha256").hex()
            answer = waiting.pop(0) if waiting and right else reply(OK) if right else reply(b"{}", "401 Unauthorized")
            writer.write(answer)
            await writer.drain()

    return behave


async def test_batches_are_signed_and_each_attempt_anew(tmp_path: Path) -> None:
    async with serving(verifying(reply(b'{"status":"busy"}'))) as server:
        lane = RawLane(tmp_path, server.port, total="5s", definition=definition(SIGNED))
        results = await lane.send(*(f"m{n}" for n in range(20)))
        await lane.close()
        assert {result.status for result in results.values()} == {Status.ACCEPTED}
        signatures = [named(raw, "X-Signature") for raw in server.requests]
        assert len(signatures) == len(set(signatures)) >= 3
        refs = [
            message["ref"]
            for raw in server.requests[1:]
            for message in json.loads(raw.partition(b"\r\n\r\n")[2])["messages"]
        ]
        assert sorted(refs) == sorted(results)


async def test_a_message_that_cannot_be_signed_ends_invalid_and_holds_up_nobody(tmp_path: Path) -> None:
    async with serving(verifying()) as server:
        text = SIGNED.replace("messages: [{ref", "count: $$Body, messages: [{ref").replace("text: $$Body}]", "n: 1}]")
        text = text.replace("headers: {", "headers: {X-Count: \"$${fields()|get('count')|int}\", ")
        lane = RawLane(tmp_path, server.port, total="5s", definition=definition(text))
        results = await lane.send("m1", "m2")  # `Hello` is no number
        await lane.close()
        assert {result.status for result in results.values()} == {Status.INVALID}
        assert {result.reason for result in results.values()} == {
            "$${fields()|get('count')|int}: int: not a whole number"
        }
        assert server.requests == []


def logging_in(*logins: bytes, sends: tuple[bytes, ...] = ()) -> Behaviour:
    asked, answers = list(logins), list(sends)

    async def behave(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while raw := await server.read(reader):
            if b"/login" in raw.split(b"\r\n")[0]:
                writer.write(asked.pop(0) if len(asked) > 1 else asked[0])
            else:
                writer.write(answers.pop(0) if answers else reply(OK))
            await writer.drain()

    return behave


async def test_messages_wait_while_a_login_is_down_and_none_is_lost_or_sent_twice(tmp_path: Path) -> None:
    down = [reply(b"{}", "503 Service Unavailable"), reply(b"<html>"), b"220 smtp\r\n", reply(b'{"token":""}')]
    async with serving(logging_in(*down * 2, reply(b'{"token":"t-1"}'))) as server:
        lane = RawLane(tmp_path, server.port, total="5s", definition=definition(LOGIN))
        results = await lane.send(*(f"m{n}" for n in range(5)))
        await lane.close()
        assert {result.status for result in results.values()} == {Status.ACCEPTED}
        assert {result.attempts for result in results.values()} == {1}
        sent = [raw for raw in server.requests if b"/send" in raw.split(b"\r\n")[0]]
        assert [named(raw, "X-Session") for raw in sent] == ["t-1"] * 5


async def test_a_session_that_ends_is_renewed_and_no_message_notices(tmp_path: Path) -> None:
    expired = reply(b'{"status":"expired"}')
    logins = (reply(b'{"token":"t-1"}'), reply(b'{"token":"t-2"}'))
    async with serving(logging_in(*logins, sends=(reply(OK), expired))) as server:
        lane = RawLane(tmp_path, server.port, total="5s", definition=definition(LOGIN))
        results = await lane.send("m1", "m2", "m3")
        await lane.close()
        assert {(result.status, result.attempts) for result in results.values()} == {(Status.ACCEPTED, 1)}
        sent = [raw for raw in server.requests if b"/send" in raw.split(b"\r\n")[0]]
        assert [named(raw, "X-Session") for raw in sent] == ["t-1", "t-1", "t-2", "t-2"]
