"""The HTTP side of the simulator: one aiohttp server, faults, control endpoints."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import msgspec
import orjson
from aiohttp import web

from connector.tools.simulator.broken import BROKEN
from connector.tools.simulator.call import Answer, Call
from connector.tools.simulator.costly import COSTLY, costly
from connector.tools.simulator.echo import echoed
from connector.tools.simulator.fake import Fake
from connector.tools.simulator.knobs import Knobs
from connector.tools.simulator.log import SeenRequests, SentCallbacks
from connector.tools.simulator.providers import PROVIDERS
from connector.tools.simulator.receipts.courier import Courier, Desk

MAX_REQUEST_BYTES = 64 * 1024 * 1024
DRIP_PIECES = 10


class Simulator:
    """Serves fakes; an async context manager. `/_control/{provider}`, `/_stats`, `/_log` and `/_receipts` are its own.

    Attributes:
        fakes: by name.
        log: what reached them.
        callbacks: what they called.
        url: `http://host:port`, known once it serves.
    """

    def __init__(
        self,
        providers: Iterable[str] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        log: Path | None = None,
        receipt_log: Path | None = None,
    ) -> None:
        names = list(PROVIDERS) if providers is None else list(providers)
        self.fakes: dict[str, Fake] = {name: PROVIDERS[name]() for name in names}
        self.log = SeenRequests(log)
        self.callbacks = SentCallbacks(receipt_log)
        self.url = ""
        self._host = host
        self._port = port
        self._open: dict[str, int] = dict.fromkeys(self.fakes, 0)
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        app.router.add_route("*", "/_control/{provider}", self._control)
        app.router.add_post("/_control/{provider}/{action}", self._action)
        app.router.add_get("/_stats", self._stats)
        app.router.add_get("/_log", self._show_log)
        app.router.add_delete("/_log", self._clear_log)
        app.router.add_get("/_receipts", self._show_callbacks)
        app.router.add_delete("/_receipts", self._clear_callbacks)
        app.router.add_route("*", "/{path:.*}", self._provider)
        self._courier = Courier(self.callbacks, [_desk(fake) for fake in self.fakes.values() if fake.reporter])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, backlog=1024).start()
        port = self._runner.addresses[0][1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.url = f"http://{host}:{port}"
        await self._courier.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._runner.cleanup()
        await self._courier.stop()
        self.log.close()
        self.callbacks.close()

    # ---- providers --------------------------------------------------------------------------------------------------

    async def _provider(self, request: web.Request) -> web.StreamResponse:
        target, _, query = request.raw_path.partition("?")
        _, name, *rest = target.split("/", 2)
        fake = self.fakes.get(name)
        if fake is None:
            known = [f"/{name}/" for name in self.fakes]
            return _json({"error": f"no fake provider at {target}", "known": known}, 404)
        arrived = time.time()
        busy = self._open[name]
        self._open[name] = busy + 1
        try:
            knobs = fake.chaos.strike(fake.knobs)
            if knobs.down:
                self._note(name, arrived, target, "down", None)
                return _close(request)
            call = Call(
                request.method,
                f"/{rest[0]}" if rest else "/",
                query,
                request.headers,
                await request.read(),
                str(request.url),
            )
            crowded = fake.knobs.concurrent is not None and busy >= fake.knobs.concurrent
            fault, answer = decide(fake, call, knobs, crowded=crowded)
            # Written down on arrival: what was at the provider when somebody was killed is in the log.
            self._note(name, arrived, target, fault, answer)
            if knobs.echo is not None:
                answer.document, answer.results = echoed(answer.encode(), call, knobs.echo), None
            later = await self._courier.before_reply(name, answer.sent)
            try:
                return await _deliver(request, fake, knobs, fault, answer)
            finally:
                self._courier.put(name, later)
        finally:
            self._open[name] -= 1

    def _note(self, name: str, arrived: float, path: str, fault: str | None, answer: Answer | None) -> None:
        answered = answer is not None and not (fault or "").startswith("drop")
        self.log.add(
            name,
            time=arrived,
            path=path,
            status=answer.status if answer and answered else None,
            fault=fault,
            taken=answer.taken if answer else [],
            refused=answer.refused if answer else [],
            values=answer.values if answer else {},
        )

    # ---- control ----------------------------------------------------------------------------------------------------

    async def _control(self, request: web.Request) -> web.Response:
        fake = self.fakes.get(request.match_info["provider"])
        if fake is None:
            return _json({"error": "no such provider", "known": list(self.fakes)}, 404)
        if request.method == "PUT":
            try:
                fake.set(msgspec.json.decode(await request.read(), type=fake.options))
                self._courier.register(fake.name)
            except (msgspec.DecodeError, ValueError) as error:
                return _json(
                    {"error": str(error), "known": [field.name for field in msgspec.structs.fields(fake.options)]}, 400
                )
        elif request.method == "DELETE":
            fake.set(fake.options())
            self._courier.register(fake.name)
        elif request.method != "GET":
            return _json({"error": "GET shows, PUT replaces, DELETE resets the knobs"}, 405)
        return web.Response(body=msgspec.json.encode(fake.knobs), content_type="application/json")

    async def _action(self, request: web.Request) -> web.Response:
        fake = self.fakes.get(request.match_info["provider"])
        if fake is None or not fake.action(request.match_info["action"]):
            return _json({"error": "no such action"}, 404)
        return _json({"done": request.match_info["action"]})

    async def _stats(self, request: web.Request) -> web.Response:
        del request
        return _json(
            {
                "providers": {name: dict(counter) for name, counter in self.log.counters.items()},
                "open": self._open,
                "log": str(self.log.file) if self.log.file else None,
                "forgotten": self.log.forgotten,
                "receipts": {name: dict(counter) for name, counter in self.callbacks.counters.items()},
                "receipts waiting": self._courier.counts(),
            }
        )

    async def _show_log(self, request: web.Request) -> web.Response:
        lines = self.log.lines(request.query.get("provider"))
        return web.Response(
            body=lines, content_type="application/jsonl", headers={"X-Forgotten": str(self.log.forgotten)}
        )

    async def _clear_log(self, request: web.Request) -> web.Response:
        del request
        self.log.clear()
        return web.Response(status=204)

    async def _show_callbacks(self, request: web.Request) -> web.Response:
        lines = self.callbacks.lines(request.query.get("provider"))
        return web.Response(
            body=lines, content_type="application/jsonl", headers={"X-Forgotten": str(self.callbacks.forgotten)}
        )

    async def _clear_callbacks(self, request: web.Request) -> web.Response:
        del request
        self.callbacks.clear()
        return web.Response(status=204)


def _desk(fake: Fake) -> Desk:
    assert fake.reporter is not None
    return Desk(fake.name, fake.reporter, lambda: fake.knobs.receipts)


def decide(fake: Fake, call: Call, knobs: Knobs, *, crowded: bool) -> tuple[str | None, Answer]:
    """The fault that shows, if any, and the answer: the fake is asked only where the request reaches it."""
    if knobs.drop == "before":
        return "drop before", Answer(503, "")
    if knobs.throttle or crowded:
        after = fake.knobs.retry_after
        headers = {} if after is None else {"Retry-After": str(after)}
        return "throttle", Answer(429, {"error": "too many requests"}, headers=headers)
    if knobs.error is not None:
        taken = fake.answer(call) if knobs.error_taken else Answer(knobs.error, "")
        page = _gateway_page(knobs.error)
        return "error", Answer(knobs.error, page, media="text/html", taken=taken.taken, sent=taken.sent)
    answer = fake.answer(call)
    if answer.results is not None:
        answer.results = fake.chaos.disorder(answer.results, knobs)
    if answer.taken and knobs.broken is not None:
        return f"broken {fake.chaos.choose(knobs.broken, BROKEN)}", answer
    if answer.taken and knobs.costly is not None:
        kind = fake.chaos.choose(knobs.costly, COSTLY)
        answer.document, answer.results = costly(kind), None
        return f"costly {kind}", answer
    return ("drop after" if knobs.drop == "after" else None), answer


def delivered_headers(answer: Answer, knobs: Knobs) -> dict[str, str]:
    """Of an answer, with what the knobs make of them."""
    return {**answer.headers, "Content-Type": knobs.content_type or answer.media}


async def _deliver(
    request: web.Request, fake: Fake, knobs: Knobs, fault: str | None, answer: Answer
) -> web.StreamResponse:
    if knobs.latency or knobs.jitter:
        await asyncio.sleep(knobs.latency + fake.chaos.dice.random() * knobs.jitter)
    if fault in {"drop before", "drop after"}:
        return _close(request)
    body = answer.encode()
    what, _, kind = (fault or "").partition(" ")
    if what == "broken":
        return _break_off(request, BROKEN[kind](body))
    if knobs.malformed:
        body = body[: len(body) // 2]
    headers = delivered_headers(answer, knobs)
    if not knobs.drip:
        return web.Response(body=body, status=answer.status, headers=headers)
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    size = max(1, -(-len(body) // DRIP_PIECES))
    for start in range(0, len(body), size):
        await response.write(body[start : start + size])
        await asyncio.sleep(knobs.drip / DRIP_PIECES)
    await response.write_eof()
    return response


def _close(request: web.Request) -> web.Response:
    """Close the connection without a byte of an answer; the response returned is never written."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


def _break_off(request: web.Request, data: bytes) -> web.Response:
    """Write these bytes, and close the connection; the response returned is never written."""
    if request.transport is not None:
        request.transport.write(data)
        request.transport.close()
    return web.Response(status=503)


def _gateway_page(status: int) -> str:
    return (
        f"<html>\r\n<head><title>{status} Bad Gateway</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )


def _json(document: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")
