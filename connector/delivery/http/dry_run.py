"""`delivery: dry-run`: everything but the HTTP request."""

from __future__ import annotations

from connector.definition.tree import Auth
from connector.delivery.http.transport import MayLeave, Transport, always
from connector.model import Reply, Request


class DryRunTransport(Transport):
    """Takes requests and sends none. Its replies say nothing: a lane with `LaneSettings.dry_run` does not read them."""

    @property
    def token_refreshes(self) -> int:
        return 0

    async def send(self, request: Request, auth: Auth, may_leave: MayLeave = always) -> Reply:
        """An empty reply, at once."""
        return Reply(200, {})

    async def close(self) -> None:
        """Nothing is open."""
