"""A schema registry that does what a test says: Confluent's API over HTTP, with faults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

NO_SCHEMA = {"error_code": 40403, "message": "Schema not found"}


class FakeRegistry:
    """Attributes:
    schemas: id → what it answers.
    subjects: (subject, version) → the same, for references.
    asked: paths, in order.
    answer: given to everything while it is set.
    failing: so many questions more are answered 503.
    """

    def __init__(self) -> None:
        self.schemas: dict[int, dict[str, Any]] = {}
        self.subjects: dict[tuple[str, int], dict[str, Any]] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.answer: web.Response | None = None
        self.failing = 0
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FakeRegistry]:
        app = web.Application()
        app.router.add_get("/schemas/ids/{id}", self._schema)
        app.router.add_get("/subjects/{subject}/versions/{version}", self._subject)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def _noted(self, request: web.Request, found: dict[str, Any] | None) -> web.Response:
        self.asked.append(request.path_qs)
        self.headers.append(dict(request.headers))
        if self.failing:
            self.failing -= 1
            return web.Response(status=503)
        if self.answer is not None:
            told = self.answer
            return web.Response(status=told.status, body=told.body, headers=told.headers)
        return web.json_response(NO_SCHEMA, status=404) if found is None else web.json_response(found)

    async def _schema(self, request: web.Request) -> web.Response:
        return self._noted(request, self.schemas.get(int(request.match_info["id"])))

    async def _subject(self, request: web.Request) -> web.Response:
        place = request.match_info["subject"], int(request.match_info["version"])
        return self._noted(request, self.subjects.get(place))
