"""One line per request at `debug`: what a message was sent with, without the message."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import structlog

from connector.delivery.counts import tally
from connector.delivery.queue.attempt import Attempt
from connector.errors import RequestError
from connector.model import Outcome

log = structlog.get_logger(__name__)
# Asked before a line is made: structlog would make it, and leave it to logging to throw it away. Cached by logging.
_logger = logging.getLogger(__name__)


def replied(
    provider: str, attempt: Attempt, seconds: float, http_status: int | None, outcomes: Sequence[Outcome]
) -> None:
    """A reply came; `http_status` is None where nothing was sent (`delivery: dry-run`)."""
    if _logger.isEnabledFor(logging.DEBUG):
        _tell(provider, attempt, seconds, http_status, dict(tally([outcome.then for outcome in outcomes])))


def failed(provider: str, attempt: Attempt, seconds: float, error: RequestError) -> None:
    """No usable reply came."""
    if _logger.isEnabledFor(logging.DEBUG):
        outcome = "uncertain" if error.uncertain else error.phase.value
        _tell(provider, attempt, seconds, None, {outcome: len(attempt.items)})


def _tell(provider: str, attempt: Attempt, seconds: float, http_status: int | None, outcomes: dict[str, int]) -> None:
    log.debug(
        "batch",
        provider=provider,
        campaign=attempt.part.key.campaign,
        batch_id=attempt.batch.id,
        size=len(attempt.items),
        http_status=http_status,
        outcomes=outcomes,
        seconds=round(seconds, 4),
    )
