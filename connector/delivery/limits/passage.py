"""Whether requests may leave as they come, or one message at a time: what it is worth to send is not known yet."""

from __future__ import annotations

from typing import Protocol


class Passage(Protocol):
    """Asked by every lane of a worker before it takes messages out of their windows.

    Implemented by `Proof` (connector/stream/output/proof.py), put in place in `connector/stream/wiring/parts.py`.
    Implemented by `Open` (connector/delivery/limits/passage.py), put in place in `connector/delivery/lane.py`.

    Attributes:
        narrow: it is not known whether a result can be written: one request of as few messages as an operation allows
            may be on its way in the whole worker, until its result is durable.
        free: none is, so the next one may leave. Of interest only while it is `narrow`.
    """

    @property
    def narrow(self) -> bool: ...

    @property
    def free(self) -> bool: ...


class Open(Passage):
    """Nothing holds back: of a lane by itself."""

    @property
    def narrow(self) -> bool:
        return False

    @property
    def free(self) -> bool:
        return True
