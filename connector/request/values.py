"""A node of a definition becomes a function of (message, batch): compiled once, called per message.

A value is what an encoder's `document` takes: dicts and lists for structures, and leaves in the encoder's own form
(JSON: Python values; form, XML, text: text already escaped for where it lands). Every user value goes through the
encoder at its leaf, so nothing a user wrote can be read as structure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from connector.definition.expression import MISSING, Column, Expression
from connector.definition.tree import Array, Constant, Encoded, Node, Object, ObjectMember, Replacement, Spread, Text
from connector.errors import DefinitionError, MessageError, Problem
from connector.model import Batch, Message
from connector.request.textual import Build, key_text

KeyPath = tuple[str, ...]


class _NoReferences:
    """Stands where nothing is sent: a batch key does not tell requests apart."""

    def token(self, message: Message) -> str:
        return "-"

    short_token = url = token

    def batch_token(self, batch_id: str) -> str:
        return "-"

    batch_url = batch_token

    def all(self, batch_id: str) -> list[str]:
        return []


# Constants are built once, with these: they read neither.
NO_MESSAGE = Message(message_id="-", to="10000")
NO_BATCH = Batch(id="0" * 32, now=0.0, count=1, seq=1, references=_NoReferences())


class Encoder(Protocol):
    """How leaves and names land in one format, and how a whole value becomes text."""

    def constant(self, constant: Constant) -> Any:
        """The leaf of a constant of the definition."""

    def whole(self, expression: Expression) -> Build:
        """The leaf of a string that is one replacement; gives MISSING where there is no value."""

    def column(self, expression: Expression) -> Column | None:
        """The same for many messages at once, where a leaf is the value itself; else None."""

    def text(self, parts: Sequence[str | Expression]) -> Build:
        """The leaf of longer text; a missing optional value is empty, a missing required one raises MessageError."""

    def spread(self, value: Any) -> Any:
        """The leaf of one member of a spread map; MISSING leaves it out."""

    def written_name(self, name: str) -> str:
        """A key as the definition writes it; raises ValueError with the reason when the format cannot hold it."""

    def user_name(self, name: str) -> str:
        """A key that came from a message; raises MessageError when it could be read as something else."""

    def member(self, name: str) -> Encoder:
        """The encoder for what stands under a key."""

    def element(self) -> Encoder:
        """The encoder for the elements of a list; raises ValueError with the reason where none can stand."""

    def nested(self, encoding: str) -> Encoder:
        """The encoder for a document of another format inside this one."""

    def document(self, value: Any) -> str:
        """A whole value as text."""

    def inserted(self, text: str) -> Any:
        """The leaf of a nested document."""


@dataclass(frozen=True, slots=True)
class NodeValue:
    """How a node gets its value.

    Attributes:
        build: gives MISSING where there is none.
        absent: why a message without this value is invalid; None where it may be left out.
        constant: True when it is the same for every message.
        column: gives those of many messages at once, or None where that cannot be done.
    """

    build: Build
    absent: str | None = None
    constant: bool = False
    column: Column | None = None

    def required(self) -> Build:
        """`build`, but a missing value that may not be left out raises MessageError."""
        absent, build = self.absent, self.build
        if absent is None:
            return build

        def required(message: Message, batch: Batch) -> Any:
            value = build(message, batch)
            if value is MISSING:
                raise MessageError(absent)
            return value

        return required


class MergePoint:
    """A place where every message renders its own value and the values are merged.

    Attributes:
        path: where it stands in the body.
        node, encoder: what stands there and in which format; set when the body is compiled.
        value: renders it for one message.
        merged: what stands there in the request being rendered. Rendering is synchronous and a renderer belongs to one
            lane, so one place for it is enough.
    """

    __slots__ = ("encoder", "merged", "node", "path", "value")

    def __init__(self, path: KeyPath) -> None:
        self.path = path
        self.node: Node | None = None
        self.encoder: Encoder | None = None
        self.value: NodeValue | None = None
        self.merged: Any = MISSING


Keys = Mapping[KeyPath, MergePoint]


def compile_value(node: Node, encoder: Encoder, keys: Keys, place: str) -> NodeValue:
    """Compile `node`; `place` is for errors. Raises DefinitionError for what the format cannot hold.

    `keys` are relative to `node`: what stands at one is compiled into the key, and its merged value
    stands here instead. They pass through encodings.
    """
    if (key := keys.get(())) and not isinstance(node, Encoded):
        key.node, key.encoder, key.value = node, encoder, compile_value(node, encoder, {}, place)
        return NodeValue(lambda message, batch: key.merged)
    try:
        match node:
            case Constant():
                return _constant(encoder.constant(node))
            case Replacement(expression):
                absent = None if expression.optional else f"{expression.written} has no value"
                return NodeValue(encoder.whole(expression), absent, column=encoder.column(expression))
            case Text(parts):
                return NodeValue(encoder.text(parts))
            case Encoded("xml", Object(members)) if len(members) != 1:
                raise ValueError("an XML document has one root element")
            case Encoded(encoding, inner):
                return _encoded(compile_value(inner, encoder.nested(encoding), keys, place), encoder, encoding)
            case Array(items):
                return _array(items, encoder, keys, place)
            case Object(members):
                return _object(members, encoder, keys, place)
    except (MessageError, ValueError) as error:  # what the definition itself writes there
        raise wrong(place, str(error)) from None


def wrong(place: str, message: str, remedy: str = "") -> DefinitionError:
    """A definition that loaded but cannot be rendered."""
    return DefinitionError([Problem(message, remedy, path=place)])


def _constant(value: Any) -> NodeValue:
    return NodeValue(lambda message, batch: value, constant=True)


def _below(keys: Keys, name: str) -> Keys:
    return {path[1:]: key for path, key in keys.items() if path[0] == name} if keys else keys


def _folded(value: NodeValue) -> NodeValue:
    """A structure of constants is built once; everybody who merges values copies what it changes."""
    return _constant(value.build(NO_MESSAGE, NO_BATCH))


# ---- structures -----------------------------------------------------------------------------------------------------


def _encoded(inner: NodeValue, encoder: Encoder, encoding: str) -> NodeValue:
    document, build = encoder.nested(encoding).document, inner.required()

    def encoded(message: Message, batch: Batch) -> Any:
        value = build(message, batch)
        return MISSING if value is MISSING else encoder.inserted(document(value))

    return _folded(NodeValue(encoded)) if inner.constant else NodeValue(encoded)


def _array(nodes: Sequence[Node], encoder: Encoder, keys: Keys, place: str) -> NodeValue:
    element = encoder.element()
    items = [
        compile_value(node, element, _below(keys, str(index)), f"{place}[{index}]") for index, node in enumerate(nodes)
    ]
    if len(items) == 1 and not items[0].constant:
        only = items[0].required()

        def one(message: Message, batch: Batch) -> Any:
            value = only(message, batch)
            return [value] if value is not MISSING else MISSING

        return NodeValue(one, column=_boxed(items[0].column))
    builds = [item.required() for item in items]

    def array(message: Message, batch: Batch) -> Any:
        values = [value for build in builds if (value := build(message, batch)) is not MISSING]
        return values if values or not builds else MISSING

    constant = all(item.constant for item in items)
    return _folded(NodeValue(array)) if constant else NodeValue(array)


def _object(members: Sequence[ObjectMember | Spread], encoder: Encoder, keys: Keys, place: str) -> NodeValue:
    known: dict[str, NodeValue] = {}
    steps: list[RenderStep] = []
    for member in members:
        if isinstance(member, Spread):
            steps.append(_spread(member.expression, encoder, known))
            continue
        if not isinstance(member.key, str):
            value = compile_value(member.value, encoder, {}, f"{place}.*")
            steps.append(_named(member.key, value.required(), encoder, known))
            continue
        name, below = encoder.written_name(member.key), _below(keys, member.key)
        value = compile_value(member.value, encoder.member(member.key), below, f"{place}.{member.key}")
        known[name] = value
        steps.append(_fixed(name, value.required()))
    if len(known) == len(members):
        return _record(known)

    def object_(message: Message, batch: Batch) -> Any:
        out: dict[str, Any] = {}
        for step in steps:
            step(out, message, batch)
        return out or MISSING

    return NodeValue(object_)


def _record(known: Mapping[str, NodeValue]) -> NodeValue:
    """An object whose keys are all known: a copy of a template with the constants in place, in definition order.

    The hot path: this runs once per message of a batch.
    """
    template = {name: value.build(NO_MESSAGE, NO_BATCH) if value.constant else None for name, value in known.items()}
    fields = tuple((name, value.build, value.absent) for name, value in known.items() if not value.constant)
    if not fields:
        return _constant(template)

    def record(message: Message, batch: Batch) -> Any:
        out = template.copy()
        for name, build, absent in fields:
            value = build(message, batch)
            if value is not MISSING:
                out[name] = value
            elif absent is None:
                del out[name]
            else:
                raise MessageError(absent)
        return out or MISSING

    return NodeValue(record, column=_records(template, {name: value.column for name, value in known.items()}))


def _boxed(column: Column | None) -> Column | None:
    """A list of one for each."""
    if column is None:
        return None

    def boxed(messages: Sequence[Message]) -> list[Any] | None:
        values = column(messages)
        return None if values is None else [[value] for value in values]

    return boxed


def _records(template: Mapping[str, Any], columns: Mapping[str, Column | None]) -> Column | None:
    """A copy of the template for each, filled field by field. The hot path."""
    filled = {name: column for name, column in columns.items() if column is not None}
    if any(template[name] is None and name not in filled for name in template):
        return None

    def records(messages: Sequence[Message]) -> list[Any] | None:
        made = [dict(template) for _ in messages]
        for name, column in filled.items():
            values = column(messages)
            if values is None:
                return None
            for record, value in zip(made, values, strict=True):
                record[name] = value
        return made

    return records


RenderStep = Callable[[dict[str, Any], Message, Batch], None]


def _fixed(name: str, build: Build) -> RenderStep:
    def fixed(out: dict[str, Any], message: Message, batch: Batch) -> None:
        value = build(message, batch)
        if value is not MISSING:
            out[name] = value

    return fixed


def _named(key: Replacement | Text, build: Build, encoder: Encoder, known: Mapping[str, NodeValue]) -> RenderStep:
    """A member whose key holds replacements: `$$To: {...}`."""
    name_of = key_text(key)

    def named(out: dict[str, Any], message: Message, batch: Batch) -> None:
        name = name_of(message, batch)
        value = build(message, batch)
        if name is MISSING or value is MISSING:
            return
        name = encoder.user_name(name)
        if name in known or name in out:
            raise MessageError("two members of one object have the same key")
        out[name] = value

    return named


def _spread(expression: Expression, encoder: Encoder, known: Mapping[str, NodeValue]) -> RenderStep:
    """`"...": $$TemplateVariables`: a variable never overrides a key that the definition sets."""
    read, written, optional = expression.compile(), expression.written, expression.optional

    def spread(out: dict[str, Any], message: Message, batch: Batch) -> None:
        value = read(message, batch)
        if value is MISSING:
            if optional:
                return
            raise MessageError(f"{written} has no value")
        if not isinstance(value, dict):
            raise MessageError(f"{written} is spread and must be an object")
        for name, item in value.items():
            landed = encoder.user_name(name)
            if landed in known:
                raise MessageError(f"{written} brings the key `{name}`, which the definition sets itself")
            if landed in out:
                raise MessageError("two members of one object have the same key")
            leaf = encoder.spread(item)
            if leaf is not MISSING:
                out[landed] = leaf

    return spread
