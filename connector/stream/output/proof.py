"""Whether it is known that the results topic takes results: told by the brokers, or shown by one that was acknowledged.

Access rules, sizes and rules about times are those of a topic, not of a partition: one acknowledged record of it is
proof for all. Brokers before Kafka 2.3 do not tell what a principal may do, and the configuration is told to who may
ask for it only; without proof one message leaves in the whole worker, and its result is waited for.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


class Proof:
    """The `Passage` of all lanes of a worker.

    Args:
        busy: a request is on its way, or a result of one is not durable yet.
        found: called when there is proof after there was none.

    Attributes:
        narrow: there is no proof.
    """

    def __init__(self, *, busy: Callable[[], bool], found: Callable[[], None]) -> None:
        self.narrow = True
        self._busy = busy
        self._found = found

    @property
    def free(self) -> bool:
        """Nothing is on its way whose result would have to be written."""
        return not self._busy()

    def begin(self, *, known: bool) -> None:
        """Partitions are opened; `known`: the brokers have told that results can be written."""
        self.narrow = not known

    def give(self) -> None:
        """A record of the topic is acknowledged."""
        if self.narrow:
            self.narrow = False
            log.info("the results topic takes results: requests leave as they come")
            self._found()
