"""What Faust's agents hand on: records that one fetch brought of a partition, or of a topic, and who admits them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from connector.kafka.fetched import Fetched


class FetchedChunk(Protocol):
    """A `Chunk` (connector/stream/faust/app.py) as an agent gets it: Faust's message around what the scheduler made.

    Attributes:
        topic: whose records they are.
        generation_id: of the group, when they were fetched.
        value: partition and records, of one partition or of several.
    """

    @property
    def topic(self) -> str: ...
    @property
    def generation_id(self) -> int: ...
    @property
    def value(self) -> Sequence[tuple[int, Fetched]]: ...


class ChunkSink(Protocol):
    """Admits what the agents hand on.

    Implemented by `Process` (connector/stream/process.py), put in place in `connector/stream/process.py`.
    """

    async def admit(self, chunk: FetchedChunk) -> None:
        """Admit the next chunk of a topic. Its agent waits as long as this does."""

    async def failed(self, error: BaseException) -> None:
        """A chunk was not admitted. Awaited before Faust hears of it."""
