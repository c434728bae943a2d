"""The list on disk: a view of the topic, from which a worker starts within a second. It may vanish at any time."""

from __future__ import annotations

import os
import struct
import sys
from array import array
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from connector.suppressions.phone_list import SHARDS, PhoneList
from connector.suppressions.record import Phone

MAGIC: Final = b"SMSSUPP1"
LENGTH: Final = struct.Struct(">I")
HEADER_BYTES: Final = 16 * 1024 * 1024
ENTRY_BYTES: Final = 8


class SnapshotError(Exception):
    """It cannot be used; the message says why."""


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
        digest: of the entries.
    """

    cluster: str
    topic: str
    last: LastRecord | None
    complete_at: float
    byte_order: str
    sizes: list[int]
    senders: list[str]
    long: list[tuple[int, str | None]]
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
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            digest, sizes = blake2b(digest_size=16), []
            # The header comes last: it has the sizes and the digest of what was written before.
            file.write(MAGIC)
            for number in range(SHARDS):
                data = phones.shard(number)
                sizes.append(len(data) // ENTRY_BYTES)
                digest.update(data)
                file.write(data)
            contents = Contents(
                cluster=cluster,
                topic=topic,
                last=last,
                complete_at=complete_at,
                byte_order=sys.byteorder,
                sizes=sizes,
                senders=phones.senders,
                long=[(it.number, it.sender) for it in phones.long],
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


def read(path: Path, phones: PhoneList, *, cluster: str, topic: str, oldest: float) -> Contents | None:
    """Fill `phones` from a snapshot of this topic; None where there is none. `oldest` is in wall seconds: one that was
    complete before is of no use, as records that lifted something may be gone from the topic.

    Raises:
        SnapshotError: it is no snapshot of this topic, too old or damaged; `phones` is unchanged.
        OSError: it cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    with file:
        size = os.fstat(file.fileno()).st_size
        if size < len(MAGIC) + LENGTH.size or file.read(len(MAGIC)) != MAGIC:
            raise SnapshotError("it is no snapshot")
        contents = _contents(file.fileno(), size)
        if (contents.cluster, contents.topic) != (cluster, topic):
            raise SnapshotError("it is of another topic")
        if contents.complete_at < oldest:
            raise SnapshotError("it is too old")
        if contents.byte_order != sys.byteorder:
            raise SnapshotError("it is of another kind of machine")
        digest = blake2b(digest_size=16)
        shards = list(_shards(file.fileno(), contents.sizes, digest))
        if digest.digest() != contents.digest:
            raise SnapshotError("it is damaged")
    phones.restore(shards, contents.senders, [Phone(number, sender) for number, sender in contents.long])
    return contents


def _contents(descriptor: int, size: int) -> Contents:
    (length,) = LENGTH.unpack(os.pread(descriptor, LENGTH.size, size - LENGTH.size))
    start = size - LENGTH.size - length
    if length > HEADER_BYTES or start < len(MAGIC):
        raise SnapshotError("it is damaged")
    try:
        contents = msgspec.msgpack.decode(os.pread(descriptor, length, start), type=Contents)
    except msgspec.DecodeError as error:
        raise SnapshotError("it is damaged, or of another version") from error
    if len(contents.sizes) != SHARDS or len(MAGIC) + sum(contents.sizes) * ENTRY_BYTES != start:
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
