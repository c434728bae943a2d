"""One callback: verified, read, written, and answered, in this order.

What is answered with the definition's own reply is in Kafka, acknowledged by all replicas, or was never to be kept. All
else is an answer after which the provider repeats it (503), or must not (403).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

from connector.clock import Clock
from connector.receipts.callback import Callback, CallbackAnswer, NeedsCertificate, Reading, Refused, Verified
from connector.receive.callback_counts import CallbackCounts
from connector.receive.fetching import Fetch
from connector.receive.group_commit import GroupCommit, NotWrittenError
from connector.receive.patience import Patience
from connector.receive.per_second import PerSecond
from connector.receive.placing import Placing
from connector.settings.way_back import Receive

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 10
KEPT_PER_SECOND = 10
"""Callbacks that are not verified and kept all the same: an attacker must not fill a topic."""
TOLD_PER_SECOND = 10
"""Lines about refused callbacks: nor the log."""

PROBED = CallbackAnswer()
REFUSED = CallbackAnswer(403, b"not verified\n")
NOT_FOUND = CallbackAnswer(404, b"not found\n")
AGAIN = CallbackAnswer(503, b"try again\n", headers=(("Retry-After", str(AGAIN_SECONDS)),))


class CertificateStore(Protocol):
    """Certificates that signatures are checked with."""

    def add(self, url: str, pem: bytes, now: float) -> None:
        """Take one. Raises ValueError where it is none that proves anything."""


class CallbackReader(Protocol):
    """What a definition makes of callbacks. Pure; `ReceiptReader` is one."""

    @property
    def certificates(self) -> CertificateStore: ...
    def verify(self, callback: Callback) -> Verified | Refused | NeedsCertificate: ...
    def read(self, callback: Callback, verified: Verified) -> Reading: ...


class Handler:
    """Answers callbacks; with 503 until it has been told the topics.

    Args:
        group: writes.
        fetch: gets certificates, and follows handshakes.

    Attributes:
        counts: what came.
        waiting: callbacks under way.
        readers: by name of the definition.
    """

    def __init__(self, *, group: GroupCommit, receive: Receive, fetch: Fetch, clock: Clock) -> None:
        self.counts = CallbackCounts()
        self.waiting = 0
        self.readers: Mapping[str, CallbackReader] = {}
        self._placing: Placing | None = None
        self._group = group
        self._receive = receive
        self._fetch = fetch
        self._patience = Patience(receive.timeout)
        self._clock = clock
        self._kept = PerSecond(KEPT_PER_SECOND)
        self._told = PerSecond(TOLD_PER_SECOND)
        self._idle = asyncio.Event()
        self._idle.set()

    def use(self, readers: Mapping[str, CallbackReader]) -> None:
        """Take callbacks for these definitions from now on."""
        self.counts.expect(readers)
        self.readers = readers

    def open(self, placing: Placing) -> None:
        """Write to these topics from now on."""
        self._placing = placing

    async def answer(self, name: str, callback: Callback) -> CallbackAnswer:
        """What a callback for one of `readers` is answered. Never raises, but for a cancellation."""
        if _is_probe(callback):
            self.counts.requests[name, "probe"] += 1
            return PROBED
        if self.waiting >= self._receive.waiting:
            self.counts.requests[name, "busy"] += 1
            return AGAIN
        if self._placing is None:
            self.counts.requests[name, "kafka"] += 1
            return AGAIN
        began = self._clock.monotonic()
        self.waiting += 1
        self._idle.clear()
        try:
            outcome, answer = await self._handled(name, self.readers[name], callback, self._placing)
        except (NotWrittenError, TimeoutError):
            outcome, answer = "kafka", AGAIN
        except OSError:
            outcome, answer = "fetch", AGAIN
        except Exception:  # a fault of ours is no reason for a provider to forget it
            log.exception("a callback cannot be handled", provider=name)
            outcome, answer = "error", AGAIN
        finally:
            self.waiting -= 1
            if not self.waiting:
                self._idle.set()
        self.counts.requests[name, outcome] += 1
        if outcome == "written":
            self.counts.seconds[name].add(self._clock.monotonic() - began)
        return answer

    async def idle(self) -> None:
        """Return when nothing is under way."""
        await self._idle.wait()

    async def _handled(
        self, name: str, reader: CallbackReader, callback: Callback, placing: Placing
    ) -> tuple[str, CallbackAnswer]:
        verified = reader.verify(callback)
        if isinstance(verified, NeedsCertificate):
            async with asyncio.timeout(self._receive.timeout):
                verified = await self._with_certificate(reader, callback, verified.url)
        if isinstance(verified, Refused):
            return await self._refused(name, callback, verified, placing)
        reading = reader.read(callback, verified)
        if reading.handshake is not None:
            async with asyncio.timeout(self._receive.timeout):
                await self._fetch(reading.handshake)
            log.info("handshake of a provider followed", provider=name)
        if records := placing.records(name, callback, verified, reading):
            await self._patience.wait(self._group.add(records))
        return "written", reading.answer

    async def _refused(
        self, name: str, callback: Callback, refused: Refused, placing: Placing
    ) -> tuple[str, CallbackAnswer]:
        self.counts.refused[name, refused.what] += 1
        if self._told.may(callback.now):
            log.warning("callback refused", provider=name, why=refused.reason, **_trace(callback))
        if self._receive.unverified == "keep" and self._kept.may(callback.now):
            await self._patience.wait(self._group.add([placing.unverified(name, callback, refused)]))
        return "refused", REFUSED

    async def _with_certificate(self, reader: CallbackReader, callback: Callback, url: str) -> Verified | Refused:
        """Verify once more, with the certificate that was missing. Raises OSError where it cannot be had."""
        pem = await self._fetch(url)
        try:
            reader.certificates.add(url, pem, callback.now)
        except ValueError as error:
            return Refused(str(error))
        found = reader.verify(callback)
        return Refused("its certificate is not the one it names") if isinstance(found, NeedsCertificate) else found


def _is_probe(callback: Callback) -> bool:
    """Panels look whether there is somebody, without anything in it."""
    if callback.method == "POST":
        return False
    return callback.method == "HEAD" or not (callback.query or callback.body)


def _trace(callback: Callback) -> dict[str, str]:
    """The trace that a balancer or a provider has begun, for a line of the log."""
    parts = callback.headers.get("traceparent", "").split("-")
    if len(parts) >= 4 and len(parts[1]) == 32 and parts[1].isalnum() and parts[1].isascii():
        return {"trace_id": parts[1]}
    return {}
