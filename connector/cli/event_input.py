"""Events for `send`: from CSV, JSON lines or flags to the bytes that go into the topic, with every fault told. Pure."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from connector.errors import Problem
from connector.model import Message
from connector.settings.names import did_you_mean
from connector.stream.intake.unreadable import fault

FIELDS = frozenset(Message.__struct_fields__)
NESTED = ("custom", "template_variables")

_decode = msgspec.json.Decoder(Message).decode


@dataclass(frozen=True, slots=True)
class Prepared:
    """An event ready to be produced.

    Attributes:
        key: the recipient: messages to one number stay in order.
    """

    message_id: str
    key: bytes
    value: bytes


def from_json_lines(
    lines: Iterable[str | bytes], defaults: Mapping[str, Any], file: str
) -> Iterator[Prepared | Problem]:
    """One event per line; empty lines are passed over."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield Problem(f"no JSON: {error}", "write one JSON object per line", file, line=number)
            continue
        if isinstance(document, dict):
            yield prepare(document, defaults, file, number)
        else:
            yield Problem("no JSON object", 'write {"message_id": …, "to": …} on each line', file, line=number)


def from_csv(lines: Iterable[str], defaults: Mapping[str, Any], file: str) -> Iterator[Prepared | Problem]:
    """A header line with field names; `custom.NAME` and `template_variables.NAME` fill objects. Empty cells: absent."""
    reader = csv.DictReader(lines)
    problems = [_column(name, file) for name in reader.fieldnames or []]
    if any(problems):
        yield from filter(None, problems)
        return
    for row in reader:
        if None in row:
            remedy = "quote values that contain commas"
            yield Problem("more cells than the header has columns", remedy, file, line=reader.line_num)
            continue
        document: dict[str, Any] = {}
        for name, cell in row.items():
            if not cell:
                continue
            field, _, inner = name.partition(".")
            if inner:
                document.setdefault(field, {})[inner] = cell
            elif field in NESTED:
                document[field] = _json_or_text(cell)
            else:
                document[field] = cell
        yield prepare(document, defaults, file, reader.line_num)


def _column(name: str, file: str) -> Problem | None:
    field, _, inner = name.partition(".")
    if field in FIELDS and (not inner or field in NESTED):
        return None
    remedy = (
        did_you_mean(name, FIELDS) or f"columns are {', '.join(sorted(FIELDS))}, custom.NAME, template_variables.NAME"
    )
    return Problem(f"there is no field {name!r}", remedy, file, line=1)


def _json_or_text(cell: str) -> Any:
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell


def prepare(
    document: dict[str, Any], defaults: Mapping[str, Any], file: str, line: int | None = None
) -> Prepared | Problem:
    """Fill in what the event leaves out, and see whether the connector would take it."""
    event = {**defaults, **document}
    for name in NESTED:
        ours, theirs = defaults.get(name), document.get(name)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            event[name] = {**ours, **theirs}
    event.setdefault("message_id", uuid.uuid4().hex)
    value = orjson.dumps(event)
    try:
        message = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Problem(fault(value, error), "see schemas/message.schema.json", file, line=line)
    return Prepared(message.message_id, message.to.encode(), value)
