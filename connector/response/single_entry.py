"""The entry of a reply to a request of one message: what nearly every reply is where there is nothing to batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from connector.definition.tree import EntrySource
from connector.errors import MessageError
from connector.model import Batch, Message, Outcome
from connector.response.content import Content
from connector.response.fields import Give
from connector.response.path import Get, plain_path
from connector.response.reply_values import scalar_key
from connector.response.rules import NO, CompiledRule
from connector.response.work import Work

EntryRule = tuple[CompiledRule, Callable[[Any], Any], Give]
"""A rule, when it holds for an entry, and what it gives."""


class SingleEntry:
    """Reads it without the books that entries of many messages need: nothing can be claimed twice, and by nobody else.

    Args:
        source: one for which `possible` holds.
        each: where entries stand.
        known: what the message is known by.
        value: the same as an entry writes it.
        rules: of the source, in order.
        otherwise: what an entry means that no rule holds for.
        weight: steps that an entry costs.
        work: pays them.
    """

    def __init__(
        self,
        *,
        each: Get,
        known: Callable[[Message, Batch], Any],
        value: Get,
        rules: Sequence[EntryRule],
        otherwise: Give,
        weight: int,
        work: Work,
    ) -> None:
        self._each = each
        self._known = known
        self._value = value
        self._rules = rules
        self._otherwise = otherwise
        self._weight = weight
        self._work = work

    @staticmethod
    def possible(source: EntrySource) -> bool:
        """Whether finding the entry can neither fail nor cost anything, so that it may be done again by others."""
        pairs = source.match.pairs
        return (
            source.each is not None
            and source.count is None
            and len(pairs) == 1
            and not pairs[0][0].calls & {"seq", "index"}
            and plain_path(source.each)
            and plain_path(pairs[0][1])
        )

    def read(self, content: Content, batch: Batch, batch_id: str | None) -> Outcome | None:
        """The outcome; None, with nothing done, where there is not exactly one entry, or it names another message."""
        entry = self._each(content.document)  # null where the reply cannot be decoded: it names nobody
        if entry.__class__ is list:
            if len(entry) != 1:
                return None
            (entry,) = entry
        try:
            known = self._known(content.messages[0], batch)
        except MessageError:
            return None
        if known.__class__ is not str:
            known = scalar_key(known)
        if known is None or self._value(entry) != known:
            return None
        self._work.spend(self._weight)
        for rule, holds, give in self._rules:
            if rule.fits_head(content):
                document = holds(entry)
                if document is not NO:
                    return give(content, batch_id)(document)
        return self._otherwise(content, batch_id)(entry)
