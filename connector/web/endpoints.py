"""What the API is made of: one `Endpoint` each, which says who may ask it, what it takes and what it gives.

Tests go through all of them (each endpoint × role × origin × host), and the OpenAPI document is made from them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from connector.web.callers import Caller, Role

Method = Literal["GET", "POST", "PUT", "DELETE"]
Tag = Literal["look", "steer", "studio", "find"]

BODY_BYTES = 1024**2
"""Of a request, unless its endpoint says otherwise."""

CHANGING: frozenset[Method] = frozenset({"POST", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A value in the query, or a header.

    Attributes:
        kind: its JSON Schema.
        place: where it stands.
    """

    name: str
    about: str
    kind: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    place: Literal["query", "header"] = "query"
    required: bool = False


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One request that may be answered.

    Attributes:
        caller: who asks; None only where the endpoint lets everybody ask.
        body: what the endpoint takes, decoded and checked; None where it takes nothing.
        path: the parts of the path that differ.
        id: of this request: 16 hexadecimal digits, in the answer's header `X-Request-Id` and in the audit log.
        http: the request, for what else is needed of it.
    """

    caller: Caller | None
    body: Any
    path: Mapping[str, str]
    id: str
    http: web.Request

    @property
    def who(self) -> Caller:
        """Who asks, of an endpoint that asks for a role."""
        assert self.caller is not None
        return self.caller

    def query(self, name: str, default: str = "") -> str:
        """A value of the query."""
        return self.http.query.get(name, default)

    def query_list(self, name: str) -> list[str]:
        """Values of the query, separated by commas."""
        return [part for part in self.query(name).split(",") if part]


Handler = Callable[[ApiCall], Awaitable[Any]]
"""Answers: a `web.StreamResponse`, or a value that becomes JSON; None becomes 204."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the API.

    Attributes:
        operation: its name in the OpenAPI document.
        path: below the console's own, as `/api/providers/{name}`.
        role: the least that may ask; None: everybody, signed in or not.
        about: what it does, in a sentence.
        takes: the type of its JSON body; None: no body.
        gives: the type of its JSON answer; None: nothing, or what `media` says.
        media: the type of an answer that is no JSON.
        empty: there may be nothing to give (204).
        most: bytes of the body, at most.
        tag: its chapter.
        statuses: of its problems, beside those that every endpoint may have.
    """

    operation: str
    method: Method
    path: str
    handler: Handler
    about: str
    role: Role | None = Role.VIEWER
    takes: Any = None
    gives: Any = None
    media: str = ""
    empty: bool = False
    most: int = BODY_BYTES
    tag: Tag = "look"
    parameters: Sequence[QueryParameter] = ()
    statuses: Sequence[int] = ()

    @property
    def changes(self) -> bool:
        """Whether it may change something, so that no other page may make a browser ask it."""
        return self.method in CHANGING
