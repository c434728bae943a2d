"""Asking workers what they are doing, and finding them: by their group, a name, or URLs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import aiohttp

from connector.health.status_report import REPORT_BYTES, WorkerReport, read_reports
from connector.kafka.reader import GroupMember
from connector.settings import Settings
from connector.untrusted import UnreadableError

ASK_SECONDS = 2.0
"""A worker that does not answer in time is silent."""


@dataclass(frozen=True, slots=True)
class WorkerAnswer:
    """What one address said.

    Attributes:
        url: asked.
        reports: of the workers behind it; empty where nothing came that could be read.
        error: why nothing came, in a word or two.
    """

    url: str
    reports: tuple[WorkerReport, ...] = ()
    error: str = ""


async def ask(session: aiohttp.ClientSession, url: str) -> WorkerAnswer:
    """The workers at one address."""
    try:
        async with session.get(f"{url.rstrip('/')}/status", allow_redirects=False) as response:
            if response.status != 200:
                return WorkerAnswer(url, error=f"HTTP {response.status}")
            page = await response.content.read(REPORT_BYTES + 1)
            while len(page) <= REPORT_BYTES and (more := await response.content.read(REPORT_BYTES + 1 - len(page))):
                page += more
        return WorkerAnswer(url, tuple(read_reports(page)))
    except UnreadableError:
        return WorkerAnswer(url, error="no status of a worker")
    except TimeoutError:
        return WorkerAnswer(url, error="no answer in time")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return WorkerAnswer(url, error=type(error).__name__)


def open_session() -> aiohttp.ClientSession:
    """For asking; every worker is asked anew, so that one which was replaced is not missed."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_SECONDS), cookie_jar=aiohttp.DummyCookieJar())


async def ask_all(session: aiohttp.ClientSession, urls: Iterable[str]) -> list[WorkerAnswer]:
    """All of them at once: none waits for another."""
    return list(await asyncio.gather(*(ask(session, url) for url in urls)))


def own_url(settings: Settings) -> str | None:
    """Where a worker of these settings answers on this machine; None where it does not say."""
    if not settings.health.port:
        return None
    host = settings.health.host.replace("0.0.0.0", "127.0.0.1")  # noqa: S104  where it listens, not where we do
    return f"http://{host}:{settings.health.port}"


async def addresses(settings: Settings, members: Sequence[GroupMember]) -> list[str]:
    """Where workers answer, as `web.workers` says.

    Raises:
        OSError: a name leads nowhere.
    """
    found: dict[str, None] = {}
    for way in settings.web.workers:
        if way == "group":
            port = settings.health.port
            found |= dict.fromkeys(f"http://{_bracketed(it.host)}:{port}" for it in members if it.host and port)
        elif way.startswith("dns:"):
            name, _, port_text = way.removeprefix("dns:").rpartition(":")
            found |= dict.fromkeys([f"http://{_bracketed(host)}:{port_text}" for host in await _resolved(name)])
        else:
            found[way.rstrip("/")] = None
    return list(found)


async def _resolved(name: str) -> list[str]:
    infos = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return sorted({str(info[4][0]) for info in infos})


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
