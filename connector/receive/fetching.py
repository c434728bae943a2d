"""What a callback makes us fetch: a certificate, the confirmation of a subscription. Few, small, once for all who ask.

Its URL was checked before: HTTPS, of the notification service itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import aiohttp

Fetch = Callable[[str], Awaitable[bytes]]
"""GET of a URL. Raises OSError (TimeoutError is one) where it cannot be had."""

FETCH_SECONDS = 5.0
MOST_BYTES = 64 * 1024
AT_ONCE = 8
"""URLs asked for at the same time; whoever wants one more comes again. Anybody may name certificates by the dozen."""


class SharedFetch:
    """GET once for all who ask for a URL at the same time. Who asks may give up, which ends it for nobody else."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._asked: dict[str, asyncio.Future[bytes]] = {}

    async def __call__(self, url: str) -> bytes:
        """What stands there. Raises OSError."""
        task = self._asked.get(url)
        if task is None:
            if len(self._asked) >= AT_ONCE:
                raise OSError("too much is being fetched")
            task = self._asked[url] = asyncio.ensure_future(self._fetch(url))
            task.add_done_callback(lambda done: self._done(url, done))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    def _done(self, url: str, done: asyncio.Future[bytes]) -> None:
        del self._asked[url]
        if not done.cancelled():
            done.exception()  # whoever asked may have given up


class HttpsFetch:
    """Fetches over the network. An `async with` block opens and closes it."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        self._session = aiohttp.ClientSession(timeout=timeout, trust_env=True, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def __call__(self, url: str) -> bytes:
        """The body of a 200. Raises OSError."""
        assert self._session is not None
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status != 200:
                    raise OSError(f"it answers {response.status}")
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise OSError("it is too large")
                return bytes(body)
        except aiohttp.ClientError as error:
            raise OSError(type(error).__name__) from error
