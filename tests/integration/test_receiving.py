"""`sms-connector receive` on a real Kafka: 2xx is a promise, and nothing else is made of what comes."""

from __future__ import annotations

import asyncio
import json
import ssl
from base64 import b64encode
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests import marked
from tests.integration.receiving import (
    PUBLIC,
    TWILIO,
    URL_KEY,
    Answers,
    Receiving,
    caller,
    post,
    report,
    reported,
    signed,
)
from tests.kafka.certificates import make_certificates
from tests.kafka.find import Kafka
from tests.kafka.local import LocalKafka
from tests.kafka.records import alter
from tests.processes import StartConnector
from tests.waiting import eventually

pytestmark = pytest.mark.kafka

ACCOUNT = "demo"
"""Of the fake Twilio."""


@pytest.fixture
def receiving(tmp_path: Path, kafka: Kafka, unique: str, start_connector: StartConnector) -> Receiving:
    made = Receiving(tmp_path, kafka.bootstrap, unique, start_connector)
    made.configure()
    made.create_topics()
    return made


@pytest.fixture
def own(tmp_path: Path, own_kafka: LocalKafka, unique: str, start_connector: StartConnector) -> Receiving:
    """On a broker of its own."""
    made = Receiving(tmp_path, own_kafka.bootstrap, unique, start_connector)
    made.configure()
    made.create_topics()
    return made


async def test_what_is_answered_2xx_stands_in_its_topic_and_nothing_else_is(receiving: Receiving) -> None:
    receiver = receiving.receiver()
    token = receiving.token(1, "plain")
    entries = [
        {"ref": receiving.token(2), "state": "OK", "id": "a"},
        {"ref": "none-of-ours", "state": "OK", "id": "b"},
        {"kind": "mo", "from": "+15550001111", "text": "STOP", "id": "c"},
    ]
    body, headers = signed(entries)
    forged = {"X-Signature": "0" * 64}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with caller() as session:
        assert await post(session, f"{receiver.url}/r/acme", body, headers) == (200, "ok")
        assert await post(session, f"{receiver.url}/m/plain/{token}", b"state=OK&id=d", form) == (204, "")
        for path, sent, head, status in [
            ("/r/acme", body, forged, 403),
            ("/r/acme", body, {}, 403),
            ("/m/plain/" + token[:-3] + "AAA", b"state=OK&id=e", form, 403),
            ("/r/plain/" + "A" * 22, b"state=OK&id=f", form, 403),
            ("/r/nobody", body, headers, 404),
            ("/m/nobody/" + receiving.token(3, "nobody"), b"state=OK&id=g", form, 503),
            ("/r/acme", b"x" * (1024**2 + 1), headers, 413),
        ]:
            assert (await post(session, f"{receiver.url}{path}", sent, head))[0] == status, path
        async with session.head(f"{receiver.url}/r/acme") as response:
            assert response.status == 200
        async with session.get(f"{receiver.pages()}/metrics") as response:
            page = marked.page(await response.text())
        async with session.get(f"{receiver.pages()}/health/ready") as response:
            assert (response.status, await response.text()) == (200, "ready\n")
    assert dict(receiving.stored()) == {"a": 1, "d": 1}
    (unmatched,) = receiving.read(receiving.unmatched)
    assert orjson.loads(unmatched.value or b"")["id"] == "b"
    assert orjson.loads(unmatched.headers["unmatched"])["why"] == "foreign"
    (inbound,) = receiving.read(receiving.inbound)
    assert orjson.loads(inbound.value or b"")["text"] == "STOP"
    for sample in (
        'callbacks_total{outcome="written",provider="acme"} 1.0',
        'callbacks_total{outcome="refused",provider="plain"} 2.0',
        'callbacks_total{outcome="undefined",provider=""} 1.0',
        'callbacks_refused_total{provider="plain",reason="url"} 2.0',
        'callbacks_refused_total{provider="acme",reason="signature"} 2.0',
        'callback_entries_total{kind="opt-out",provider="acme"} 1.0',
        'callback_entries_unmatched_total{provider="acme",reason="foreign"} 1.0',
        'callback_answer_seconds_count{provider="plain"} 1.0',
    ):
        assert f"sms_connector_{sample}" in page, sample
    assert receiver.process.stop() == 0
    assert token not in receiver.process.output
    assert "none-of-ours" not in receiver.process.output


@pytest.mark.timeout(240)
async def test_while_kafka_is_away_the_answer_is_503_and_the_repetition_is_taken(
    own: Receiving, own_kafka: LocalKafka
) -> None:
    receiver, answers = own.receiver("r0", "--set", "receive.timeout=1s"), Answers()
    loop = asyncio.get_running_loop()
    async with caller() as session:
        assert await report(session, own, receiver.url, 0, answers) == 200
        own_kafka.pause()
        began = loop.time()
        statuses = await asyncio.gather(*(report(session, own, receiver.url, it, answers) for it in range(1, 6)))
        assert statuses == [503] * 5
        assert loop.time() - began < 15, "a provider does not wait for longer"
        async with session.get(f"{receiver.pages()}/health/ready") as response:
            assert response.status == 503
        async with session.get(f"{receiver.pages()}/health/live") as response:
            assert response.status == 200
        own_kafka.resume()

        async def again() -> bool:
            return [await report(session, own, receiver.url, it, answers) for it in range(1, 6)] == [200] * 5

        for _ in range(60):
            if await again():
                break
            await asyncio.sleep(0.5)
        own_kafka.kill()
        assert await report(session, own, receiver.url, 6, answers) == 503
        own_kafka.restart()
        for _ in range(120):
            if await report(session, own, receiver.url, 6, answers) == 200:
                break
            await asyncio.sleep(0.5)
        assert await report(session, own, receiver.url, 6, answers) == 200
    stored = own.stored()
    assert answers.acknowledged == {f"id-{number}" for number in range(7)}
    assert answers.acknowledged <= stored.keys()
    assert receiver.process.stop() == 0
    assert "Traceback" not in receiver.process.output


@pytest.mark.timeout(180)
async def test_no_acknowledged_receipt_is_lost_when_receivers_are_killed_under_load(receiving: Receiving) -> None:
    """The callers do not repeat: what they were told is all that counts."""
    answers = Answers()
    receivers = [receiving.receiver(f"r{number}") for number in range(2)]
    async with caller() as session:
        loads = [
            asyncio.ensure_future(
                reported(session, receiving, it.url, range(100_000 * number, 100_000 * number + 3_000), answers)
            )
            for number, it in enumerate(receivers)
        ]
        for turn, receiver in enumerate(receivers, 1):
            await eventually(lambda turn=turn: len(answers.acknowledged) >= 600 * turn, "answers", within=60)
            receiver.process.kill()
        await asyncio.gather(*loads)
    stored = receiving.stored()
    assert 1_200 <= len(answers.acknowledged) < 6_000, answers.statuses
    assert answers.acknowledged - stored.keys() == set(), "lost"
    assert max(stored.values()) == 1


async def test_sigterm_answers_what_is_under_way_and_another_one_goes_on(receiving: Receiving) -> None:
    answers = Answers()
    first, second = receiving.receiver("r0"), receiving.receiver("r1")
    async with caller() as session:
        load = asyncio.ensure_future(reported(session, receiving, first.url, range(3_000), answers))
        await eventually(lambda: len(answers.acknowledged) >= 300, "answers", within=60)
        first.process.terminate()
        await load
        assert first.process.wait() == 0, first.process.output
        assert set(answers.statuses) <= {200, 503, "ClientConnectorError", "ServerDisconnectedError", "ClientOSError"}
        taken = len(answers.acknowledged)
        await reported(session, receiving, second.url, range(3_000, 3_100), answers)
    assert len(answers.acknowledged) == taken + 100
    assert answers.acknowledged <= receiving.stored().keys()
    assert second.process.stop() == 0


async def test_a_receiver_serves_before_kafka_is_there_and_takes_callbacks_once_it_is(
    own: Receiving, own_kafka: LocalKafka
) -> None:
    own_kafka.kill()
    receiver, answers = own.receiver(ready=False), Answers()
    receiver.wait_listening()
    async with caller() as session:
        assert await report(session, own, receiver.url, 1, answers) == 503
        await asyncio.to_thread(receiver.process.wait_for, "Kafka cannot be used")
        own_kafka.restart()
        await asyncio.to_thread(receiver.process.wait_for, "callbacks are taken", 60)
        assert await report(session, own, receiver.url, 1, answers) == 200
    assert receiver.process.stop() == 0


def test_topics_that_do_not_fit_are_refused_with_everything_that_is_wrong(receiving: Receiving) -> None:
    alter(receiving.bootstrap, receiving.inbound, {"cleanup.policy": "compact"})
    alter(receiving.bootstrap, receiving.unmatched, {"max.message.bytes": "100000"})
    receiver = receiving.receiver(ready=False)
    assert receiver.process.wait() == 78
    for topic in (receiving.inbound, receiving.unmatched):
        assert topic in receiver.process.output


async def test_tls_with_a_certificate_that_is_renewed_while_it_runs(receiving: Receiving, tmp_path: Path) -> None:
    made = [make_certificates(tmp_path / name) for name in ("old", "new")]
    served = tmp_path / "served.pem"

    def serve(number: int) -> None:
        served.write_bytes(made[number].server.read_bytes())

    serve(0)
    receiver = receiving.receiver("r0", "--set", f"receive.certificate={served}")
    receiver.scheme = "https"
    trusts = [ssl.create_default_context(cafile=str(it.ca)) for it in made]
    for context in trusts:
        context.check_hostname = False
    answers = Answers()
    async with caller(ssl=trusts[0]) as session:
        assert await report(session, receiving, receiver.url, 1, answers) == 200
    serve(1)
    await asyncio.to_thread(receiver.process.wait_for, "certificate renewed")
    async with caller(ssl=trusts[1]) as session:
        assert await report(session, receiving, receiver.url, 2, answers) == 200
    async with caller(ssl=trusts[0]) as session:
        status = await report(session, receiving, receiver.url, 3, answers)
        assert status == aiohttp.ClientConnectorCertificateError.__name__
    assert receiver.process.stop() == 0


async def test_a_definition_that_comes_later_is_taken_without_a_restart(receiving: Receiving) -> None:
    receiver = receiving.receiver()
    text = (receiving.definitions / "plain.yaml").read_text().replace("name: plain", "name: later")
    (receiving.definitions / "later.yaml").write_text(text)
    await asyncio.to_thread(receiver.process.wait_for, "definitions reloaded")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with caller() as session:
        url = f"{receiver.url}/m/later/{receiving.token(1, 'later')}"
        assert (await post(session, url, b"state=OK&id=a", form))[0] == 204
    assert receiver.process.stop() == 0


def test_what_to_register_is_printed_and_its_secret_only_when_asked_for(receiving: Receiving) -> None:
    shown = receiving.command("receive", "urls").output
    secret = receiving.secrets.of("plain")
    assert "https://sms.example.com/back/r/plain/…" in shown
    assert secret not in shown
    whole = receiving.command("receive", "urls", "--show-secrets").output
    assert f"https://sms.example.com/back/r/plain/{secret}" in whole
    assert URL_KEY not in whole


@pytest.mark.timeout(240)
async def test_what_a_fake_was_told_is_taken_is_in_a_topic_after_an_outage_and_a_kill(
    own: Receiving, own_kafka: LocalKafka, start_connector: StartConnector, tmp_path: Path
) -> None:
    """The fake signs, repeats and forges as its provider does; its log of every answer is the witness."""
    (own.definitions / "twilio.yaml").write_text(TWILIO.replace("${ACME_SECRET}", "demo-secret"))
    own.configure(timeout="1s")
    first = own.receiver("r0")
    log = tmp_path / "attempts.jsonl"
    knobs = {
        "via": f"http://127.0.0.1:{first.port}",
        "delay": [0, 0.1],
        "retry": [0.5] * 120,
        "bad_signature": 0.1,
        "duplicate": 0.1,
        "timeout": 5,
        "concurrency": 32,
    }
    simulator = start_connector(
        *("simulate", "--port", "0", "--json", "--receipt-log", str(log)),
        *(part for name, value in knobs.items() for part in ("--set", f"twilio.receipts.{name}={json.dumps(value)}")),
        name="simulator",
    )
    await asyncio.to_thread(simulator.wait_for, '"url"')
    address = next(json.loads(it)["url"] for it in simulator.output.splitlines() if it.startswith('{"url"'))

    def attempts() -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in log.read_bytes().split(b"\n")[:-1]] if log.exists() else []

    def taken(forged: bool = False) -> set[tuple[str, str]]:
        told = [it for it in attempts() if it["outcome"] == "taken" and it["forged"] is forged]
        return {(news["id"], news["state"]) for it in told for news in it["news"]}

    async def send(session: aiohttp.ClientSession, numbers: range) -> None:
        for number in numbers:
            url = f"{PUBLIC}/m/twilio/{own.token(number, 'twilio')}"
            form = {"To": f"+1555{number:07d}", "From": "+15550000001", "Body": "hi", "StatusCallback": url}
            async with session.post(
                f"{address}/twilio/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
                data=form,
                headers={"Authorization": f"Basic {b64encode(f'{ACCOUNT}:demo-secret'.encode()).decode()}"},
            ) as response:
                assert response.status == 201, await response.text()

    async with caller() as session:
        await send(session, range(1_234_000, 1_234_100))
        await eventually(lambda: len(taken()) >= 50, "receipts", within=30)
        own_kafka.pause()
        await send(session, range(2_345_000, 2_345_050))
        await eventually(lambda: sum(it["status"] == 503 for it in attempts()) >= 20, "503", within=30)
        own_kafka.resume()
        await send(session, range(3_456_000, 3_456_100))
        await eventually(lambda: len(taken()) >= 400, "receipts after the outage", within=60)
        first.process.kill()
        second = own.receiver("r1", "--set", f"receive.listen=127.0.0.1:{first.port}")
        await eventually(lambda: len(taken()) == 3 * 250, "every receipt", within=90)
    stored = {
        (it["MessageSid"], {"queued": "pending"}.get(it["MessageStatus"], it["MessageStatus"]))
        for it in (orjson.loads(record.value or b"") for record in own.read(own.matched))
    }
    assert taken() - stored == set(), "acknowledged, and in no topic"
    forged = [it for it in attempts() if it["forged"]]
    assert forged
    assert {it["status"] for it in forged} <= {403, 503, None}
    assert second.process.stop() == 0
