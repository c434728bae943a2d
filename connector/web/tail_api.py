"""Watching results as they come: Server-Sent Events."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from connector.clock import Clock
from connector.model import Status
from connector.web.endpoints import ApiCall, Endpoint, QueryParameter
from connector.web.event_stream import begin_events, event_bytes
from connector.web.problems import HttpProblemError
from connector.web.results_tail import ResultsTail, TailCount, Watcher

COUNT_SECONDS = 1.0
STATUSES = [it.value for it in Status]


class TailApi:
    """The endpoint.

    Args:
        allowed: results may be watched.
        away: Kafka does not answer the console: a consumer says nothing of brokers that only stand still.
    """

    def __init__(self, tail: ResultsTail, clock: Clock, *, allowed: bool, away: Callable[[], bool]) -> None:
        self._tail = tail
        self._clock = clock
        self._allowed = allowed
        self._away = away

    def endpoints(self) -> list[Endpoint]:
        """All of them."""
        return [
            Endpoint(
                "tail",
                "GET",
                "/api/tail",
                self._watch,
                "Results as they come, at most 20 a second: events `row` (TailRow) and `count` (TailCount).",
                media="text/event-stream",
                tag="find",
                parameters=(
                    QueryParameter(
                        "status",
                        "Any of these, separated by commas.",
                        {"type": "array", "items": {"type": "string", "enum": STATUSES}},
                    ),
                    QueryParameter("provider", "Of this provider."),
                    QueryParameter("campaign", "Of this campaign."),
                ),
                statuses=(400, 404, 429),
            )
        ]

    async def _watch(self, call: ApiCall) -> web.StreamResponse:
        if not self._allowed:
            raise HttpProblemError(404, "watching results is switched off: web.tail")
        statuses = call.query_list("status")
        if not set(statuses) <= set(STATUSES):
            raise HttpProblemError(400, f"status: write some of {', '.join(STATUSES)}")
        if self._tail.full:
            raise HttpProblemError(429, "too many people watch already", headers={"Retry-After": "30"})
        watcher = Watcher(statuses, call.query("provider") or None, call.query("campaign") or None)
        self._tail.join(watcher)
        try:
            response = await begin_events(call)
            await self._stream(response, watcher, call)
        finally:
            await self._tail.leave(watcher)
        return response

    async def _stream(self, response: web.StreamResponse, watcher: Watcher, call: ApiCall) -> None:
        """Until the person goes, or their session ends."""
        until = call.who.until
        told = self._clock.monotonic()
        await response.write(event_bytes("count", self._count(watcher)))
        while until is None or self._clock.wall() < until:
            for row in await watcher.rows(COUNT_SECONDS / 4):
                await response.write(event_bytes("row", row))
            if self._clock.monotonic() - told >= COUNT_SECONDS:
                told = self._clock.monotonic()
                await response.write(event_bytes("count", self._count(watcher)))

    def _count(self, watcher: Watcher) -> TailCount:
        return watcher.count(away=self._tail.away or self._away(), begun=self._tail.begun)
