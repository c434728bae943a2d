"""A receiver as a process sees it: what it refuses to start with, its certificate, what it fetches, its pages."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import Definition
from connector.errors import ConfigurationError, SettingsError
from connector.health.families import CALLBACK_METRICS
from connector.health.receiver_pages import ReceiverHealth
from connector.health.server import listen
from connector.receipts.callback import Kind, Why
from connector.receive import fetching
from connector.receive.callback_counts import OUTCOMES, CallbackCounts
from connector.receive.fetching import HttpsFetch, SharedFetch
from connector.receive.listening import bind
from connector.receive.receiver import Receiver
from connector.receive.receiver_status import ReceiverStatus
from connector.receive.tls import ServerCertificate
from connector.settings import load_settings
from connector.settings.model import Health, Settings
from connector.settings.way_back import Receive
from tests.integration.receiving import ACME, KEY, SECRET, URL_KEY
from tests.kafka.certificates import make_certificates

PUBLIC = {"receive.url": "https://sms.example.com", "receive.keys": f"[{KEY}]", "receive.url_keys": f"[{URL_KEY}]"}


def settings(**more: str) -> Settings:
    return load_settings(file=None, environ={}, overrides={**PUBLIC, **more}).settings


def definition(folder: Path, text: str = ACME, name: str = "acme") -> Definition:
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return load(file, environment=Environment({"ACME_SECRET": SECRET}))


@pytest.fixture
def place() -> Any:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        yield made


# ---- what it refuses ------------------------------------------------------------------------------------------------


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path, place: socket.socket) -> None:
    without = load_settings(
        file=None, environ={}, overrides={"receive.certificate": str(tmp_path / "none.pem")}
    ).settings
    with pytest.raises(ConfigurationError) as caught:
        Receiver(without, {"acme": definition(tmp_path)}, place=place)
    assert [it.path for it in caught.value.problems] == ["receive.url", "receive.certificate"]


def test_a_receiver_without_a_definition_that_reports_is_of_no_use(tmp_path: Path, place: socket.socket) -> None:
    silent = definition(tmp_path, ACME.partition("receipts:")[0], "silent")
    with pytest.raises(ConfigurationError, match="no definition says how its provider reports"):
        Receiver(settings(), {"silent": silent}, place=place)


def test_a_port_in_use_is_told_of(place: socket.socket) -> None:
    place.listen()
    address = "{}:{}".format(*place.getsockname())
    with pytest.raises(SettingsError, match=r"receive\.listen: cannot listen on 127\.0\.0\.1"):
        bind(Receive(listen=address))


def test_an_empty_host_is_every_address() -> None:
    with bind(Receive(listen=":0")) as made:
        assert made.getsockname()[0] in {"::", "0.0.0.0"}


def test_definitions_that_are_wrong_change_nothing(tmp_path: Path, place: socket.socket) -> None:
    receiver = Receiver(settings(), {"acme": definition(tmp_path)}, place=place)
    with pytest.raises(ConfigurationError):
        receiver.define({})
    assert list(receiver.status.definitions) == ["acme"]
    both = {"acme": definition(tmp_path), "b": definition(tmp_path, ACME.replace("acme", "b"), "b")}
    receiver.define(both)
    assert list(receiver.status.definitions) == ["acme", "b"]
    assert receiver.status.counts.requests["b", "written"] == 0


# ---- its certificate ------------------------------------------------------------------------------------------------


def test_a_key_of_another_certificate_is_refused_at_the_start(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "c")
    with pytest.raises(SettingsError, match=r"receive\.certificate"):
        ServerCertificate(str(made.client_certificate), str(made.server))


def test_a_renewed_certificate_that_cannot_be_used_leaves_the_old_one(tmp_path: Path, capfd: Any) -> None:
    made = make_certificates(tmp_path / "c")
    file = tmp_path / "served.pem"
    file.write_bytes(made.server.read_bytes())
    certificate = ServerCertificate(str(file), None)
    before = certificate.context
    file.write_text("nonsense")
    certificate.look()
    certificate.look()
    assert "".join(capfd.readouterr()).count("certificate not renewed") == 1
    assert handshake(certificate.context, made.ca)
    file.unlink()
    certificate.look()
    renewed = make_certificates(tmp_path / "d")
    file.write_bytes(renewed.server.read_bytes())
    certificate.look()
    assert certificate.context is before
    assert handshake(certificate.context, renewed.ca)
    assert not handshake(certificate.context, made.ca)


def handshake(context: ssl.SSLContext, trusted: Path) -> bool:
    """Whether a client that trusts an authority agrees with a server of this context."""
    client_in, client_out, server_in, server_out = (ssl.MemoryBIO() for _ in range(4))
    trusting = ssl.create_default_context(cafile=str(trusted))
    client = trusting.wrap_bio(client_in, client_out, server_hostname="localhost")
    server = context.wrap_bio(server_in, server_out, server_side=True)
    for _ in range(10):
        done = 0
        for side in (client, server):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                return False
            server_in.write(client_out.read())
            client_in.write(server_out.read())
        if done == 2:
            return True
    return False


# ---- what it fetches ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def elsewhere() -> AsyncIterator[str]:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": "/good"})
        body = b"x" * (fetching.MOST_BYTES + 1) if request.path == "/large" else b"good"
        return web.Response(status=404 if request.path == "/none" else 200, body=body)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_what_is_fetched_is_small_and_stands_where_it_was_said_to() -> None:
    async with elsewhere() as url, HttpsFetch() as fetch:
        assert await fetch(f"{url}/good") == b"good"
        for path in ("large", "none", "moved"):
            with pytest.raises(OSError, match=r"."):
                await fetch(f"{url}/{path}")
    with pytest.raises(OSError, match="ClientConnectorError"):
        async with HttpsFetch() as fetch:
            await fetch(f"{url}/good")


async def test_few_things_are_fetched_at_once_and_each_once_for_all() -> None:
    asked: Counter[str] = Counter()
    go = asyncio.Event()

    async def slow(url: str) -> bytes:
        asked[url] += 1
        await go.wait()
        return url.encode()

    fetch = SharedFetch(slow)
    waiting = [asyncio.ensure_future(fetch(f"u{number % fetching.AT_ONCE}")) for number in range(50)]
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="too much"):
        await fetch("one more")
    waiting[0].cancel()
    await asyncio.sleep(0)
    go.set()
    assert (await asyncio.gather(*waiting[1:]))[7] == b"u0"
    assert asked == dict.fromkeys((f"u{number}" for number in range(fetching.AT_ONCE)), 1)
    assert await fetch("one more") == b"one more"
    await fetch.close()


# ---- its pages ------------------------------------------------------------------------------------------------------


def status(reason: str = "", **more: Any) -> ReceiverStatus:
    counts = CallbackCounts()
    counts.expect(["acme"])
    return ReceiverStatus(
        **{
            "counts": counts,
            "reason": reason,
            "waiting": 3,
            "waiting_limit": 2000,
            "bytes": 17,
            "bytes_limit": 1 << 26,
            "connections": 5,
            "unacknowledged_for": 0.25,
            "definitions": ["acme"],
            "unused": [],
            **more,
        }
    )


@asynccontextmanager
async def console(seen: ReceiverStatus) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    listening = listen(Health(host="127.0.0.1", port=0))
    assert listening is not None
    pages = ReceiverHealth(listening)
    await pages.start(lambda: seen)
    async with aiohttp.ClientSession() as session:
        yield session, f"http://127.0.0.1:{listening.getsockname()[1]}"
    await pages.stop()


async def test_every_metric_is_on_the_page_at_0_before_anything_happens() -> None:
    async with console(status()) as (session, url), session.get(f"{url}/metrics") as response:
        families = {it.name: it for it in text_string_to_metric_families(await response.text())}
    for it in CALLBACK_METRICS:
        family = families["sms_connector_" + it.name]
        assert (family.documentation, family.type) == (it.help, it.kind)
        assert family.samples, f"{it.name} has no sample"
        assert {label for sample in family.samples for label in sample.labels} - {"le"} == set(it.labels)
    samples = {
        (sample.name.removeprefix("sms_connector_"), *sorted(sample.labels.values())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert {samples["callbacks_total", *sorted(("acme", outcome))] for outcome in OUTCOMES} == {0.0}
    for kind in ("receipt", *Kind, "ignored"):
        assert samples["callback_entries_total", *sorted(("acme", str(kind)))] == 0
    for why in Why:
        assert samples["callback_entries_unmatched_total", *sorted(("acme", str(why)))] == 0
    assert samples["callbacks_waiting",] == 3
    assert samples["callback_unacknowledged_seconds",] == 0.25


@pytest.mark.parametrize(("reason", "code"), [("", 200), ("Kafka has not been reached", 503)])
async def test_who_would_answer_503_is_not_ready_and_alive(reason: str, code: int) -> None:
    async with console(status(reason)) as (session, url):
        async with session.get(f"{url}/health/ready") as response:
            assert response.status == code
            assert reason in await response.text()
        async with session.get(f"{url}/health/live") as response:
            assert response.status == 200
        async with session.get(f"{url}/status") as response:
            told = await response.json()
    assert (told["ready"], told["reason"], told["definitions"]) == (code == 200, reason, ["acme"])
