"""The process `sms-connector console`: what it watches, and the chapters that tell of it."""

from __future__ import annotations

import asyncio
import socket

import structlog

from connector.clock import SystemClock
from connector.settings.model import Settings
from connector.web.serving import WebServer

log = structlog.get_logger(__name__)

PAGES: tuple[str, ...] = ()


async def run_console(settings: Settings, place: socket.socket) -> None:
    """Serve until cancelled."""
    server = WebServer(settings.web, place, chapters=[], pages=PAGES, clock=SystemClock())
    await server.start()
    log.info("console", url=server.url, auth=settings.web.auth)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()
