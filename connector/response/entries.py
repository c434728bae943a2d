"""`response.entries`: where a reply's entries stand, whose they are, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from connector.definition.expression import ExpressionError
from connector.definition.tree import EntrySource, Match
from connector.errors import MessageError
from connector.model import Batch, Message, Outcome, UniformOutcomes
from connector.response.content import Content
from connector.response.counted import Ids, Total, says_twice
from connector.response.fields import NO_WAIT, Scope, Texts, outcome_of
from connector.response.matching import Matching
from connector.response.path import Get
from connector.response.regex import Regex
from connector.response.reply_values import scalar_key
from connector.response.rules import NO, CompiledRule
from connector.response.single_entry import SingleEntry
from connector.response.uniform_outcomes import MIN_UNIFORM_ENTRIES, UniformEntries
from connector.response.work import ALIKE, ENTRY

# Entries one source may have beyond PARTS for each message. A reply can hold millions (`[0,0,…]`), and each is judged.
SPARE_ENTRIES: Final = 1_000

# Entries one message may have: parts of a long text.
PARTS: Final = 50

# A match value of a message to its position in the request.
Positions = dict[Any, int]


@dataclass(slots=True)
class _Turn:
    """One reply being read.

    Attributes:
        batch: ours, as the messages were rendered with.
        batch_id: the provider's id of the batch, for every outcome.
        positions: by what a match reads of a message; sources that match alike share them.
    """

    content: Content
    batch: Batch
    batch_id: str | None
    claims: Matching
    positions: dict[tuple[str, ...], Positions] = field(default_factory=dict)


class Entries:
    """The entry sources of a response, read in order."""

    def __init__(self, sources: Sequence[EntrySource], scope: Scope) -> None:
        self._sources = [_Source(source, scope) for source in sources]
        self._single = self._sources[0].single if len(self._sources) == 1 else None

    def read(self, content: Content, batch: Batch, batch_id: str | None, *, meant: bool = True) -> Sequence[Outcome]:
        """One outcome per message of the request.

        `batch_id` is the provider's of the batch, for every outcome; `meant`: the rule that asked for entries named the
        status of this reply.
        """
        if self._single is not None and len(content.messages) == 1:
            outcome = self._single.read(content, batch, batch_id)
            if outcome is not None:
                return [outcome]
        turn = _Turn(content, batch, batch_id, Matching(len(content.messages)))
        status = content.reply.status
        if not meant and not 200 <= status <= 299:  # whoever is not named by a failure was not taken for that
            turn.claims.doubt_others(f"the reply is HTTP {status}")
        if len(self._sources) == 1 and (alike := self._sources[0].read_alike(turn)) is not None:
            return alike
        for source in self._sources:
            source.read(turn)
        gap = "the reply has no entry for this message"
        if content.undecodable is not None and any(source.reads_document for source in self._sources):
            gap = content.undecodable
        return turn.claims.decided(gap, batch_id)


class _Source:
    """One entry source.

    Attributes:
        reads_document: False for `text`.
        single: reads the entry of a request of one message; None where it has to be looked at like others.
    """

    def __init__(self, source: EntrySource, scope: Scope) -> None:
        before = scope.weight
        self.path = source.path
        self._work = scope.work
        self._faults = scope.faults
        self._others = source.match.kind == "others"
        self._total = Total(source.count, scope, source.path) if source.count is not None else None
        self._ids = Ids(source.range, scope, source.path) if source.range is not None else None
        self._each = scope.path(source.each, f"{source.path}.each")
        self._text = scope.regex(source.text, f"{source.path}.text") if source.text is not None else None
        texts = Texts(source, scope, source.path)
        rules = [CompiledRule(rule, scope, texts) for rule in source.rules]
        self._rules = [(rule, rule.judges(), rule.gives()) for rule in rules]
        self._otherwise = outcome_of(source.then, texts, NO_WAIT, source.path) if source.then is not None else None
        self._match = source.match
        self._values = _Values(source.match, scope, source.path) if source.match.kind == "expressions" else None
        self._weight = scope.weight - before + ENTRY
        self.single = None if scope.problems or not SingleEntry.possible(source) else self._single()
        self._alike = None if scope.problems or not UniformEntries.possible(source) else UniformEntries(source, rules)

    @property
    def reads_document(self) -> bool:
        return self._text is None

    def _single(self) -> SingleEntry:
        assert self._each is not None
        assert self._values is not None
        return SingleEntry(
            each=self._each,
            known=self._values.of_message,
            value=self._values.of_entry,
            rules=self._rules,
            otherwise=self._otherwise or _no_rule,
            weight=self._weight,
            work=self._work,
        )

    def read_alike(self, turn: _Turn) -> UniformOutcomes | None:
        """The outcomes, where every message has its entry and all say the same: nothing is in doubt. The hot path."""
        if self._alike is None or self._values is None or len(turn.content.messages) < MIN_UNIFORM_ENTRIES:
            return None
        known = self._values.all_of(turn.content.messages, turn.batch)
        entries = self._entries(turn)
        self._work.spend(len(entries) * ALIKE)
        return self._alike.read(entries, known, turn.content, turn.batch_id)

    def read(self, turn: _Turn) -> None:
        """Give each entry of this source to its message."""
        claims = turn.claims
        if self._others:
            self._claim_others(turn)
            return
        entries = self._entries(turn) if self._text is None else self._entries_of_text(self._text, turn)
        judge = self._judge(turn)
        if self._ids is not None:
            self._claim_ids(self._ids, entries, judge, turn)
            return
        if self._total is not None and (doubt := self._total.doubt(turn.content.document, len(entries))) is not None:
            judge = _miscounted(doubt, turn, self.path)
        if not entries:
            return
        if len(entries) > PARTS * len(turn.content.messages) + SPARE_ENTRIES:
            claims.refuse(f"the reply has {len(entries):,} entries")
            return
        self._work.spend(len(entries) * self._weight)
        if self._values is None:
            self._claim_by_position(entries, judge, claims)
            return
        name = self._values.name
        if name not in turn.positions:
            turn.positions[name] = self._values.of_messages(turn.content.messages, turn.batch)
        position = turn.positions[name].get
        value_of = self._values.of_entry
        outcomes = claims.outcomes
        for entry in entries:
            index = position(value_of(entry))
            if index is None:
                claims.strangers += 1
            elif outcomes[index] is None:
                outcomes[index] = judge(entry)
            else:
                claims.add(index, judge(entry))

    def _entries(self, turn: _Turn) -> list[Any]:
        """Where a list is expected one value is a list of one, and null is empty; "" is PHP's null."""
        if turn.content.undecodable is not None:
            turn.claims.doubt_others(turn.content.undecodable)
            return []
        if self._each is None:  # wrong in the definition, reported; or a range, of which the document is the entry
            return [turn.content.document] if self._ids is not None else []
        failed = self._faults[f"{self.path}.each"]
        found = self._each(turn.content.document)
        if self._faults[f"{self.path}.each"] > failed:
            turn.claims.doubt_others(f"{self.path}.each failed on this reply")
        if isinstance(found, list):
            return found
        return [] if found is None or found == "" else [found]

    def _entries_of_text(self, text: Regex, turn: _Turn) -> list[Any]:
        found = list(text.finditer(turn.content.text))
        if turn.content.text_is_cut:
            turn.claims.doubt_positions("the reply was cut off")
            if found and found[-1].end() >= len(turn.content.text):  # may be half of an entry
                found.pop()
        return [each.groupdict() for each in found]

    def _claim_others(self, turn: _Turn) -> None:
        """Whoever is not named yet, where nothing says that a name may have been missed."""
        content, claims = turn.content, turn.claims
        if self._total is not None:
            doubt = self._total.doubt(content.document, len(claims.free()))
            if doubt is not None:
                claims.doubt_others(doubt)
        self._work.weigh(content.document)
        if says_twice(content.document):
            claims.doubt_others("the reply has two values under one key")
        assert self._otherwise is not None  # loading sees to it
        free = claims.free()
        for positions in turn.positions.values():  # a message without such a value could not have been named
            nameable = set(positions.values())
            free = [index for index in free if index in nameable]
        claims.add_others(free, self._otherwise(content, turn.batch_id)(content.document))

    def _claim_ids(self, ids: Ids, entries: list[Any], judge: Callable[[Any], Outcome], turn: _Turn) -> None:
        """Each message that no entry has claimed gets the next id of the entries' ranges."""
        claims, free = turn.claims, turn.claims.free()
        found: list[Outcome] = []
        try:
            for entry in entries:
                outcome = judge(entry)
                for text in ids.of(entry, len(free) - len(found)):
                    identity = turn.content.identity(text)
                    found.append(msgspec.structs.replace(outcome, provider_message_id=identity))
        except ValueError as error:
            claims.doubt_positions(str(error))
            return
        if len(found) != len(free):
            claims.doubt_positions(f"{len(found)} ids for {len(free)} messages")
            return
        if self._total is not None and (doubt := self._total.doubt(turn.content.document, len(found))) is not None:
            claims.doubt_positions(doubt)
            return
        self._work.spend(len(found) * self._weight)
        claims.add_by_position(free, found)

    def _claim_by_position(self, entries: list[Any], judge: Callable[[Any], Outcome], claims: Matching) -> None:
        free = claims.free()
        if len(entries) != len(free):
            claims.doubt_positions(f"{len(entries)} entries for {len(free)} messages")
            return
        outcomes = [judge(entry) for entry in entries]
        if self._match.kind == "rest":
            words = {outcome.then for outcome in outcomes}
            if len(words) > 1:
                claims.doubt_positions(f"entries of the rest disagree: {' and '.join(sorted(words))}")
                return
            if len(outcomes) > 1:  # of one message and one entry it is certain whose id it is
                outcomes = [_shared(outcomes)] * len(outcomes)
        claims.add_by_position(free, outcomes)

    def _judge(self, turn: _Turn) -> Callable[[Any], Outcome]:
        """A function of an entry: its outcome, by the first rule that holds."""
        content, batch_id = turn.content, turn.batch_id
        rules = [(holds, give(content, batch_id)) for rule, holds, give in self._rules if rule.fits_head(content)]
        otherwise = (self._otherwise or _no_rule)(content, batch_id)
        if not rules:
            return otherwise

        def judge(entry: Any) -> Outcome:
            for holds, give in rules:
                document = holds(entry)
                if document is not NO:
                    return give(document)
            return otherwise(entry)

        return judge


def _miscounted(doubt: str, turn: _Turn, path: str) -> Callable[[Any], Outcome]:
    """What every entry of a source means whose total does not agree, and that nothing may lean on it."""
    turn.claims.doubt_positions(doubt)
    outcome = Outcome("unknown", reason=doubt, provider_batch_id=turn.batch_id, rule=path)
    return lambda entry: outcome


def _no_rule(content: Content, batch_id: str | None) -> Callable[[Any], Outcome]:
    outcome = Outcome("unknown", reason="no rule fits its entry", provider_batch_id=batch_id, rule="built-in entries")
    return lambda entry: outcome


def _shared(outcomes: list[Outcome]) -> Outcome:
    """What is true of every message of a `rest`: no id, and code and reason only where all have the same."""
    first = outcomes[0]

    def common(name: str) -> Any:
        value = getattr(first, name)
        return value if all(getattr(outcome, name) == value for outcome in outcomes) else None

    return Outcome(
        first.then,
        common("code"),
        common("reason"),
        None,
        first.provider_batch_id,
        max((outcome.after for outcome in outcomes if outcome.after is not None), default=None),
        max((outcome.until for outcome in outcomes if outcome.until is not None), default=None),
        first.rule,
    )


class _Values:
    """`match`: the value a message is known by, and the same value as an entry writes it.

    Attributes:
        name: equal for matches that read the same of a message.
        of_entry: a function of an entry: its value; None where it has none.
        of_message: the first value of a message, not yet as text.
    """

    def __init__(self, match: Match, scope: Scope, path: str) -> None:
        self.name = tuple(expression.source for expression, _ in match.pairs)
        self._of_message = [expression.compile() for expression, _ in match.pairs]
        self.of_message = self._of_message[0]
        self._column = match.pairs[0][0].column()
        self._counts = any(expression.calls & {"seq", "index"} for expression, _ in match.pairs)
        readers = []
        for expression, source in match.pairs:
            place = f"{path}.match"
            try:
                normalise = expression.normalise()
            except ExpressionError as error:
                scope.problem(error.message, error.remedy, place)
                continue
            get = scope.path(source, place)
            readers.append(_entry_reader(get, normalise) if expression.filters else _plain_reader(get))
        self.of_entry: Get = readers[0] if len(readers) == 1 else _all_of(readers)

    def of_messages(self, messages: Sequence[Message], batch: Batch) -> Positions:
        """Value to position; messages whose values are equal, or that have none, are left out: no entry finds them."""
        values = self.all_of(messages, batch)
        positions = dict(zip(values, range(len(values)), strict=True))
        if len(positions) == len(values) and None not in positions:
            return positions
        seen: set[Any] = set()
        twins = {None}
        for value in values:
            (twins if value in seen else seen).add(value)
        return {value: index for value, index in positions.items() if value not in twins}

    def all_of(self, messages: Sequence[Message], batch: Batch) -> list[Any]:
        """The value of each message; None where it has none."""
        if len(self._of_message) == 1 and not self._counts:
            (read,) = self._of_message
            if self._column is not None and (column := self._column(messages)) is not None:
                return [value if value.__class__ is str else scalar_key(value) for value in column]
            try:
                values = [read(message, batch) for message in messages]
            except MessageError:
                values = [_read(read, message, batch) for message in messages]
            return [value if value.__class__ is str else scalar_key(value) for value in values]
        rows = []
        seq = batch.seq
        for number, message in enumerate(messages, 1):
            batch.seq = number  # as the renderer moved it
            row = tuple(scalar_key(_read(read, message, batch)) for read in self._of_message)
            rows.append((row[0] if len(row) == 1 else row) if None not in row else None)
        batch.seq = seq
        return rows


def _read(read: Callable[[Message, Batch], Any], message: Message, batch: Batch) -> Any:
    try:
        return read(message, batch)
    except MessageError:
        return None


def _entry_reader(get: Get | None, normalise: Callable[[Any], Any]) -> Get:
    if get is None:  # wrong in the definition, reported
        return _nothing

    def read(entry: Any) -> str | None:
        value = get(entry)
        if value.__class__ is not str:
            value = scalar_key(value)
        value = normalise(value)
        return value if value.__class__ is str else scalar_key(value)

    return read


def _plain_reader(get: Get | None) -> Get:
    """The same without filters: what a text says is what it is known by."""
    if get is None:
        return _nothing

    def read(entry: Any) -> str | None:
        value = get(entry)
        return (value or None) if value.__class__ is str else scalar_key(value)

    return read


def _all_of(readers: list[Get]) -> Get:
    def read(entry: Any) -> tuple[Any, ...] | None:
        row = tuple(reader(entry) for reader in readers)
        return row if None not in row else None

    return read


def _nothing(entry: Any) -> None:
    return None
