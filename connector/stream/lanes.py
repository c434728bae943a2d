"""The lanes of a worker: one per definition; definitions of one account share limits and breaker."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence

from connector.clock import Clock
from connector.definition.tree import Definition, Operation
from connector.delivery.dry_run import DryRunTransport
from connector.delivery.gate import Account
from connector.delivery.http import HttpTransport
from connector.delivery.item import Item
from connector.delivery.lane import Lane, LaneSettings
from connector.delivery.transport import Transport
from connector.model import Result
from connector.settings.model import Settings
from connector.stream.intake import message_of

Settle = Callable[[Sequence[Item], Sequence[Result]], None]


class Lanes:
    """Makes lanes and keeps the transports they use.

    Args:
        settings: waits and the delivery mode.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._accounts: dict[str, Account] = {}
        self._transports: list[HttpTransport] = []

    def make(
        self,
        definition: Definition,
        *,
        settle: Settle,
        caught_up: Callable[[], bool],
        memory_full: Callable[[], bool],
        park: Callable[[Sequence[Item], float], None],
        before_send: Callable[[Operation, str, Sequence[Item]], Awaitable[bool]],
    ) -> Lane:
        """The lane of a definition."""
        dry_run = self._settings.delivery == "dry-run"
        lane_settings = LaneSettings(wait=self._settings.wait, wait_max=self._settings.wait_max, dry_run=dry_run)
        return Lane(
            definition,
            decode=message_of,
            settle=settle,
            transport=self._transport(definition, dry_run=dry_run),
            clock=self._clock,
            settings=lane_settings,
            caught_up=caught_up,
            memory_full=memory_full,
            park=park,
            before_send=before_send,
            account=self._account(definition, lane_settings),
        )

    async def close(self) -> None:
        """Close every connection to providers."""
        for transport in self._transports:
            await transport.close()
        self._transports.clear()

    def _transport(self, definition: Definition, *, dry_run: bool) -> Transport:
        if dry_run:
            return DryRunTransport()
        transport = HttpTransport(definition, clock=self._clock, total=self._settings.timeouts.http_total)
        self._transports.append(transport)
        return transport

    def _account(self, definition: Definition, settings: LaneSettings) -> Account | None:
        if definition.account is None:
            return None
        account = self._accounts.get(definition.account)
        if account is None:
            account = Account(definition, settings.breaker, self._clock.monotonic(), random.random)
            self._accounts[definition.account] = account
        return account
