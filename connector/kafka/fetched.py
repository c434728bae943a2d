"""What was fetched of a partition, read batch by batch within bounds, whatever stands in it.

A batch is read with aiokafka's compiled reader where that does, and record by record where not (`record_batch`). What
cannot be read becomes a record of its own, or is passed over and counted, as the reader wishes.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import attrgetter
from typing import Any, Literal

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch

from connector.kafka import codecs
from connector.kafka.codecs import CAP_BYTES, PIECE_BYTES, TooLargeError, UndecodableError
from connector.kafka.record_batch import (
    HEADER_BYTES,
    MOST_HEADERS,
    BatchHeader,
    BrokenError,
    Pause,
    Unreadable,
    header_at,
    size_at,
    size_of,
    too_large,
    too_many_headers,
    walk,
)
from connector.kafka.skipped import Reason, Skipped

EVENT_BYTES = 1024**2
"""The largest event where nothing else is said; of our own records the largest are smaller."""

OWN_HEADERS_BYTES = 16 * 1024
"""What our records of an event are larger than it."""

RUN_RECORDS = 500
"""Records read between two looks at the bounds: one or two milliseconds where each is walked to."""
POLL_BYTES = 1024**2
"""What one poll takes of a partition, decompressed; a batch more where it is smaller, and a run of one that is larger.
What is handed over lies in buffers that nobody counts."""
SMALL_BYTES = 1024**2
"""A batch up to this size is the compiled reader's: as many headers as fit into it are 40 MB at most, and let go."""

MAGIC = 2
"""The number of the format."""

# A batch whose checksum does not fit is fetched again, in case the bytes changed on their way.
CHECKSUM_TRIES = 3

_offset, _headers = attrgetter("offset"), attrgetter("headers")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a consumer reads.

    Attributes:
        skipped: where records that are passed over are counted.
        unreadable: `stand`: a record that cannot be read is handed over as an `Unreadable`, one for each offset;
            `pass`: it is passed over.
        isolation: `committed`: what was aborted is left out, and what is not decided yet is not read; `own`: to the
            high watermark, and transactional batches, which we never write, are passed over; `all`: whatever is there.
        raw: records are handed over as the compiled reader yields them, without topic and partition.
        most: bytes of the largest record.
    """

    skipped: Skipped
    unreadable: Literal["stand", "pass"] = "pass"
    isolation: Literal["committed", "own", "all"] = "own"
    raw: bool = False
    most: int = EVENT_BYTES


def own_record_bytes(event_bytes: int) -> int:
    """Of the largest record of ours: one made before the setting was lowered is read as well."""
    return max(event_bytes, EVENT_BYTES) + OWN_HEADERS_BYTES


class Fetched(list[Any]):
    """Records of a partition, and the offsets they are all of.

    Attributes:
        start: where reading began.
        end: where it goes on: behind markers of transactions, aborted ones, and records that compaction took.
    """

    __slots__ = ("end", "start")

    def __init__(self, start: int) -> None:
        super().__init__()
        self.start = self.end = start


class GuardedRecords:
    """The fetched batches of one partition, read step by step, in the place of aiokafka's `PartitionRecords`.

    Attributes:
        done: there is nothing left.
    """

    def __init__(self, batches: BatchSteps) -> None:
        self.done = False
        self._batches = batches
        # No reference cycle: `batches` does not know its iterator. Otherwise what a fetcher drops half-read, as it does
        # for a paused partition, would keep up to a megabyte each until a full garbage collection.
        self._steps = batches.read()

    @property
    def next_fetch_offset(self) -> int:
        """What `FetchResult` asks for: where to go on."""
        return self._batches.next_fetch_offset

    def pop(self, most: float) -> Fetched:
        """The next records, at least `most` where there are so many, within `POLL_BYTES`. Empty where none came so far:
        `done` tells whether any will.
        """
        batches = self._batches
        taken = Fetched(batches.next_fetch_offset)
        batches.bytes = 0
        for run in self._steps:
            taken += run
            taken.end = batches.next_fetch_offset
            if not run or len(taken) >= most or batches.bytes >= POLL_BYTES:
                return taken
        self.done = True
        taken.end = batches.next_fetch_offset
        return taken


class BatchSteps:
    """Reads the fetched batches of one partition.

    Args:
        tp: the partition.
        data: what was fetched of it.
        start: the offset that was asked for.
        end: its high watermark; an offset beyond it is a lie.
        aborted: producer id and first offset of transactions that were aborted.
        reading: how.
        failures: partition → offset and tries of a batch whose checksum did not fit.

    Attributes:
        next_fetch_offset: one past the last record that was read or passed over.
        bytes: of the records read since somebody set it to 0, decompressed.
    """

    def __init__(
        self,
        tp: TopicPartition,
        data: bytes,
        *,
        start: int,
        end: int,
        aborted: Iterable[tuple[int, int]],
        reading: ReadOptions,
        failures: dict[TopicPartition, tuple[int, int]],
    ) -> None:
        self.next_fetch_offset = start
        self.bytes = 0
        self._tp = tp
        self._data = data
        self._start = start
        self._end = end
        self._reading = reading
        self._aborted = sorted(aborted, key=lambda each: each[1], reverse=True)
        self._aborted_producers: set[int] = set()
        self._failures = failures

    # ---- batches ----------------------------------------------------------------------------------------------------

    def read(self) -> Iterator[Sequence[Any]]:
        """Records in runs; an empty run where somebody else should have a turn."""
        data, position = self._data, 0
        while position < len(data):
            size = size_at(data, position)
            magic = data[position + 16] if len(data) - position > 16 else 2
            if magic < 2:
                size = _legacy_size(data, position)
            if size is None:
                break  # cut off at the end of a fetch; the first one comes whole (KIP-74)
            batch = memoryview(data)[position : position + size]
            if magic < 2:
                yield from self._legacy(batch, magic)
            else:
                yield from self._batch(batch, header_at(data, position), following=_base_at(data, position + size))
                if self._failures.get(self._tp, (-1, 0))[0] == self.next_fetch_offset:
                    return  # its checksum: fetched again
            position += size
        if self.next_fetch_offset == self._start:  # it would be fetched again, for ever
            yield from self._broken(self._start + 1, "what was fetched does not hold it")

    def _batch(self, batch: memoryview, header: BatchHeader, *, following: int | None) -> Iterator[Sequence[Any]]:
        reader = DefaultRecordBatch(batch)
        if header.magic != MAGIC or not reader.validate_crc():
            yield from self._wrong_checksum(header, len(batch), following)
            return
        left_out = self._is_left_out(header)
        if header.end <= self.next_fetch_offset:
            return
        if left_out:
            self.next_fetch_offset = header.end
            return
        try:
            yield from self._records(batch, header, reader)
        except (BrokenError, UndecodableError) as error:
            yield from self._broken(header.end, f"its batch cannot be read: {error}")
        except TooLargeError:
            why = f"its batch holds more than {codecs.WORK_BYTES:,} bytes"
            yield from self._broken(header.end, why, Reason.TOO_LARGE)
        self.next_fetch_offset = header.end

    def _is_left_out(self, header: BatchHeader) -> bool:
        """Whether none of its records are events: markers, what was aborted, what we never write."""
        if self._reading.isolation == "committed":
            while self._aborted and self._aborted[-1][1] <= header.base:
                self._aborted_producers.add(self._aborted.pop()[0])
            if header.control:  # either marker ends what its producer had begun
                self._aborted_producers.discard(header.producer_id)
            elif header.transactional and header.producer_id in self._aborted_producers:
                return True
        elif self._reading.isolation == "own" and header.transactional and not header.control:
            self._note(header.base, Reason.TRANSACTIONAL, header.end - header.base, "we write no transactions there")
            return True
        return header.control

    def _records(self, batch: memoryview, header: BatchHeader, reader: Any) -> Iterator[Sequence[Any]]:
        packed = batch[HEADER_BYTES:]
        pieces: Iterator[bytes]
        if header.codec == 0:
            if len(packed) <= SMALL_BYTES and (yield from self._compiled(header, reader, len(packed))):
                return
            pieces = (bytes(packed[start : start + PIECE_BYTES]) for start in range(0, len(packed), PIECE_BYTES))
        else:
            try:
                raw = codecs.decompress(header.codec, packed, CAP_BYTES)
            except TooLargeError:
                pieces = codecs.pieces(header.codec, packed)
            else:
                if len(raw) <= SMALL_BYTES:
                    opened = DefaultRecordBatch(_opened(batch, raw))
                    if (yield from self._compiled(header, opened, len(raw))):
                        return
                pieces = iter([raw])
                del raw
        yield from self._walked(header, pieces)

    def _compiled(self, header: BatchHeader, reader: Any, size: int) -> Generator[Sequence[Any], None, bool]:
        """Read with aiokafka's compiled reader. False where a record is not for it: it is walked to."""
        records, seen = chain(reader), 0  # aiokafka's is asked for an iterator once, and islice asks again
        self.bytes += size
        while True:
            try:
                run = list(islice(records, RUN_RECORDS))
            except Exception:  # whatever it says, the walk says it better
                return False
            if not _are_of(header, seen, run):
                return False
            seen += len(run)
            ended = len(run) < RUN_RECORDS  # aiokafka's begins again after its end
            if run and run[0].offset < self.next_fetch_offset:
                run = [record for record in run if record.offset >= self.next_fetch_offset]
            if run:
                self.next_fetch_offset = run[-1].offset + 1
                if size > self._reading.most or max(map(len, map(_headers, run))) > MOST_HEADERS:
                    run = [self._measured(record) for record in run]
                yield self._finished(run)
            elif not ended:
                yield ()
            if ended:
                return True

    def _walked(self, header: BatchHeader, pieces: Iterator[bytes]) -> Iterator[Sequence[Any]]:
        run: list[Any] = []
        size = 0
        most = self._reading.most
        try:
            for steps, record in enumerate(walk(header, pieces, self.next_fetch_offset, most), 1):
                if record is Pause.HERE:
                    yield from self._turn(run, size)
                    run, size = [], 0
                elif record is not None:
                    run.append(record)
                    if not isinstance(record, Unreadable):
                        size += size_of(record.key, record.value, record.headers)
                if size >= POLL_BYTES or steps % RUN_RECORDS == 0:
                    yield from self._turn(run, size)
                    run, size = [], 0
        except (BrokenError, TooLargeError, UndecodableError):
            yield from self._turn(run, size)
            raise
        yield from self._turn(run, size)

    def _turn(self, run: list[Any], size: int) -> Iterator[Sequence[Any]]:
        if run:
            self.next_fetch_offset = run[-1].offset + 1
        self.bytes += size
        yield self._finished(run)
        if run:
            yield ()  # somebody else's turn

    def _legacy(self, batch: memoryview, magic: int) -> Iterator[Sequence[Any]]:
        """The formats before Kafka 0.11: only in old logs. One that cannot be read costs what it wraps."""
        last = int.from_bytes(batch[:8], "big", signed=True)
        if last < self.next_fetch_offset:
            return
        try:
            reader = LegacyRecordBatch(batch, magic)
            if not reader.validate_crc():
                raise UndecodableError("its checksum does not fit")
            run = [self._measured(it) for it in reader if self.next_fetch_offset <= it.offset <= last]
        except Exception as error:  # whatever is wrong with it
            yield from self._broken(last + 1, f"its batch cannot be read: {type(error).__name__}")
        else:
            self.bytes += len(batch)
            self.next_fetch_offset = last + 1
            yield self._finished(run)

    # ---- what cannot be read ----------------------------------------------------------------------------------------

    def _wrong_checksum(self, header: BatchHeader, size: int, following: int | None) -> Iterator[Sequence[Any]]:
        """Nothing it says can be believed, its number of records as little: it ends where the next batch begins."""
        before, tries = self._failures.get(self._tp, (-1, 0))
        tries = tries + 1 if before == self.next_fetch_offset else 1
        if tries < CHECKSUM_TRIES:
            self._failures[self._tp] = (self.next_fetch_offset, tries)
            return
        self._failures.pop(self._tp, None)
        end: float = header.end
        if header.codec == 0:  # a record takes seven bytes at least
            end = min(end, header.base + max(1, (size - HEADER_BYTES) // 7))
        end = min(end, self._end, math.inf if following is None else following)
        if end <= self.next_fetch_offset:
            end = self.next_fetch_offset + 1 if following is None else max(following, self.next_fetch_offset + 1)
        yield from self._broken(int(end), "the checksum of its batch does not fit")

    def _broken(self, end: int, why: str, reason: Reason = Reason.UNDECODABLE) -> Iterator[Sequence[Any]]:
        """Everything from here to before `end`."""
        if self._reading.unreadable == "pass":
            self._note(self.next_fetch_offset, reason, end - self.next_fetch_offset, why)
            self.next_fetch_offset = end
            return
        while self.next_fetch_offset < end:
            start, stop = self.next_fetch_offset, min(end, self.next_fetch_offset + RUN_RECORDS)
            self.next_fetch_offset = stop
            yield [Unreadable(offset, why, reason, batch=True) for offset in range(start, stop)]

    def _measured(self, record: Any) -> Any:
        """It, or what stands for it where it is larger than it may be."""
        key, timestamp = record.key, -1 if record.timestamp is None else record.timestamp
        if (count := len(record.headers)) > MOST_HEADERS:
            return too_many_headers(record.offset, count, timestamp=timestamp, key=key)
        if (size := size_of(key, record.value, record.headers)) > self._reading.most:
            most, headers = self._reading.most, record.headers
            return too_large(record.offset, size, most, timestamp=timestamp, key=key, headers=headers)
        return record

    def _finished(self, run: Sequence[Any]) -> Sequence[Any]:
        """As the reader wants them."""
        reading = self._reading
        if reading.unreadable == "pass":
            for record in run:
                if isinstance(record, Unreadable):
                    self._note(record.offset, record.reason, 1, record.why)
            run = [record for record in run if not isinstance(record, Unreadable)]
        return run if reading.raw else [self._consumer_record(record) for record in run]

    def _consumer_record(self, it: Any) -> Any:
        if isinstance(it, Unreadable):
            return it
        key, value, (topic, partition) = it.key, it.value, self._tp
        sizes = (-1 if key is None else len(key), -1 if value is None else len(value))
        return ConsumerRecord(topic, partition, it.offset, it.timestamp, 0, key, value, None, *sizes, tuple(it.headers))

    def _note(self, offset: int, reason: Reason, records: int, what: str) -> None:
        topic, partition = self._tp
        self._reading.skipped.note(topic, partition, offset, reason, records=records, what=what)


def _are_of(header: BatchHeader, seen: int, run: Sequence[Any]) -> bool:
    """Whether these, behind so many of their batch, have the offsets they must have. Brokers do not look."""
    if not run:
        return True
    offsets = list(map(_offset, run))
    first = header.base + seen if header.dense else offsets[0]
    if offsets == list(range(first, first + len(run))):
        return header.base <= first and offsets[-1] < header.end
    growing = all(map(int.__lt__, offsets, offsets[1:]))
    return not header.dense and growing and header.base <= offsets[0] and offsets[-1] < header.end


def _opened(batch: memoryview, raw: bytes) -> bytes:
    """The batch without compression, for a reader that is not asked about its checksum."""
    header = bytearray(batch[:HEADER_BYTES])
    header[22] &= 0xF8  # attributes: two bytes from 21 on
    return bytes(header) + raw


def _legacy_size(data: bytes, position: int) -> int | None:
    size = 12 + int.from_bytes(data[position + 8 : position + 12], "big", signed=True)
    return size if 26 <= size <= len(data) - position else None


def _base_at(data: bytes, position: int) -> int | None:
    return None if size_at(data, position) is None else header_at(data, position).base
