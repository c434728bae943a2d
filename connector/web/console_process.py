"""The process `sms-connector console`: what it watches, and the chapters that tell of it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import structlog

from connector.clock import SystemClock
from connector.settings.model import Settings
from connector.web.deeds import LoggedDeeds
from connector.web.definition_files import DefinitionFiles, folder_to_read
from connector.web.serving import WebServer
from connector.web.studio_api import StudioApi, StudioPlaces
from connector.workbench.child.studio_children import StudioChildren

log = structlog.get_logger(__name__)

PAGES: tuple[str, ...] = ("studio",)


async def run_console(settings: Settings, place: socket.socket) -> None:
    """Serve until cancelled."""
    files = [Path(each) for each in settings.providers]
    children = StudioChildren(
        folder_to_read([file for file in files if file.exists()], settings.web.definitions_folder)
    )
    await children.start()
    places = StudioPlaces(
        settings.web,
        DefinitionFiles(files, settings.web.definitions_folder),
        "" if settings.receive.url is None else settings.receive.url,
    )
    studio = StudioApi(children, places, LoggedDeeds())
    server = WebServer(settings.web, place, chapters=[studio], pages=PAGES, clock=SystemClock())
    try:
        await server.start()
        log.info("console", url=server.url, auth=settings.web.auth)
        await asyncio.Event().wait()
    finally:
        await server.stop()
        await children.stop()
