"""What an error of aiohttp means for a request: how far it came, and whether the provider may have taken it.

Texts are our own: those of aiohttp's errors hold URLs, and URLs hold keys.
"""

from __future__ import annotations

import socket
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from connector.delivery.http.private_networks import PrivateAddressError
from connector.delivery.http.reply_parser import CLOSED, ReplyParser
from connector.delivery.http.request_head import HeadError
from connector.errors import Phase, RequestError


class DepartureGuard(Protocol):
    """Asked when a connection stands, right before a request is written.

    Implemented by `Fencing` (connector/stream/output/fencing.py), put in place in
    `connector/stream/wiring/parts.py`.
    """

    def may_leave_now(self) -> bool:
        """Whether this worker may still send, at once: to connect may have taken longer than its lease held."""
        ...


@dataclass(slots=True)
class RequestProgress:
    """How far a request has come.

    Args:
        limit: bytes of the reply's body that are kept.

    Attributes:
        phase: where it is.
        reply: what has come of it; None while no connection stands, so that no byte can have left.
    """

    limit: int
    phase: Phase = Phase.CONNECT
    reply: ReplyParser | None = None


PROGRESS: ContextVar[RequestProgress] = ContextVar("PROGRESS")
"""Of the request that a connection is opened for."""


class FollowedResolver(AbstractResolver):
    """Moves PROGRESS while a name is looked up. A request that waits for another one's lookup is not told."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """What the resolver says."""
        progress = PROGRESS.get()
        progress.phase = Phase.DNS
        results = await self._resolver.resolve(host, port, family)
        progress.phase = Phase.CONNECT
        return results

    async def close(self) -> None:
        """Close the resolver."""
        await self._resolver.close()


def explain(error: Exception, progress: RequestProgress, *, host: str, connect: float, total: float) -> RequestError:
    """The RequestError for whatever sending raised; `connect` and `total` are the seconds it was given."""
    timed_out = isinstance(error, TimeoutError)
    if progress.reply is None:
        early = _before_connection(error, host)
        if early is not None:
            return early
        told = f"no connection to {host} within {connect:g}s" if timed_out else type(error).__name__
        return RequestError(progress.phase, told, uncertain=False, timed_out=timed_out)
    if timed_out:
        told = f"no complete reply within {total:g}s"
        return RequestError(progress.phase, told, uncertain=True, timed_out=True)
    return RequestError(progress.phase, CLOSED, uncertain=True)


def told_by_reply(error: Exception, progress: RequestProgress, *, total: float) -> ReplyParser | None:
    """What had come of a reply when its reading ended with this error; None where nothing had."""
    reply = progress.reply
    if reply is None:
        return None
    reply.give_up(f"no complete reply within {total:g}s" if isinstance(error, TimeoutError) else CLOSED)
    return reply if reply.received else None


def _before_connection(error: Exception, host: str) -> RequestError | None:
    """What is said of errors while no connection stands. Behind that the same types may come of anything."""
    if isinstance(error, PrivateAddressError) or isinstance(error.__cause__, PrivateAddressError):
        phase, told = Phase.DNS, f"{host} is at a private address; if that is intended set http.private_hosts: true"
    elif isinstance(error, aiohttp.ClientConnectorDNSError):
        phase, told = Phase.DNS, f"cannot resolve {host}"
    elif isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)):
        phase, told = Phase.TLS, f"TLS with {host} failed: {_tls_reason(error)}"
    elif isinstance(error, aiohttp.ClientHttpProxyError):
        phase, told = Phase.CONNECT, f"the proxy answered {error.status}"
    elif isinstance(error, aiohttp.ClientProxyConnectionError):
        phase, told = Phase.CONNECT, f"cannot connect to the proxy: {error.strerror}"
    elif isinstance(error, aiohttp.ClientConnectorError):
        phase, told = Phase.CONNECT, f"cannot connect to {host}: {error.strerror}"
    elif isinstance(error, HeadError):
        phase, told = Phase.CONNECT, f"the request cannot be written: {error}"
    elif isinstance(error, ValueError):
        phase, told = Phase.CONNECT, "the URL is not one of HTTP"
    else:
        return None
    return RequestError(phase, told, uncertain=False)


def _tls_reason(error: Exception) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return str(getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or type(cause).__name__)
