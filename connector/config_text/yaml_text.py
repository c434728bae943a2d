"""YAML to `PlacedValue`, from ruamel's events: positions, duplicate keys, and syntax errors that say what is
missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.tokens import ScalarToken

from connector.config_text.source import List, Map, Place, PlacedValue, Value, scalar
from connector.errors import Problem

NODES: Final = 10_000  # values in one file; aliases count each time they are used (a small file can name millions)
DEPTH: Final = 100
KEY_LENGTH: Final = 1_000  # characters; every value below repeats it in its path
PATH_SHARE: Final = 200  # characters of a path that count like one value


_surrogate = re.compile("[\ud800-\udfff]").search


class YamlSyntaxError(Exception):
    """The text is not YAML: one problem, and nothing after it can be read."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


def read_yaml(text: str, file: str, problems: list[Problem]) -> PlacedValue | None:
    """The document of `text`; None where it is empty. Faults that leave the rest readable go to `problems`.

    Raises YamlSyntaxError.
    """
    builder = _Builder(text, file, problems)
    try:
        return builder.document()
    except RecursionError:
        raise YamlSyntaxError(Place(file).problem("too many levels inside one another", f"at most {DEPTH}")) from None
    except MarkedYAMLError as error:
        raise YamlSyntaxError(_explain(error, text, file)) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        told = Place(file, "", line, column).problem(f"not YAML: {error.reason}", "write plain UTF-8 text")
        raise YamlSyntaxError(told) from None
    except YAMLError as error:
        told = Place(file).problem(f"not YAML: {str(error).splitlines()[0]}", "write plain UTF-8 text")
        raise YamlSyntaxError(told) from None
    except (ValueError, OverflowError):  # the library makes numbers of escapes and of %YAML, however large
        message = "not YAML: behind this, an escape or the version of %YAML has a number that is too large"
        raise YamlSyntaxError(builder.reached.problem(message, "escapes go up to \\U0010FFFF")) from None


class _Builder:
    """Recursive descent over the events."""

    def __init__(self, text: str, file: str, problems: list[Problem]) -> None:
        self.events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)
        self.lines = text.splitlines()
        self.file = file
        self.problems = problems
        self.anchors: dict[str, tuple[PlacedValue, int]] = {}
        self.count = 0
        self.reached = Place(file, "", 1, 1)  # the parser reads a little ahead of it

    def document(self) -> PlacedValue | None:
        found: PlacedValue | None = None
        documents = 0
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise YamlSyntaxError(self.place(event, "").problem("a second document", "one file holds one"))
            elif isinstance(event, AliasEvent | ScalarEvent | MappingStartEvent | SequenceStartEvent):
                found = self.node(event, "", 0)
        return found

    def place(self, event: Any, path: str) -> Place:
        self.reached = Place(self.file, path, event.start_mark.line + 1, event.start_mark.column + 1)
        return self.reached

    def text(self, event: Any, place: Place) -> str:
        """What a scalar says. Two escapes that are one character, as JSON writes it, are that character; half of one
        can be sent to nobody and printed nowhere.
        """
        text: str = event.value
        if _surrogate(text) is None:
            return text
        both = text.encode("utf-16", "surrogatepass")
        try:
            return both.decode("utf-16")
        except UnicodeDecodeError:
            self.problems.append(place.problem("half of a surrogate pair", "write the character itself"))
            return both.decode("utf-16", "replace")

    def node(self, event: Any, path: str, depth: int) -> PlacedValue:
        place = self.place(event, path)
        before = self.count
        self.tally(1 + len(path) // PATH_SHARE, place)
        if depth > DEPTH:
            raise YamlSyntaxError(place.problem("too many levels inside one another", f"at most {DEPTH}"))
        if isinstance(event, AliasEvent):
            if event.anchor not in self.anchors:
                raise YamlSyntaxError(
                    place.problem(f"`*{event.anchor}` names no anchor", "quote it, if a text is meant")
                )
            source, size = self.anchors[event.anchor]
            self.tally(size, place)
            return source
        if event.tag is not None:
            self.problems.append(place.problem(f"the tag {event.tag} is not understood", "leave it out"))
        source = self.content(event, place, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = (source, self.count - before)
        return source

    def content(self, event: Any, place: Place, depth: int) -> PlacedValue:
        if isinstance(event, ScalarEvent):
            return self.scalar(event, place)
        if isinstance(event, MappingStartEvent):
            return self.mapping(place, depth)
        items: list[PlacedValue] = []
        while not isinstance(inner := next(self.events), SequenceEndEvent):
            items.append(self.node(inner, place.element(len(items)), depth + 1))
        return List(tuple(items), place)

    def mapping(self, place: Place, depth: int) -> Map:
        members: dict[str, PlacedValue] = {}
        keys: dict[str, Place] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise YamlSyntaxError(self.place(event, place.path).problem("a key must be a text", "quote it"))
            if len(event.value) > KEY_LENGTH:
                message = f"a key of more than {KEY_LENGTH:,} characters"
                raise YamlSyntaxError(self.place(event, place.path).problem(message, "a long text is a value"))
            key = self.text(event, self.place(event, place.path))
            where = self.place(event, place.member(key))
            value = self.node(next(self.events), where.path, depth + 1)
            if key in keys:
                first = f"it stands in line {keys[key].line} already; keep one of them"
                self.problems.append(where.problem(f"the key `{key}` stands here twice", first))
                continue
            members[key] = value
            keys[key] = where
        return Map(members, place, keys)

    def scalar(self, event: Any, place: Place) -> Value:
        if event.style in (None, ""):
            return scalar(event.value, place, self.problems)
        indent = None
        if event.style == "|":
            following = (line for line in self.lines[event.start_mark.line + 1 :] if line.strip())
            first = next(following, "")
            indent = len(first) - len(first.lstrip(" "))
        text = self.text(event, place)
        return Value(text, text, place, indent)

    def tally(self, count: int, place: Place) -> None:
        self.count += count
        if self.count > NODES:
            raise YamlSyntaxError(place.problem(f"more than {NODES:,} values", "a definition is far smaller"))


# ---- syntax errors, explained --------------------------------------------------------------------------------------

_QUOTE_IT = "put the whole value in quotes"

# What ruamel says → what is wrong here, and what to write.
_SAID = (
    ("another document", "a second document", "one file holds one"),
    ("'\\t' that cannot start", "a tab", "indent with spaces"),
    ("cannot start any token", "a value cannot start with this character", _QUOTE_IT),
    ("mapping values are not allowed", "a `: ` inside a value, or a line indented too far", f"{_QUOTE_IT}, or mend it"),
    ("unknown escape character", "a \\ in double quotes is an escape", "use single quotes, or write \\\\"),
    (
        "but found '<scalar>'",
        "a text after the end of a quoted one",
        "write '' for a ' inside '…', \\\" for a \" inside \"…\"",
    ),
    ("undefined alias", "a value that starts with * is an alias", _QUOTE_IT),
)


def _explain(error: MarkedYAMLError, text: str, file: str) -> Problem:
    """One sentence for a parser's error: what is wrong, where it began, and what to write."""
    mark = error.problem_mark or error.context_mark
    place = Place(file, "", mark.line + 1, mark.column + 1) if mark is not None else Place(file)
    said = error.problem or "not understood"
    opened = _open_quote(error, text)
    if opened is not None:
        quote, line, column = opened
        message = f"the quote {quote} that opens here is not closed on its line"
        return Place(file, "", line, column).problem(message, f"write {quote} at its end")
    for needle, message, remedy in _SAID:
        if needle in said:
            return place.problem(message, remedy)
    if "expected ',' or" in said:
        return _unclosed(error, place, text)
    return place.problem(f"not YAML: {said}", "look at quotes and indentation here and in the line before")


def _unclosed(error: MarkedYAMLError, place: Place, text: str) -> Problem:
    """Inside { } or [ ] something is missing."""
    lines = text.splitlines()
    if place.line is not None and place.line <= len(lines) and re.search(r"\$\$?\{", lines[place.line - 1]):
        return place.problem("`{` ends a value inside { } or [ ]", "put `$${…}` and `${…}` in quotes")
    bracket = "]" if "sequence" in str(error.context) else "}"
    opened = ""
    if error.context_mark is not None:
        opened = f" for what opens at line {error.context_mark.line + 1}, column {error.context_mark.column + 1}"
    return place.problem(
        f"`,` or `{bracket}` is missing{opened}", "close it, or quote the value that holds a special character"
    )


def _open_quote(error: MarkedYAMLError, text: str) -> tuple[str, int, int] | None:
    """The quote that was most likely left open: the last quoted scalar before the error that spans lines."""
    if error.context is not None and "quoted scalar" in error.context and error.context_mark is not None:
        if "end of stream" not in str(error.problem):
            return None
        mark = error.context_mark
        return text.splitlines()[mark.line][mark.column], mark.line + 1, mark.column + 1
    if error.problem_mark is None:
        return None
    found = None
    try:
        for token in YAML(typ="safe", pure=True).scan(text):
            if token.start_mark.line > error.problem_mark.line:
                break
            spans = token.end_mark.line > token.start_mark.line
            if isinstance(token, ScalarToken) and token.style in ("'", '"') and spans:
                found = (token.style, token.start_mark.line + 1, token.start_mark.column + 1)
                if token.end_mark.line == error.problem_mark.line:
                    return found
    except YAMLError:
        pass
    return None
