"""Finding out who asks: nobody in particular, the holder of a token, or whom a proxy has let in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict, deque
from typing import Protocol

from aiohttp import web

from connector.clock import Clock
from connector.settings.web import PERSON, Web, WebToken
from connector.web.callers import ROLES, Caller, Role, Via
from connector.web.problems import HttpProblemError

COOKIE = "__Host-console"
"""The prefix makes browsers refuse it without Secure, for other paths, and from other hosts of the domain."""

SESSION_SECONDS = 8 * 3600.0
TRIES = 5
TRIES_SECONDS = 60.0
ADDRESSES = 1024
"""Of which failures are remembered; the oldest is forgotten."""
MOST_TOKEN = 512


class SignIn(Protocol):
    """A way to know who asks.

    Implemented by `Everybody` (connector/web/sign_in.py), put in place in `connector/web/sign_in.py`.
    Implemented by `TokenSignIn` (connector/web/sign_in.py), put in place in `connector/web/sign_in.py`.
    Implemented by `ProxySignIn` (connector/web/sign_in.py), put in place in `connector/web/sign_in.py`.

    Attributes:
        kind: `none`, `tokens` or `proxy`.
    """

    kind: str

    def who(self, request: web.Request) -> Caller | None:
        """Who asks; None where nobody can be known. Raises HttpProblemError where it is somebody who is not let in."""


def sign_in(settings: Web, clock: Clock) -> SignIn:
    """As the settings say."""
    if settings.auth == "tokens":
        return TokenSignIn(settings, clock)
    if settings.auth == "proxy":
        return ProxySignIn(settings)
    return Everybody()


class Everybody(SignIn):
    """On this machine alone, whoever reaches it may do everything that the console itself may."""

    kind = "none"

    def who(self, request: web.Request) -> Caller | None:
        del request
        return Caller("local", Role.EDITOR, reveal=True)


class Tries:
    """Failures to sign in, by address: after so many in a minute, no further try is looked at."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises HttpProblemError where there were too many."""
        times = self._failed.get(address)
        now = self._clock.monotonic()
        if times is not None and len(times) == TRIES and now - times[0] < TRIES_SECONDS:
            seconds = int(times[0] + TRIES_SECONDS - now) + 1
            raise HttpProblemError(429, "too many tries to sign in", headers={"Retry-After": str(seconds)})

    def failed(self, address: str) -> None:
        """One more."""
        times = self._failed.setdefault(address, deque(maxlen=TRIES))
        times.append(self._clock.monotonic())
        self._failed.move_to_end(address)
        if len(self._failed) > ADDRESSES:
            self._failed.popitem(last=False)


class TokenSignIn(SignIn):
    """Tokens of the settings: in each request (`Authorization: Bearer`), or once, for a session.

    A session is a signed cookie: whose token it is, and until when. Its signature covers the token's digest too, so
    that it ends with the token, and nothing is kept of it here.
    """

    kind = "tokens"

    def __init__(self, settings: Web, clock: Clock) -> None:
        self._tokens = settings.tokens
        self._clock = clock
        key = settings.session_key
        self._key = secrets.token_bytes(32) if key is None else key.get_secret_value().encode()
        self._tries = Tries(clock)

    def who(self, request: web.Request) -> Caller | None:
        given = request.headers.get("Authorization")
        if given is not None:
            scheme, _, token = given.partition(" ")
            if scheme.lower() != "bearer":
                raise HttpProblemError(401, "write Authorization: Bearer TOKEN", sign_in=self.kind)
            return self._caller(self.find(token.strip(), request.remote or ""), "api", None)
        cookie = request.cookies.get(COOKIE)
        return None if cookie is None else self._session(cookie)

    def find(self, token: str, address: str) -> WebToken:
        """Whose token it is. Raises HttpProblemError.

        A right one is never kept waiting: behind a proxy everybody has one address, and somebody else's wrong tokens
        would lock all of them out. Tokens are random and long, so that no number of tries finds one.
        """
        digest = hashlib.sha256(token[:MOST_TOKEN].encode("utf-8", "surrogatepass")).hexdigest()
        found = None
        for it in self._tokens:
            if hmac.compare_digest(it.sha256, digest):
                found = it
        if found is None:
            self._tries.check(address)
            self._tries.failed(address)
            raise HttpProblemError(401, "this token lets nobody in", sign_in=self.kind)
        if self._expired(found):
            raise HttpProblemError(401, "this token has expired", sign_in=self.kind)
        return found

    def open(self, token: WebToken) -> tuple[str, Caller]:
        """A cookie for its holder, and who that is."""
        until = self._clock.wall() + SESSION_SECONDS
        if token.expires is not None:
            until = min(until, token.expires.timestamp())
        said = f"{token.name}\n{int(until)}"
        value = base64.urlsafe_b64encode(f"{said}\n{self._signature(said, token.sha256)}".encode()).decode()
        return value, self._caller(token, "console", until)

    def _session(self, cookie: str) -> Caller | None:
        try:
            name, until, signature = base64.b64decode(cookie.encode("ascii"), b"-_", validate=True).decode().split("\n")
            ends = int(until)
        except ValueError:
            return None
        token = next((it for it in self._tokens if it.name == name), None)
        # Of a name that nobody has as well: how long it takes must not say whose names there are. As bytes, since
        # a text beyond ASCII is not compared but an error.
        expected = self._signature(f"{name}\n{until}", "" if token is None else token.sha256)
        if not hmac.compare_digest(signature.encode(), expected.encode()) or token is None:
            return None
        if ends <= self._clock.wall() or self._expired(token):
            return None
        return self._caller(token, "console", float(ends))

    def _signature(self, said: str, digest: str) -> str:
        return hmac.new(self._key, f"{said}\n{digest}".encode(), "sha256").hexdigest()

    def _expired(self, token: WebToken) -> bool:
        return token.expires is not None and token.expires.timestamp() <= self._clock.wall()

    @staticmethod
    def _caller(token: WebToken, via: Via, until: float | None) -> Caller:
        return Caller(token.name, ROLES[token.role], token.reveal, via, until)


class ProxySignIn(SignIn):
    """A proxy says who it is, and proves with a secret that it is the proxy. Without the secret nobody is anybody."""

    kind = "proxy"

    def __init__(self, settings: Web) -> None:
        proxy = settings.proxy
        assert proxy.secret is not None  # the settings were checked
        self._secret = proxy.secret.get_secret_value().encode()
        self._proxy = proxy
        self._groups = {it.group: it for it in proxy.groups}

    def who(self, request: web.Request) -> Caller | None:
        proxy, headers = self._proxy, request.headers
        for name in (proxy.secret_header, proxy.user_header, proxy.groups_header):
            if len(headers.getall(name, [])) > 1:  # which of them is the proxy's?
                raise HttpProblemError(400, f"the header {name} is there twice")
        given = headers.get(proxy.secret_header, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._secret):
            return None
        name = headers.get(proxy.user_header, "").strip()
        if PERSON.fullmatch(name) is None:
            raise HttpProblemError(403, f"the proxy sends no name in {proxy.user_header}")
        named = {part.strip() for part in headers.get(proxy.groups_header, "").split(",")}
        found = [self._groups[group] for group in named if group in self._groups]
        if not found:
            raise HttpProblemError(403, "none of your groups may use the console: web.proxy.groups says which may")
        role = max(ROLES[it.role] for it in found)
        return Caller(name, role, any(it.reveal for it in found))
