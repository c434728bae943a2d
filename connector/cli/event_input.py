"""Events for `send`: from CSV, JSON lines or flags to the bytes that go into the topic, with every fault told. Pure."""

from __future__ import annotations

import csv
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import orjson

from connector.errors import Problem
from connector.model import Message
from connector.settings.names import did_you_mean
from connector.stream.intake.unreadable import fault

FIELDS = frozenset(Message.__struct_fields__)
NESTED = ("custom", "template_variables")

_FOREIGN = (
    (b"\xff\xfe", "it is UTF-16"),
    (b"\xfe\xff", "it is UTF-16"),
    (b"\x1f\x8b", "it is packed with gzip"),
    (b"PK\x03\x04", "it is a ZIP archive or a spreadsheet"),
)

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
    provider: str | None = None
    expires_at: datetime | None = None


def from_json_lines(
    lines: Iterable[str | bytes], defaults: Mapping[str, Any], file: str
) -> Iterator[Prepared | Problem]:
    """One event per line; empty lines are passed over."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if number == 1 and (foreign := _foreign(line)) is not None:
            yield Problem(foreign, "write one JSON object per line, in UTF-8", file, line=number)
            return
        try:
            document = orjson.loads(line)
            if twice := repeated_key(line):
                yield Problem(f"{twice!r} is written twice", "keep one of them", file, line=number)
                continue
        except (orjson.JSONDecodeError, RecursionError) as error:
            yield Problem(f"no JSON: {error}", "write one JSON object per line", file, line=number)
            continue
        if isinstance(document, dict):
            yield prepare(document, defaults, file, number)
        else:
            yield Problem("no JSON object", 'write {"message_id": …, "to": …} on each line', file, line=number)


def _foreign(line: str | bytes) -> str | None:
    """What a file is that is not meant at all, by its first bytes."""
    start = line[:4].encode("utf-8", "replace") if isinstance(line, str) else line[:4]
    return next((name for magic, name in _FOREIGN if start.startswith(magic)), None)


def repeated_key(text: str | bytes) -> str | None:
    """A name that stands twice in one object of a JSON text: one of the two values would be lost."""

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            raise _RepeatedError(next(name for name, number in counts.items() if number > 1))
        return names

    try:
        json.loads(text, object_pairs_hook=look)
    except _RepeatedError as error:
        return error.args[0]  # type: ignore[no-any-return]
    except ValueError:
        pass  # who reads it strictly says why
    return None


class _RepeatedError(Exception):
    """The name."""


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
    if unknown := sorted(document.keys() - FIELDS):
        remedies = {name: did_you_mean(name, FIELDS) for name in unknown}
        names = ", ".join(f"{name!r}" + (f" ({remedy})" if remedy else "") for name, remedy in remedies.items())
        return Problem(f"there is no field {names}", f"fields are {', '.join(sorted(FIELDS))}", file, line=line)
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
    if message.provider is None and message.campaign_id is None:
        return Problem("it names no provider, and no campaign that may", "add --provider NAME", file, line=line)
    return Prepared(message.message_id, message.to.encode(), value, message.provider, message.expires_at)
