"""A console that serves chapters on a port of its own, and asks it like a browser, a script or another page."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from connector.clock import Clock, ManualClock
from connector.settings.web import Web
from connector.web.serving import Chapter, WebServer, bind
from connector.web.static_files import FOLDER, StaticFiles

TOKENS = {"viewer": "viewer-hunter2", "operator": "operator-hunter2", "editor": "editor-hunter2"}
BROWSER = {"X-Console": "1", "Sec-Fetch-Site": "same-origin"}


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def with_tokens(**more: Any) -> Web:
    """Settings in which everybody has a token that is named after their role."""
    tokens = [{"name": role, "role": role, "sha256": digest(token)} for role, token in TOKENS.items()]
    return Web.model_validate({"port": 0, "auth": "tokens", "tokens": tokens, **more})


@dataclass
class Answer:
    status: int
    text: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str]


class Asker:
    """Asks one console."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def __call__(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: str | None = None
    ) -> Answer:
        url = URL(self.url.rstrip("/") + path, encoded=True)
        data = None if body is None else io.BytesIO(body.encode())
        async with self._session.request(method, url, headers=headers, data=data, allow_redirects=False) as response:
            cookies = {name: morsel.value for name, morsel in response.cookies.items()}
            return Answer(response.status, await response.text(), response.headers, cookies)

    async def until(
        self, method: str, path: str, headers: Mapping[str, str], body: str | None, *, last: str
    ) -> tuple[int, str]:
        """A stream, up to an event of that name."""
        data = None if body is None else io.BytesIO(body.encode())
        url = URL(self.url.rstrip("/") + path, encoded=True)
        text = ""
        async with self._session.request(method, url, headers=headers, data=data) as response:
            async for line in response.content:
                text += line.decode()
                if f"event: {last}\n" in text and text.endswith("\n\n"):
                    break
            return response.status, text

    async def as_role(self, role: str, method: str, path: str, body: str | None = None) -> Answer:
        """By a script with a token."""
        headers = {"Authorization": f"Bearer {TOKENS[role]}", "Content-Type": "application/json"}
        return await self(method, path, headers, body)


@asynccontextmanager
async def served(
    settings: Web, chapters: Sequence[Chapter] = (), *, clock: Clock | None = None, folder: Path = FOLDER
) -> AsyncIterator[Asker]:
    """A console, and what asks it."""
    server = WebServer(
        settings,
        bind(settings),
        chapters=chapters,
        pages=["overview"],
        clock=clock or ManualClock(),
        load_files=lambda: StaticFiles(folder),
    )
    await server.start()
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield Asker(session, server.url)
    finally:
        await server.stop()
