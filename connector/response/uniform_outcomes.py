"""Entries read all at once, column by column: a batch nearly always has one for each message, and all say the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, cast

from connector.definition.tree import EntrySource, Rule
from connector.model import Outcome, Then, UniformOutcomes
from connector.response.content import Content
from connector.response.path import plain_name, plain_test
from connector.response.reply_values import TEXT_LENGTH
from connector.response.rules import CompiledRule

FINAL: Final = frozenset({"accept", "reject", "unknown"})
"""Outcomes that depend on nothing but the entry itself."""

MIN_UNIFORM_ENTRIES: Final = 16
"""Fewer entries than this are read one by one: it costs less than finding out that they are alike."""

EntryColumn = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Plain:
    """A rule of which nothing but an id is read. `test`: the field that has to say `text`; None where none has to."""

    outcome: Outcome
    identity: EntryColumn
    test: EntryColumn | None
    text: str


class UniformEntries:
    """The entries of one source.

    Args:
        source: one for which `possible` holds.
        rules: its rules, compiled.
    """

    def __init__(self, source: EntrySource, rules: Sequence[CompiledRule]) -> None:
        ((_, key),) = source.match.pairs
        self._key = itemgetter(plain_name(key))
        self._rules = [(compiled, _plain(rule, source)) for rule, compiled in zip(source.rules, rules, strict=True)]

    @staticmethod
    def possible(source: EntrySource) -> bool:
        """Whether its entries can be read so at all."""
        pairs = source.match.pairs
        return (
            source.each is not None
            and source.count is None
            and len(pairs) == 1
            and not pairs[0][0].filters
            and plain_name(pairs[0][1]) is not None
            and any(_plain(rule, source) is not None for rule in source.rules)
        )

    def read(
        self, entries: Sequence[Any], known: Sequence[Any], content: Content, batch_id: str | None
    ) -> UniformOutcomes | None:
        """The outcomes, one per message; None where the entries have to be looked at one by one.

        Args:
            entries: of the reply.
            known: what each message is known by.
            content: the reply.
            batch_id: the provider's id of the batch.
        """
        if not MIN_UNIFORM_ENTRIES <= len(entries) == len(known):
            return None
        rule = next((plain for compiled, plain in self._rules if compiled.fits_head(content)), None)
        if rule is None:
            return None
        try:
            if rule.test is not None and list(map(rule.test, entries)).count(rule.text) < len(entries):
                return None
            keys, ids = list(map(self._key, entries)), list(map(rule.identity, entries))
        except (KeyError, TypeError):  # an entry without it, or one that has no names
            return None
        if not (_texts(keys) and _texts(ids) and _tidy(ids) and content.tidy(ids)):
            return None
        found = dict(zip(keys, ids, strict=True))
        if len(found) < len(keys):
            return None
        if keys != known:  # in another order, or of other messages
            ids = [found[key] for key in known if key in found]
            if len(ids) < len(known) or len(set(known)) < len(known):
                return None
        shared = rule.outcome
        return UniformOutcomes(Outcome(shared.then, None, None, None, batch_id, None, None, shared.rule), ids)


def _plain(rule: Rule, source: EntrySource) -> _Plain | None:
    identity = plain_name(rule.id or source.id)
    test = None if rule.when is None else plain_test(rule.when)
    more = (rule.text, rule.code or source.code, rule.reason or source.reason)
    if rule.then not in FINAL or identity is None or any(more) or (rule.when is not None and test is None):
        return None
    name, text = test or ("", "")
    outcome = Outcome(cast(Then, rule.then), rule=rule.path)
    return _Plain(outcome, itemgetter(identity), None if test is None else itemgetter(name), text)


def _texts(column: Sequence[Any]) -> bool:
    """Whether each is a text with something in it."""
    return set(map(type, column)) == {str} and all(column)


def _tidy(ids: Sequence[str]) -> bool:
    """Whether a result holds them as they are. See `short_text`."""
    text = "".join(ids)
    return text.isascii() and text.isprintable() and " " not in text and max(map(len, ids)) <= TEXT_LENGTH
