"""Calls the receiver: the thin shell around plan and outbox."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from connector.tools.simulator.log import SentCallbacks
from connector.tools.simulator.receipts.fate import NewsKind, SentMessage
from connector.tools.simulator.receipts.outbox import Outbox, Parcel
from connector.tools.simulator.receipts.plan import plan
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs
from connector.tools.simulator.receipts.reporter import (
    AnswerVerdict,
    CallbackAttempt,
    Failure,
    Repetition,
    Reporter,
    WrittenCallback,
)

MAX_ANSWER_BYTES = 64 * 1024


@dataclass(slots=True)
class Desk:
    """One fake's part of it: its reporter, its knobs in force, what waits, and the task that sends."""

    name: str
    reporter: Reporter
    knobs: Callable[[], ReceiptKnobs]
    outbox: Outbox = field(default_factory=Outbox)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    runner: asyncio.Task[None] | None = None
    under_way: set[asyncio.Task[None]] = field(default_factory=set)
    registered: str | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back: a status and body, or a failure with a word for the log."""

    status: int | None = None
    body: bytes = b""
    failure: Failure | None = None
    error: str | None = None


class Courier:
    """Sends what the fakes report; repeats it; writes every attempt into `log`."""

    def __init__(self, log: SentCallbacks, desks: Iterable[Desk], now: Callable[[], float] = time.time) -> None:
        self.log = log
        self._desks = {desk.name: desk for desk in desks}
        self._now = now
        self._client: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """From now on callbacks are sent."""
        connector = aiohttp.TCPConnector(limit=0)
        self._client = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        for name in self._desks:
            self.register(name)

    async def stop(self) -> None:
        """End everything that is under way; what waits is not sent."""
        tasks = [task for desk in self._desks.values() for task in (desk.runner, *desk.under_way) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    def register(self, name: str) -> None:
        """The URL in the fake's knobs may be another one: the provider tries it, if it does so."""
        desk = self._desks.get(name)
        if desk is None or self._client is None:
            return
        knobs = desk.knobs()
        desk.outbox.concurrency = knobs.concurrency
        if knobs.url != desk.registered:
            desk.registered = knobs.url
            now = self._now()
            probe = desk.reporter.probe(knobs.url, knobs, now) if knobs.url else None
            if probe is not None and knobs.url:
                self._put(desk, [Parcel(now, knobs.url, probe=probe)])
        desk.changed.set()

    async def before_reply(self, name: str, messages: list[SentMessage]) -> tuple[Parcel, ...]:
        """Send what comes before the request is answered, once; returns what comes later, for `put`."""
        desk = self._desks.get(name)
        if desk is None or not messages or not desk.reporter.ready(desk.knobs()):
            return ()
        planned = plan(desk.reporter, messages, desk.knobs(), self._now())
        for parcel in planned.early:
            parcel.due = 0.0
        await asyncio.gather(*(self._early(desk, parcel) for parcel in planned.early))
        return planned.later

    def put(self, name: str, parcels: Iterable[Parcel]) -> None:
        """Let them be sent when their time has come."""
        desk = self._desks.get(name)
        if desk is not None:
            self._put(desk, parcels)

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Per fake that has any: receipts that wait, and those for which there was no room."""
        boxes = {name: desk.outbox for name, desk in self._desks.items()}
        return {
            name: {"waiting": box.waiting, "forgotten": box.forgotten}
            for name, box in boxes.items()
            if box.waiting or box.forgotten
        }

    def _put(self, desk: Desk, parcels: Iterable[Parcel]) -> None:
        desk.outbox.put(parcels)
        desk.changed.set()
        if desk.runner is None and desk.outbox.waiting:
            desk.runner = asyncio.create_task(self._run(desk))

    async def _early(self, desk: Desk, parcel: Parcel) -> None:
        again = await self._attempt(desk, parcel)
        if again is not None:
            parcel.due = again
            self._put(desk, [parcel])

    async def _run(self, desk: Desk) -> None:
        while True:
            desk.changed.clear()
            while parcel := desk.outbox.take(self._now()):
                task = asyncio.create_task(self._send(desk, parcel))
                desk.under_way.add(task)
                task.add_done_callback(desk.under_way.discard)
            due = desk.outbox.next_due()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(desk.changed.wait(), None if due is None else max(due - self._now(), 0.001))

    async def _send(self, desk: Desk, parcel: Parcel) -> None:
        again = await self._attempt(desk, parcel)
        if again is None:
            desk.outbox.finish(parcel)
        else:
            desk.outbox.again(parcel, again)
        desk.changed.set()

    async def _attempt(self, desk: Desk, parcel: Parcel) -> float | None:
        """One attempt, written down; returns when to make the next one."""
        knobs, began = desk.knobs(), self._now()
        parcel.attempts += 1
        policy = desk.reporter.retry(parcel.url)
        callback = WrittenCallback("", parcel.url)
        if _elsewhere(parcel.url, knobs):
            answer, outcome, wait = _Answer(error="another machine; set `via` to connect to"), "not called", None
        else:
            try:
                callback = _compose(desk.reporter, parcel, knobs, began)
            except (ValueError, RuntimeError) as error:  # a URL nobody can call, a library that is not there
                answer = _Answer(error=str(error))
            else:
                answer = await self._call(callback, knobs, policy)
            outcome, wait = _judge(desk.reporter, parcel, answer, knobs, policy)
        self.log.add(
            desk.name,
            time=began,
            kind=parcel.news[0].kind if parcel.news else NewsKind.PROBE,
            method=callback.method,
            url=callback.url,
            attempt=parcel.attempts,
            status=answer.status,
            error=answer.error,
            outcome=outcome,
            forged=parcel.forged,
            news=[
                {
                    "to": each.sent.to,
                    "id": each.sent.id,
                    "ref": each.sent.ref,
                    "state": each.state,
                    "sequence": each.sequence,
                    "part": each.part,
                    "at": each.at,
                }
                for each in parcel.news
            ],
        )
        return None if wait is None else self._now() + wait

    async def _call(self, callback: WrittenCallback, knobs: ReceiptKnobs, policy: Repetition) -> _Answer:
        assert self._client is not None
        timeout = aiohttp.ClientTimeout(total=knobs.timeout or policy.timeout, sock_connect=policy.connect)
        headers = dict(callback.headers)
        target = callback.url
        if knobs.via is not None:
            public = urlsplit(callback.url)
            headers["Host"] = public.netloc
            target = f"{knobs.via}{public.path or '/'}" + (f"?{public.query}" if public.query else "")
        try:
            async with self._client.request(
                callback.method,
                URL(target, encoded=True),
                data=callback.body or None,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                body = await response.content.read(MAX_ANSWER_BYTES)
                return _Answer(response.status, body, _failure(response.status))
        except aiohttp.ClientConnectorError as error:
            return _Answer(failure=Failure.CONNECT, error=type(error).__name__)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return _Answer(failure=Failure.READ, error=type(error).__name__)


def _compose(reporter: Reporter, parcel: Parcel, knobs: ReceiptKnobs, now: float) -> WrittenCallback:
    if parcel.probe is not None:
        return parcel.probe
    secret = (knobs.secret or reporter.secret) + ("-wrong" if parcel.forged else "")
    nonce = secrets.token_hex(16)
    return reporter.write(CallbackAttempt(parcel.news, parcel.url, knobs, now, nonce, secret, parcel.forged))


def _failure(status: int) -> Failure | None:
    if status < 400:
        return None if status < 300 else Failure.CLIENT
    return Failure.CLIENT if status < 500 else Failure.SERVER


def _judge(
    reporter: Reporter, parcel: Parcel, answer: _Answer, knobs: ReceiptKnobs, policy: Repetition
) -> tuple[str, float | None]:
    """What the log says of an answer, and the seconds until the next attempt."""
    verdict = AnswerVerdict.AGAIN if answer.status is None else reporter.verdict(answer.status, answer.body)
    if verdict is not AnswerVerdict.AGAIN:
        return verdict.value, None
    wait = None if parcel.forged else _wait(parcel.attempts, answer.failure or Failure.SERVER, knobs, policy)
    return ("given up", None) if wait is None else (verdict.value, wait)


def _wait(attempts: int, failure: Failure, knobs: ReceiptKnobs, policy: Repetition) -> float | None:
    if knobs.retry == "none":
        return None
    if knobs.retry != "documented":
        policy = Repetition(knobs.retry)
    wait = policy.wait(attempts, failure)
    return None if wait is None else wait * knobs.retry_scale


def _elsewhere(url: str, knobs: ReceiptKnobs) -> bool:
    """Whether a request's URL leads to a machine nobody has named to the simulator."""
    if knobs.via is not None:
        return False
    host = urlsplit(url).hostname or ""
    named = [urlsplit(known) for known in (knobs.url, knobs.inbound) if known is not None]
    if host in {each.hostname for each in named} or host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True
