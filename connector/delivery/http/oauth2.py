"""OAuth 2.0 client credentials (RFC 6749, 4.4) as an aiohttp client middleware."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote_plus

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, hdrs

from connector.clock import Clock
from connector.definition.tree import BasicAuth, OAuth2
from connector.errors import Phase, RequestError, WithheldError
from connector.model import Reply
from connector.request.auth import basic

DEFAULT_SECONDS = 600.0
"""Lifetime of a token whose reply does not tell: short, as renewing is cheap."""

LONGEST_SECONDS = 86_400.0
"""A token is renewed once a day at least, whatever its reply says."""

RENEW_BEFORE = 60.0
"""Seconds before its end a token is renewed; at most a tenth of its life."""

IN_VAIN_SECONDS = {401: 2.0, 403: 300.0}
"""What may mean that a token is worth nothing any more, and for how long it is not taken for that after a new token was
refused in the same way: a 403 is mostly about something else, and a 401 comes again with every probe.
"""

TOKEN_CHARACTERS = 16 * 1024
"""Longer tokens are refused: no server takes such a header."""

# RFC 6749, 5.2 and 4.1.2.1: the only words of an error reply that are shown. Others may be the secret that was sent.
ERROR_CODES = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"),
        *("invalid_scope", "access_denied", "server_error", "temporarily_unavailable"),
    }
)
TOKEN_TYPES = frozenset({"mac", "dpop", "pop", "jwt", "n_a", "basic"})
NO_HEADER = re.compile(r"[^\x21-\x7e]")


class OAuth2Middleware:
    """Adds a bearer token to requests, renews it in time, and replays a request once that a 401 or a 403 refused.

    Requests wait while one of them fetches a token. Such a reply says that the provider did not take the request, so
    the replay is safe.

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
        self._token = self._before = ""
        self._renew_at = -math.inf
        self._lock = asyncio.Lock()
        self._fetches = 0
        self._error: RequestError | None = None  # of the last fetch
        self._in_vain: dict[int, float] = {}  # status → until when it is not about tokens
        self._authorizations = _authorizations(auth)  # the one that worked last comes first

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        token = await self._current()
        request.headers[hdrs.AUTHORIZATION] = f"Bearer {token}"
        response = await handler(request)
        status = response.status
        if status not in IN_VAIN_SECONDS or not self._may_help(status, token):
            return response
        try:
            token = await self._current(refused=token)
        except RequestError:
            if status == 403:  # it was not about the token, as far as anybody knows
                return response
            response.close()
            raise
        response.close()
        request.headers[hdrs.AUTHORIZATION] = f"Bearer {token}"
        response = await handler(request)
        if response.status == status:
            self._in_vain[status] = self._clock.monotonic() + IN_VAIN_SECONDS[status]
        return response

    @property
    def credentials(self) -> tuple[str, ...]:
        """The token, and the one before it: a reply may echo either, and nobody may see them."""
        return tuple(token for token in (self._token, self._before) if token)

    def _may_help(self, status: int, token: str) -> bool:
        """Whether another token may: one that came meanwhile, or a new one."""
        return token != self._token or self._clock.monotonic() >= self._in_vain.get(status, -math.inf)

    async def _current(self, refused: str | None = None) -> str:
        """A token that is valid as far as known, and not the one that was refused."""
        fetches = self._fetches
        async with self._lock:
            if self._token == refused or not self._token or self._clock.monotonic() >= self._renew_at:
                if self._fetches > fetches and self._error is not None:  # one fetch fails for all who waited for it
                    raise RequestError(Phase.AUTH, self._error.reason, uncertain=False, timed_out=self._error.timed_out)
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        """Fetch a token. One that is there stays where none can be had: a 403 may not have been about it.

        Raises:
            RequestError: phase `auth`; the message itself has not been sent.
        """
        self._error = None
        try:
            token, seconds = await self._fetch()
        except WithheldError:  # this worker may not send: nobody is at fault
            raise
        except RequestError as error:
            self._error = error
            raise
        except Exception as error:  # whatever an endpoint may answer is this provider's outage
            told = f"token endpoint: its reply cannot be used: {type(error).__name__}"
            self._error = RequestError(Phase.AUTH, told, uncertain=False)
            raise self._error from error
        finally:
            self._fetches += 1
        self._token, self._before = token, self._token
        self.refreshes += 1
        self._renew_at = self._clock.monotonic() + seconds - min(RENEW_BEFORE, seconds / 10)

    async def _fetch(self) -> tuple[str, float]:
        """A token, and the seconds it lives."""
        pairs = {"grant_type": "client_credentials", **self._auth.pairs}
        if self._auth.send == "body":
            pairs |= {"client_id": self._auth.client_id, "client_secret": self._auth.secret}
            return _token(await self._asked(pairs, {}))
        for authorization in self._authorizations:
            reply = await self._asked(pairs, {hdrs.AUTHORIZATION: authorization})
            if reply.status not in {400, 401, 403}:
                break
        found = _token(reply)
        self._authorizations.remove(authorization)
        self._authorizations.insert(0, authorization)
        return found

    async def _asked(self, pairs: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        try:
            return await self._post(self._auth.url, pairs, headers)
        except RequestError as error:
            told = f"token endpoint: {error}"
            raise RequestError(Phase.AUTH, told, uncertain=False, timed_out=error.timed_out) from None


def _authorizations(auth: OAuth2) -> list[str]:
    """Ways to write id and secret as Basic credentials: form-encoded as RFC 6749, 2.3.1 wants it, and as they are, as
    many servers take it. They differ where one of them holds more than letters, digits, `-`, `.`, `_` and `~`.
    """
    encoded = basic(BasicAuth(quote_plus(auth.client_id), quote_plus(auth.secret)))
    return list(dict.fromkeys((encoded, basic(BasicAuth(auth.client_id, auth.secret)))))


def _token(reply: Reply) -> tuple[str, float]:
    """The token of a reply, and the seconds it lives. Nothing of a reply is shown that may be a secret.

    Raises:
        RequestError: it has none that can be used.
    """
    found = _document(reply.body)
    document = found or {}
    token = document.get("access_token")
    if not 200 <= reply.status <= 299 or not isinstance(token, str) or not token:
        raise _refused(f"token endpoint answered {reply.status} without a token{_why(reply, found)}")
    kind = document.get("token_type")
    if kind not in (None, "") and (not isinstance(kind, str) or kind.strip().lower() != "bearer"):
        named = isinstance(kind, str) and kind.strip().lower() in TOKEN_TYPES
        told = f"of the type `{kind}`" if named else "that is no bearer token"
        raise _refused(f"token endpoint gave a token {told}; only bearer tokens can be sent")
    if len(token) > TOKEN_CHARACTERS:
        raise _refused(
            f"token endpoint gave a token of {len(token)} characters, at most {TOKEN_CHARACTERS} fit a header"
        )
    if (stray := NO_HEADER.search(token)) is not None:
        raise _refused(f"token endpoint gave a token that holds {_called(stray[0])}, which no header may")
    return token, _seconds(document.get("expires_in"))


def _refused(told: str) -> RequestError:
    return RequestError(Phase.AUTH, told, uncertain=False)


def _why(reply: Reply, document: Mapping[str, Any] | None) -> str:
    code = (document or {}).get("error")
    if isinstance(code, str) and code in ERROR_CODES:
        return f" ({code})"
    if 300 <= reply.status <= 399:
        return " (redirects are not followed: write its final address in auth.oauth2.url)"
    if reply.truncated:
        return " (it is too long)"
    return " (the reply is not JSON)" if document is None else ""


def _called(character: str) -> str:
    if character in "\r\n":
        return "a line break"
    if character in " \t":
        return "a blank"
    return "a control character" if character < " " or character == "\x7f" else "a character beyond ASCII"


def _document(body: bytes) -> Mapping[str, Any] | None:
    """A JSON object, whatever its encoding and byte order mark; empty for other JSON, None for what is not JSON."""
    try:
        text = body.decode(json.detect_encoding(body), "replace")
        # As floats: a whole number of more than 4,300 digits is an error to Python.
        document = json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else {}


def _seconds(value: Any) -> float:
    """`expires_in`, which some servers write as text, and others as nonsense."""
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return DEFAULT_SECONDS
    return min(seconds, LONGEST_SECONDS) if seconds > 0 else DEFAULT_SECONDS
