"""The frame in front of a value: read back as it was written, refused where it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import MessageError
from connector.formats.wire import frame, message_indexes, unframe


def zigzag(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


@given(st.integers(0, 2**32 - 1), st.binary())
def test_a_frame_is_read_back(schema_id: int, payload: bytes) -> None:
    assert unframe(frame(schema_id, payload)) == (schema_id, payload)


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\0\0\0", b"\1\0\0\0\1x", b'{"to":1}'])
def test_what_has_no_frame_is_no_event(value: bytes) -> None:
    with pytest.raises(MessageError):
        unframe(value)


@given(st.lists(st.integers(0, 2**20), min_size=1, max_size=16), st.binary())
def test_message_indexes_are_read_back(indexes: list[int], payload: bytes) -> None:
    written = zigzag(len(indexes)) + b"".join(map(zigzag, indexes))
    assert message_indexes(written + payload) == (tuple(indexes), payload)


def test_the_first_message_is_one_byte() -> None:
    assert message_indexes(b"\0rest") == ((0,), b"rest")


@pytest.mark.parametrize(
    "payload", [b"", b"\x80", b"\x02", b"\x03", b"\x01\x00", b"\xff" * 20, b"\x80\x80\x04" + b"\0" * 99]
)
def test_broken_message_indexes_are_refused(payload: bytes) -> None:
    with pytest.raises(MessageError):
        message_indexes(payload)


@given(st.binary(max_size=40))
def test_whatever_the_bytes_nothing_else_is_raised(payload: bytes) -> None:
    for read in (unframe, message_indexes):
        try:
            read(payload)
        except MessageError:
            continue
