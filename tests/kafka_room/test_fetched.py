"""Fetched bytes become records, or what stands for them: within bounds, whatever is in them."""

from __future__ import annotations

import gc
import random
import resource
import time
import weakref
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import cramjam
import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.kafka import codecs, fetched
from connector.kafka.fetched import POLL_BYTES, RUN_RECORDS, BatchSteps, GuardedRecords, ReadOptions
from connector.kafka.record_batch import MOST_HEADERS, Unreadable
from connector.kafka.skipped import Reason, Skipped
from tests.kafka.batches import CODECS, CONTROL, TRANSACTIONAL, Made, batch, field, marker, varint
from tests.thorough import examples

TP = TopicPartition("topic", 3)
EVENT_BYTES = 100_000


def open_fetched(
    data: bytes,
    *,
    start: int = 0,
    end: int = 1 << 40,
    aborted: Sequence[tuple[int, int]] = (),
    failures: dict[TopicPartition, tuple[int, int]] | None = None,
    **reading: Any,
) -> GuardedRecords:
    options = {"skipped": Skipped(), "unreadable": "stand", "isolation": "committed", "most": EVENT_BYTES, **reading}
    found = {} if failures is None else failures
    return GuardedRecords(
        BatchSteps(TP, data, start=start, end=end, aborted=aborted, reading=ReadOptions(**options), failures=found)
    )


def test_what_is_dropped_half_read_is_freed_at_once() -> None:
    """As a fetcher drops what it has of a paused partition. In a reference cycle it would wait for a collection."""
    kept = gc.isenabled()
    gc.disable()
    try:
        found = open_fetched(batch([Made(b"x" * 100)] * 2_000))
        assert found.pop(1), "something is left to read"
        assert not found.done
        freed = weakref.ref(found._batches)
        del found
        assert freed() is None
    finally:
        if kept:
            gc.enable()


def read(data: bytes, **options: Any) -> list[Any]:
    """Everything, poll by poll; offsets must grow and never go beyond what was announced."""
    found = open_fetched(data, **options)
    records, at = [], options.get("start", 0)
    while not found.done:
        taken = found.pop(2000)
        assert taken.start == at
        assert taken.end >= at
        offsets = [record.offset for record in taken]
        assert offsets == sorted(set(offsets))
        assert all(taken.start <= offset < taken.end for offset in offsets)
        records += taken
        at = taken.end
    return records


def show(records: Sequence[Any]) -> list[Any]:
    """Values; of what stands for a record its reason."""
    return [record.reason.value if isinstance(record, Unreadable) else record.value for record in records]


@pytest.mark.parametrize("compression", CODECS)
@pytest.mark.parametrize("size", [10, 5_000], ids=["small", "larger than the compiled reader gets"])
def test_every_codec_is_read(compression: str, size: int):
    values = [random.Random(n).randbytes(size) for n in range(400)]
    made = [Made(value, b"k%d" % n, [(b"settles", b"a/0/%d" % n)]) for n, value in enumerate(values)]
    records = read(batch(made, base=70, compression=compression), start=70)
    assert show(records) == values
    assert [record.offset for record in records] == list(range(70, 470))
    assert [record.key for record in records] == [b"k%d" % n for n in range(400)]
    assert records[7].headers == (("settles", b"a/0/7"),)
    assert (records[7].topic, records[7].partition, records[7].timestamp) == ("topic", 3, 1_700_000_000_000)


@pytest.mark.parametrize("compression", CODECS)
def test_ordinary_batches_are_the_compiled_readers(compression: str, monkeypatch: pytest.MonkeyPatch):
    """Each record that is walked to costs ten times as much."""
    monkeypatch.setattr(fetched, "walk", lambda *_: pytest.fail("walked"))
    made = [Made(b"x" * 190, b"k", [(b"traceparent", b"00")]) for _ in range(4 * RUN_RECORDS)]
    assert len(read(batch(made, compression=compression), start=3)) == 4 * RUN_RECORDS - 3


GOOD = [b"a", b"b", b"c"]
LONG_HEADERS = [(b"", None)] * (MOST_HEADERS + 1)
PACKED = CODECS["gzip"][1](b"".join(Made(it).encode(n) for n, it in enumerate(GOOD)))
BAD, LARGE = Reason.UNDECODABLE.value, Reason.TOO_LARGE.value

# What a batch of three is made of, and what becomes of it. Where a record is only odd it is read.
HOSTILE: dict[str, tuple[bytes, list[Any]]] = {
    "header name that is not UTF-8": (batch([b"a", Made(b"b", headers=[(b"\xff\xfe", b"x")]), b"c"]), GOOD),
    "header without name": (batch([b"a", Made(b"b", headers=[(b"", b"x")]), b"c"]), GOOD),
    "too many headers": (batch([b"a", Made(b"b", headers=LONG_HEADERS), b"c"]), [b"a", LARGE, b"c"]),
    "headers by a negative count": (batch([b"a", Made(raw=varint(6) + b"\0\0\2\1\1\1"), b"c"]), [b"a", BAD, b"c"]),
    "key beyond its record": (batch([b"a", Made(raw=varint(6) + b"\0\0\2\x78\1\0"), b"c"]), [b"a", BAD, b"c"]),
    "bytes behind the headers": (batch([b"a", Made(raw=varint(8) + b"\0\0\2\1\1\0zz"), b"c"]), [b"a", BAD, b"c"]),
    "varint without end": (batch([b"a", Made(raw=varint(12) + b"\0" + b"\xff" * 11), b"c"]), [b"a", BAD, b"c"]),
    "record of no length": (batch([b"a", Made(raw=varint(0)), b"c"]), [b"a", BAD, BAD]),
    "record of negative length": (batch([b"a", Made(raw=varint(-5)), b"c"]), [b"a", BAD, BAD]),
    "record longer than the batch": (batch([b"a", Made(raw=varint(1 << 40)), b"c"]), [b"a", BAD, BAD]),
    "value larger than an event": (batch([b"a", bytes(EVENT_BYTES + 1), b"c"]), [b"a", LARGE, b"c"]),
    "key larger than an event": (batch([b"a", Made(b"b", bytes(EVENT_BYTES)), b"c"]), [b"a", LARGE, b"c"]),
    "headers larger than an event": (
        batch([b"a", Made(b"b", headers=[(b"h", bytes(EVENT_BYTES))]), b"c"]),
        [b"a", LARGE, b"c"],
    ),
    "value as large as an event": (batch([b"a", bytes(EVENT_BYTES), b"c"]), [b"a", bytes(EVENT_BYTES), b"c"]),
    "offset beyond the batch": (batch([b"a", Made(b"b", offset=95), b"c"]), [b"a", BAD, b"c"]),
    "offset of another record": (batch([b"a", Made(b"b", offset=0), b"c"]), [b"a", BAD, b"c"]),
    "offset before the batch": (batch([b"a", Made(b"b", offset=-7), b"c"]), [b"a", BAD, b"c"]),
    "offsets exchanged": (batch([b"a", Made(b"b", offset=2), Made(b"c", offset=1)]), [b"a", BAD, BAD]),
    "fewer records than offsets": (batch(GOOD, last=5), GOOD),
    "more records than offsets": (batch(GOOD, last=1), [b"a", b"b"]),
    "a record is missing": (batch([b"a", b"b"], last=2, count=3), [b"a", b"b", BAD]),
    "bytes behind the records": (batch([b"a", b"b", Made(b"c"), Made(raw=b"zzzz")], last=2, count=3), GOOD),
    "unknown codec": (batch(GOOD, compression=7), [BAD] * 3),
    "codec that is not what it says": (batch(GOOD, compression=4, payload=PACKED), [BAD] * 3),
    "truncated gzip": (batch(GOOD, compression=1, payload=PACKED[:-9]), [BAD] * 3),
    "empty payload": (batch(GOOD, compression=1, payload=b""), [BAD] * 3),
    "snappy block of negative length": (
        batch(GOOD, compression=2, payload=b"\x82SNAPPY\0\0\0\0\1\0\0\0\1\xff\xff\xff\xfc1234"),
        [BAD] * 3,
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_broken_record_costs_itself_and_a_broken_batch_each_of_its_offsets(case: str):
    data, expected = HOSTILE[case]
    records = read(data + batch([b"behind"], base=100))
    assert show(records) == [*expected, b"behind"]
    assert [record.offset for record in records] == [*range(len(expected)), 100]
    assert all(record.why for record in records if isinstance(record, Unreadable))


@pytest.mark.parametrize("case", HOSTILE)
def test_where_nothing_is_to_stand_for_them_they_are_counted(case: str):
    data, expected = HOSTILE[case]
    skipped = Skipped()
    records = read(data + batch([b"behind"], base=100), unreadable="pass", skipped=skipped, isolation="own")
    assert [record.value for record in records] == [it for it in expected if isinstance(it, bytes)] + [b"behind"]
    poison = [it for it in expected if isinstance(it, str)]
    assert sum(skipped.counts.values()) == len(poison)


def test_what_is_too_large_keeps_its_key_and_a_key_that_is_too_large_is_let_go():
    small, large = read(batch([Made(bytes(EVENT_BYTES), b"key"), Made(b"", bytes(EVENT_BYTES + 1))]))
    assert (small.key, small.timestamp, small.offset) == (b"key", 1_700_000_000_000, 0)
    assert (large.key, large.value, large.offset) == (None, None, 1)
    assert "100,003 bytes" in small.why


def test_reading_begins_in_the_middle_of_a_batch():
    for compression in CODECS:
        data = batch([b"%d" % n for n in range(5000)], compression=compression)
        assert show(read(data, start=4321))[:2] == [b"4321", b"4322"]
        odd = batch([*(b"%d" % n for n in range(50)), Made(b"", headers=[(b"\xff", b"")])], compression=compression)
        assert show(read(odd, start=48)) == [b"48", b"49", b""]


def test_a_batch_with_a_wrong_checksum_is_fetched_again_before_it_is_given_up():
    """Bytes may change on their way. Nothing of it is believed: a digit of a number may be another one."""
    data = batch([b"a", b"b"], base=5, checksum=1) + batch([b"c"], base=7)
    failures: dict[TopicPartition, tuple[int, int]] = {}
    for _ in range(2):
        found = open_fetched(data, start=5, failures=failures)
        assert not found.pop(10)
        assert (found.done, found.next_fetch_offset) == (True, 5)
    assert show(read(data, start=5, failures=failures)) == [BAD, BAD, b"c"]
    assert not failures


@pytest.mark.parametrize(
    ("wrong", "lost"),
    [
        ({"last": 1 << 30}, 2),  # the next batch says where it ends
        ({"last": -5}, 2),
        ({"last": 1 << 30, "alone": True}, 2),  # a record takes seven bytes at least
        ({"last": 1 << 30, "alone": True, "compression": "gzip", "end": 12}, 7),  # the log ends there
    ],
)
def test_a_batch_that_cannot_be_believed_takes_no_other_with_it(wrong: dict[str, Any], lost: int):
    alone, end = wrong.pop("alone", False), wrong.pop("end", 1 << 40)
    data = batch([b"a", b"b"], base=5, checksum=1, **wrong)
    data += b"" if alone else batch([b"c"], base=7)
    records = read(data, start=5, end=end, failures={TP: (5, 2)})
    assert show(records) == [BAD] * lost + ([] if alone else [b"c"])


def test_bytes_that_are_no_batch_are_passed_one_offset_at_a_time():
    for data in (b"\0" * 11, b"\xff" * 500, batch([b"a"])[:-3], batch([b"a"], magic=1), batch([b"a"], magic=9)):
        records = read(data, start=4, failures={TP: (4, 2)})
        assert show(records) == [BAD], data
        assert records[0].offset == 4


# ---- transactions ---------------------------------------------------------------------------------------------------


def transactional(values: Sequence[bytes], base: int, producer: int) -> bytes:
    return batch(values, base=base, producer=producer, attributes=TRANSACTIONAL)


LOG = b"".join(
    [
        transactional([b"no1", b"no2"], 0, 7),
        batch([b"plain"], base=2),
        transactional([b"yes"], 3, 8),
        marker(base=4, producer=7, commit=False),
        transactional([b"again"], 5, 7),
        marker(base=6, producer=8, commit=True),
        marker(base=7, producer=7, commit=True),
    ]
)


def test_what_was_aborted_is_left_out_and_markers_move_the_position():
    found = open_fetched(LOG, aborted=[(7, 0)])
    taken = found.pop(100)
    assert show(taken) == [b"plain", b"yes", b"again"]
    assert (taken.start, taken.end, found.done) == (0, 8, True)


def test_a_transaction_that_was_aborted_and_nothing_else_is_an_empty_chunk_with_the_next_offset():
    data = transactional([b"no"], 40, 7) + marker(base=41, producer=7, commit=False)
    taken = open_fetched(data, start=40, aborted=[(7, 40)]).pop(100)
    assert (list(taken), taken.start, taken.end) == ([], 40, 42)


def test_in_topics_of_ours_transactional_batches_are_passed_over():
    skipped = Skipped()
    taken = open_fetched(LOG, isolation="own", skipped=skipped).pop(100)
    assert show(taken) == [b"plain"]
    assert taken.end == 8
    assert skipped.counts["topic", Reason.TRANSACTIONAL] == 4


def test_a_control_batch_of_any_content_is_a_marker():
    data = batch([], base=0, attributes=CONTROL | TRANSACTIONAL, payload=b"rubbish", last=0, count=1)
    assert show(read(data + batch([b"a"], base=1))) == [b"a"]


# ---- bounds ---------------------------------------------------------------------------------------------------------

MIB = 1 << 20


def bomb(name: str) -> bytes:
    """A record, and one of 300 MiB: packed piece by piece, so that this process never held it."""
    packer = getattr(cramjam, name).Compressor(1)
    head = b"\0" + varint(0) + varint(1) + field(b"giant") + varint(300 * MIB)
    packer.compress(Made(b"a").encode(0) + varint(len(head) + 300 * MIB + 1) + head)
    for _ in range(300):
        packer.compress(bytes(MIB))
    packer.compress(varint(0))
    return bytes(packer.finish())


def peak_mib(work: Callable[[], object]) -> float:
    """How much more the process held at its worst."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


@pytest.mark.parametrize("name", ["gzip", "lz4", "zstd"])
def test_a_small_batch_that_expands_takes_no_memory_and_the_good_record_before_it_is_kept(name: str):
    number = CODECS[name][0]
    data = batch([], compression=number, payload=bomb(name), last=1, count=2)
    assert peak_mib(lambda: None) < 1
    grown = peak_mib(lambda: checked.append(read(data))) if (checked := []) == [] else 0
    assert [show(records) for records in checked] == [[b"a", LARGE]]
    assert checked[0][1].key == b"giant"
    assert grown < 150, "it holds 300 MiB"


def steps(data: bytes, **options: Any) -> tuple[list[int], int]:
    """CPU milliseconds of each poll, and the largest number of bytes one brought."""
    found = open_fetched(data, **options)
    spent, largest = [], 0
    gc.disable()  # it would look at everything that other tests have left
    try:
        while not found.done:
            begun = time.thread_time()
            taken = found.pop(2000)
            spent.append(round((time.thread_time() - begun) * 1000))
            largest = max(largest, sum(len(record.value or b"") for record in taken))
    finally:
        gc.enable()
    return spent, largest


@cache
def tiny() -> bytes:
    return b"".join(Made(b"").encode(n) for n in range(120_000))


@pytest.mark.parametrize("compression", CODECS)
def test_no_poll_works_long_or_brings_much(compression: str):
    """Many records that are next to nothing, and many that are large, in one small batch."""
    number, encode = CODECS[compression]
    packed = batch([], compression=number, payload=encode(tiny()), last=119_999, count=120_000)
    spent, _ = steps(packed)
    assert max(spent) <= 250, max(spent)
    assert len(spent) >= 120_000 / (2000 + RUN_RECORDS)
    large = batch([bytes(EVENT_BYTES)] * 150, compression=compression)
    spent, largest = steps(large)
    assert max(spent) <= 250, max(spent)
    assert largest <= POLL_BYTES + 2 * EVENT_BYTES


def test_beyond_the_work_bound_the_rest_is_stepped_over():
    values = [bytes(EVENT_BYTES)] * 1000  # 100 MB
    records = show(read(batch(values, compression="zstd")))
    good = codecs.WORK_BYTES // (EVENT_BYTES + 10)
    assert records == [bytes(EVENT_BYTES)] * good + [LARGE] * (1000 - good)


def test_a_gzip_batch_may_have_several_members():
    raw = b"".join(Made(it).encode(n) for n, it in enumerate(GOOD))
    packed = CODECS["gzip"][1](raw[:9]) + CODECS["gzip"][1](raw[9:]) + b"\0\0"
    assert show(read(batch(GOOD, compression=1, payload=packed))) == GOOD


# ---- anything -------------------------------------------------------------------------------------------------------

values = st.one_of(st.none(), st.binary(max_size=40))
made = st.builds(Made, values, values, st.lists(st.tuples(st.binary(max_size=5), values), max_size=3))


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(made, min_size=1, max_size=8), st.sampled_from(list(CODECS)), st.integers(0, 9), st.data())
def test_records_come_as_they_were_written_and_flipped_bits_never_raise(
    records: list[Made], compression: str, start: int, data: st.DataObject
):
    start = min(start, len(records) - 1)
    whole = batch(records, compression=compression)
    found = read(whole, start=start)
    assert [(it.key, it.value) for it in found] == [(it.key, it.value) for it in records[start:]]
    flipped = bytearray(whole + batch([b"behind"], base=50))
    place = data.draw(st.integers(0, len(flipped) - 1))
    flipped[place] ^= data.draw(st.integers(1, 255))
    read(bytes(flipped), failures={TP: (0, 2)}, end=51)


@settings(max_examples=examples(150), deadline=None)
@given(st.binary(max_size=60), st.sampled_from([0, 1, 2, 3, 4]), st.integers(1, 5))
def test_any_payload_with_a_right_checksum_is_read_or_stood_for(payload: bytes, codec: int, count: int):
    records = read(batch([], compression=codec, payload=payload, last=count - 1, count=count))
    assert len(records) <= count


def test_zlib_and_cramjam_say_what_they_said():
    """What `codecs` takes for the sign of a full buffer."""
    for module in (cramjam.zstd, cramjam.lz4):
        with pytest.raises(cramjam.DecompressionError, match=f"^{codecs.FULL}$"):
            module.decompress_into(bytes(module.compress(bytes(1000))), bytearray(999))
        buffer = bytearray(1500)
        with pytest.raises(cramjam.DecompressionError):
            module.decompress_into(bytes(module.compress(b"x" * (1 << 20))), buffer)
        assert buffer == b"x" * 1500, "what comes before is there"
    with pytest.raises(zlib.error):
        zlib.decompressobj(31).decompress(b"nothing of the kind")
