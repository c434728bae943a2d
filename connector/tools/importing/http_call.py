"""One HTTP request as somebody wrote it, before anything in it is recognised."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from defusedxml.ElementTree import ParseError, fromstring

from connector.config_text.json_text import read_json
from connector.config_text.source import List, Map, Place, PlacedValue, Value
from connector.errors import Problem, UsageError

BodyKind = Literal["none", "pairs", "multipart", "json", "xml", "text"]
Tree = Any
"""dict, list, str, Number, bool or None."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number in its own spelling."""

    text: str


@dataclass(slots=True)
class HttpCall:
    """A request.

    Attributes:
        url: without query and credentials.
        user: user name and password of basic authentication.
        body: a tree for pairs, json and xml; a text for text.
        notes: what could not be taken over, or was read in a way one may doubt.
    """

    method: str
    url: str
    query: dict[str, Tree] = field(default_factory=dict)
    headers: dict[str, Tree] = field(default_factory=dict)
    user: tuple[str, str] | None = None
    kind: BodyKind = "none"
    body: Tree = None
    notes: list[str] = field(default_factory=list)


# ---- trees from texts -----------------------------------------------------------------------------------------------


def json_tree(text: str) -> Tree:
    """JSON, with comments, as a tree. Raises UsageError with line and column."""
    problems: list[Problem] = []
    source = read_json(Value(text, text, Place("the body", line=0), indent=0), problems)
    if problems or source is None:
        raise UsageError("; ".join(map(str, problems)) or "the body is empty")
    return tree(source)


def tree(source: PlacedValue) -> Tree:
    """What a file says, without places."""
    if isinstance(source, Map):
        return {key: tree(value) for key, value in source.members.items()}
    if isinstance(source, List):
        return [tree(item) for item in source.items]
    if isinstance(source.data, str | bool) or source.data is None:
        return source.data
    return Number(source.text)


def looks_like_json(text: str) -> bool:
    """True for an object or a list, well written or not."""
    return text.strip()[:1] in ("{", "[")


def xml_tree(text: str) -> Tree:
    """XML as a tree: attributes are `@name`, text beside attributes is `#text`. Raises UsageError."""
    try:
        root = fromstring(text.strip().encode())
    except (ParseError, ValueError) as error:
        raise UsageError(f"the body is no XML: {error}") from None
    return {_name(root.tag): _element(root)}


def _element(element: Any) -> Tree:
    members: dict[str, Tree] = {f"@{_name(name)}": value for name, value in element.attrib.items()}
    for child in element:
        if (child.tail or "").strip():
            raise UsageError("the body is XML with text between elements, which a definition cannot hold")
        name, value = _name(child.tag), _element(child)
        if name in members:
            before = members[name]
            members[name] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            members[name] = value
    text = (element.text or "") if not len(element) else (element.text or "").strip()
    if not members:
        return text
    if text:
        members["#text"] = text
    return members


def _name(tag: str) -> str:
    if "}" in tag:
        raise UsageError("the body is XML with namespaces, which the import does not read; write it under `xml`")
    return tag


_bracketed = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
_INDEX: Final = re.compile("[0-9]{1,3}")


class Repeated(list[Tree]):
    """The values of a name that stands there more than once, without brackets."""


def pairs_tree(pairs: Iterable[tuple[str, str]], notes: list[str]) -> dict[str, Tree]:
    """Pairs as a tree: `Messages[0][To]` is taken apart, `to[]` and `to=1&to=2` are lists, JSON and XML are read."""
    found: dict[str, Tree] = {}
    for name, text in pairs:
        value = _nested(text)
        bracketed = _bracketed.fullmatch(name)
        if name.endswith("[]"):
            found.setdefault(name, []).append(value)
        elif bracketed is not None:
            _place(found, [bracketed[1], *re.findall(r"\[([^\[\]]*)\]", bracketed[2])], value)
        elif name not in found:
            found[name] = value
        elif isinstance(found[name], Repeated):
            found[name].append(value)
        elif isinstance(found[name], dict | list):
            notes.append(f"`{name}` stands there more than once: only the first is taken over")
        else:
            found[name] = Repeated([found[name], value])
    return {name: _listed(value) for name, value in found.items()}


def _nested(text: str) -> Tree:
    """A value, or the document that it holds."""
    try:
        if looks_like_json(text):
            return {"$json": json_tree(text)}
        if text.startswith("<") and text.rstrip().endswith(">"):
            document = xml_tree(text)
            return {"$xml": document} if isinstance(next(iter(document.values())), dict) else text
    except UsageError:
        pass
    return text


def _place(found: dict[str, Tree], names: list[str], value: Tree) -> None:
    here = found
    for name in names[:-1]:
        inner = here.setdefault(name, {})
        if not isinstance(inner, dict):
            raise UsageError(f"`{names[0]}` is both a value and a structure")
        here = inner
    here[names[-1]] = value


def _listed(value: Tree) -> Tree:
    """Maps with keys 0, 1, … are lists."""
    if isinstance(value, list):
        return type(value)(_listed(item) for item in value)
    if not isinstance(value, dict):
        return value
    members = {name: _listed(item) for name, item in value.items()}
    if members and all(_INDEX.fullmatch(name) for name in members):
        return [members[name] for name in sorted(members, key=int)]
    return members
