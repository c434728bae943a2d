"""JSON of others: bounds before it is decoded, in our own words, and in little time."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.delivery.queue.item import Item
from connector.stream.control.table import decode_message, decode_messages
from connector.untrusted import DEPTH, BoundedReader, UnreadableError, too_deep

SECONDS = 0.25
"""The longest that one event may hold the loop, of CPU time; four times as long here, as this machine may be slow."""
EVENT_BYTES = 1 << 20

json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(json_values, st.integers(0, 2 * DEPTH), st.integers(0, 300))
def test_the_depth_is_that_of_the_document(value: Any, more: int, beside: int) -> None:
    """Whatever brackets and quotes stand in its texts, and however many stand beside each other."""
    document = [value, "[{" * beside, [[]] * beside]
    raw = b"[" * more + msgspec.json.encode(document) + b"]" * more
    assert too_deep(raw) is (depth(document) + more > DEPTH)


@pytest.mark.parametrize("raw", [b"[" * 50_000, b'"' + b"[" * 1000, b"[" * 300 + b'"\\"' * 1000, b"]" * 1000, b"\\"])
def test_what_is_no_json_has_a_depth_as_well(raw: bytes) -> None:
    assert too_deep(raw) is raw.startswith(b"[")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (None, "it is empty"),
        (b"", "it is empty"),
        (b"{hunter", "it is not JSON in UTF-8"),
        (b'{"a":1,"b":{"\xff":1}}', "it is not JSON in UTF-8"),
        (b'{"a":1,"b":{"":"\xff"}}', "it is not JSON in UTF-8"),
        (b"[" * 1000, f"nested deeper than {DEPTH}"),
        (b'{"a":"hunter"}', "a value does not fit at $.a"),
        (b'{"a":' + b"9" * 5000 + b"}", "a value does not fit at $.a"),
        (b'{"b":{"hunter":1e400},"a":1}', "a value does not fit at $.b[...]"),
        (b'{"b":{}}', "a field is missing: a"),
        (b'{"a":1}' + b" " * 10_000, "it has 10007 bytes, more than 9000"),
    ],
)
def test_what_is_wrong_is_said_without_what_was_written(raw: bytes | None, words: str) -> None:
    class Kind(msgspec.Struct):
        a: int
        b: dict[str, Any] | None = None

    with pytest.raises(UnreadableError) as told:
        BoundedReader(Kind, most=9000)(raw)
    assert str(told.value) == words


def test_numbers_are_what_they_were() -> None:
    read = BoundedReader(dict[str, Any])
    raw = b'{"a":[1e300,0.1,-0.0,1e22,123456789012345678901234567890,5,-7,2.5e-308]}'
    assert read(raw)["a"] == [1e300, 0.1, -0.0, 1e22, 123456789012345678901234567890, 5, -7, 2.5e-308]
    assert [type(it) for it in read(raw)["a"]] == [float, float, float, float, int, int, int, float]


def full(value: bytes, *, name: bytes = b"custom") -> bytes:
    """An event of EVENT_BYTES with as many of these as fit."""
    begin = b'{"message_id":"m","to":"+919812345678","provider":"a","%s":{"a":[' % name
    return begin + b",".join([value] * ((EVENT_BYTES - len(begin) - 3) // (len(value) + 1))) + b"]}}"


@pytest.fixture(scope="module")
def calm_collector() -> Iterator[None]:
    """What a worker does at its start: or what other tests have left is walked again and again."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("calm_collector")
@pytest.mark.parametrize(
    "value",
    [
        *(b"1e300", b"1e-300", b"0.1", b"1e22", b"-0", b"1", b"9" * 18, b"9" * 25, b"9" * 4_000),
        *(b"0." + b"1" * 4_000 + b"e300", b"[]", b"{}", b'{"a":1}', b'{"a":[[]]}', b'"\\u00e9"', b'"a"', b"null"),
        *(b"[" * 150 + b"]" * 150, b'"' + b'\\"[' * 1_000 + b'"'),
    ],
)
@pytest.mark.parametrize("name", [b"custom", b"template_variables", b"unknown"])
def test_decoding_the_largest_event_holds_the_loop_for_no_longer_than_is_promised(value: bytes, name: bytes) -> None:
    raw = full(value, name=name)
    assert len(raw) <= EVENT_BYTES
    began = time.process_time()
    message = decode_message(raw)
    assert time.process_time() - began < 4 * SECONDS
    assert message.message_id == "m"


def item(raw: bytes) -> Item:
    return Item(raw, None, 0, None, None)  # type: ignore[arg-type]


def test_an_event_that_is_nested_too_deep_is_found_among_others() -> None:
    good = full(b"[]")
    deep = b'{"message_id":"m","to":"+919812345678","custom":{"a":' + b"[" * DEPTH + b"]" * DEPTH + b"}}"
    assert decode_messages([item(good)]) is not None
    assert decode_messages([item(good), item(deep)]) is None
    with pytest.raises(RecursionError):
        decode_message(deep)


@pytest.mark.parametrize("custom", [b'{"a":1e400}', b'{"a":[-1e400]}'])
def test_a_number_that_is_infinite_is_refused(custom: bytes) -> None:
    raw = b'{"message_id":"m","to":"+919812345678","custom":' + custom + b"}"
    assert decode_messages([item(raw)]) is None
    with pytest.raises(msgspec.ValidationError):
        decode_message(raw)
