"""Checks of what requests send so that their receipts find them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from connector.config_text.source import Map
from connector.definition.expression import CALLS_OF_NAMES, REFERENCES, Expression, FilterCall
from connector.definition.findings import Findings
from connector.definition.receipt_tree import Receipts
from connector.definition.tree import Operation
from connector.definition.walk import Use, uses, where

SHORT_REFERENCE: Final = 18
BATCH_REFERENCE: Final = 39
USUAL_REFERENCE: Final = 46
"""Characters of `receipt()` where message ids are UUIDs and there is no campaign; one makes it longer."""

_URLS: Final = frozenset({"receipt_url", "batch_receipt_url"})
_LENGTHS: Final = {"receipt('short')": SHORT_REFERENCE, "batch_receipt": BATCH_REFERENCE}
_keeping: Final = frozenset(
    {"default", "append", "at_most", "urlencode", "base64", "str", "json", "raw", "ref", "truncate", "then"}
)


def references_are_read(operation: Operation, receipts: Receipts | None, source: Map, report: Findings) -> None:
    """A reference says nothing where no receipt is read, and where a filter makes something else of it."""
    for use in uses(operation):
        for expression in references(use.expression):
            place = where(source, use.path)
            if receipts is None and expression.head.text in REFERENCES:
                message = f"`{expression.written}` is sent, but nothing says how receipts come back"
                report.error(
                    place, message, "write `receipts`; for CleverTap's format `receipts: {extends: clevertap}`"
                )
            for call in expression.filters:
                for message, remedy in _unfit(expression, call):
                    report.error(place, message, remedy)


def _unfit(expression: Expression, call: FilterCall) -> Iterator[tuple[str, str]]:
    """What is wrong with one filter behind a reference."""
    head, room = expression.head.text, call.arguments[0] if call.arguments else None
    fixed = _LENGTHS.get(head)
    if call.filter.name in ("ref", "truncate") and (fixed is None or not isinstance(room, int) or room < fixed):
        yield f"`{call.filter.name}` makes something else of a reference that is longer", "write at_most(n) instead"
    elif call.filter.name == "at_most" and isinstance(room, int) and room < (least := shortest(head, "")):
        remedy = f"write receipt('short'), which has {SHORT_REFERENCE}, or leave it out"
        yield f"`{expression.written}` has no room: it has {least} characters at least", remedy
    elif call.filter.name not in _keeping:
        yield f"`{call.filter.name}` makes something else of a reference, which no receipt is known by", "leave it out"


def receipts_come_back(
    operations: Sequence[Operation], receipts: Receipts | None, source: Map, report: Findings
) -> None:
    """What receipts are known by must have been sent. Who extends a definition need not hear of it."""
    if receipts is None or receipts.match.by == "lookup" or not operations:
        return
    if where(source, ("receipts",)).file != source.place.file:
        return
    sent = {each.head.text for it in operations for use in uses(it) for each in references(use.expression)}
    if receipts.match.by == "url" and not sent & _URLS:
        message = "receipts are known by the token in their URL, but no request sends a callback URL"
        remedy = "send $${receipt_url()?} where the provider takes one, or write `match`"
        report.warn(where(source, ("receipts",)), message, remedy)
    elif receipts.match.by == "field" and not sent - _URLS:
        message = f"receipts are known by our reference in `{receipts.match.token}`, but no request sends one"
        report.warn(where(source, ("receipts", "match")), message, "send $${receipt()?}, or $$MessageID")


def references(expression: Expression) -> Iterator[Expression]:
    """Itself and its arguments, those of them that begin with a reference."""
    if expression.head.kind == "call" and expression.head.text in REFERENCES | CALLS_OF_NAMES.keys():
        yield expression
    for call in expression.filters:
        for argument in call.arguments:
            if isinstance(argument, Expression):
                yield from references(argument)


def needed_references(operation: Operation) -> Iterator[tuple[Use, Expression]]:
    """Those without which a message cannot be sent: neither `?` nor `default` stands behind them."""
    for use in uses(operation):
        for expression in references(use.expression):
            optional = expression.optional or any(call.filter.name == "default" for call in expression.filters)
            inside = expression is not use.expression and use.expression.optional
            if expression.head.text in REFERENCES and not optional and not inside:
                yield use, expression


def shortest(call: str, prefix: str) -> int:
    """Characters of a reference at least, as they usually are; `prefix`: what stands before the token in a URL."""
    before = len(prefix) if call in _URLS else 0
    return before + (BATCH_REFERENCE if call == "batch_receipt_url" else _LENGTHS.get(call, USUAL_REFERENCE))
