"""Shapes that only this language has: templates, rates, statuses, times of day, matches, key paths."""

from __future__ import annotations

import re
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from connector.config_text.json_text import read_json
from connector.config_text.source import List, Map, PlacedValue, Value, children, kind_of
from connector.definition.charsets import CharsetError, charset
from connector.definition.expression import ExpressionError
from connector.definition.expression_text import parse
from connector.definition.findings import Findings
from connector.definition.jmes import JmesPath
from connector.definition.merge import without
from connector.definition.patterns import PatternError, compile_pattern
from connector.definition.payload import ENCODINGS, read_node, read_object, read_scalar
from connector.definition.shape import Schema, Shape, Whole, scalar_text, shown
from connector.definition.tree import QUERY, Constant, Hours, Match, Node, Object, Rate, Replacement, Text
from connector.errors import Problem

MAX_RECORDS: Final = 1000  # a single batch, everywhere
PATHS: Final = 100  # of `batching.key`

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Template(Shape):
    """Text with replacements."""

    def read(self, source: PlacedValue, report: Findings) -> Constant | Text | None:
        text = scalar_text(source, report)
        if text is None or not isinstance(source, Value):
            return None
        node = read_scalar(source, report)
        if node is None:
            report.error(source.place, "this cannot be optional", "write ${NAME} or ${NAME:-default}")
            return None
        return Text((node.expression,)) if isinstance(node, Replacement) else node

    def schema(self) -> Schema:
        return {"type": "string"}


class TextBody(Template):
    """Text with replacements, or one document that stands as text: `{$base64: {$json: …}}`."""

    def read(self, source: PlacedValue, report: Findings) -> Node | None:  # type: ignore[override]
        if isinstance(source, Map) and len(source.members) == 1 and next(iter(source.members)) in ENCODINGS:
            return read_node(source, report)
        return super().read(source, report)

    def schema(self) -> Schema:
        return {"type": ["string", "object"]}


class FieldMap(Shape):
    """A map of fields: query parameters, pairs; `flat`: scalars only (headers). A field that is null is not there."""

    def __init__(self, *, flat: bool = False) -> None:
        self.flat = flat

    def read(self, source: PlacedValue, report: Findings) -> Object | None:
        if not isinstance(source, Map):
            report.error(source.place, f"{kind_of(source)} where a map belongs", "write `key: value` under it")
            return None
        if self.flat:
            for value in children(source):
                if not isinstance(value, Value):
                    report.error(value.place, f"{kind_of(value)} where a text belongs", "write a text")
        empty = [key for key, value in source.members.items() if isinstance(value, Value) and value.data is None]
        return read_object(without(source, *empty), report) or Object(())

    def schema(self) -> Schema:
        scalar = ["string", "number", "boolean", "null"]
        return {"type": "object", "additionalProperties": {"type": scalar} if self.flat else {}}


class Json(Shape):
    """A structure, one replacement, or a text of JSON with comments."""

    def read(self, source: PlacedValue, report: Findings) -> Node | None:
        structure = json_structure(source, report)
        return None if structure is None else read_node(structure, report)

    def schema(self) -> Schema:
        return {"type": ["object", "array", "string"]}


def json_structure(source: PlacedValue, report: Findings) -> PlacedValue | None:
    """`json` as a structure: a text that is no replacement is parsed. None after a syntax error."""
    if not isinstance(source, Value) or not isinstance(source.data, str) or source.text.lstrip().startswith("$$"):
        return source
    problems: list[Problem] = []
    structure = read_json(source, problems)
    for problem in problems:
        report.add(problem)
    return structure


class Xml(Shape):
    """One root element; attributes are `@name`."""

    def read(self, source: PlacedValue, report: Findings) -> Node | None:
        if not isinstance(source, Map) or len(source.members) != 1 or next(iter(source.members)).startswith("@"):
            report.error(source.place, "XML has exactly one root element", "write one key, and the elements under it")
            return None
        if isinstance(next(iter(source.members.values())), List):
            report.error(source.place, "the root element cannot be a list", "write one key, and the elements under it")
            return None
        return read_object(source, report)

    def schema(self) -> Schema:
        return {"type": "object", "minProperties": 1, "maxProperties": 1}


class RegexText(Shape):
    """A regular expression of RE2; gives its source."""

    def read(self, source: PlacedValue, report: Findings) -> str | None:
        text = scalar_text(source, report)
        if text is None:
            return None
        try:
            compile_pattern(text)
        except PatternError as error:
            report.error(source.place, f"the regular expression `{shown(text)}` {error.message}", error.remedy)
            return None
        return text

    def schema(self) -> Schema:
        return {"type": "string"}


class CharsetName(Shape):
    """A charset that replies may be written in."""

    def read(self, source: PlacedValue, report: Findings) -> str | None:
        text = scalar_text(source, report)
        if text is None:
            return None
        try:
            if charset(text).codec == "gsm":
                raise CharsetError("GSM 03.38 is no charset of HTTP", "leave `charset` out, or write that of the reply")
        except CharsetError as error:
            report.error(source.place, error.message, error.remedy)
            return None
        return text

    def schema(self) -> Schema:
        return {"type": "string"}


class Statuses(Shape):
    """`200`, `4xx`, `500-599`, or a list of them; gives inclusive ranges."""

    def read(self, source: PlacedValue, report: Findings) -> tuple[tuple[int, int], ...]:
        if isinstance(source, List) and source.items:
            return tuple(span for item in source.items for span in self.read(item, report))
        text = source.text if isinstance(source, Value) else ""
        if re.fullmatch("[1-5]xx", text):
            return ((int(text[0]) * 100, int(text[0]) * 100 + 99),)
        match = re.fullmatch("([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", text)
        if match is not None and int(match[1]) <= int(match[2] or match[1]):
            return ((int(match[1]), int(match[2] or match[1])),)
        said = f"`{shown(text)}`" if text else "an empty list" if isinstance(source, List) else kind_of(source)
        report.error(source.place, f"{said} is no HTTP status", "write 200, 4xx, 500-599 or a list of them")
        return ()

    def schema(self) -> Schema:
        one: Schema = {
            "anyOf": [
                {"type": "integer", "minimum": 100, "maximum": 599},
                {"type": "string", "pattern": "^[1-5](xx|[0-9]{2}(-[1-5][0-9]{2})?)$"},
            ]
        }
        return {"anyOf": [*one["anyOf"], {"type": "array", "items": one}]}


class Rates(Shape):
    """`300/5s`, or a list of them: all hold at once."""

    PATTERN: Final = "([0-9]{1,7})/([0-9]{0,5})(ms|s|m|h|d)"

    def read(self, source: PlacedValue, report: Findings) -> tuple[Rate, ...]:
        if isinstance(source, List):
            return tuple(rate for item in source.items for rate in self.read(item, report))
        text = source.text if isinstance(source, Value) else ""
        match = re.fullmatch(self.PATTERN, text)
        if match is None or int(match[1]) == 0 or match[2] == "0":
            said = f"`{shown(text)}`" if text else kind_of(source)
            report.error(source.place, f"{said} is no rate", "write an amount and a time: 10/s, 300/5s, 200/m")
            return ()
        return (Rate(int(match[1]), int(match[2] or 1) * _SECONDS[match[3]]),)

    def schema(self) -> Schema:
        one: Schema = {"type": "string", "pattern": f"^{self.PATTERN}$"}
        return {"anyOf": [one, {"type": "array", "items": one}]}


class RecordBounds(Shape):
    """`500`, or `{min: 2, max: 100}`; gives both bounds."""

    def read(self, source: PlacedValue, report: Findings) -> tuple[int, int]:
        bound = Whole(1, MAX_RECORDS)
        if not isinstance(source, Map):
            return 1, bound.read(source, report) or 1
        for name in source.members:
            if name not in ("min", "max"):
                report.error(source.keys[name], f"the key `{name}` is not known", "known: min, max")
        low = bound.read(source.members["min"], report) if "min" in source.members else 1
        if "max" not in source.members:
            report.error(
                source.place, "the key `max` is missing", f"write the most records of a batch, up to {MAX_RECORDS:,}"
            )
        high = bound.read(source.members["max"], report) if "max" in source.members else MAX_RECORDS
        if low and high and low > high:
            report.error(source.place, f"min {low} is above max {high}", "swap them")
        return low or 1, high or 1

    def schema(self) -> Schema:
        bound = Whole(1, MAX_RECORDS).schema()
        low = {**bound, "description": "Fewer go to the next operation, one by one."}
        high = {**bound, "description": "Most records of a batch."}
        spans = {"type": "object", "properties": {"min": low, "max": high}, "required": ["max"]}
        return {"anyOf": [bound, {**spans, "additionalProperties": False}]}


class KeyPaths(Shape):
    """`msgs`, `data.messages`, `.` for the whole body, `?to` in the query, or a list of them; gives segments."""

    def read(self, source: PlacedValue, report: Findings) -> tuple[tuple[str, ...], ...]:
        if isinstance(source, List):
            if len(source.items) > PATHS:
                report.error(source.place, f"more than {PATHS} key paths", "name the maps or lists around them")
                return ()
            return tuple(path for item in source.items for path in self.read(item, report))
        text = scalar_text(source, report)
        if text is None:
            return ()
        if text == ".":
            return ((),)
        in_query = text.startswith(QUERY)
        segments = self._segments(text.removeprefix(QUERY))
        if not segments:
            remedy = 'write msgs, data.messages, messages[0].to, "a.b".c or ?to'
            if "[]" in text and '"' not in text:  # a name as forms write them
                name = f'{QUERY * in_query}"{shown(text.removeprefix(QUERY))}"'
                remedy = f"a name with marks in it stands in double quotes: '{name}'"
            report.error(source.place, f"`{shown(text)}` is no path", remedy)
            return ()
        return ((QUERY, *segments) if in_query else segments,)

    def _segments(self, text: str) -> tuple[str, ...]:
        """Names and positions; none where the text is no path."""
        segments = re.findall(r'(?:^|\.)(?:"([^"]+)"|([^."\[\]]+))|\[([0-9]+)\]', text)
        written = re.sub(r'(?:^|\.)(?:"[^"]+"|[^."\[\]]+)|\[[0-9]+\]', "", text)
        return () if written else tuple(quoted or bare or index for quoted, bare, index in segments)

    def schema(self) -> Schema:
        return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}


class HoursText(Shape):
    """`09:00-21:00 Asia/Kolkata`."""

    PATTERN: Final = "([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9]) ([A-Za-z0-9_+/-]+)"

    def read(self, source: PlacedValue, report: Findings) -> Hours | None:
        text = source.text if isinstance(source, Value) else ""
        hours = self.parse(text)
        if hours is None:
            said = f"`{shown(text)}`" if text else kind_of(source)
            report.error(
                source.place, f"{said} is no send window", "write two times and a zone: 09:00-21:00 Asia/Kolkata"
            )
        return hours

    @classmethod
    def parse(cls, text: str) -> Hours | None:
        """The send window; None where the text is none."""
        match = re.fullmatch(cls.PATTERN, text)
        if match is None:
            return None
        start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        if not known_zone(match[5]) or start == end or end > 24 * 60:
            return None
        return Hours(start, end, match[5])

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^{self.PATTERN}$"}


class After(JmesPath):
    """Seconds, a duration, or a JMESPath expression."""

    def read(self, source: PlacedValue, report: Findings) -> str | None:
        if isinstance(source, Value) and re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?(ms|s|m|h|d)?", source.text):
            return source.text
        return super().read(source, report)

    def schema(self) -> Schema:
        return {"type": ["string", "number"]}


class Until(JmesPath):
    """`09:00 Asia/Kolkata`, or a JMESPath expression."""

    def read(self, source: PlacedValue, report: Findings) -> str | None:
        match = (
            re.fullmatch(r"([0-9]{1,2}):([0-9]{2})(?:\s+(\S+))?", source.text) if isinstance(source, Value) else None
        )
        if match is None or not isinstance(source, Value):
            return super().read(source, report)
        if int(match[1]) > 23 or int(match[2]) > 59 or match[3] is None or not known_zone(match[3]):
            report.error(source.place, f"`{shown(source.text)}` is no time with a zone", "write 09:00 Asia/Kolkata")
            return None
        return source.text


def known_zone(name: str) -> bool:
    """True when the host's time zone data has `name`."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


class MatchShape(Shape):
    """`rest`, `index`, `others`, or `{"To|digits": number}`."""

    WORDS: Final[tuple[Literal["rest", "index", "others"], ...]] = ("rest", "index", "others")

    def read(self, source: PlacedValue, report: Findings) -> Match | None:
        for word in self.WORDS:
            if isinstance(source, Value) and source.text == word:
                return Match(word)
        if not isinstance(source, Map) or not source.members:
            said = f"`{shown(source.text)}`" if isinstance(source, Value) else kind_of(source)
            remedy = 'write {"To|digits": number}, rest, others, or index where the order is documented'
            report.error(source.place, f"{said} cannot stand here", remedy)
            return None
        pairs = []
        for key, value in source.members.items():
            path = JmesPath().read(value, report)
            expression = self._expression(key, source, report)
            if expression is not None and path is not None:
                pairs.append((expression, path))
        return Match("expressions", tuple(pairs))

    def _expression(self, key: str, source: Map, report: Findings) -> Any:
        place = source.keys[key]
        if key.startswith("$$"):
            report.error(
                place, f"`{shown(key)}` is marked as a replacement", "write the bare expression, like To|digits"
            )
            return None
        try:
            expression = parse(key)
            expression.normalise()
        except ExpressionError as error:
            report.error(place, error.message, error.remedy)
            return None
        for call in expression.compared:
            if not call.filter.normalises:
                report.error(
                    place,
                    f"`{call.filter.name}` would change the reply's value once more",
                    "match with filters that only normalise: digits, last, str, lower, ref, …",
                )
                return None
        return expression

    def schema(self) -> Schema:
        pairs = {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}
        return {"anyOf": [{"enum": list(self.WORDS)}, pairs]}
