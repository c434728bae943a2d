"""Events that a person gives: of a file, or pasted; what is no message says why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from connector.model import Message
from connector.stream.intake.unreadable import fault

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(slots=True)
class NamedEvent:
    """One event of a file. `name` says which, for people; `fault` why it is no message, `unknown` what none has."""

    name: str
    message: Message | None = None
    fault: str = ""
    unknown: tuple[str, ...] = ()


def read_events(data: bytes, name: str) -> Iterator[NamedEvent]:
    """The events of one file: an object, an array of objects, or lines of objects."""
    try:
        whole = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        lines = data.splitlines()
        yield from (event_of(line, f"{name}:{number}") for number, line in enumerate(lines, 1) if line.strip())
        return
    if isinstance(whole, list):
        for index, raw in enumerate(msgspec.json.decode(data, type=list[msgspec.Raw])):
            yield event_of(bytes(raw), f"{name}[{index}]")
    else:
        yield event_of(data, name)


def event_of(raw: bytes, name: str) -> NamedEvent:
    """One event, whose text is `raw`."""
    try:
        message = msgspec.json.decode(raw, type=Message)
        unknown = _fields(raw).keys() - frozenset(Message.__struct_fields__)
        return NamedEvent(name, message, unknown=tuple(sorted(unknown)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return NamedEvent(name, fault=f"not a message: {fault(raw, error)}")


def label(event: NamedEvent) -> str:
    """What people know it by: its id, else its place."""
    return event.message.message_id if event.message is not None else event.name
