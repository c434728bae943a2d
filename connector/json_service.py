"""Asking a service beside the brokers (a schema registry, a token endpoint) over HTTP: one request, bounded.

Not for providers: their requests have rules of their own (`delivery/http`). Redirects are not followed, since they
would carry credentials elsewhere; a proxy is not used. Every fault is an error that says what answered what.
"""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from connector.errors import ConnectorError, Problem, SettingsError

ANSWER_BYTES = 4 * 1024 * 1024
"""A schema is rarely larger than some kilobytes."""
TOLD_CHARACTERS = 200


class ServiceError(ConnectorError):
    """A service cannot be used.

    Attributes:
        why: in words that hold no secret.
        status: the HTTP status, where it answered; 0 where it did not.
        code: the service's own number or word for it, where it gave one.
    """

    def __init__(self, why: str, *, status: int = 0, code: str = "") -> None:
        self.why = why
        self.status = status
        self.code = code
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Service:
    """Where it is and how it is asked.

    Attributes:
        url: in front of every path.
        headers: with each request; credentials are among them.
        timeout: seconds for one request, as a whole.
        tls: None for what Python trusts.
    """

    url: str
    timeout: float
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    async def ask(
        self,
        path: str = "",
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        credentials: tuple[str, str] | None = None,
    ) -> Any:
        """The answer of a GET, or of a POST of a form: what JSON it holds.

        Args:
            path: behind the URL.
            query: behind the path.
            form: posted as a form.
            credentials: of OAuth: id and secret, each encoded before they are put together (RFC 6749, 2.3.1).

        Raises:
            ServiceError: it does not answer, refuses, or its answer is no JSON of a bearable size.
        """
        import aiohttp  # only who uses such a service waits for this

        sent: dict[str, Any] = {} if form is None else {"data": dict(form)}
        method = "GET" if not sent else "POST"
        headers = {"Accept-Encoding": "identity", **self.headers}  # a bound of bytes is one of memory then
        if credentials is not None:
            pair = ":".join(quote_plus(part) for part in credentials)
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=self.timeout), trust_env=False, auto_decompress=False
                ) as session,
                session.request(
                    method,
                    self.url + path,
                    headers=headers,
                    params=dict(query or {}),
                    ssl=True if self.tls is None else self.tls,
                    allow_redirects=False,
                    **sent,
                ) as reply,
            ):
                body = await self._body(reply)
                return self._read(reply.status, body)
        except TimeoutError:
            raise ServiceError(f"{self.url} does not answer within {self.timeout:g} s") from None
        except aiohttp.ClientError as error:
            raise ServiceError(f"{self.url} does not answer: {_words(error)}") from None

    async def _body(self, reply: Any) -> bytes:
        body = bytearray()
        async for piece in reply.content.iter_chunked(64 * 1024):
            body += piece
            if len(body) > ANSWER_BYTES:
                raise ServiceError(f"{self.url} answers with more than {ANSWER_BYTES:,} bytes", status=reply.status)
        return bytes(body)

    def _read(self, status: int, body: bytes) -> Any:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if 200 <= status < 300:
            if document is None:
                raise ServiceError(f"{self.url} answers {status} with something that is not JSON", status=status)
            return document
        code = told = ""
        if isinstance(document, dict):
            code = str(document.get("error_code") or document.get("error") or "")[:TOLD_CHARACTERS]
            told = str(document.get("message") or document.get("error_description") or "")[:TOLD_CHARACTERS]
        words = ", ".join(each for each in (code, told) if each)
        said = f" ({words})" if words and words.isprintable() else ""
        raise ServiceError(f"{self.url} answers {status}{said}", status=status, code=code)


def trust(file: str | None, path: str) -> ssl.SSLContext | None:
    """TLS that trusts the authorities in `file`, the setting `path`. Raises SettingsError."""
    if file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(file)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SettingsError(
            [Problem(f"{file} cannot be used: {why}", "name a readable PEM file", path=path)]
        ) from error
    return context


def _words(error: Exception) -> str:
    cause = error.__cause__ or error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return type(error).__name__
