"""Server-Sent Events as the answer to one request."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from connector.web.endpoints import ApiCall
from connector.web.plain_words import plain_json
from connector.web.web_app import strict


async def begin_events(call: ApiCall) -> web.StreamResponse:
    """A stream that has begun: what is refused from now on can only be an event."""
    headers = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    strict(response, call.id)
    await response.prepare(call.http)
    return response


def event_bytes(name: str, value: Any) -> bytes:
    """One event, whose data is JSON; nothing in it is invisible."""
    return b"event: " + name.encode() + b"\ndata: " + plain_json(value) + b"\n\n"
