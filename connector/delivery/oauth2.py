"""OAuth 2.0 client credentials (RFC 6749, 4.4) as an aiohttp client middleware."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, hdrs

from connector.clock import Clock
from connector.definition.tree import BasicAuth, OAuth2
from connector.errors import Phase, RequestError
from connector.model import Reply
from connector.request.auth import basic

DEFAULT_SECONDS = 600.0
"""Lifetime of a token whose reply does not tell: short, as renewing is cheap."""

RENEW_BEFORE = 60.0
"""Seconds before its end a token is renewed; at most a tenth of its life."""

ERROR_CODE = re.compile(r"[a-z_]{1,40}")  # RFC 6749, 5.2: the only part of an error reply that is shown


class OAuth2Middleware:
    """Adds a bearer token to requests, renews it in time, and replays a request once that a 401 refused.

    Requests wait while one of them fetches a token. A 401 says that the provider did not take the request, so the
    replay is safe.

    Args:
        auth: of the operation.
        post: sends the token request: url, form pairs, headers.
        clock: token ages.

    Attributes:
        refreshes: tokens fetched.
    """

    def __init__(
        self,
        auth: OAuth2,
        post: Callable[[str, Mapping[str, str], Mapping[str, str]], Awaitable[Reply]],
        clock: Clock,
    ) -> None:
        self.refreshes = 0
        self._auth = auth
        self._post = post
        self._clock = clock
        self._token = ""
        self._renew_at = float("-inf")
        self._lock = asyncio.Lock()

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        token = await self._current()
        request.headers[hdrs.AUTHORIZATION] = f"Bearer {token}"
        response = await handler(request)
        if response.status != 401:
            return response
        response.close()
        token = await self._current(refused=token)
        request.headers[hdrs.AUTHORIZATION] = f"Bearer {token}"
        return await handler(request)

    async def _current(self, refused: str | None = None) -> str:
        """A token that is valid as far as known, and not the one that was refused."""
        async with self._lock:
            if self._token == refused or self._clock.monotonic() >= self._renew_at:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        """Fetch a token.

        Raises:
            RequestError: phase `auth`; the message itself has not been sent.
        """
        self._renew_at = float("-inf")
        pairs = {"grant_type": "client_credentials", **self._auth.pairs}
        headers: dict[str, str] = {}
        if self._auth.send == "basic":
            headers[hdrs.AUTHORIZATION] = basic(BasicAuth(self._auth.client_id, self._auth.secret))
        else:
            pairs |= {"client_id": self._auth.client_id, "client_secret": self._auth.secret}
        try:
            reply = await self._post(self._auth.url, pairs, headers)
        except RequestError as error:
            raise RequestError(
                Phase.AUTH, f"token endpoint: {error}", uncertain=False, timed_out=error.timed_out
            ) from None
        document = _document(reply.body)
        token = document.get("access_token")
        if reply.status != 200 or not isinstance(token, str) or not token:
            code = document.get("error")
            told = f" ({code})" if isinstance(code, str) and ERROR_CODE.fullmatch(code) else ""
            raise RequestError(
                Phase.AUTH, f"token endpoint answered {reply.status} without a token{told}", uncertain=False
            )
        lifetime = _seconds(document.get("expires_in"))
        self._token = token
        self.refreshes += 1
        self._renew_at = self._clock.monotonic() + lifetime - min(RENEW_BEFORE, lifetime / 10)


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _seconds(value: Any) -> float:
    """`expires_in`, which some servers write as text."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return DEFAULT_SECONDS
    return seconds if seconds > 0 else DEFAULT_SECONDS
