"""The aiohttp application: endpoints and pages, all behind one guard."""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog
from aiohttp import web

from connector.bounded_http import BodyError, most_of, read_body
from connector.errors import ConnectorError
from connector.untrusted import READ_ERRORS, too_deep
from connector.web.callers import Caller
from connector.web.endpoints import ApiCall, Endpoint
from connector.web.guard import HostNames, check_changing, check_json, check_reading
from connector.web.plain_words import plain_json
from connector.web.problems import HttpProblemError, from_aiohttp, from_error
from connector.web.sign_in import SignIn
from connector.web.static_files import StaticFiles

log = structlog.get_logger(__name__)

REQUEST_ID = "X-Request-Id"
_ID = web.RequestKey("id", str)
BYTES_UNDER_WAY = 32 * 1024**2
"""Of all bodies that are being read: what does not fit is answered 503 and may be sent again."""
UNREAD = {
    400: "the body cannot be read",
    408: "the body took too long to arrive",
    413: "more than {most} bytes",
}

GONE = 499
"""Nobody is there any more to read it."""

STRICT = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Server": "sms-connector",
}
NOTHING = "default-src 'none'; frame-ancestors 'none'"
"""Of what is no page."""


def policy(nonce: str) -> str:
    """What a page may load and do: nothing from elsewhere, no script in the text, no markup made of text."""
    return (
        "default-src 'none'; script-src 'self'; "
        f"style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def build_app(
    endpoints: Sequence[Endpoint], *, hosts: HostNames, sign_in: SignIn, files: StaticFiles
) -> web.Application:
    """An application that answers these endpoints and shows the pages.

    Args:
        endpoints: each under its path; what is not among them is no part of the API.
        hosts: by which it may be reached.
        sign_in: who asks.
        files: of the pages.
    """
    app = web.Application(middlewares=[_outermost(hosts)])
    guard = Guard(sign_in)
    for endpoint in endpoints:
        app.router.add_route(endpoint.method, endpoint.path, guard.guarded(endpoint))
    app.router.add_get("/health/live", _alive)
    app.router.add_get("/s/{digest}/{name:.+}", _file(files))
    app.router.add_get(r"/{page:(?!api(?:/|$)|s/|health/).*}", _page(files))
    return app


class Guard:
    """Looks at each request before its endpoint does."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in
        self._bytes = 0

    def guarded(self, endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The endpoint, as aiohttp calls it."""

        async def handle(request: web.Request) -> web.StreamResponse:
            caller = self._admitted(request, endpoint)
            body = await self._body(request, endpoint)
            call = ApiCall(caller, body, request.match_info, request[_ID], request)
            return _answer(await endpoint.handler(call), exact=endpoint.tag == "studio")

        return handle

    def _admitted(self, request: web.Request, endpoint: Endpoint) -> Caller | None:
        """Who asks. Raises HttpProblemError where they may not."""
        bearer = "Authorization" in request.headers and self._sign_in.kind == "tokens"
        if endpoint.changes:
            check_changing(request.headers, bearer=bearer)
            check_json(request.headers, length=1 if request.body_exists else 0)
        else:
            check_reading(request.headers)
        if endpoint.role is None:
            return None
        caller = self._sign_in.who(request)
        if caller is None:
            raise HttpProblemError(401, "sign in first", sign_in=self._sign_in.kind)
        if caller.role < endpoint.role:
            raise HttpProblemError(403, f"this needs the role {endpoint.role.label}; yours is {caller.role.label}")
        return caller

    async def _body(self, request: web.Request, endpoint: Endpoint) -> Any:
        """What the endpoint takes. Raises HttpProblemError."""
        if endpoint.takes is None:
            return None
        most = most_of(request, endpoint.most)
        if self._bytes + most > BYTES_UNDER_WAY:
            raise HttpProblemError(503, "too much is being sent at once", headers={"Retry-After": "5"})
        self._bytes += most
        try:
            return _decoded(await read_body(request, endpoint.most), endpoint)
        except BodyError as error:
            raise HttpProblemError(error.status, UNREAD[error.status].format(most=endpoint.most)) from None
        finally:
            self._bytes -= most


def _decoded(raw: bytes, endpoint: Endpoint) -> Any:
    if too_deep(raw):
        raise HttpProblemError(400, "nested too deep")
    try:
        return msgspec.json.decode(raw, type=endpoint.takes)
    except msgspec.ValidationError as error:
        raise HttpProblemError(422, _where(str(error))) from None
    except READ_ERRORS:
        raise HttpProblemError(400, "the body is not JSON in UTF-8") from None


def _where(words: str) -> str:
    """The words of msgspec: types, lengths and the path."""
    return words[:300]


def _answer(value: Any, *, exact: bool) -> web.StreamResponse:
    if isinstance(value, web.StreamResponse):
        return value
    if value is None:
        return web.Response(status=204)
    headers = {}
    if isinstance(value, Tagged):
        headers["ETag"], value = f'"{value.tag}"', value.value
    # What Studio's children say is about texts of the person who asks, which must come back as they are.
    body = msgspec.json.encode(value) if exact else plain_json(value)
    return web.Response(body=body, content_type="application/json", headers=headers)


class Tagged(msgspec.Struct):
    """A value with its ETag: what a later change names in If-Match."""

    value: Any
    tag: str


def _outermost(hosts: HostNames) -> Any:
    """Host, errors as problems, and headers: of every answer, whatever it is."""

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        request[_ID] = secrets.token_hex(8)
        try:
            # A probe of the platform asks by address; it learns nothing.
            if request.path != "/health/live":
                hosts.check(request.headers)
            response = await handler(request)
        except web.HTTPException as error:
            response = from_aiohttp(error).response()
        except ConnectorError as error:
            response = from_error(error).response()
        except Exception as error:
            response = _unanswered(request, error)
        if not response.prepared:
            strict(response, request[_ID])
        return response

    return middleware


def _unanswered(request: web.Request, error: Exception) -> web.Response:
    """What nobody foresaw; or the person has left a stream that was being written, which is no fault of anybody."""
    if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
        return web.Response(status=GONE)
    # Its text, and the values in its traceback, may hold what a message says.
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{where.filename}:{where.lineno}"
    log.error("the console could not answer", request=request[_ID], error=type(error).__name__, place=place)
    return HttpProblemError(500, "something went wrong in the console; its log says what").response()


def strict(response: web.StreamResponse, request_id: str) -> None:
    """The headers that every answer has. A stream sets them before it begins."""
    headers = response.headers
    headers.update(STRICT)
    headers[REQUEST_ID] = request_id
    headers.setdefault("Content-Security-Policy", NOTHING)
    headers.setdefault("Cache-Control", "no-store")


async def _alive(_: web.Request) -> web.Response:
    return web.Response(text="alive\n")


def _file(files: StaticFiles) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return files.respond(request, request.match_info["digest"], request.match_info["name"])

    return handle


def _page(files: StaticFiles) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        text, nonce = files.page(request.rel_url.raw_path)
        headers = {"Content-Security-Policy": policy(nonce), "Cache-Control": "no-store"}
        return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)

    return handle
