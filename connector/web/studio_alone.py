"""The process `sms-connector studio`: Studio on one's own machine, without Kafka, settings or secrets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from connector.clock import SystemClock
from connector.settings.web import Web
from connector.web.deeds import LoggedDeeds
from connector.web.definition_files import DefinitionFiles, folder_to_read
from connector.web.serving import WebServer
from connector.web.studio_api import StudioApi, StudioPlaces
from connector.workbench.child.studio_children import StudioChildren

PAGES = ("studio",)


def settings_for(folder: Path | None, port: int) -> Web:
    """Of the section `web`: this machine only, and nobody to sign in."""
    return Web(port=port, definitions="read-only" if folder is None else str(folder))


async def run_studio(settings: Web, place: socket.socket, files: Sequence[Path], ready: Callable[[str], None]) -> None:
    """Serve until cancelled. `ready` is told where."""
    folder = settings.definitions_folder
    children = StudioChildren(folder_to_read(files, folder))
    await children.start()
    places = StudioPlaces(settings, DefinitionFiles(files, folder))
    chapter = StudioApi(children, places, LoggedDeeds())
    server = WebServer(settings, place, chapters=[chapter], pages=PAGES, clock=SystemClock())
    try:
        await server.start()
        ready(server.url)
        await asyncio.Event().wait()
    finally:
        await server.stop()
        await children.stop()
