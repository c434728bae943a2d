"""What reading a record batch costs per event: plain, compressed, and as a producer with transactions writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from connector.kafka.fetched import EVENT_BYTES, BatchSteps, GuardedRecords, ReadOptions
from connector.kafka.skipped import Skipped

PRODUCER = 7


def measure(values: Sequence[bytes]) -> Iterator[tuple[str, Callable[[], object]]]:
    """Each part and its work, which is for as many events as there are values."""
    count = len(values)
    yield "read a record batch", _reading(_written(values), count)
    for name, codec in (("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)):
        yield f"read a record batch, {name}", _reading(_written(values, codec=codec), count)
    transaction = _written(values, transactional=True)
    yield "read a record batch of a transaction", _reading(transaction, count)
    yield "pass over a record batch that was aborted", _reading(transaction, 0, aborted=[(PRODUCER, 0)])
    odd = _written([*values[:-1], bytes(EVENT_BYTES)])
    yield "read a record batch by hand (larger than 1 MiB)", _reading(odd, count)


def _written(values: Sequence[bytes], *, codec: int = 0, transactional: bool = False) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, int(transactional), PRODUCER, 0, 0, 1 << 30)
    for offset, value in enumerate(values):
        builder.append(offset, 1_700_000_000_000, None, value, [])
    return bytes(builder.build())


def _reading(data: bytes, expected: int, aborted: Sequence[tuple[int, int]] = ()) -> Callable[[], object]:
    tp = TopicPartition("sms.messages", 0)
    reading = ReadOptions(Skipped(), unreadable="stand", isolation="committed", raw=True)

    def read() -> None:
        records = GuardedRecords(
            BatchSteps(tp, data, start=0, end=1 << 40, aborted=aborted, reading=reading, failures={})
        )
        count = 0
        while not records.done:
            count += len(records.pop(2_000))
        assert count == expected

    return read
