"""What a reply means that no rule of the definition meets."""

from __future__ import annotations

from http import HTTPStatus

from connector.model import Outcome, Then
from connector.response.content import Content
from connector.response.fields import AGAIN


def built_in(content: Content, *, described: bool) -> Outcome:
    """The outcome by HTTP status. `described`: the definition says what replies mean, so 2xx alone is no promise."""
    status = content.reply.status
    then, rule = _by_status(status, described=described)
    reason = None if then == "accept" else _status_line(status)
    if then == "unknown":
        reason = f"{content.undecodable} ({reason})" if content.undecodable else f"no rule fits the reply ({reason})"
    return Outcome(then, reason=reason, after=content.retry_after if then in AGAIN else None, rule=f"built-in {rule}")


def by_status_alone(content: Content, fault: str) -> Outcome:
    """The outcome of a reply of which no more than the status can be read.

    What says that nothing was taken (throttled, not here, try later, moved) or that the provider failed is believed.
    A reply that says what became of messages is not: what it said of which is lost.
    """
    status = content.reply.status
    then, rule = _by_status(status, described=True)
    if then not in {"throttle", "retry", "uncertain"} and not 300 <= status <= 399:
        then, rule = "unknown", "unreadable reply"
    after = content.retry_after if then in AGAIN else None
    return Outcome(then, reason=f"{_status_line(status)}: {fault}", after=after, rule=f"built-in {rule}")


def _by_status(status: int, *, described: bool) -> tuple[Then, str]:
    if status == 429:
        return "throttle", "429"
    if 300 <= status <= 399:
        return "pause", "3xx"
    if status in (401, 402, 403, 404, 405, 407):
        return "pause", str(status)
    if status in (400, 413, 414, 422, 431):
        return "split", str(status)
    if status in (421, 425):  # not processed, says RFC 9110 (15.5.20) and RFC 8470 (5.2): safe to repeat
        return "retry", str(status)
    if status == 408 or 500 <= status <= 599:
        return "uncertain", "408" if status == 408 else "5xx"
    if 400 <= status <= 499:
        return "reject", "4xx"
    if 200 <= status <= 299 and not described:
        return "accept", "2xx"
    return "unknown", "2xx" if 200 <= status <= 299 else "any status"


def _status_line(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"
