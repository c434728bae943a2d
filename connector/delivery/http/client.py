"""Requests over HTTP with aiohttp: one pool of connections per provider, failures told by how far a request had come.

What failed before the connection stood has not reached the provider and is safe to repeat. After that it is uncertain,
also when a kept-alive connection closes before the first byte of a reply: the provider may have read the request.
"""

from __future__ import annotations

import asyncio
import functools
import ssl

import aiohttp
import msgspec
from aiohttp.resolver import DefaultResolver
from yarl import URL

from connector.clock import Clock, SystemClock
from connector.definition.tree import Auth, Definition, Login, NoAuth, OAuth2, Sign, SigV4
from connector.delivery.http.connections import StrayBytesError, WireConnector
from connector.delivery.http.content_coding import ContentCodingError, unpacked
from connector.delivery.http.destinations import Destinations
from connector.delivery.http.exchange import Exchanges
from connector.delivery.http.login import LoginAuthenticator
from connector.delivery.http.oauth2 import as_login
from connector.delivery.http.private_networks import PublicResolver, public_socket
from connector.delivery.http.reply_parser import NOT_HTTP, ReplyParser
from connector.delivery.http.request_errors import (
    DepartureGuard,
    FollowedResolver,
    RequestProgress,
    explain,
    told_by_reply,
)
from connector.delivery.http.transport import MayLeave, Transport, always
from connector.errors import DefinitionError, Phase, Problem, RequestError
from connector.model import Reply, Request
from connector.request import sigv4
from connector.request.signer import Clockwork, Signed, Signer

KEEP_ALIVE_SECONDS = 15.0
"""Shorter than the idle time after which servers and load balancers close: such a close makes a request uncertain."""

DNS_SECONDS = 30
"""A provider that moves its name is followed within this time."""

TOKEN_REPLY_BYTES = 64 * 1024

TOTAL_SECONDS = 30.0
"""For a request whose definition says nothing, where no setting says more."""

SPARE_CONNECTIONS = 2
"""Beyond the request slots: token requests."""


SIGNED_IN_A_THREAD = 256 * 1024
"""Requests with bodies from this size on are signed in a thread: a digest of 6 MB takes 5 to 20 ms."""

IN_A_THREAD = 64 * 1024
"""Bodies from this size on are unpacked in a thread: 4 MiB of gzip take 20 ms, and zlib lets other threads run."""


class HttpTransport(Transport):
    """HTTP to one provider. Must be used in one event loop and closed there.

    Args:
        definition: whose `http` options apply.
        clock: token ages and signatures.
        total: seconds for a request whose definition does not say.
        guard: asked when a connection stands, right before a request is written; without one they always may be.

    Raises:
        DefinitionError: a certificate or key file cannot be used, or the extra for AWS signatures is missing.
    """

    def __init__(
        self,
        definition: Definition,
        *,
        clock: Clock | None = None,
        total: float = TOTAL_SECONDS,
        guard: DepartureGuard | None = None,
    ) -> None:
        self._guard = guard
        self._name = definition.name
        self._http = definition.http
        self._total = definition.http.total or total
        self._connections = definition.limits.concurrency + SPARE_CONNECTIONS
        self._clock = clock or SystemClock()
        self._ssl = _ssl_context(definition)
        if any(isinstance(operation.auth, SigV4) for operation in definition.operations):
            sigv4.require(definition.file)
        self._proxy = URL(definition.http.proxy) if definition.http.proxy is not None else None
        self._destinations = Destinations(self._proxy, private_hosts=definition.http.private_hosts)
        self._exchanges: Exchanges | None = None
        self._signers: list[tuple[Sign, Signer]] = []
        self._logins: list[tuple[OAuth2 | Login, LoginAuthenticator]] = []

    async def send(
        self,
        request: Request,
        auth: Auth = NoAuth(),  # noqa: B008
        may_leave: MayLeave = always,
    ) -> Reply:
        """See `Transport.send`."""
        if isinstance(auth, SigV4):
            # In a thread: finding credentials may ask a metadata service.
            request = await asyncio.to_thread(sigv4.sign, request, auth, self._clock.wall())
            reply = await self._send(request, self._total, may_leave)
            return _with_credentials(reply, sigv4.session_token(request))
        if isinstance(auth, OAuth2 | Login):
            exchange = functools.partial(self._send, may_leave=may_leave)
            return await self._login(auth).send(request, exchange, self._total)
        if isinstance(auth, Sign):
            signed = await self._signed(request, auth)
            return _with_credentials(await self._send(signed.request, self._total, may_leave), signed.hidden)
        return await self._send(request, self._total, may_leave)

    @property
    def token_refreshes(self) -> int:
        """Tokens fetched so far."""
        return sum(login.refreshes for _, login in self._logins)

    async def close(self) -> None:
        """Close all connections."""
        exchanges, self._exchanges = self._exchanges, None
        if exchanges is not None:
            await exchanges.close()

    def _login(self, auth: OAuth2 | Login) -> LoginAuthenticator:
        """The one of these credentials. Operations that write the same have a token together."""
        for known, login in self._logins:  # a handful; what they hold makes them unhashable
            if known is auth or known == auth:
                return login
        login = LoginAuthenticator(as_login(auth) if isinstance(auth, OAuth2) else auth, self._ask, self._clock)
        self._logins.append((auth, login))
        return login

    async def _signed(self, request: Request, auth: Sign) -> Signed:
        signer = next((signer for known, signer in self._signers if known is auth), None)
        if signer is None:
            signer = Signer(auth.additions)
            self._signers.append((auth, signer))
        clockwork = Clockwork(self._clock.wall())
        if len(request.body or b"") < SIGNED_IN_A_THREAD:
            return signer.sign(request, clockwork)
        return await asyncio.to_thread(signer.sign, request, clockwork)

    async def _send(self, request: Request, seconds: float, may_leave: MayLeave) -> Reply:
        return await self._exchange(request, self._http.reply_bytes, seconds, may_leave)

    async def _ask(self, request: Request) -> Reply:
        # Within the time of the request that needs the token, so that it is this one that is seen to fail.
        return await self._exchange(request, TOKEN_REPLY_BYTES, self._total / 2, always)

    async def _exchange(self, request: Request, limit: int, seconds: float, may_leave: MayLeave) -> Reply:
        exchanges = self._exchanges or self._open()
        until = asyncio.get_running_loop().time() + seconds
        while True:
            progress = RequestProgress(limit)
            try:
                destination, target = self._destinations.find(request.url)
                body = request.body or b""
                head = destination.heads.head(request.method.upper(), target, request.headers, body)
                reply = await exchanges.run(destination, head, body, progress, until, may_leave=may_leave)
            except StrayBytesError as stray:
                if not stray.kept:
                    told = f"{_host_of(request)} sends bytes, or closes, before anything is sent to it"
                    raise RequestError(Phase.CONNECT, told, uncertain=False) from None
            except (aiohttp.ClientError, OSError, ValueError) as error:
                # ValueError: what must not be sent. `from None`: see request_errors.py about texts.
                broken = told_by_reply(error, progress, total=seconds)
                if broken is None:
                    raise explain(
                        error, progress, host=_host_of(request), connect=self._http.connect, total=seconds
                    ) from None
                return await _read(broken, limit)
            else:
                return await _read(reply, limit)

    def _open(self) -> Exchanges:
        http, proxy = self._http, self._proxy
        resolver = DefaultResolver() if http.private_hosts else PublicResolver(exempt=proxy.host if proxy else None)
        anywhere = http.private_hosts or proxy is not None  # a proxy is the operator's choice
        connector = WireConnector(
            self._name,
            limit=self._connections,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            ttl_dns_cache=DNS_SECONDS,
            resolver=FollowedResolver(resolver),
            ssl=self._ssl,
            socket_factory=None if anywhere else public_socket,
        )
        self._exchanges = Exchanges(connector, connect=http.connect, guard=self._guard)
        return self._exchanges


def _host_of(request: Request) -> str:
    """For people; empty where no host can be read."""
    try:
        return URL(request.url, encoded=True).host or ""
    except ValueError:
        return ""


def _with_credentials(reply: Reply, credentials: tuple[str, ...]) -> Reply:
    return msgspec.structs.replace(reply, credentials=credentials)


async def _read(reply: ReplyParser, limit: int) -> Reply:
    """A reply without its codings, or with the reason why it cannot be read.

    Raises:
        RequestError: something came that says nothing: no status can be read.
    """
    if reply.status is None:
        raise RequestError(Phase.PROTOCOL, reply.fault or NOT_HTTP, uncertain=True, answered=True)
    headers = dict(reply.headers)
    if "retry-after" in headers:
        headers["retry-after"] = ", ".join(value for name, value in reply.headers if name == "retry-after")
    if reply.fault is not None:
        return Reply(reply.status, headers, fault=reply.fault)
    raw, codings = bytes(reply.body), reply.codings
    try:
        if len(raw) < IN_A_THREAD:
            body, truncated = unpacked(raw, codings, limit, cut=reply.truncated)
        else:
            body, truncated = await asyncio.to_thread(unpacked, raw, codings, limit, cut=reply.truncated)
    except ContentCodingError as error:
        return Reply(reply.status, headers, fault=str(error))
    return Reply(reply.status, headers, body, truncated)


# Reading the system's authorities takes 30 ms and nearly a megabyte: with a hundred providers that counts.
_usual_context = functools.cache(ssl.create_default_context)


def _ssl_context(definition: Definition) -> ssl.SSLContext:
    http = definition.http
    if http.ca is None and http.certificate is None and http.verify:
        return _usual_context()
    context = ssl.create_default_context()
    problems: list[Problem] = []

    def unusable(path: str, name: str, error: OSError) -> None:
        remedy = "name a readable PEM file; `http.key` must belong to `http.certificate`"
        problems.append(Problem(f"cannot use {path}: {error.strerror or error}", remedy, definition.file, name))

    if http.ca is not None:
        # Python 3.13 began to refuse authorities without an Authority Key Identifier, as private ones often are, and to
        # take intermediate ones as roots: the same on every Python.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(http.ca)
        except OSError as error:  # ssl.SSLError is one
            unusable(http.ca, "http.ca", error)
    if http.certificate is not None:
        try:
            context.load_cert_chain(http.certificate, http.key)
        except OSError as error:
            unusable(http.certificate, "http.certificate", error)
    if problems:
        raise DefinitionError(problems)
    if not http.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
