"""What makes items of retry topics what they were, for tests of what stands around it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from connector.kafka.skipped import Skipped
from connector.stream.retry.retry_records import Restorer
from connector.stream.retry.tiers import Tiers


def restorer(tiers: Tiers, *sources: str, end: int | None = None, skipped: Skipped | None = None) -> Restorer:
    """With sources `m` or those named, whose logs end there."""

    def log_end(_topic: str, _number: int) -> int | None:
        return end

    owned: Any = SimpleNamespace(end=log_end)
    return Restorer(sources or ("m",), tiers.delays, prefix="r", owned=owned, skipped=skipped or Skipped())
