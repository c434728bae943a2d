"""The lanes of a worker: one per definition, replaced when its definition changes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Protocol

import structlog

from connector.clock import Clock
from connector.definition.tree import Definition
from connector.delivery.counts import LaneCounts
from connector.delivery.http.client import HttpTransport
from connector.delivery.http.dry_run import DryRunTransport
from connector.delivery.http.request_errors import DepartureGuard
from connector.delivery.http.transport import Transport
from connector.delivery.lane import Lane
from connector.delivery.limits.account import Account
from connector.delivery.limits.lane_settings import LaneSettings
from connector.settings.model import Settings
from connector.stream.partitions.refile_queue import RefileQueue
from connector.stream.shutdown.failure_sink import FailureSink

log = structlog.get_logger(__name__)

# What a lane's last requests may take beyond their HTTP time-out: a refreshed token, waiting for the results' room.
LAST_REQUESTS_SECONDS = 60.0


class LaneMaker(Protocol):
    """Makes a lane from its parts, and from what all lanes of a worker share.

    Implemented by `WorkerLaneMaker` (connector/stream/wiring/parts.py), put in place in
    `connector/stream/wiring/parts.py`.
    """

    def make(
        self,
        definition: Definition,
        transport: Transport,
        settings: LaneSettings,
        account: Account | None,
        counts: LaneCounts | None,
    ) -> Lane:
        """A lane that does not run yet.

        Raises:
            DefinitionError: its definition cannot be used.
        """
        ...


class LaneSet:
    """The lanes of a worker: which there are. `Lanes` changes it.

    Attributes:
        current: by provider name; this mapping itself changes.
        retiring: replaced ones that finish their last requests.
    """

    def __init__(self) -> None:
        self.current: dict[str, Lane] = {}
        self.retiring: set[Lane] = set()

    def all(self) -> list[Lane]:
        """Current and retiring ones."""
        return [*self.current.values(), *self.retiring]

    @property
    def windows(self) -> int:
        """Open windows of the current ones."""
        return sum([lane.windows for lane in self.current.values()])

    @property
    def requests(self) -> bool:
        """Some request is under way."""
        return any(lane.requests for lane in self.all())

    def wake(self) -> None:
        """Something has changed that all of them wait for."""
        for lane in self.all():
            lane.wake()


class Lanes:
    """Makes lanes, runs them, and replaces them.

    Args:
        lanes: which there are.
        maker: of each lane.
        refile: takes what waits in a lane that is replaced.
        failures: told of the error that ended a lane.
        guard: asked of each request when its connection stands.

    Attributes:
        current, retiring: those of `lanes`.
        definitions: of the current ones.
        journalling: providers that have ever said `on_uncertain: report`.
    """

    def __init__(
        self,
        settings: Settings,
        lanes: LaneSet,
        *,
        maker: LaneMaker,
        refile: RefileQueue,
        failures: FailureSink,
        guard: DepartureGuard,
        clock: Clock,
    ) -> None:
        self._guard = guard
        self._dry_run = settings.delivery == "dry-run"
        self._total = settings.timeouts.http_total
        self._lane_settings = LaneSettings(wait=settings.wait, wait_max=settings.wait_max, dry_run=self._dry_run)
        self._maker = maker
        self._refile = refile
        self._failures = failures
        self._clock = clock
        self.current, self.retiring = lanes.current, lanes.retiring
        self.definitions: dict[str, Definition] = {}
        self.journalling: set[str] = set()
        self._accounts: dict[str, Account] = {}
        self._transports: dict[Lane, HttpTransport] = {}
        self._runs: dict[Lane, asyncio.Task[None]] = {}
        self._retirements: set[asyncio.Task[None]] = set()
        self._running = False

    def set(self, definitions: Mapping[str, Definition]) -> list[Lane]:
        """These are the definitions from now on. Returns the lanes that are new.

        A lane whose definition has changed, or one of the same account, is replaced: what waits in it is filed anew at
        once, and the new one begins when the last request of the old one has ended, so that limits hold.
        """
        before = self.definitions
        changed = {name for name in {*before, *definitions} if before.get(name) != definitions.get(name)}
        accounts = {book[name].account for book in (before, definitions) for name in changed if name in book} - {None}
        changed |= {name for name, it in definitions.items() if it.account in accounts}
        kept = {name: account for name, account in self._accounts.items() if name not in accounts}
        made = {name: self._add(definition, kept) for name, definition in definitions.items() if name in changed}
        # Nothing is raised from here on.
        self._accounts, self.definitions = kept, dict(definitions)
        self.journalling |= {name for name, it in definitions.items() if reports(it)}
        old = {name: self.current.pop(name) for name in changed if name in self.current}
        self.current.update(made)
        for name, lane in old.items():
            self._retire(lane, before[name], made.get(name))
        for lane in made.values():
            if self._running:
                self._run(lane)
        return list(made.values())

    @property
    def reporting(self) -> bool:
        """Whether some provider uses the journal."""
        return any(map(reports, self.definitions.values()))

    def start(self) -> None:
        """Run them."""
        self._running = True
        for lane in self.current.values():
            self._run(lane)

    async def stop(self) -> None:
        """End them, and close every connection to providers."""
        self._running = False
        for task in [*self._runs.values(), *self._retirements]:
            task.remove_done_callback(self._ended)
            task.cancel()
        await asyncio.gather(*self._runs.values(), *self._retirements, return_exceptions=True)
        self._runs.clear()
        for transport in self._transports.values():
            await transport.close()
        self._transports.clear()

    def _add(self, definition: Definition, accounts: dict[str, Account]) -> Lane:
        transport = (
            DryRunTransport()
            if self._dry_run
            else HttpTransport(definition, clock=self._clock, total=self._total, guard=self._guard)
        )
        before = self.current.get(definition.name)
        counts = None if before is None else before.counts  # metrics go on
        lane = self._maker.make(definition, transport, self._lane_settings, self._account(definition, accounts), counts)
        if isinstance(transport, HttpTransport):
            self._transports[lane] = transport
        return lane

    def _run(self, lane: Lane) -> None:
        task = self._runs[lane] = asyncio.ensure_future(lane.run())
        task.add_done_callback(self._ended)

    def _retire(self, old: Lane, definition: Definition, new: Lane | None) -> None:
        self.retiring.add(old)
        old.rest()
        if new is not None:
            new.rest()
        self._refile.add(old.evict(lambda _key, _item: True, sealed=True))
        task = asyncio.ensure_future(self._last_requests(old, definition, new))
        self._retirements.add(task)
        task.add_done_callback(self._ended)
        task.add_done_callback(self._retirements.discard)

    async def _last_requests(self, old: Lane, definition: Definition, new: Lane | None) -> None:
        until = self._clock.monotonic() + (definition.http.total or self._total) + LAST_REQUESTS_SECONDS
        self._refile.add(await old.drain(until))
        self.retiring.discard(old)
        run = self._runs.pop(old, None)
        old.close()
        if run is not None:
            await run
        if (transport := self._transports.pop(old, None)) is not None:
            await transport.close()
        if new is not None:
            new.reopen()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failures.failed(error)

    def _account(self, definition: Definition, accounts: dict[str, Account]) -> Account | None:
        name = definition.account
        if name is not None and name not in accounts:
            accounts[name] = Account(definition, self._lane_settings.breaker, self._clock.monotonic(), random.random)
        return None if name is None else accounts[name]


def reports(definition: Definition) -> bool:
    """Whether it uses the journal."""
    return any(operation.on_uncertain == "report" for operation in definition.operations)


def at_once(definition: Definition) -> int:
    """Messages of this provider that can be under way at once."""
    records = max(1 if it.batching is None else it.batching.max_records for it in definition.operations)
    return definition.limits.concurrency * records
