"""The frame that serializers of a schema registry write before a value: a zero byte, then the id of its schema.

Before Protobuf stands also which message of the schema it is: a list of indexes, message within message.
"""

from __future__ import annotations

from connector.errors import MessageError

FRAME_BYTES = 5
GUID_HEADER = "__value_schema_id"
"""Serializers that are told to put the id into a header write this one, and no frame."""
MOST_INDEXES = 16
"""Messages within messages; a schema that nests deeper is none that a person wrote."""
VARINT_BYTES = 10


def frame(schema_id: int, payload: bytes) -> bytes:
    """The value as a serializer writes it."""
    return b"\0" + schema_id.to_bytes(4, "big") + payload


def unframe(value: bytes) -> tuple[int, bytes]:
    """Schema id and payload. Raises MessageError."""
    if not value:
        raise MessageError("it has no value")
    if value[0] != 0:
        raise MessageError("it does not begin with the id of a schema (a zero byte and four more)")
    if len(value) < FRAME_BYTES:
        raise MessageError(f"it has {len(value)} bytes, too few for the id of a schema")
    return int.from_bytes(value[1:FRAME_BYTES], "big"), value[FRAME_BYTES:]


def message_indexes(payload: bytes) -> tuple[tuple[int, ...], bytes]:
    """Which message of a Protobuf schema follows, and what is left. Raises MessageError."""
    count, at = _varint(payload, 0)
    if count == 0:  # the first message, as nearly always, is written in one byte
        return (0,), payload[at:]
    if not 0 < count <= MOST_INDEXES:
        raise MessageError(f"it says that it is nested {count} messages deep")
    indexes = []
    for _ in range(count):
        index, at = _varint(payload, at)
        indexes.append(index)
    if min(indexes) < 0:
        raise MessageError("it names a message by a negative index")
    return tuple(indexes), payload[at:]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag number and where it ends."""
    number = shift = 0
    for byte in data[at : at + VARINT_BYTES]:
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
        shift += 7
    raise MessageError("it ends within its message indexes")
