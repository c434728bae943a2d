"""Whether it is known that the results topic takes results: told by the brokers, or shown by one that was acknowledged.

Access rules, sizes and rules about times are those of a topic, not of a partition: one acknowledged record of it is
proof for all. Brokers before Kafka 2.3 do not tell what a principal may do, and the configuration is told to who may
ask for it only; without proof one message leaves in the whole worker, and its result is waited for.
"""

from __future__ import annotations

import structlog

from connector.delivery.limits.passage import Passage
from connector.stream.lanes import LaneSet
from connector.stream.output.pending_results import PendingResults

log = structlog.get_logger(__name__)


class Proof(Passage):
    """The `Passage` of all lanes of a worker.

    Args:
        results: the topic.
        pending: results that are not durable yet.
        lanes: whose requests are on their way; woken when there is proof after there was none.
    """

    def __init__(self, results: str, *, pending: PendingResults, lanes: LaneSet) -> None:
        self._narrow = True
        self._results = results
        self._pending = pending
        self._lanes = lanes

    @property
    def narrow(self) -> bool:
        """There is no proof."""
        return self._narrow

    @property
    def free(self) -> bool:
        """Nothing is on its way whose result would have to be written."""
        return not self._pending.unacknowledged and not self._lanes.requests

    def begin(self, *, known: bool) -> None:
        """Partitions are opened; `known`: the brokers have told that results can be written."""
        self._narrow = not known

    def acknowledged(self, topic: str) -> None:
        """A record of ours is acknowledged in this topic."""
        if self._narrow and topic == self._results:
            self._narrow = False
            log.info("the results topic takes results: requests leave as they come")
            self._lanes.wake()
