"""JSON with comments to `PlacedValue`: so that a payload is pasted as it is (the form this replaces allows `//`
comments).

Strings are decoded by the standard library (surrogate pairs and all); numbers keep their own spelling.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]  # documented only in CPython's source
from typing import Final

from connector.config_text.source import List, Map, Place, PlacedValue, Value, scalar
from connector.errors import Problem

DEPTH: Final = 100
NODES: Final = 10_000  # values in one text
KEY_LENGTH: Final = 1_000
PATH_SHARE: Final = 200  # characters of a path that count like one value

_space = re.compile(r"(?:[ \t\r\n\ufeff]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_line = re.compile("\n")
_word = re.compile(r"[^\s,:\[\]{}\"/]+")
_FOREIGN: Final = {"True": "true", "False": "false", "None": "null", "Null": "null", "NULL": "null", "~": "null"}
_surrogate = re.compile("[\ud800-\udfff]")


class JsonError(Exception):
    """The text is not JSON.

    Attributes:
        message, remedy: what is wrong and what to write.
        position: index into the text.
    """

    def __init__(self, message: str, remedy: str, position: int) -> None:
        self.message = message
        self.remedy = remedy
        self.position = position
        super().__init__(message)


def read_json(text: Value, problems: list[Problem]) -> PlacedValue | None:
    """The value written in `text`; None after a syntax error. Faults go to `problems`, at their line and column."""
    reader = _Reader(text, problems)
    try:
        return reader.document()
    except JsonError as error:
        problems.append(text.at(error.position).problem(error.message, error.remedy))
        return None


class _Reader:
    def __init__(self, text: Value, problems: list[Problem]) -> None:
        self.value = text
        self.text = text.text
        self.problems = problems
        self.position = 0
        self.count = 0
        self.lines = [match.end() for match in _line.finditer(text.text)]

    def document(self) -> PlacedValue:
        value = self.read(self.value.place.path, 0)
        self.skip()
        if self.position < len(self.text):
            raise JsonError(
                "something follows the end of the JSON", "take it away, or look for a } too many", self.position
            )
        return value

    def place(self, path: str, position: int) -> Place:
        place, indent = self.value.place, self.value.indent
        if indent is None or place.line is None:
            return Place(place.file, path, place.line, place.column)
        before = bisect_right(self.lines, position)
        begins = self.lines[before - 1] if before else 0
        return Place(place.file, path, place.line + 1 + before, indent + position - begins + 1)

    def skip(self) -> str:
        """Skip white space and comments; the character that follows, or ""."""
        match = _space.match(self.text, self.position)
        assert match is not None  # it matches the empty text as well
        self.position = match.end()
        if self.text.startswith("/*", self.position):
            raise JsonError("the comment is not closed", "end it with */", self.position)
        return self.text[self.position : self.position + 1]

    def read(self, path: str, depth: int) -> PlacedValue:
        mark = self.skip()
        place = self.place(path, self.position)
        if depth > DEPTH:
            raise JsonError("too many levels inside one another", f"at most {DEPTH}", self.position)
        self.count += 1 + len(path) // PATH_SHARE
        if self.count > NODES:
            raise JsonError(f"more than {NODES:,} values", "a payload is far smaller", self.position)
        if mark == "{":
            return self.object(place, depth)
        if mark == "[":
            return self.array(place, depth)
        if mark == '"':
            text = self.string()
            return Value(text, text, place)
        return self.word(place)

    def object(self, place: Place, depth: int) -> Map:
        members: dict[str, PlacedValue] = {}
        keys: dict[str, Place] = {}
        opened = self.position
        self.position += 1
        mark = self.skip()
        while mark != "}":
            if mark != '"':
                self.unexpected(mark, opened, "}", "a key stands in double quotes")
            start = self.position
            key = self.string()
            if len(key) > KEY_LENGTH:
                raise JsonError(f"a key of more than {KEY_LENGTH:,} characters", "a long text is a value", start)
            where = self.place(place.member(key), start)
            if self.skip() != ":":
                raise JsonError("`:` is missing after the key", 'write "key": value', self.position)
            self.position += 1
            value = self.read(where.path, depth + 1)
            if key in keys:
                first = f"it stands in line {keys[key].line} already; keep one of them"
                self.problems.append(where.problem(f"the key `{key}` stands here twice", first))
            else:
                members[key], keys[key] = value, where
            mark = self.separator(opened, "}")
        self.position += 1
        return Map(members, place, keys)

    def array(self, place: Place, depth: int) -> List:
        items: list[PlacedValue] = []
        opened = self.position
        self.position += 1
        mark = self.skip()
        while mark != "]":
            items.append(self.read(place.element(len(items)), depth + 1))
            mark = self.separator(opened, "]")
        self.position += 1
        return List(tuple(items), place)

    def separator(self, opened: int, closing: str) -> str:
        """After a value: the closing bracket, or, past a comma, what begins the next one."""
        mark = self.skip()
        if mark == closing:
            return mark
        if mark != ",":
            self.unexpected(mark, opened, closing, f"values are separated by `,` and end with `{closing}`")
        comma = self.position
        self.position += 1
        mark = self.skip()
        if mark == closing:
            raise JsonError(f"a comma before `{closing}`", "take it away", comma)
        return mark

    def unexpected(self, mark: str, opened: int, closing: str, remedy: str) -> None:
        if mark:
            raise JsonError(f"`{mark}` cannot stand here", remedy, self.position)
        raise JsonError(f"`{self.text[opened]}` that opens here is not closed", f"end it with `{closing}`", opened)

    def string(self) -> str:
        start = self.position
        try:
            text: str
            text, self.position = scanstring(self.text, start + 1, True)
        except JSONDecodeError as error:
            if error.msg.startswith(("Unterminated", "Invalid control")):
                raise JsonError(
                    'the quote " that opens here is not closed on its line', 'write " at its end', start
                ) from None
            raise JsonError("a \\ escape that JSON does not know", "write \\\\ for a backslash", error.pos) from None
        if _surrogate.search(text):
            raise JsonError("half of a surrogate pair", "write the character itself", start)
        return text

    def word(self, place: Place) -> Value:
        match = _word.match(self.text, self.position)
        if match is None:
            mark = self.text[self.position : self.position + 1]
            if not mark:
                raise JsonError("a value is missing", "write one", self.position)
            raise JsonError(
                f"`{mark}` cannot stand here",
                'a value is "text", a number, true, false, null, {…} or […]',
                self.position,
            )
        word = match.group()
        if word in _FOREIGN:
            raise JsonError(f"`{word}` is no JSON value", f"write {_FOREIGN[word]}", self.position)
        faults = len(self.problems)
        value = scalar(word, place, self.problems)
        if isinstance(value.data, str) and len(self.problems) == faults:
            raise JsonError(f"`{word}` is no JSON value", f'put it in quotes: "{word}"', self.position)
        self.position = match.end()
        return value
