"""Logins: a token is fetched by a request of its own, kept, renewed in time, and once more when a reply says so."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from connector.clock import Clock
from connector.definition.signing import login_names
from connector.definition.tree import Login
from connector.delivery.http.token_reader import TokenReader
from connector.errors import DefinitionError, Phase, RequestError, WithheldError
from connector.model import Reply, Request
from connector.request.login_renderer import LoginRenderer
from connector.request.signer import Clockwork, Signer
from connector.response.content import Content
from connector.response.fields import Scope
from connector.response.redact import Redactor
from connector.response.rules import NO, CompiledRule
from connector.response.work import TooMuchWorkError

RENEW_BEFORE = 60.0
"""Seconds before its end a token is renewed; at most a tenth of its life."""

IN_VAIN_SECONDS: Final[Mapping[int, float]] = {403: 300.0}
IN_VAIN_USUALLY = 2.0
"""For how long a reply is not taken for one about the token, after a new token was refused in the same way: a 403 is
mostly about something else, and a 401 comes again with every probe.
"""

NOTHING_SECONDS = 0.1
"""What was spent of the time of a request before it is sent, where its token was there."""

Exchange = Callable[[Request, float], Awaitable[Reply]]
"""Sends a request and reads its reply within so many seconds."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a login brought.

    Attributes:
        values: by name.
        number: which login it was, from 1; 0 before the first.
        headers: what is added to each request, where that is always the same.
    """

    values: Mapping[str, str]
    number: int
    headers: tuple[tuple[str, str], ...] | None = None


class LoginAuthenticator:
    """Adds a token to requests, renews it in time, and sends a request once more whose reply asks for a new one.

    Requests wait while one of them fetches a token. A reply that asks for a new token says that the provider did not
    take the request, so to send it again is safe.

    Args:
        login: of the operation.
        ask: sends the request for a token.
        clock: token ages, time stamps.

    Attributes:
        refreshes: tokens fetched.

    Raises:
        DefinitionError: what is written cannot be computed for any request.
    """

    def __init__(self, login: Login, ask: Callable[[Request], Awaitable[Reply]], clock: Clock) -> None:
        self.refreshes = 0
        self._login = login
        self._ask = ask
        self._clock = clock
        self._signer = Signer(login.use, names=login_names(login), place=f"auth.{login.preset}.use")
        place = f"auth.{login.preset}.request"
        self._requests = [LoginRenderer(request, place) for request in login.requests]  # what worked last comes first
        self._reader = TokenReader(login, clock)
        self._renewing = RenewalConditions(login, clock)
        self._session = Session({}, 0)
        self._before = self._session
        self._renew_at = -math.inf
        self._lock = asyncio.Lock()
        self._fetches = 0
        self._error: RequestError | None = None  # of the last fetch
        self._in_vain: dict[str, float] = {}  # condition → until when it is not about tokens

    async def send(self, request: Request, exchange: Exchange, total: float) -> Reply:
        """The reply to `request`, which is sent twice at most; `total`: seconds for all of it.

        Raises:
            RequestError: as of `exchange`; where no token can be had, of phase `auth` and not uncertain.
        """
        ends = self._clock.monotonic() + total
        session = await self._current()
        reply, hidden = await self._sent(request, session, exchange, ends, total)
        found = self._renewing.asked(reply)
        if found is None or not self._may_help(found[0], session):
            return self._with_credentials(reply, hidden)
        try:
            session = await self._current(refused=session)
        except RequestError:
            if reply.status == 403:  # it was not about the token, as far as anybody knows
                return self._with_credentials(reply, hidden)
            raise
        reply, hidden = await self._sent(request, session, exchange, ends, total)
        again = self._renewing.asked(reply)
        if again is not None and again[0] == found[0]:
            self._in_vain[found[0]] = self._clock.monotonic() + found[1]
        return self._with_credentials(reply, hidden)

    async def _sent(
        self, request: Request, session: Session, exchange: Exchange, ends: float, total: float
    ) -> tuple[Reply, tuple[str, ...]]:
        left = ends - self._clock.monotonic()
        if total - left < NOTHING_SECONDS:
            left = total  # as an error says it
        if left <= 0:
            told = f"no token within {total:g}s"
            raise RequestError(Phase.AUTH, told, uncertain=False, timed_out=True)
        if session.headers is not None:
            added = msgspec.structs.replace(request, headers=(*request.headers, *session.headers))
            return await exchange(added, left), ()
        signed = self._signer.sign(request, Clockwork(self._clock.wall()), session.values)
        return await exchange(signed.request, left), signed.hidden

    @property
    def credentials(self) -> tuple[str, ...]:
        """What the last login brought, and the one before it: a reply may echo either, and nobody may see them."""
        return tuple(dict.fromkeys([*self._session.values.values(), *self._before.values.values()]))

    def _with_credentials(self, reply: Reply, hidden: tuple[str, ...]) -> Reply:
        return msgspec.structs.replace(reply, credentials=(*self.credentials, *hidden))

    def _may_help(self, condition: str, session: Session) -> bool:
        """Whether another token may: one that came meanwhile, or a new one."""
        return session is not self._session or self._clock.monotonic() >= self._in_vain.get(condition, -math.inf)

    async def _current(self, refused: Session | None = None) -> Session:
        """A session that is valid as far as known, and not the one that was refused."""
        fetches = self._fetches
        async with self._lock:
            expired = not self._session.number or self._clock.monotonic() >= self._renew_at
            if self._session is refused or expired:
                if self._fetches > fetches and self._error is not None:  # one fetch fails for all who waited for it
                    raise RequestError(Phase.AUTH, self._error.reason, uncertain=False, timed_out=self._error.timed_out)
                await self._renew()
            return self._session

    async def _renew(self) -> None:
        """Fetch a token. One that is there stays where none can be had: a 403 may not have been about it.

        Raises:
            RequestError: phase `auth`; the message itself has not been sent.
        """
        self._error = None
        try:
            values, seconds = await self._fetch()
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
        self.refreshes += 1
        headers = self._signer.headers(values) if self._signer.fixed else None
        self._session, self._before = Session(values, self.refreshes, headers), self._session
        self._renew_at = self._clock.monotonic() + seconds - min(RENEW_BEFORE, seconds / 10)

    async def _fetch(self) -> tuple[Mapping[str, str], float]:
        """What a login brings, and the seconds it lives."""
        for renderer in self._requests:
            reply = await self._asked(renderer.render(Clockwork(self._clock.wall())).request)
            if reply.status not in {400, 401, 403}:
                break
        found = self._reader.read(reply)
        self._requests.remove(renderer)
        self._requests.insert(0, renderer)
        return found

    async def _asked(self, request: Request) -> Reply:
        try:
            return await self._ask(request)
        except RequestError as error:
            told = f"token endpoint: {error}"
            raise RequestError(Phase.AUTH, told, uncertain=False, timed_out=error.timed_out) from None


# ---- replies that ask for a new token -------------------------------------------------------------------------------


class RenewalConditions:
    """The conditions of `renew`."""

    def __init__(self, login: Login, clock: Clock) -> None:
        scope = Scope()
        self._clock = clock
        self._scope = scope
        self._redact = Redactor({})
        self._rules = [(rule, CompiledRule(rule, scope)) for rule in login.renew]
        if scope.problems:
            raise DefinitionError(scope.problems)

    def asked(self, reply: Reply) -> tuple[str, float] | None:
        """Which condition holds for a reply, and for how many seconds it is in vain; None where none does."""
        for index, (rule, compiled) in enumerate(self._rules):
            if rule.status and not any(low <= reply.status <= high for low, high in rule.status):
                continue
            if (rule.header or rule.text or rule.when) and not self._holds(compiled, reply):
                continue
            return f"{index} {reply.status}", IN_VAIN_SECONDS.get(reply.status, IN_VAIN_USUALLY)
        return None

    def _holds(self, rule: CompiledRule, reply: Reply) -> bool:
        work = self._scope.work
        work.begin()
        content = Content(
            reply,
            (),
            self._clock.wall(),
            decoders=("json", "xml"),
            keep_repeated=False,
            redact=self._redact,
            work=work,
        )
        try:
            return reply.fault is None and rule.decides(content) is not NO
        except TooMuchWorkError:
            return False
