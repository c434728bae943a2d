"""What a lane needs of HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from connector.definition.tree import Auth
from connector.model import Reply, Request

MayLeave = Callable[[], bool]


def always() -> bool:
    """Of a request that nobody can take back."""
    return True


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

    async def send(self, request: Request, auth: Auth, may_leave: MayLeave = always) -> Reply:
        """The provider's reply, whatever its status.

        Args:
            request: ready to send, with the static headers of its authentication.
            auth: of its operation; fetched or signed while sending where it changes with time (all but `basic`).
            may_leave: asked when its connection stands, right before it is written: it may have waited for a token.

        Raises:
            WithheldError: it may not leave, and has not.
            RequestError: no usable reply; says how far it came and whether the provider may have taken the request.
        """
        ...

    async def close(self) -> None:
        """Close connections; nothing is sent afterwards."""
        ...
