"""What workers write for each other: read as it was written, within bounds, and never guessed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from connector.model import Source
from connector.stream.output import journal
from connector.stream.partitions import formats
from connector.stream.partitions.formats import (
    METADATA_BYTES,
    Metadata,
    RetryHeader,
    VersionError,
    encode_metadata,
    ends_of,
    result_source,
    settled_place,
    settles,
)
from connector.untrusted import UnreadableError

DEEP = b"[" * 50_000
AT = datetime(2026, 3, 2, tzinfo=UTC)


def test_a_result_names_its_event() -> None:
    value = b'{"status":"accepted","source":{"topic":"sms","partition":2,"offset":7},"completed_at":"x","later":1}'
    assert result_source(value) == Source("sms", 2, 7)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{}",
        b"nonsense",
        b'{"source": 3}',
        b"\xff",
        DEEP,
        b'{"source":{"topic":"sms","partition":0,"offset":1},"zz":' + DEEP + b"]" * 50_000 + b"}",
        b'{"source":{"topic":"sms","partition":0,"offset":' + b"9" * 5_000 + b"}}",
        b'{"source":{"topic":"sms","partition":0,"offset":9223372036854775808}}',
        b'{"source":{"topic":"sms","partition":-1,"offset":1}}',
        b'{"source":{"topic":"' + b"x" * 250 + b'","partition":0,"offset":1}}',
        b'{"source":{"topic":"sms","partition":0,"offset":1e3}}x',
    ],
)
def test_what_is_no_result_names_none(value) -> None:
    assert result_source(value) is None


def test_settles_names_the_place() -> None:
    """The header is readable by people and tools, and by connector 0.1."""
    assert settles("sms.messages", 3, 42) == b"sms.messages/3/42"
    assert settled_place([("x", b"1"), ("settles", b"sms.messages/3/42")]) == ("sms.messages/3", 42)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("settles", None)],
        [("settles", b"")],
        [("settles", b"sms.messages/0/")],
        [("settles", b"sms.messages/0/-1")],
        [("settles", b"sms.messages/0/1.5")],
        [("settles", b"sms.messages/0/1e9")],
        [("settles", b"sms.messages/0/" + b"9" * 5_000)],
        [("settles", "sms.messages/0/१२".encode())],
        [("settles", b"\xff/0/\xff")],
        [("settles", b"sms.messages/0/1"), ("settles", b"sms.messages/0/2")],
        [("settles", b"2:sms.messages/0/1/9x")],
    ],
)
def test_headers_that_name_no_place(headers) -> None:
    assert settled_place(headers) is None


def test_metadata_comes_back() -> None:
    """What a commit carries is what the next owner reads."""
    ends = {"sms.results": 123, "sms.journal": 0}
    assert ends_of(encode_metadata(Metadata(ends))) == ends


@pytest.mark.parametrize(
    "text",
    [
        *["", "null", "[]", '{"v":1,"ends":{"a":"x"}}', "{", "x", '{"v":1,"ends":[]}', '{"v":1,"ends":{"a":null}}'],
        *['{"v":1,"ends":{"a":1e400}}', '{"v":1,"ends":{"a":-1}}', '{"v":1,"ends":{"a":9223372036854775808}}'],
        *['{"v":"1","ends":{}}', '{"v":1e400}', "[" * 4000, '{"v":1,"zz":' + "[" * 2000 + "]" * 2000 + "}"],
        '{"v":1,"ends":{"a":' + "9" * 5000 + "}}",
        '{"v":1,"ends":{"' + "x" * 5000 + '":1}}',
        "\ud83d",
    ],
)
def test_metadata_of_others_reads_as_no_ends(text) -> None:
    """It only costs a longer read."""
    assert ends_of(text) == {}


def test_metadata_fits_into_the_brokers_limit() -> None:
    """A commit with more would be refused for ever."""
    ends = {f"{'sms.retry.' * 5}{tier}s": 10**18 for tier in range(12)} | {"x" * 249: 10**18, "y" * 249: 10**18}
    assert len(encode_metadata(Metadata(ends))) < METADATA_BYTES


RETRIED = RetryHeader(Source("sms.messages", 0, 7), AT, attempts=2, due=1.5, deadline=9.0, uncertain=True)


def test_every_format_says_its_version_and_comes_back() -> None:
    entry = journal.Entry("sent", "sms.messages", [1, 2], "batch")
    for written in (encode_metadata(Metadata({"a": 1})).encode(), formats.encode(RETRIED), journal.encode(entry)):
        assert json.loads(written)["v"] == 1
    assert formats.read_retry(formats.encode(RETRIED)) == RETRIED
    assert journal.decode(journal.encode(entry)) == entry


def test_what_connector_0_1_wrote_is_read() -> None:
    """It writes no version but in metadata."""
    assert ends_of('{"v":1,"ends":{"sms.results":5}}') == {"sms.results": 5}
    old = (
        b'{"source":{"topic":"m","partition":0,"offset":7},"received_at":"2026-03-02T00:00:00Z","attempts":1,"due":0.0,'
    )
    read = formats.read_retry(old + b'"deadline":null,"uncertain":false}')
    assert (read.source, read.attempts, read.v) == (Source("m", 0, 7), 1, 1)
    assert journal.decode(b'{"batch_id":"b","topic":"m","sent":[1]}') == journal.Entry("sent", "m", [1], "b")
    assert journal.decode(b'{"topic":"m","released":[1]}') == journal.Entry("released", "m", [1])


@pytest.mark.parametrize("read", [formats.read_retry, formats.read_metadata, journal.decode])
def test_another_version_is_told_from_what_cannot_be_read(read) -> None:
    for document in (b'{"v":2}', b'{"v":2,"source":[],"ends":1,"topic":7}'):
        with pytest.raises(VersionError) as told:
            read(document)
        assert told.value.needed == 2
    for document in (b'{"v":1e400}', b'{"v":-1}', b'{"v":' + b"9" * 5_000 + b"}", b'{"v":[2]}', DEEP, b"\xff", b"2"):
        with pytest.raises(UnreadableError):
            read(document)


def test_keys_that_are_not_known_are_passed_over() -> None:
    """A later minor version may add some."""
    document = json.loads(formats.encode(RETRIED)) | {"kind": "x", "later": {"a": [1]}}
    assert formats.read_retry(json.dumps(document).encode()) == RETRIED
    assert ends_of('{"v":1,"ends":{"a":1},"left":true}') == {"a": 1}


@pytest.mark.parametrize(
    "change",
    [
        *[{"due": 1e308}, {"due": -1}, {"due": None}, {"due": "soon"}, {"attempts": 10**30}, {"attempts": -1}],
        *[{"deadline": 1e300}, {"deadline": []}, {"received_at": "yesterday"}, {"received_at": None}, {"source": 1}],
        {"source": {"topic": "m", "partition": 0}},
        {"uncertain": "perhaps"},
    ],
)
def test_a_retry_header_with_impossible_values_is_not_understood(change) -> None:
    document = json.loads(formats.encode(RETRIED)) | change
    with pytest.raises(UnreadableError):
        formats.read_retry(json.dumps(document).encode())


@pytest.mark.parametrize("due", [b"NaN", b"Infinity", b"1e400", b"1" * 5_000])
def test_numbers_that_are_none_are_not_understood(due) -> None:
    document = formats.encode(RETRIED).replace(b'"due":1.5', b'"due":' + due)
    assert due in document
    with pytest.raises(UnreadableError):
        formats.read_retry(document)


@pytest.mark.parametrize(
    "value",
    [
        *[b'{"topic":"m"}', b'{"topic":"m","sent":[1],"released":[1]}', b'{"topic":"m","sent":[-1]}'],
        *[b'{"topic":"m","sent":["1"]}', b'{"topic":"m","sent":[1.5]}', b'{"topic":"","sent":[1]}'],
        b'{"topic":"m","sent":[9223372036854775808]}',
        b'{"topic":"m","sent":[' + b",".join([b"1"] * 1_001) + b"]}",
        b'{"topic":"m","sent":' + DEEP + b"}",
    ],
)
def test_journal_records_that_no_worker_writes_are_not_understood(value) -> None:
    with pytest.raises(UnreadableError):
        journal.decode(value)
