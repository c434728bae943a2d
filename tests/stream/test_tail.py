"""Reading back what is settled: the bitmap and the commit metadata."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model import Source
from connector.stream.tail import Offsets, decode_metadata, encode_metadata, result_source, settles


@given(st.lists(st.integers(0, 400), max_size=80))
def test_settled_holds_what_was_added(offsets):
    """Within one span of the first offset every offset is kept, in order and once."""
    settled = Offsets(span=500)
    for offset in offsets:
        settled.add(offset)
    assert list(settled) == sorted(set(offsets))
    assert bool(settled) == bool(offsets)


@given(st.sets(st.integers(1000, 1400), min_size=1))
def test_resume_is_the_first_hole_after_the_first_settled(offsets):
    """With nothing committed, everything before the first settled event was none of ours to send."""
    settled = Offsets(span=500)
    for offset in offsets:
        settled.add(offset)
    expected = min(offsets)
    while expected in offsets:
        expected += 1
    assert settled.resume_at() == expected


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (None, 102),  # nobody knows whether what stands before was ours to send
        (97, 97),  # all began at 97, and that has no result
        (99, 99),
        (100, 102),
        (500, 102),  # `latest` says nothing about what has begun already
    ],
)
def test_resume_is_the_first_hole_since_all_began(since, expected):
    settled = Offsets(span=500)
    for offset in (100, 101, 105):
        settled.add(offset)
    assert settled.resume_at(since) == expected


def test_a_result_names_its_event():
    value = b'{"status":"accepted","source":{"topic":"sms","partition":2,"offset":7},"completed_at":"x","later":1}'
    assert result_source(value) == Source("sms", 2, 7)
    for other in (None, b"", b"{}", b"nonsense", b'{"source": 3}', b"\xff"):
        assert result_source(other) is None


def test_nothing_settled_says_nothing():
    """An empty results log does not pretend to know a start."""
    assert Offsets(10).resume_at() is None


def test_the_bitmap_slides_and_stays_small():
    """A million results in order cost four spans, and the resume point is right behind them."""
    settled = Offsets(span=1000)
    for offset in range(1_000_000):
        settled.add(offset)
    assert settled.resume_at() == 1_000_000
    assert len(settled._flags) <= 4 * 1000 + 1


def test_metadata_comes_back():
    """What a commit carries is what the next owner reads."""
    ends = {"sms.results": 123, "sms.journal": 0}
    assert decode_metadata(encode_metadata(ends)) == ends


@pytest.mark.parametrize(
    "text", ["", "null", "[]", '{"v":2,"ends":{"a":1}}', '{"v":1}', '{"v":1,"ends":{"a":"x"}}', "{", "x"]
)
def test_foreign_metadata_reads_as_none(text):
    """Another client's metadata only costs a longer read."""
    assert decode_metadata(text) == {}


def test_metadata_fits_into_the_brokers_limit():
    """A commit with more than 4,096 bytes of metadata would be refused for ever."""
    ends = {f"{'sms.retry.' * 5}{tier}s": 10**18 for tier in range(12)} | {"x" * 249: 10**18, "y" * 249: 10**18}
    assert len(encode_metadata(ends)) < 4096


def test_settles_names_the_place():
    """The header is readable by people and tools."""
    assert settles("sms.messages", 3, 42) == b"sms.messages/3/42"
