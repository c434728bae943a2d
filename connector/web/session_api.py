"""Signing in and out, and what the pages have to know before anything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from connector import __version__
from connector.settings.web import RoleName
from connector.web.callers import Caller
from connector.web.endpoints import ApiCall, Endpoint
from connector.web.sign_in import COOKIE, MOST_TOKEN, SESSION_SECONDS, SignIn, TokenSignIn

AuthKind = Literal["none", "tokens", "proxy"]

SIGN_IN_BYTES = 4096
"""Of a body that anybody may send."""


class Me(msgspec.Struct):
    """Who asks, and what the pages may show them.

    `pages`: those there are, in the order of the navigation.
    """

    name: str
    role: RoleName
    reveal: bool
    until: datetime | None
    auth: AuthKind
    environment: str
    time_zone: str
    definitions: Literal["read-only", "folder"]
    version: str
    pages: list[str]


class SignInBody(msgspec.Struct, forbid_unknown_fields=True):
    """A token, once, for a session."""

    token: Annotated[str, Meta(min_length=1, max_length=MOST_TOKEN)]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is the same for everybody.

    Attributes:
        environment: its name.
        pages: of the console.
        definitions: where Studio saves: nowhere, or into a folder.
    """

    environment: str
    time_zone: str
    pages: Sequence[str]
    definitions: Literal["read-only", "folder"]


class SessionApi:
    """The endpoints of one console."""

    def __init__(self, sign_in: SignIn, surroundings: Surroundings) -> None:
        self._sign_in = sign_in
        self._surroundings = surroundings

    def endpoints(self) -> list[Endpoint]:
        """All of them; signing in only where there is something to sign in with."""
        found = [Endpoint("me", "GET", "/api/me", self._me, "Who asks, and what they may do.", gives=Me)]
        if isinstance(self._sign_in, TokenSignIn):
            found += [
                Endpoint(
                    "signIn",
                    "POST",
                    "/api/session",
                    self._open,
                    "Sign in with a token; sets a cookie for eight hours.",
                    role=None,
                    takes=SignInBody,
                    gives=Me,
                    most=SIGN_IN_BYTES,
                    statuses=(429,),
                ),
                Endpoint("signOut", "DELETE", "/api/session", self._close, "Sign out.", role=None),
            ]
        return found

    async def _me(self, call: ApiCall) -> Me:
        return self._told(call.who)

    async def _open(self, call: ApiCall) -> web.Response:
        assert isinstance(self._sign_in, TokenSignIn)
        value, caller = self._sign_in.open(self._sign_in.find(call.body.token, call.http.remote or ""))
        response = web.Response(body=msgspec.json.encode(self._told(caller)), content_type="application/json")
        response.set_cookie(
            COOKIE, value, max_age=int(SESSION_SECONDS), path="/", secure=True, httponly=True, samesite="Strict"
        )
        return response

    async def _close(self, call: ApiCall) -> web.Response:
        del call
        response = web.Response(status=204)
        response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        return response

    def _told(self, caller: Caller) -> Me:
        kind = self._sign_in.kind
        assert kind in {"none", "tokens", "proxy"}
        return Me(
            name=caller.name,
            role=caller.role.label,
            reveal=caller.reveal,
            until=None if caller.until is None else datetime.fromtimestamp(caller.until, UTC),
            auth=kind,  # type: ignore[arg-type]
            environment=self._surroundings.environment,
            time_zone=self._surroundings.time_zone,
            definitions=self._surroundings.definitions,
            version=__version__,
            pages=list(self._surroundings.pages),
        )
