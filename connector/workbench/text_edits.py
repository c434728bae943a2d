"""Changes of a definition's text that leave everything else in it as it stands: comments, order, spelling."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connector.config_text.source import List, Map, Place, PlacedValue
from connector.config_text.yaml_text import YamlSyntaxError, read_yaml
from connector.definition.keys import DEFINITION, OPERATION
from connector.errors import DefinitionError, Problem
from connector.tools.importing.draft import dumped

ORDER: Final = tuple(dict.fromkeys(("name", "extends", "about", *OPERATION.keys, *DEFINITION.keys)))
"""Of keys that are written anew: what identifies a definition comes first, then the request, then the reply."""


def read_map(text: str, name: str = "draft") -> Map | None:
    """What a text says at its top; None where it is empty. Raises DefinitionError where it is no YAML, or no map."""
    problems: list[Problem] = []
    try:
        source = read_yaml(text, f"{name}.yaml", problems)
    except YamlSyntaxError as error:
        raise DefinitionError([error.problem]) from None
    if source is None:
        return None
    if not isinstance(source, Map):
        raise DefinitionError([source.place.problem("the file holds no map", "write `key: value`")])
    return source


def with_key(text: str, key: str, value: Any) -> str:
    """`text` with another value of a key at its top, or without it for None.

    Only the lines of that key change. Raises DefinitionError where the text is no map of a line per key.
    """
    source = read_map(text)
    snippet = "" if value in (None, {}, []) else dumped({key: value})
    lines = text.splitlines(keepends=True)
    if source is None or not source.keys:
        return text + ("" if not text or text.endswith("\n") else "\n") + snippet
    spans = _spans(source, lines)
    if key in spans:
        start, end = spans[key]
    elif not snippet:
        return text
    else:
        before = [spans[name][1] for name in spans if name in ORDER and key in ORDER and _at(name) < _at(key)]
        start = end = max(before) if before else min(span[0] for span in spans.values())
    if start and not lines[start - 1].endswith("\n"):
        lines[start - 1] += "\n"
    return "".join([*lines[:start], snippet, *lines[end:]])


def _at(name: str) -> int:
    return ORDER.index(name)


def _spans(source: Map, lines: list[str]) -> dict[str, tuple[int, int]]:
    """Key → its lines, from the first to behind the last; comments above the next key are the next key's."""
    begins = [(place.line or 0) - 1 for place in source.keys.values()]
    if any(place.column != 1 for place in source.keys.values()) or len(set(begins)) < len(begins):
        raise DefinitionError(
            [source.place.problem("the keys do not stand in lines of their own", "write one `key: value` in a line")]
        )
    spans: dict[str, tuple[int, int]] = {}
    ordered = sorted(zip(begins, source.keys, strict=True))
    for index, (start, key) in enumerate(ordered):
        end = ordered[index + 1][0] if index + 1 < len(ordered) else len(lines)
        while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
            end -= 1
        spans[key] = start, end
    return spans


# ---- rules ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inserted:
    """A text with something new in it.

    Attributes:
        text: the whole.
        line: where the new thing stands, from 1.
    """

    text: str
    line: int


_plain = re.compile(r"[A-Za-z][\w.-]*|[0-9]+(?:ms|s|m|h)").fullmatch
_SPECIAL: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


def flow(rule: Mapping[str, Any]) -> str:
    """A rule in one line."""
    return "{" + ", ".join(f"{key}: {_word(value)}" for key, value in rule.items()) + "}"


def _word(value: Any) -> str:
    if isinstance(value, str) and _plain(value) and value.lower() not in _SPECIAL:
        return value
    return json.dumps(value, ensure_ascii=False)


def with_rule(text: str, operation: tuple[str, int], rule: Mapping[str, Any], before: int | None) -> Inserted:
    """`text` with one more rule of an operation's `response`.

    Args:
        operation: its name, and its number in the list; what a text says at its top holds for all of its operations.
        text: a definition.
        rule: keys of the language.
        before: the number of the rule that it goes before; None for the end.

    Raises DefinitionError.
    """
    source = read_map(text)
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    response = None if source is None else _response(source, operation)
    if response is None:
        line = len(lines) + 1
        return Inserted("".join(lines) + f"response:\n  rules:\n    - {flow(rule)}\n", line + 2)
    rules = response.members.get("rules")
    if not isinstance(rules, List):
        return _first_rule(lines, response, rule)
    if not rules.items:
        return _spliced(lines, rules.place, flow(rule))
    items = rules.items
    index = len(items) if before is None or before >= len(items) else before
    if _is_flow(lines, rules.place):
        return _spliced(lines, rules.place, f"{flow(rule)}, ")
    dash = _column_of_dash(lines, items[0].place)
    new = " " * dash + f"- {flow(rule)}\n"
    at = (items[index].place.line or 1) - 1 if index < len(items) else _end(lines, items[-1].place, dash)
    return Inserted("".join([*lines[:at], new, *lines[at:]]), at + 1)


def _response(source: Map, operation: tuple[str, int]) -> Map | None:
    name, number = operation
    listed = source.members.get("operations")
    found: PlacedValue | None = None
    if isinstance(listed, List):
        maps = [item for item in listed.items if isinstance(item, Map)]
        own = [item for item in maps if (named := item.members.get("name")) is not None and _text(named) == name]
        chosen = own[0] if own else maps[number] if number < len(maps) else None
        found = None if chosen is None else chosen.members.get("response")
    if found is None:
        found = source.members.get("response")
    return found if isinstance(found, Map) else None


def _text(value: PlacedValue) -> str:
    return getattr(value, "text", "")


def _first_rule(lines: list[str], response: Map, rule: Mapping[str, Any]) -> Inserted:
    """Where `response` says other things, but has no rule yet."""
    if _is_flow(lines, response.place):
        return _spliced(lines, response.place, f"rules: [{flow(rule)}]" + (", " if response.members else ""))
    first = next(iter(response.keys.values()))
    at, indent = (first.line or 1) - 1, (first.column or 1) - 1
    new = [" " * indent + "rules:\n", " " * indent + f"  - {flow(rule)}\n"]
    return Inserted("".join([*lines[:at], *new, *lines[at:]]), at + 2)


def _is_flow(lines: list[str], place: Place) -> bool:
    return lines[(place.line or 1) - 1][(place.column or 1) - 1 : place.column] in ("[", "{")


def _spliced(lines: list[str], place: Place, new: str) -> Inserted:
    """Behind the bracket that opens at a place."""
    at, column = (place.line or 1) - 1, place.column or 1
    lines = [*lines[:at], lines[at][:column] + new + lines[at][column:], *lines[at + 1 :]]
    return Inserted("".join(lines), at + 1)


def _column_of_dash(lines: list[str], place: Place) -> int:
    return max(lines[(place.line or 1) - 1].rfind("-", 0, (place.column or 1) - 1), 0)


def _end(lines: list[str], last: Place, dash: int) -> int:
    """The line behind the last element of a list whose dashes stand in a column."""
    at = last.line or 1
    end = at
    while at < len(lines):
        line = lines[at]
        if line.strip() and len(line) - len(line.lstrip(" ")) <= dash:
            break
        at += 1
        if line.strip() and not line.lstrip().startswith("#"):
            end = at
    return end
