"""Callbacks, from the outside: what is answered, what stands in Kafka by then, and what is bounded."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import io
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from connector import bounded_http
from connector.clock import SystemClock
from connector.kafka.batches import size, unpack
from connector.model import Source
from connector.receipts.callback import (
    BatchToken,
    Callback,
    CallbackAnswer,
    Inbound,
    Kind,
    MessageToken,
    NeedsCertificate,
    Reading,
    ReceiptEntry,
    Refused,
    Unmatched,
    Verified,
    Why,
)
from connector.receipts.correlation import IndexKeys
from connector.receipts.receipt_records import partition, place, read_entry
from connector.receipts.tokens import Tokens, UrlSecrets
from connector.receipts.verification import ReceiptKeys
from connector.receive import callback_server as server_module
from connector.receive.callback_routing import Routing
from connector.receive.callback_server import CallbackServer
from connector.receive.fetching import SharedFetch
from connector.receive.group_commit import GroupCommit
from connector.receive.handler import KEPT_PER_SECOND, TOLD_PER_SECOND, Handler
from connector.receive.placing import Placing
from connector.receive.topic_check import KnownTopics
from connector.settings.model import Topics
from connector.settings.way_back import Receive

MATCHED, UNMATCHED, INBOUND = "sms.receipts.matched", "sms.receipts.unmatched", "sms.inbound"
ENTRIES = "sms.receipts.in"
TOKEN = MessageToken(Source("sms.messages", 3, 41), 20_000, "m-1", "c-1")
SECRET = "SeCrEtInThEpAtH"
KEYS = ReceiptKeys(
    Tokens(["hunter2-token-key-01"], ["sms.messages"]),
    UrlSecrets(["hunter2-url-key-0001"]),
    IndexKeys(["hunter2-index-key-01"]),
)


class Kafka:
    """Acknowledges at once, later, never, or refuses.

    Attributes:
        records: topic, partition, key, value, headers.
    """

    def __init__(self) -> None:
        self.records: list[tuple[str, int, Any, Any, Any]] = []
        self.away = False
        self.refuses = False

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(65536, 0)

    async def put(self, batch: BatchBuilder, topic: str, number: int) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.refuses:
            future.set_exception(MessageSizeTooLargeError())
        elif not self.away:
            self.records += [(topic, number, *record) for record in unpack(batch)]
            future.set_result(None)
        return future


class Reader:
    """A definition whose callbacks say themselves what is in them.

    Attributes:
        asked: for certificates.
    """

    def __init__(self) -> None:
        self.certificates = self
        self.trusted: list[str] = []
        self.many = 0

    def add(self, url: str, pem: bytes, now: float) -> None:
        if pem != b"good":
            raise ValueError("it is no certificate")
        self.trusted.append(url)

    def verify(self, callback: Callback) -> Verified | Refused | NeedsCertificate:
        if callback.body == b"forged":
            return Refused("the signature is wrong")
        if callback.body == b"signed" and not self.trusted:
            return NeedsCertificate("https://certificates/1")
        return Verified("token", TOKEN)

    def read(self, callback: Callback, verified: Verified) -> Reading:
        answer = CallbackAnswer(204, b"")
        now, kinds = callback.now, callback.body.split(b",")
        entries = [ReceiptEntry("p", now, 0, 1, b'{"s":1}', TOKEN) for kind in kinds if kind in {b"one", b"signed"}]
        entries += [
            ReceiptEntry("p", now, 0, 1, b'{"s":2}', BatchToken("0" * 32, 1), {}, (b"k" * 16,))
            for kind in kinds
            if kind == b"batch"
        ]
        entries += [ReceiptEntry("p", now, 0, 1, b"x" * 5000, TOKEN) for kind in kinds if kind == b"large"]
        entries += [
            ReceiptEntry("p", now, it, self.many, b"{}", TOKEN)
            for kind in kinds
            if kind == b"many"
            for it in range(self.many)
        ]
        inbound = [Inbound(Kind.OPT_OUT, "p", now, "url", "+1555", text="STOP") for kind in kinds if kind == b"stop"]
        unmatched = [
            Unmatched("p", now, Why.UNREADABLE, "no JSON", callback.body, whole=True) for kind in kinds if kind == b"{"
        ]
        handshake = "https://confirm/1" if kinds == [b"hello"] else None
        return Reading(entries, inbound, unmatched, answer, handshake=handshake)


@dataclasses.dataclass
class Setup:
    kafka: Kafka
    reader: Reader
    handler: Handler
    server: CallbackServer
    url: str
    fetched: list[str]
    session: aiohttp.ClientSession
    fetches: dict[str, bytes]
    port: int

    async def post(self, body: bytes | io.BytesIO, path: str = f"/r/p/{SECRET}", **options: Any) -> int:
        async with self.session.post(f"{self.url}{path}", data=body, **options) as response:
            await response.read()
            return response.status


@pytest.fixture
def settings() -> dict[str, Any]:
    return {}


def serving(listening: socket.socket, handler: Handler, receive: Receive) -> CallbackServer:
    routing = Routing("https://sms.example.com", KEYS)
    return CallbackServer(listening, handler, routing=routing, receive=receive, clock=SystemClock())


def again(setup: Setup) -> CallbackServer:
    """A server on the same port, after what bounds it was changed."""
    return serving(socket.create_server(("127.0.0.1", setup.port)), setup.handler, setup.handler._receive)


@pytest.fixture
async def setup(settings: dict[str, Any]) -> AsyncIterator[Setup]:
    receive = Receive(**{"timeout": "200ms", "bytes": "2MiB", **settings})
    kafka, reader, fetched, clock = Kafka(), Reader(), [], SystemClock()
    fetches = {"https://certificates/1": b"good", "https://confirm/1": b""}

    async def fetch(url: str) -> bytes:
        fetched.append(url)
        await asyncio.sleep(0)
        if url not in fetches:
            raise OSError("away")
        return fetches[url]

    group = GroupCommit(kafka, most=receive.bytes, clock=clock)
    handler = Handler(group=group, receive=receive, fetch=SharedFetch(fetch), clock=clock)
    known = KnownTopics(
        {MATCHED: 12, UNMATCHED: 12, INBOUND: 4, ENTRIES: 12},
        {MATCHED: 3000, ENTRIES: 3000, UNMATCHED: 4_000_000, INBOUND: 3000},
    )
    handler.use({"p": reader})
    handler.open(Placing(Topics(), known, handler.counts))
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = serving(listening, handler, receive)
    await server.start()
    async with aiohttp.ClientSession() as session:
        made = Setup(kafka, reader, handler, server, f"http://127.0.0.1:{port}", fetched, session, fetches, port)
        yield made
    await made.server.stop(1)
    await group.close()


async def under_way(setup: Setup, number: int) -> None:
    while setup.handler.waiting < number:  # noqa: ASYNC110  counted in turns of the loop
        await asyncio.sleep(0)


async def test_a_receipt_stands_in_its_messages_partition_before_the_definitions_own_answer(setup: Setup) -> None:
    assert await setup.post(b"one") == 204
    ((topic, number, key, value, headers),) = setup.kafka.records
    assert (topic, number) == (MATCHED, partition(place(TOKEN.source), 12))
    entry = read_entry(value, headers)
    assert (entry.token, entry.document, key) == (TOKEN, b'{"s":1}', b"sms.messages/3/41")


@pytest.mark.parametrize(
    ("body", "topics"),
    [
        (b"", []),
        (b"one,one", [MATCHED, MATCHED]),
        (b"batch", [ENTRIES]),
        (b"{", [UNMATCHED]),
        (b"stop", [INBOUND]),
        (b"one,stop,{", [INBOUND, MATCHED, UNMATCHED]),
        (b"large,one", [UNMATCHED]),
    ],
)
async def test_everything_that_is_answered_as_taken_is_in_a_topic(setup: Setup, body: bytes, topics: list[str]) -> None:
    assert await setup.post(body) == 204
    assert sorted(record[0] for record in setup.kafka.records) == topics


async def test_what_is_too_large_for_its_topic_is_kept_whole(setup: Setup) -> None:
    assert await setup.post(b"large,one,stop") == 204
    found = {topic: value for topic, _, _, value, _ in setup.kafka.records}
    assert set(found) == {UNMATCHED, INBOUND}, "nobody may have to find an opt-out among what is unmatched"
    assert found[UNMATCHED] == b"large,one,stop"


async def test_a_reply_names_the_phone_as_from(setup: Setup) -> None:
    await setup.post(b"stop")
    value = msgspec.json.decode(setup.kafka.records[0][3])
    assert {name: value[name] for name in ("kind", "from", "text")} == {
        "kind": "opt-out",
        "from": "+1555",
        "text": "STOP",
    }


async def test_a_forged_one_is_refused_and_kept_nowhere(setup: Setup) -> None:
    assert await setup.post(b"forged") == 403
    assert setup.kafka.records == []


@pytest.mark.parametrize("settings", [{"unverified": "keep"}])
async def test_some_that_are_not_verified_are_kept_where_that_is_wanted_and_refused_all_the_same(setup: Setup) -> None:
    now = 1_000_000.5
    for _ in range(3 * KEPT_PER_SECOND):
        answer = await setup.handler.answer("p", Callback("POST", "/r/p/x", "", {}, b"forged", now))
        assert answer.status == 403
    assert [record[0] for record in setup.kafka.records] == [UNMATCHED] * KEPT_PER_SECOND


async def test_while_kafka_is_away_the_answer_is_503_and_says_when_to_come_again(setup: Setup) -> None:
    setup.kafka.away = True
    async with setup.session.post(f"{setup.url}/r/p/x", data=b"one") as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "10")


async def test_what_kafka_refuses_is_answered_503(setup: Setup) -> None:
    setup.kafka.refuses = True
    assert await setup.post(b"one") == 503


@pytest.mark.parametrize("settings", [{"waiting": 2, "timeout": "5s"}])
async def test_more_than_may_wait_are_answered_503_at_once(setup: Setup) -> None:
    setup.kafka.away = True
    waiting = [asyncio.ensure_future(setup.post(b"one")) for _ in range(2)]
    await under_way(setup, 2)
    assert await setup.post(b"one") == 503
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_bytes_that_are_not_acknowledged_are_bounded(setup: Setup) -> None:
    setup.kafka.away = True
    statuses = [await setup.post(b"{" + b"," * 900_000) for _ in range(3)]
    assert statuses == [503, 503, 503]
    assert setup.handler._group.bytes <= 2 * 1024**2


async def test_probes_of_a_panel_are_answered_without_anything_in_them(setup: Setup) -> None:
    for method in ("GET", "HEAD"):
        async with setup.session.request(method, f"{setup.url}/r/p/x") as response:
            assert response.status == 200
    assert setup.kafka.records == []


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/r/q/x", 404), ("POST", "/", 404), ("PUT", "/r/p/x", 405)]
)
async def test_what_is_none_of_ours_is_told_so(setup: Setup, method: str, path: str, status: int) -> None:
    async with setup.session.request(method, f"{setup.url}{path}", data=b"one") as response:
        assert response.status == status


async def test_a_certificate_is_got_once_for_all_who_ask(setup: Setup) -> None:
    assert await asyncio.gather(*(setup.post(b"signed") for _ in range(5))) == [204] * 5
    assert setup.fetched == ["https://certificates/1"]


async def test_a_certificate_that_proves_nothing_is_a_refusal_and_one_that_cannot_be_had_is_not(setup: Setup) -> None:
    setup.fetches["https://certificates/1"] = b"bad"
    assert await setup.post(b"signed") == 403
    del setup.fetches["https://certificates/1"]
    assert await setup.post(b"signed") == 503


async def test_a_handshake_is_followed_before_it_is_answered(setup: Setup) -> None:
    assert await setup.post(b"hello") == 204
    assert setup.fetched == ["https://confirm/1"]
    del setup.fetches["https://confirm/1"]
    assert await setup.post(b"hello") == 503


async def test_a_fault_of_ours_is_repeated_and_not_forgotten(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup.reader, "read", lambda *_: 1 / 0)
    assert await setup.post(b"one") == 503


@pytest.mark.parametrize("settings", [{"timeout": "10s"}])
async def test_ten_thousand_entries_are_taken_where_there_is_room_for_them(setup: Setup) -> None:
    setup.reader.many = 2_000
    assert await setup.post(b"many") == 204
    assert len(setup.kafka.records) == 2_000
    setup.reader.many = 10_000
    assert await setup.post(b"many") == 503


@pytest.mark.parametrize("settings", [{"timeout": "1s"}])
async def test_bodies_count_until_they_are_answered(setup: Setup) -> None:
    setup.kafka.away = True
    waiting = [asyncio.ensure_future(setup.post(b"one," + b"x" * 900_000)) for _ in range(2)]
    await under_way(setup, 2)
    assert await setup.post(b"one," + b"x" * 900_000) == 503
    assert setup.handler.waiting == 2  # the third one was never handled
    assert await asyncio.gather(*waiting) == [503, 503]
    assert setup.server.bytes == 0


# ---- what hostile clients do ----------------------------------------------------------------------------------------


async def test_a_body_that_is_too_large_is_not_read(setup: Setup) -> None:
    assert await setup.post(io.BytesIO(b"x" * (1024**2 + 1))) == 413


async def test_one_that_does_not_say_how_large_it_is_is_bounded_too(setup: Setup) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    async with setup.session.post(f"{setup.url}/r/p/x", data=endless()) as response:
        assert response.status == 413


async def test_one_that_expands_is_bounded_as_it_expands(setup: Setup) -> None:
    bomb = gzip.compress(bytes(64 * 1024**2), compresslevel=1)
    assert len(bomb) < 1024**2
    assert await setup.post(bomb, headers={"Content-Encoding": "gzip"}) == 413


async def test_one_that_is_damaged_is_told_so(setup: Setup) -> None:
    assert await setup.post(b"no gzip", headers={"Content-Encoding": "gzip"}) == 400


async def test_a_body_that_comes_drop_by_drop_is_not_waited_for(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "ARRIVAL_SECONDS", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", setup.port)
    writer.write(b"POST /r/p/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\none")
    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_paths_and_bodies_stand_in_no_log(setup: Setup, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    caplog.set_level("DEBUG")
    for body in (b"one", b"forged", b"{", b"stop"):
        await setup.post(body)
    setup.kafka.refuses = True
    await setup.post(b"one")
    reader, writer = await asyncio.open_connection("127.0.0.1", setup.port)
    writer.write(f"GET /r/p/{SECRET} HTTP/9.9\r\nBad Header {SECRET}\r\n\r\n".encode())
    await reader.readline()
    writer.close()
    out, err = capfd.readouterr()
    assert SECRET not in caplog.text + out + err


async def test_stopping_waits_for_what_is_under_way_and_takes_no_more(setup: Setup) -> None:
    setup.kafka.away = True
    waiting = asyncio.ensure_future(setup.post(b"one"))
    await under_way(setup, 1)
    stopping = asyncio.ensure_future(setup.server.stop(5))
    await asyncio.sleep(0)
    assert await waiting == 503
    await stopping
    with pytest.raises(aiohttp.ClientError):
        await setup.post(b"one")


async def test_headers_that_do_not_end_are_not_waited_for(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "KEEP_ALIVE_SECONDS", 0.1)
    await setup.server.stop(1)
    setup.server = again(setup)
    await setup.server.start()
    for sent in (b"", b"POST /r/p/x HTTP/1.1\r\nHost: x\r\nX-Endless: "):
        reader, writer = await asyncio.open_connection("127.0.0.1", setup.port)
        writer.write(sent)
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("settings", [{"waiting": 1}])
async def test_connections_beyond_the_bound_are_closed(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "SPARE_CONNECTIONS", 2)
    await setup.server.stop(1)
    setup.server = again(setup)
    await setup.server.start()
    opened = [await asyncio.open_connection("127.0.0.1", setup.port) for _ in range(3)]
    while setup.server.connections < 3:  # noqa: ASYNC110  counted in turns of the loop
        await asyncio.sleep(0)
    reader, writer = await asyncio.open_connection("127.0.0.1", setup.port)
    assert await reader.read() == b""
    for _, each in (*opened, (reader, writer)):
        each.close()
    while setup.server.connections:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert await setup.post(b"one") == 204


async def test_what_is_sent_ahead_of_its_answers_is_not_read(setup: Setup) -> None:
    setup.kafka.away = True
    reader, writer = await asyncio.open_connection("127.0.0.1", setup.port)
    request = b"POST /r/p/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
    writer.write(request * 200_000)
    await under_way(setup, 1)
    for _ in range(1_000):
        await asyncio.sleep(0)
    (protocol,) = setup.server._http.connections
    assert len(protocol._messages) <= 1_000
    assert writer.transport.get_write_buffer_size() > len(request) * 100_000
    assert setup.handler.waiting == 1
    writer.transport.abort()
    del reader


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/m/later/" + KEYS.tokens.message("later", TOKEN.source, "m-1", None, 1.7e9), 503),
        ("/r/later/" + KEYS.url_secrets.of("later"), 503),
        ("/m/later/" + KEYS.tokens.message("other", TOKEN.source, "m-1", None, 1.7e9), 404),
        ("/r/later/" + KEYS.url_secrets.of("other"), 404),
        ("/r/later", 404),
        ("/m/later", 404),
    ],
)
async def test_our_own_token_of_a_definition_that_is_not_here_is_repeated(setup: Setup, path: str, status: int) -> None:
    """A definition may reach senders before receivers: a 404 would be the last word for most providers."""
    assert await setup.post(b"one", path) == status
    assert setup.kafka.records == []


async def test_before_the_topics_are_known_everything_is_answered_503(setup: Setup) -> None:
    setup.handler._placing = None
    assert await setup.post(b"one") == 503
    async with setup.session.get(f"{setup.url}/r/p/x") as response:
        assert response.status == 200


async def test_a_refusal_names_the_trace_that_the_balancer_has_begun(setup: Setup, capfd: Any) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    await setup.post(b"forged", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    await setup.post(b"forged", headers={"traceparent": f"00-{SECRET}-00f067aa0ba902b7-01"})
    out, err = capfd.readouterr()
    assert trace in out + err
    assert SECRET not in out + err


async def test_refusals_fill_no_log(setup: Setup, capfd: Any) -> None:
    now = 1_000_000.5
    for _ in range(200):
        await setup.handler.answer("p", Callback("POST", "/r/p/x", "", {}, b"forged", now))
    out, err = capfd.readouterr()
    assert (out + err).count("callback refused") == TOLD_PER_SECOND
    assert setup.handler.counts.refused["p", "signature"] == 200


async def test_a_body_larger_than_its_topic_is_kept_as_far_as_it_fits(setup: Setup) -> None:
    known = KnownTopics({MATCHED: 12, UNMATCHED: 12, INBOUND: 4}, {MATCHED: 3000, UNMATCHED: 3000, INBOUND: 3000})
    setup.handler.open(Placing(Topics(), known, setup.handler.counts))
    assert await setup.post(b"large," + b"y" * 5000) == 204
    ((topic, _, _, value, headers),) = setup.kafka.records
    assert topic == UNMATCHED
    assert value.startswith(b"large,yyy")
    assert size((None, value, headers)) <= 3000
    assert b"cut off" in dict(headers)["unmatched"]
