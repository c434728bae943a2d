"""A provider behind mutual TLS whose certificates are renewed while a worker sends: taken up, or the old ones stay."""

from __future__ import annotations

import asyncio
import signal
import ssl
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import orjson
import pytest

from tests.integration.pipeline import ASK_SECONDS, Pipeline, event
from tests.kafka.certificates import Certificates, make_certificates
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

SECURE: Final = """\
name: secure
method: POST
url: "https://127.0.0.1:{port}/send"
parameters: {{json: {{to: "$$To", text: "$$TemplateID", ref: "$${{message_id()}}"}}}}
response: {{rules: [{{when: "status == 'queued'", then: accept, id: id}}]}}
limits: {{concurrency: 4}}
retry: {{base: 100ms, cap: 200ms}}
http: {{private_hosts: true, ca: "{folder}/ca", certificate: "{folder}/certificate", key: "{folder}/key"}}
"""
EACH: Final = 40
"""Messages for each provider in each stage."""


class Provider:
    """Takes every message of a client that shows a certificate of its authority; a context manager, on a thread.

    Attributes:
        port: on 127.0.0.1; stays when its certificates are renewed.
        taken: how often each message came.
    """

    def __init__(self) -> None:
        self.port = 0
        self.taken: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def serve(self, files: Certificates) -> None:
        """Go on with these certificates; connections from before are closed."""
        asyncio.run_coroutine_threadsafe(self._start(files), self._loop).result(10)

    async def _start(self, files: Certificates) -> None:
        await self._stop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.server)
        context.load_verify_locations(files.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", self.port, ssl=context, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(it.split(b":")[1]) for it in head.lower().split(b"\r\n") if b"content-length" in it)
                message = orjson.loads(await reader.readexactly(length))
                self.taken[message["ref"]] += 1
                body = orjson.dumps({"status": "queued", "id": f"s{message['ref']}"})
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            writer.close()


class Stages:
    """Messages for both providers, a stage at a time, and what has become of them."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.sent: Counter[str] = Counter()

    def send(self) -> None:
        """One stage's messages."""
        number = sum(self.sent.values())
        providers = ["secure", "good"] * EACH
        self._pipeline.produce(event(number + at, provider=name) for at, name in enumerate(providers))
        self.sent.update(providers)

    def wait(self, *names: str) -> None:
        """Until everything sent so far to these providers has ended."""

        def there() -> bool:
            assert all(worker.running for worker in self._pipeline.workers), self._pipeline.workers[-1].output
            ended = self.ended()
            return all(ended[name] >= self.sent[name] for name in names)

        wait_until(there, f"results of {names}", within=60, every=ASK_SECONDS)

    def ended(self) -> Counter[str]:
        return Counter(result["provider"] for result in self._pipeline.read_results())


def put(folder: Path, files: Certificates, *, only: tuple[str, ...] = ("ca", "certificate", "key")) -> None:
    folder.mkdir(exist_ok=True)
    for name, file in (("ca", files.ca), ("certificate", files.client_certificate), ("key", files.client_key)):
        if name in only:
            (folder / name).write_bytes(file.read_bytes())


@pytest.mark.timeout(240)
def test_renewed_files_are_taken_up_and_what_cannot_be_used_is_not(pipeline: Pipeline, tmp_path: Path) -> None:
    old, new = make_certificates(tmp_path / "old"), make_certificates(tmp_path / "new")
    mounted = tmp_path / "mounted"
    put(mounted, old)
    pipeline.simulate()
    with Provider() as provider:
        provider.serve(old)
        pipeline.define("good", records=20)
        definition = pipeline.folder / "definitions" / "secure.yaml"
        definition.write_text(SECURE.format(port=provider.port, folder=mounted))
        pipeline.configure(wait="50ms")
        pipeline.create_topics()
        worker = pipeline.worker()
        stages = Stages(pipeline)

        def told(line: str, count: int) -> None:
            wait_until(lambda: worker.output.count(line) >= count, f"{line}, {count} times")

        stages.send()
        stages.wait("secure", "good")

        provider.serve(new)  # the provider has renewed: nothing of ours fits any more
        stages.send()
        stages.wait("good")
        harm = {
            "a file that is half written": lambda: (mounted / "ca").write_bytes(new.ca.read_bytes()[:700]),
            "an empty one": lambda: (mounted / "ca").write_bytes(b""),
            "a key of another certificate": lambda: put(mounted, new, only=("ca", "certificate")),
            "a file that is gone": (mounted / "key").unlink,
        }
        for count, (_, do) in enumerate(harm.items(), 1):
            do()
            told("definitions not reloaded", count)
            stages.send()
            stages.wait("good")
        assert "definitions reloaded" not in worker.output
        waiting = stages.sent["secure"] - stages.ended()["secure"]
        assert waiting == (len(harm) + 1) * EACH, "what waits for a working certificate is not given up"
        put(mounted, new)
        told("definitions reloaded", 1)
        stages.wait("secure", "good")

        provider.serve(old)  # and back, told by SIGHUP
        put(mounted, old)
        worker.send(signal.SIGHUP)
        told("definitions reloaded", 2)
        stages.send()
        stages.wait("secure", "good")
        (mounted / "certificate").unlink()  # gone and put back: the old one is used all the while
        told("definitions not reloaded", len(harm) + 1)
        stages.send()
        stages.wait("secure", "good")
        put(mounted, old)
        worker.send(signal.SIGHUP)
        told("definitions reloaded", 3)
        stages.send()
        stages.wait("secure", "good")
        assert worker.stop() == 0, worker.output
        assert "Traceback" not in worker.output
        results = pipeline.read_results()
        assert Counter(result["provider"] for result in results) == stages.sent
        assert {result["status"] for result in results} == {"accepted"}
        assert set(provider.taken.values()) == {1}
