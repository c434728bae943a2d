"""From a payload as written to the tree's nodes: replacements parsed, references replaced, encodings recognised."""

from __future__ import annotations

from typing import Final, Literal, cast

from connector.config_text.source import List, Map, Place, PlacedValue, Value
from connector.definition.expression import Expression
from connector.definition.findings import Findings
from connector.definition.tree import Array, Constant, Encoded, Node, Object, ObjectMember, Replacement, Spread, Text

SPREAD: Final = "..."
ENCODINGS: Final = ("$json", "$form", "$xml", "$base64")


def read_node(source: PlacedValue, report: Findings) -> Node | None:
    """The node of a payload; None where it is left out (nothing but an optional reference that is not set)."""
    if isinstance(source, Value):
        return read_scalar(source, report)
    if isinstance(source, List):
        items = [read_node(item, report) for item in source.items]
        kept = tuple(item for item in items if item is not None)
        return Array(kept) if kept or not items else None
    if len(source.members) == 1:
        key = next(iter(source.members))
        if key in ENCODINGS:
            return _encoded(key, source, report)
        near = next(
            (encoding for encoding in ENCODINGS if key.lower().strip("$ ") == encoding[1:] and "$" in key), None
        )
        if near is not None:
            report.error(source.keys[key], f"the encoding `{key}` is not known", f"did you mean `{near}`?")
    return read_object(source, report)


def read_object(source: Map, report: Findings) -> Object | None:
    """A map as an object; None where everything in it is left out."""
    members: list[ObjectMember | Spread] = []
    for key, value in source.members.items():
        place = source.keys[key]
        if key == SPREAD:
            members.extend(_spread(value, report))
            continue
        if key in ENCODINGS:
            report.error(place, f"`{key}` has neighbours", "it must be the only key of its map")
        node = read_node(value, report)
        name = read_key(key, place, report)
        if node is not None:
            members.append(ObjectMember(name, node))
    return Object(tuple(members)) if members or not source.members else None


def read_scalar(value: Value, report: Findings) -> Constant | Replacement | Text | None:
    """A scalar: a constant, one replacement that keeps its type, or text with replacements inside."""
    if not isinstance(value.data, str):
        return Constant(value.data, None if value.data is None or isinstance(value.data, bool) else value.text)
    parts = report.parts(value)
    if parts is None:
        return None
    return _of_parts(parts)


def read_key(key: str, place: Place, report: Findings) -> str | Replacement | Text:
    """A key: text, or one with replacements inside."""
    parts = report.parts(Value(key, key, place))
    if parts is None:
        report.error(place, "a key cannot be optional", "write ${NAME} or ${NAME:-default}")
        return key
    read = _of_parts(parts)
    return str(read.value) if isinstance(read, Constant) else read


def _of_parts(parts: tuple[str | Expression, ...]) -> Constant | Replacement | Text:
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return Replacement(parts[0])
    if all(isinstance(part, str) for part in parts):
        return Constant("".join(cast(tuple[str, ...], parts)))
    return Text(parts)


def _encoded(key: str, source: Map, report: Findings) -> Node | None:
    inner = source.members[key]
    if key == "$base64":
        whole = isinstance(inner, Value) or (
            len(inner.members) == 1 and next(iter(inner.members)) in ENCODINGS if isinstance(inner, Map) else False
        )
        if not whole:
            report.error(inner.place, "`$base64` takes a text", "write one, or {$json: …}, {$form: …}, {$xml: …}")
    elif key != "$json" and not isinstance(inner, Map):
        report.error(inner.place, f"`{key}` takes a map", "write the fields under it")
    node = read_node(inner, report)
    return None if node is None else Encoded(cast(Literal["json", "form", "xml", "base64"], key[1:]), node)


def _spread(value: PlacedValue, report: Findings) -> list[Spread]:
    if isinstance(value, Value) and isinstance(value.data, str):
        parts = report.parts(value)
        if parts is not None and len(parts) == 1 and isinstance(parts[0], Expression):
            return [Spread(parts[0])]
    report.error(value.place, "`...` spreads one replacement", 'write "...": $$TemplateVariables')
    return []
