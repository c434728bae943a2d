"""The reader of replies, byte by byte: how the bytes are cut makes no difference, and nothing raises."""

import itertools
import time

from hypothesis import given
from hypothesis import strategies as st

from connector.delivery.http.reply_parser import HEAD_BYTES, ReplyParser

from .test_reply_shapes import OK, chunked, head, whole

CHUNKED = b"Transfer-Encoding: chunked"

SHAPES = [
    whole(),
    whole() + b"more",
    whole(OK, b"X: a", b"  b", status="503 Busy"),
    head("100 Continue") + whole(),
    head("200 OK", CHUNKED) + chunked(OK[:5], OK[5:], end=b"0\r\nX: 1\r\n\r\n"),
    head("200 OK", CHUNKED) + b"zz\r\n",
    head("200 OK", b"Content-Length: 1, 2") + OK,
    head() + OK,
    head("204 No Content", b"Content-Length: 25") + OK,
    b"\r\n\r\n" + whole().replace(b"\r\n", b"\n"),
    b"HTTP/1.1 200 OK\r\nContent-Le",
    b"HTTP/1.1 50",
    b"garbage",
    b"",
]


def read(pieces: list[bytes], *, clean: bool) -> tuple[object, ...]:
    reader = ReplyParser(20)
    for piece in pieces:
        reader.feed(piece)
    reader.end(clean=clean)
    return reader.status, reader.headers, bytes(reader.body), reader.truncated, reader.fault, reader.received


@given(sent=st.sampled_from(SHAPES), cuts=st.lists(st.integers(0, 200)), clean=st.booleans())
def test_how_a_reply_is_cut_into_segments_makes_no_difference(sent: bytes, cuts: list[int], clean: bool) -> None:
    places = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    pieces = [sent[start:end] for start, end in itertools.pairwise(places)]
    assert read(pieces, clean=clean) == read([sent], clean=clean)


ANY = st.lists(
    st.sampled_from([*SHAPES, b"\r\n", b"\0", b":", b"HTTP/1.1 ", b"5\r\n", b"Content-Length: "]) | st.binary()
)


@given(pieces=ANY, clean=st.booleans(), limit=st.integers(0, 50))
def test_any_bytes_end_in_a_status_a_fault_or_nothing(pieces: list[bytes], clean: bool, limit: int) -> None:
    reader = ReplyParser(limit)
    for piece in pieces:
        reader.feed(piece)
    reader.end(clean=clean)
    assert reader.done
    assert not reader.reusable
    assert len(reader.body) <= limit
    assert reader.status is not None or reader.fault is not None
    assert not (reader.fault and reader.body)


def test_a_connection_is_kept_where_nothing_is_in_doubt_and_only_there() -> None:
    close = b"Connection: keep-alive, Close"
    for sent, kept in (
        (whole(), True),
        (whole(OK[:5]), True),
        (head("200 OK", CHUNKED) + chunked(OK[:9]), True),
        (head("204 No Content"), True),
        (whole(OK[:5], b"Connection: keep-alive", version="HTTP/1.0"), True),
        (whole(OK[:5], version="HTTP/1.0"), False),
        (whole(OK[:5], close), False),
        (whole(OK[:5], version="HTTP/2"), False),
        (whole(OK[:5]) + b"x", False),
        (head("200 OK", CHUNKED, b"Content-Length: 9") + chunked(OK[:9]), False),
        (head("200 OK", CHUNKED) + chunked(OK[:9], end=b"0\r\n"), False),
        (head("200 OK", b"Content-Length: 5, 7") + OK, False),
        (head("204 No Content", b"Content-Length: 5") + OK[:5], False),
    ):
        reader = ReplyParser(25)
        reader.feed(sent)
        assert reader.done
        assert reader.reusable is kept, sent


def test_a_hostile_reply_costs_little_time() -> None:
    """Of the processor, however it is cut."""
    started = time.process_time()
    for sent, size in (
        (head("200 OK", CHUNKED) + b"1\r\nx\r\n" * 1_000_000, 65536),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * HEAD_BYTES, 7),
        (b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 100_000, 1000),
        (b"HTTP/1.1 200 OK\r\na: b\r\n" + b" c\r\n" * 60_000, 1000),
        (head("103 Early Hints") * 20_000, 65536),
        (b"\n" * 1_000_000, 3),
    ):
        reader = ReplyParser(4_000_000)
        for at in range(0, len(sent), size):
            reader.feed(sent[at : at + size])
        reader.end(clean=True)
    assert time.process_time() - started < 5
