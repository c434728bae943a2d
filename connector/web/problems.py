"""What goes wrong with a request, as RFC 9457 says it: `application/problem+json`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web

from connector.errors import ConfigurationError, ConnectorError, Problem
from connector.web.plain_words import plain_json

PROBLEM_TYPE = "application/problem+json"


class ProblemDetail(msgspec.Struct, omit_defaults=True):
    """One thing that is wrong: `Problem` (connector/errors.py) over HTTP."""

    message: str
    remedy: str = ""
    path: str = ""
    line: int | None = None
    column: int | None = None


class ProblemDocument(msgspec.Struct, omit_defaults=True):
    """Why a request was not answered.

    `sign_in` is there where nobody has signed in yet, and says how: `tokens` or `proxy`.
    """

    title: str
    status: int
    problems: list[ProblemDetail] = msgspec.field(default_factory=list)
    sign_in: str = ""


class HttpProblemError(ConnectorError):
    """A request is not answered as it asks.

    Attributes:
        status: of HTTP.
        title: what is wrong, in a sentence that a page can show.
        problems: one by one, with places.
        headers: of the answer.
        sign_in: how to sign in.
    """

    def __init__(
        self,
        status: int,
        title: str,
        problems: Iterable[Problem] = (),
        *,
        headers: Mapping[str, str] | None = None,
        sign_in: str = "",
    ) -> None:
        self.status = status
        self.title = title
        self.problems = tuple(problems)
        self.headers = dict(headers or {})
        self.sign_in = sign_in
        super().__init__(title)

    def response(self) -> web.Response:
        """The answer."""
        document = ProblemDocument(
            title=self.title,
            status=self.status,
            problems=[ProblemDetail(it.message, it.remedy, it.path, it.line, it.column) for it in self.problems],
            sign_in=self.sign_in,
        )
        body = plain_json(document)
        return web.Response(status=self.status, body=body, headers={**self.headers, "Content-Type": PROBLEM_TYPE})


def from_error(error: ConnectorError) -> HttpProblemError:
    """An error of ours as an answer: what people have to mend is 422, what is not there now 503."""
    if isinstance(error, HttpProblemError):
        return error
    if isinstance(error, ConfigurationError):
        return HttpProblemError(422, "something has to be mended first", error.problems)
    return HttpProblemError(503, str(error))


def from_aiohttp(error: web.HTTPException) -> HttpProblemError:
    """What aiohttp refuses by itself: no such page, another method, a body that is too large."""
    kept = {name: value for name, value in error.headers.items() if name in {"Allow", "Location", "Retry-After"}}
    return HttpProblemError(error.status, HTTPStatus(error.status).phrase.lower(), headers=kept)
