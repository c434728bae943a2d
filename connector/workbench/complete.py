"""What may stand at a place of a definition's text: keys, words, replacements, filters with what they give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from connector.definition.arguments import MISSING, ExpressionError, Filter
from connector.definition.conversions import as_text
from connector.definition.expression import CALLS
from connector.definition.expression_text import parse
from connector.definition.filters import FILTERS
from connector.definition.keys import DEFINITION
from connector.definition.shape import Choice, Kinds, ListOf, MapKey, Record, Shape
from connector.definition.system import SYSTEM_NAMES
from connector.errors import ConnectorError
from connector.model import Batch, Message
from connector.tools.importing.known import shipped_names

MOST: Final = 60
SAMPLE: Final = 40
"""Characters of a sample."""

_open = re.compile(r"\$\$\{([^{}]*)$|\$\$([A-Za-z_]\w*)?$|(?<!\$)\$\{([A-Za-z_]\w*)?$")
_named_line = re.compile(r"^(\s*(?:-\s+)*)([A-Za-z_][\w.-]*)\s*:(.*)$")
_reference = re.compile(r"(?<!\$)\$\{([A-Za-z_]\w*)")

_SYSTEM: Final = {
    "To": "the recipient's phone number",
    "Body": "the text",
    "TemplateID": "id of a template at the provider",
    "TemplateVariables": "values of the template",
    "CampaignID": "the campaign",
    "MessageID": "the event's message_id",
}


class Completion(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that may be written.

    Attributes:
        insert: what is written in place of the characters from `start` columns before the cursor on.
        about: in a few words.
        sample: what it gives for the event.
        back: characters before the cursor that it replaces.
    """

    insert: str
    about: str = ""
    sample: str = ""
    back: int = 0


def complete(text: str, line: int, column: int, message: Message | None = None) -> list[Completion]:
    """What may stand at a line and column, from 1. `message`: an event that samples are made of."""
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return []
    before = lines[line - 1][: column - 1]
    if (found := _open.search(before)) is not None:
        return list(_replacement(found, text, message))[:MOST]
    shape = _shape(lines[: line - 1], before)
    if shape is None:
        return []
    if (value := re.search(r"([A-Za-z_][\w.-]*)\s*:\s+([\w.-]*)$", before)) is not None:
        key = _keys(shape).get(value[1])
        return [] if key is None else _words(key, value[2])[:MOST]
    written = re.search(r"[\w.-]*$", before)
    start = written.group() if written is not None else ""
    if not re.search(r"(?:^\s*(?:-\s+)*|[{,]\s*)[\w.-]*$", before):
        return []
    keys = [key for key in _keys(shape).values() if key.name.startswith(start)]
    return [Completion(f"{key.name}: ", key.about, _example(key), len(start)) for key in keys][:MOST]


def _replacement(found: re.Match[str], text: str, message: Message | None) -> Iterator[Completion]:
    inside, name, reference = found.groups()
    if found.group().startswith("${"):
        written = reference or ""
        for each in dict.fromkeys(_reference.findall(text)):
            if each.startswith(written) and each != written:
                yield Completion(f"{each}}}", "a value of the environment", back=len(written))
        return
    if inside is not None and "|" in inside:
        head, _, written = inside.rpartition("|")
        for each in FILTERS.values():
            if each.name.startswith(written.strip()):
                sample = _sample(f"{head}|{_call(each)}", message)
                yield Completion(_call(each), each.about, sample, len(written.lstrip()))
        return
    written = (inside if inside is not None else name) or ""
    for each in (*_SYSTEM, *_customs(text)):
        if each.startswith(written.strip()):
            about = _SYSTEM.get(each, "a custom value, of the event or its campaign")
            yield Completion(each, about, _sample(each, message), len(written))
    for call in sorted(CALLS) if inside is not None else ():
        if "(" not in call and call.startswith(written.strip()):
            yield Completion(f"{call}()", "", _sample(f"{call}()", message), len(written))


def _customs(text: str) -> list[str]:
    names = re.findall(r"\$\$\{?([A-Za-z_]\w*)(?!\w*\()", text)
    return [name for name in dict.fromkeys(names) if name not in SYSTEM_NAMES][:MOST]


def _call(each: Filter) -> str:
    """A filter with arguments that may stand there."""
    if each.keyed:
        return f"{each.name}(a=1)"
    needed = [parameter for parameter in each.parameters if parameter.required]
    arguments = [str(min(max(it.low, 12), it.high)) if it.kind == "whole" else "''" for it in needed]
    return f"{each.name}({', '.join(arguments)})" if arguments else each.name


def _sample(source: str, message: Message | None) -> str:
    if message is None:
        return ""
    try:
        value = parse(source).compile()(message, Batch("0" * 32, 0.0, 1, 1))
    except (ExpressionError, ConnectorError, AttributeError):
        return ""
    if value is MISSING:
        return ""
    shown = "" if isinstance(value, bytes) else as_text(value)
    return shown if len(shown) <= SAMPLE else f"{shown[:SAMPLE]}…"


# ---- keys -----------------------------------------------------------------------------------------------------------


def _shape(lines: list[str], before: str) -> Shape | None:
    """What the keys at the cursor belong to, by indentation: the text may be no YAML yet."""
    path = _path(lines, before)
    shape: Shape | None = DEFINITION
    for name in path:
        key = _keys(shape).get(name)
        if key is None:
            return None
        shape = key.shape
        while isinstance(shape, ListOf):
            shape = shape.shape
    return shape


def _path(lines: list[str], before: str) -> list[str]:
    """The keys around the cursor, outermost first."""
    match = re.match(r"[\s-]*", before)
    indent = len(match.group()) if match is not None else 0
    path: list[str] = []
    opened = re.findall(r"([A-Za-z_][\w.-]*)\s*:\s*\[?\s*\{[^{}]*$", before)
    for line in reversed(lines):
        named = _named_line.match(line)
        if named is None or line.lstrip().startswith("#"):
            continue
        at = len(named[1])
        if at < indent:
            if not (named[3].strip() and not named[3].strip().startswith(("#", "|", ">", "{", "["))):
                path.append(named[2])
            indent = at if not named[1].strip() else len(named[1]) - len(named[1].lstrip())
    path.reverse()
    return [*path, *opened[-1:]]


def _keys(shape: Shape | None) -> dict[str, MapKey]:
    inner = getattr(shape, "record", shape)
    return dict(inner.keys) if isinstance(inner, Record | Kinds) else {}


def _words(key: MapKey, written: str) -> list[Completion]:
    shape = key.shape
    words = shape.words if isinstance(shape, Choice | Kinds) else ()
    if key.name == "extends":
        words = tuple(sorted(shipped_names()))
    return [Completion(word, "", "", len(written)) for word in words if word.startswith(written)]


def _example(key: MapKey) -> str:
    return "" if key.example is None else msgspec.json.encode(key.example).decode()[:SAMPLE]
