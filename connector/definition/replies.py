"""`response`: rules and entry sources, read into the tree."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any, Final

from connector.config_text.source import Map, Place, PlacedValue, Value
from connector.definition.findings import Findings
from connector.definition.jmes import JmesPath, Predicate
from connector.definition.shape import Choice, ListOf, MapKey, MapOf, Read, Record, Schema, Shape
from connector.definition.tree import SUCCESS, EntrySource, IdRange, Match, Response, Rule
from connector.definition.words import After, CharsetName, MatchShape, RegexText, Statuses, Until

ENTRY_OUTCOMES: Final = ("accept", "reject", "retry", "throttle", "pause", "defer", "uncertain", "unknown")
OUTCOMES: Final = (*ENTRY_OUTCOMES, "split", "entries")

_SAID = (
    MapKey(
        "id",
        JmesPath(),
        "Where the provider's id stands: the message's without batching, the batch's with it.",
        "api_id",
    ),
    MapKey("code", JmesPath(), "Where the provider's code stands; goes into the result as text.", "error.code"),
    MapKey(
        "reason", JmesPath(), "Where the provider's words stand; a constant is written `'in quotes'`.", "error.message"
    ),
    MapKey("after", After(), "Wait at least this long before sending again: a duration, or where it stands.", "30s"),
    MapKey(
        "until",
        Until(),
        "With `defer`: the time before which nothing is sent, or where it stands.",
        "09:00 Asia/Kolkata",
    ),
)

_COUNT: Final = MapKey(
    "count",
    JmesPath(),
    "Where the reply says how many messages that is; if that is another number than the request's, all are `unknown`.",
    "accepted",
)

_CONDITIONS = (
    MapKey("status", Statuses(), "HTTP statuses: `200`, `4xx`, `500-599`, or a list of them.", [200, "4xx"]),
    MapKey(
        "header",
        MapOf(RegexText()),
        "Header names and regular expressions found in their values.",
        {"X-Error": "quota"},
    ),
    MapKey(
        "text",
        RegexText(),
        "A regular expression found in the reply; its named groups are what `id`, … read.",
        "^OK (?P<id>.+)",
    ),
    MapKey("when", Predicate(), "JMESPath over the decoded reply, or over the entry.", "status == 'success'"),
)


class RuleShape(Shape):
    """One rule of a request or, with `of_entry`, of an entry."""

    def __init__(self, *, of_entry: bool) -> None:
        self.of_entry = of_entry
        outcomes = ENTRY_OUTCOMES if of_entry else OUTCOMES
        conditions = _CONDITIONS[-1:] if of_entry else _CONDITIONS
        then = MapKey("then", Choice(*outcomes), "What it means.", "accept", required=True)
        self.record = Record(*conditions, then, *(() if of_entry else (_COUNT,)), *_SAID)

    def read(self, source: PlacedValue, report: Findings) -> Rule | None:
        read = self.record.read(source, report)
        if read is None:
            return None
        if isinstance(source, Map):
            self.refuse_empty(source, report)
        if read.get("then") == "defer" and "until" not in read:
            report.error(
                source.place, "`defer` without `until`", "write until: 09:00 Asia/Kolkata, or where the time stands"
            )
        if "until" in read and read.get("then") not in ("defer", None) and isinstance(source, Map):
            report.error(source.keys["until"], "`until` belongs to `defer`", "write then: defer, or `after`")
        status = read.get("status") or ()
        if read.get("then") == "accept" and not self.of_entry and "status" not in read.broken:
            status = status or SUCCESS
            self._accepts(status, source, report)
        header = {name.lower(): pattern or "" for name, pattern in (read.pop("header", None) or {}).items()}
        return Rule(
            **{**read, "then": read.get("then") or "unknown", "status": status},
            path=path_of(source.place, report),
            header=tuple(header.items()),
        )

    def _accepts(self, status: tuple[tuple[int, int], ...], source: PlacedValue, report: Findings) -> None:
        """A range of statuses beyond 2xx holds failures nobody thought of; a single one was named on purpose."""
        for low, high in status:
            if low != high and not 200 <= low <= high <= 299 and isinstance(source, Map):
                written = (
                    f"{low}-{high}" if (low % 100, high % 100) != (0, 99) or high - low > 99 else f"{low // 100}xx"
                )
                report.error(
                    source.members["status"].place,
                    f"`accept` with status {written}: that holds statuses of failure (401, 500)",
                    "write 2xx; a status beyond it that means success is named by itself: status: [2xx, 409]",
                )

    def refuse_empty(self, source: Map, report: Findings) -> None:
        """A condition that says nothing would hold whatever the reply says: nobody writes one on purpose."""
        for key in _CONDITIONS:
            value = source.members.get(key.name)
            if isinstance(value, Value):
                empty = value.data is None or (key.name == "text" and value.data == "")
            else:
                empty = isinstance(value, Map) and not value.members
            if empty and key.name in self.record.keys:
                message = f"`{key.name}` is empty, so it would hold of every reply"
                report.error(source.keys[key.name], message, "write the condition, or take the key away")

    def schema(self) -> Schema:
        return self.record.schema()


class RangeShape(Shape):
    """`{first: …, last: …}` or `{first: …, count: …}`."""

    def __init__(self) -> None:
        self.record = Record(
            MapKey("first", JmesPath(), "Where the first id stands.", "first_id", required=True),
            MapKey("last", JmesPath(), "Where the last one stands.", "last_id"),
            MapKey("count", JmesPath(), "Or: where it says how many there are.", "total"),
        )

    def read(self, source: PlacedValue, report: Findings) -> IdRange | None:
        read = self.record.read(source, report)
        if read is None:
            return None
        if len({"last", "count"} & (read.keys() | read.broken)) != 1:
            report.error(source.place, "nothing says where the ids end", "write exactly one of `last` and `count`")
        return IdRange(read.get("first") or "", read.get("last"), read.get("count"))

    def schema(self) -> Schema:
        return self.record.schema()


class EntryShape(Shape):
    """One entry source."""

    def __init__(self) -> None:
        self.record = Record(
            MapKey("each", JmesPath(), "JMESPath of the list of entries.", "messages"),
            MapKey(
                "text",
                RegexText(),
                "A regular expression; every place it is found is an entry with its named groups.",
                "(?P<to>[0-9]+)=OK",
            ),
            MapKey("match", MatchShape(), "Which message an entry belongs to.", {"To|digits": "number"}, required=True),
            MapKey(
                "range",
                RangeShape(),
                "With `match: index`: an entry stands for ids that follow one another, one message each.",
                {"first": "first_id", "count": "total"},
            ),
            MapKey(
                "count",
                JmesPath(),
                "Where the reply says how many entries these are (with `others`: messages); if that is another number, "
                "they are `unknown`.",
                "failed",
            ),
            MapKey("rules", ListOf(RuleShape(of_entry=True)), "What an entry means: the first rule that holds."),
            MapKey("then", Choice(*ENTRY_OUTCOMES), "What every entry means that no rule met.", "accept"),
            *_SAID[:3],
        )

    def read(self, source: PlacedValue, report: Findings) -> EntrySource | None:
        read = self.record.read(source, report)
        if read is None:
            return None
        match = read.pop("match", None) or Match("rest")
        if match.kind == "others":
            self._others(read, source, report)
        elif (
            "match" not in read.broken
            and ("each" in read) + ("text" in read) != 1
            and ("range" not in read or {"each", "text"} <= read.keys())
        ):
            report.error(
                source.place, "an entry source has exactly one of `each` and `text`", "say where the entries stand"
            )
        if "range" in read:
            self._range(read, match, source, report)
        if "rules" not in read and "then" not in read and not {"rules", "then"} & read.broken:
            report.error(source.place, "nothing says what these entries mean", "write `then: accept`, or `rules`")
        rules = tuple(rule for rule in read.pop("rules", None) or () if rule is not None)
        return EntrySource(path=path_of(source.place, report), match=match, rules=rules, **read)

    def _others(self, read: Read, source: PlacedValue, report: Findings) -> None:
        """There is no entry to read: what the reply does not name has one outcome."""
        for key in ("each", "text", "range", "rules", "id"):
            if key in read and isinstance(source, Map):
                remedy = {
                    "rules": "write `then`: it is one outcome for all of them",
                    "id": "an id that all share is the rule's `id`",
                }.get(key, "leave it out, and give the entries that stand there a source of their own before this one")
                report.error(source.keys[key], f"`{key}` beside `match: others`, which no entry is read for", remedy)

    def _range(self, read: Read, match: Match, source: PlacedValue, report: Findings) -> None:
        if not isinstance(source, Map):
            return
        if match.kind != "index":
            remedy = "write match: index, if the provider gives the ids in the order of the request"
            report.error(source.keys["range"], "`range` names nobody: its ids go to messages by their order", remedy)
        if "id" in read:
            report.error(source.keys["id"], "`id` beside `range`, which says the ids", "keep one of them")

    def schema(self) -> Schema:
        return self.record.schema()


class ResponseShape(Shape):
    """`response`."""

    def __init__(self) -> None:
        self.record = Record(
            MapKey(
                "decode",
                ListOf(Choice("json", "xml", "none"), or_one=True),
                "How replies are read; a list is tried in order.",
                ["json", "xml"],
            ),
            MapKey(
                "charset",
                CharsetName(),
                "Of replies; without it that of an XML declaration, or of Content-Type where it is no UTF-8.",
                "gb18030",
            ),
            MapKey(
                "rules", ListOf(RuleShape(of_entry=False)), "What a reply means: the first rule that holds decides."
            ),
            MapKey(
                "entries",
                ListOf(EntryShape()),
                "Where the reply speaks of single messages; read after `then: entries`.",
            ),
        )

    def read(self, source: PlacedValue, report: Findings) -> Response | None:
        read = self.record.read(source, report)
        if read is None:
            return None
        return Response(
            decode=_kept(read.get("decode")) or ("json",),
            rules=_kept(read.get("rules")),
            entries=_kept(read.get("entries")),
            charset=read.get("charset"),
        )

    def schema(self) -> Schema:
        return self.record.schema()


def path_of(place: Place, report: Findings) -> str:
    """Where a rule stands, for messages: `response.rules[0]`; of an inherited one with its file in front."""
    return place.path if place.file == report.file else f"{FilePath(place.file).name}: {place.path}"


def _kept(values: Any) -> tuple[Any, ...]:
    return tuple(value for value in values or () if value is not None)
