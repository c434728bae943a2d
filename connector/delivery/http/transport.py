"""What a lane needs of HTTP."""

from __future__ import annotations

from typing import Protocol

from connector.definition.tree import Auth
from connector.model import Reply, Request


class Transport(Protocol):
    """Sends one request and reads its reply.

    Implemented by `HttpTransport` (connector/delivery/http/client.py), put in place in `connector/stream/lanes.py`.
    Implemented by `DryRunTransport` (connector/delivery/http/dry_run.py), put in place in
    `connector/stream/lanes.py`.
    Implemented by `FakeTransport` (connector/workbench/simulation.py), put in place in
    `connector/workbench/simulation.py`.

    Attributes:
        token_refreshes: tokens fetched so far.
    """

    @property
    def token_refreshes(self) -> int: ...

    async def send(self, request: Request, auth: Auth) -> Reply:
        """The provider's reply, whatever its status.

        Args:
            request: ready to send, with the static headers of its authentication.
            auth: of its operation; fetched or signed while sending where it changes with time (all but `basic`).

        Raises:
            RequestError: no usable reply; says how far it came and whether the provider may have taken the request.
        """
        ...

    async def close(self) -> None:
        """Close connections; nothing is sent afterwards."""
        ...
