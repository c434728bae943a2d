"""The process `sms-connector console`: what it watches, and the chapters that tell of it."""

from __future__ import annotations

import asyncio
import functools
import socket
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from connector.clock import SystemClock
from connector.operating.kafka_writer import open_writer
from connector.settings import Settings
from connector.web.audited_deeds import AuditedDeeds
from connector.web.console_view import ConsoleView
from connector.web.definition_files import DefinitionFiles, folder_to_read
from connector.web.first_message import KafkaEvents
from connector.web.first_message_api import FirstMessageApi
from connector.web.look_api import LookApi
from connector.web.results_tail import ResultsTail
from connector.web.serving import WebServer
from connector.web.steer_api import SteerApi
from connector.web.studio_api import StudioApi, StudioPlaces
from connector.web.tail_api import TailApi
from connector.workbench.child.studio_children import StudioChildren

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 5.0
PAGES = ("overview", "providers", "studio", "tail", "workers", "audit")


class Console:
    """What one console is made of. Made, started and stopped on one loop.

    Args:
        place: bound.
    """

    def __init__(self, settings: Settings, place: socket.socket) -> None:
        clock = SystemClock()
        topics = settings.topics
        self._view = ConsoleView(settings, clock)
        self._tail = ResultsTail(settings)
        writer = functools.partial(open_writer, settings, (topics.control, topics.audit))
        files = [Path(each) for each in settings.providers]
        folder = settings.web.definitions_folder
        self._children = StudioChildren(folder_to_read([file for file in files if file.exists()], folder))
        places = StudioPlaces(settings.web, DefinitionFiles(files, folder), settings.receive.url or "")
        deeds = AuditedDeeds(writer, topics.audit, clock)
        self.server = WebServer(
            settings.web,
            place,
            chapters=[
                LookApi(self._view),
                SteerApi(self._view, clock, writer),
                TailApi(self._tail, clock, allowed=settings.web.tail, away=self._view.kafka.reachability.away),
                StudioApi(self._children, places, deeds),
                FirstMessageApi(settings.web, KafkaEvents(settings), deeds),
            ],
            pages=[page for page in PAGES if page != "tail" or settings.web.tail],
            clock=clock,
        )

    async def run(self) -> None:
        """Serve and watch until cancelled."""
        view = self._view
        await self._children.start()
        try:
            await self.server.start()
            async with asyncio.TaskGroup() as group:
                for look in (view.fleet.run, view.kafka.run, view.control.run, view.recent.run, view.draw):
                    group.create_task(_kept(look))
        finally:
            await self._tail.stop()
            await self.server.stop()
            await self._children.stop()


async def _kept(look: Callable[[], Awaitable[None]]) -> None:
    """Watch for ever: whatever one watch meets, the pages go on, and say what is old."""
    while True:
        try:
            await look()
        except Exception as error:
            # Its text, and the values in its traceback, may hold what others wrote.
            where = traceback.extract_tb(error.__traceback__)[-1]
            log.error("a watch of the console failed", error=type(error).__name__, place=f"{where.name}:{where.lineno}")  # noqa: TRY400
        await asyncio.sleep(AGAIN_SECONDS)


async def run_console(settings: Settings, place: socket.socket) -> None:
    """Serve until cancelled."""
    console = Console(settings, place)
    log.info("console", url=console.server.url, auth=settings.web.auth)
    await console.run()
