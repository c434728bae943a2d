"""The list on disk: a view of the topic, from which a worker starts within a second. It may vanish at any time."""

from __future__ import annotations

import os
import struct
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from connector.suppressions.phone_list import FILTER_BITS, SENDER_BITS, SENDERS, SHARDS, PhoneList
from connector.suppressions.record import Phone

MAGIC: Final = b"SMSSUPP3"
LENGTH: Final = struct.Struct(">I")
HEADER_BYTES: Final = 16 * 1024 * 1024
ENTRY_BYTES: Final = 8
LEFTOVER_SECONDS: Final = 3600.0
"""A file that is still being written after that is a killed worker's."""


class SnapshotError(Exception):
    """It cannot be used; the message says why."""


class TooOldError(SnapshotError):
    """It is of this topic, but records that lifted something may be gone from that since.

    Attributes:
        last: see Contents.
    """

    def __init__(self, last: LastRecord | None) -> None:
        super().__init__("it is too old")
        self.last = last


class LastRecord(msgspec.Struct, frozen=True):
    """The last record that was read. A topic of the same name that has another one there is another topic.

    Attributes:
        offset, timestamp: of the record.
        digest: of its key and value.
    """

    offset: int
    timestamp: int
    digest: bytes

    @classmethod
    def of(cls, offset: int, timestamp: int, key: bytes | None, value: bytes | None) -> LastRecord:
        """Of this record."""
        return cls(offset, timestamp, blake2b(repr((key, value)).encode(), digest_size=16).digest())


class Contents(msgspec.Struct, frozen=True):
    """What a snapshot says of itself.

    Attributes:
        cluster, topic: what it is a view of.
        last: the last record that was read; None: there was none.
        complete_at: wall seconds, when everything in the topic had been read.
        byte_order: of the machine that wrote it.
        sizes: entries of each shard.
        senders, long: see PhoneList.
        filter_bits: of the list's filter, which stands behind the entries; 0 where there is none.
        digest: of the entries and the filter.
    """

    cluster: str
    topic: str
    last: LastRecord | None
    complete_at: float
    byte_order: str
    sizes: list[int]
    senders: list[str]
    long: list[tuple[int, str | None]]
    filter_bits: int
    digest: bytes


def write(
    path: Path, phones: PhoneList, *, cluster: str, topic: str, last: LastRecord | None, complete_at: float
) -> None:
    """Write a snapshot in place of the one before, or leave that one. May run in another thread while entries come:
    what comes after `last` is read again, which changes nothing.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    # A name of its own: workers in containers that share the folder have one process id. Mode 600.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            digest, sizes = blake2b(digest_size=16), []
            # The header comes last: it has the sizes and the digest of what was written before.
            file.write(MAGIC)
            for number in range(SHARDS):
                data = phones.shard(number)
                sizes.append(len(data) // ENTRY_BYTES)
                digest.update(data)
                file.write(data)
            bits = phones.filter
            digest.update(bits)
            file.write(bits)
            contents = Contents(
                cluster=cluster,
                topic=topic,
                last=last,
                complete_at=complete_at,
                byte_order=sys.byteorder,
                sizes=sizes,
                senders=phones.senders,
                long=[(it.number, it.sender) for it in phones.long],
                filter_bits=FILTER_BITS if bits else 0,
                digest=digest.digest(),
            )
            header = msgspec.msgpack.encode(contents)
            file.write(header)
            file.write(LENGTH.pack(len(header)))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    for leftover in path.parent.glob(f".{path.name}.*"):
        with suppress(FileNotFoundError):
            if leftover.stat().st_mtime < time.time() - LEFTOVER_SECONDS:
                leftover.unlink()


def read(path: Path, phones: PhoneList, *, cluster: str, topic: str, oldest: float) -> Contents | None:
    """Fill `phones` from a snapshot of this topic; None where there is none. `oldest` is in wall seconds: one that was
    complete before is of no use, as records that lifted something may be gone from the topic.

    Raises:
        SnapshotError: it is no snapshot of this topic, too old (TooOldError) or damaged; `phones` is unchanged.
        OSError: it cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    with file:
        contents = _contents(file)
        if (contents.cluster, contents.topic) != (cluster, topic):
            raise SnapshotError("it is of another topic")
        if contents.complete_at < oldest:
            raise TooOldError(contents.last)
        digest = blake2b(digest_size=16)
        shards = list(_shards(file.fileno(), contents.sizes, digest))
        bits = os.pread(file.fileno(), _filter_bytes(contents), len(MAGIC) + sum(contents.sizes) * ENTRY_BYTES)
        digest.update(bits)
        if digest.digest() != contents.digest:
            raise SnapshotError("it is damaged")
    long = [Phone(number, sender) for number, sender in contents.long]
    phones.restore(shards, contents.senders, long, bytearray(bits) if contents.filter_bits == FILTER_BITS else None)
    return contents


def entries(path: Path) -> Iterator[Phone]:
    """Whom a snapshot holds, of whatever age, one by one.

    Raises:
        SnapshotError: it cannot be used.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        contents = _contents(file)
        senders = [None, *contents.senders]
        for shard in _shards(file.fileno(), contents.sizes, blake2b()):
            for entry in shard:
                if entry & SENDERS >= len(senders):
                    raise SnapshotError("it is damaged")
                yield Phone(entry >> SENDER_BITS, senders[entry & SENDERS])
        yield from (Phone(number, sender) for number, sender in contents.long)


def _filter_bytes(contents: Contents) -> int:
    return contents.filter_bits // 8 + 1 if contents.filter_bits else 0


def _contents(file: BinaryIO) -> Contents:
    descriptor, size = file.fileno(), os.fstat(file.fileno()).st_size
    if size < len(MAGIC) + LENGTH.size or file.read(len(MAGIC)) != MAGIC:
        raise SnapshotError("it is no snapshot")
    (length,) = LENGTH.unpack(os.pread(descriptor, LENGTH.size, size - LENGTH.size))
    start = size - LENGTH.size - length
    if length > HEADER_BYTES or start < len(MAGIC):
        raise SnapshotError("it is damaged")
    try:
        contents = msgspec.msgpack.decode(os.pread(descriptor, length, start), type=Contents)
    except msgspec.DecodeError as error:
        raise SnapshotError("it is damaged, or of another version") from error
    if contents.byte_order != sys.byteorder:
        raise SnapshotError("it is of another kind of machine")
    whole = len(MAGIC) + sum(contents.sizes) * ENTRY_BYTES + _filter_bytes(contents)
    if len(contents.sizes) != SHARDS or whole != start:
        raise SnapshotError("it is damaged")
    return contents


def _shards(descriptor: int, sizes: list[int], digest: blake2b) -> Iterator[array[int]]:
    place = len(MAGIC)
    for size in sizes:
        data = os.pread(descriptor, size * ENTRY_BYTES, place)
        place += len(data)
        digest.update(data)
        shard = array("Q")
        shard.frombytes(data[: len(data) // ENTRY_BYTES * ENTRY_BYTES])
        yield shard
