"""What an error of aiohttp means for a request: how far it came, and whether the provider may have taken it.

Texts are our own: those of aiohttp's errors hold URLs, and URLs hold keys.
"""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from connector.delivery.addresses import PrivateAddressError
from connector.errors import Phase, RequestError


@dataclass(slots=True)
class Progress:
    """How far a request has come; moved by the trace callbacks of the session.

    Attributes:
        connected: a connection stands, so that bytes may have left.
    """

    phase: Phase = Phase.CONNECT
    connected: bool = False


def explain(error: Exception, progress: Progress, *, host: str, connect: float, total: float) -> RequestError:
    """The RequestError for whatever sending raised; `connect` and `total` are the seconds it was given."""
    early = _before_connection(error, host)
    if early is not None:
        return early
    if isinstance(error, ValueError) and progress.phase is not Phase.READ:
        told = "aiohttp refuses the request: its URL and headers contradict each other"
        return RequestError(Phase.CONNECT, told, uncertain=False)
    timed_out = isinstance(error, TimeoutError)
    if not progress.connected:
        told = f"no connection to {host} within {connect:g}s" if timed_out else type(error).__name__
        return RequestError(progress.phase, told, uncertain=False, timed_out=timed_out)
    if timed_out:
        told = f"no complete reply within {total:g}s"
        return RequestError(progress.phase, told, uncertain=True, timed_out=True)
    if isinstance(error, (aiohttp.ClientPayloadError, aiohttp.ClientResponseError)):
        return RequestError(
            Phase.PROTOCOL, f"the reply is not complete or not HTTP: {type(error).__name__}", uncertain=True
        )
    return RequestError(progress.phase, "the connection was closed before a complete reply", uncertain=True)


def _before_connection(error: Exception, host: str) -> RequestError | None:
    """Errors that by their type precede the first byte: nothing has reached the provider."""
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
    elif isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        phase, told = Phase.CONNECT, "the URL is not one of HTTP"
    else:
        return None
    return RequestError(phase, told, uncertain=False)


def _tls_reason(error: Exception) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return str(getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or type(cause).__name__)
