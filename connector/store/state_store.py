"""Stores on disk, one per partition: each is a view of topics, with the place up to which it is one.

What is in it and its place are written together, so that none is ever ahead of what it says or behind it. Whatever is
wrong with one (damaged, of another partition, in use by somebody else) makes it be begun anew: the topic has it all.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import structlog

from connector.errors import ConfigurationError, Problem

log = structlog.get_logger(__name__)

FORMAT = 2
# Memory per open partition that is not the cache's.
WRITE_BUFFER_BYTES = 4 * 1024**2
BLOOM_BITS = 10
LOG_FILES = 2
OPEN_FILES = 64

DAY_SECONDS = 86_400
STAMP_BYTES = 2
SWEPT_AT_LEAST = 16

PLACE = b"\x00place"
KEY = b"\x01"

V = TypeVar("V", bound="StoreView")


class StoreIdentity(msgspec.Struct, frozen=True):
    """Whose states they are; a store of another one is not used.

    Attributes:
        cluster: what tells this cluster from others, as far as that is known.
        topic, partition: what it is a view of.
        partitions: of the topic: with another number, messages have other partitions.
    """

    cluster: str
    topic: str
    partition: int
    partitions: int
    format: int = FORMAT


class ViewPlace(msgspec.Struct, frozen=True):
    """Up to where a store is a view of its topic.

    Attributes:
        next: the first offset that is not in it.
        last: what the record before that settles: a topic that was created anew has another record there.
    """

    next: int
    last: bytes = b""


class StoreHeader(msgspec.Struct, frozen=True):
    """What a store says of itself; `place` as its kind of view writes it, `begun` the day it is of, since the epoch."""

    identity: StoreIdentity
    place: msgspec.Raw
    begun: int


class StoreMemory:
    """What all stores of a process share: memory grows neither with partitions nor with keys.

    Args:
        cache: bytes for reading them. Half as many are for what is not on disk yet.

    Raises:
        ConfigurationError: the extra is not installed.
    """

    def __init__(self, cache: int) -> None:
        try:
            import rocksdict
        except ImportError:
            remedy = "pip install 'kafka-sms-connector[receipts]'"
            problem = Problem("receipts need the package rocksdict, which is not installed", remedy, path="receipts")
            raise ConfigurationError([problem]) from None
        self.driver = rocksdict
        self._cache = rocksdict.Cache(cache)
        self._buffers = rocksdict.WriteBufferManager(cache // 2, False)

    def options(self) -> Any:
        """For a store."""
        driver = self.driver
        options = driver.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(WRITE_BUFFER_BYTES)
        options.set_write_buffer_manager(self._buffers)
        options.set_max_open_files(OPEN_FILES)
        options.set_keep_log_file_num(LOG_FILES)
        blocks = driver.BlockBasedOptions()
        blocks.set_bloom_filter(BLOOM_BITS, False)
        blocks.set_block_cache(self._cache)
        options.set_block_based_table_factory(blocks)
        return options


class StoreView:
    """One store. Used by one thread.

    What is kept of keys carries the day it was written, and is forgotten as new keys come: with each of them an old one
    is looked at. RocksDB's own time to live is not used: opened with it, rocksdict 0.3.29 forgets live keys whenever
    files are merged.
    """

    def __init__(
        self, database: Any, batch: Any, header: StoreHeader | None, identity: StoreIdentity, *, keep_days: int
    ) -> None:
        self._database = database
        self._batch = batch
        self._identity = identity
        self._keep_days = keep_days
        self._begun = _today() if header is None else header.begun
        self._swept = KEY
        self._temporary: Path | None = None
        self._read(None if header is None else header.place)

    def _read(self, place: msgspec.Raw | None) -> None:
        """Take up where it was left; None where it is new. Raises msgspec.MsgspecError where it says nothing."""
        raise NotImplementedError

    def _put(self, batch: Any, known: Mapping[bytes, bytes]) -> None:
        """Keep these for `keep_days`."""
        today = _today()
        stamp = today.to_bytes(STAMP_BYTES, "big")
        for key, value in known.items():
            batch.put(KEY + key, stamp + value)
        if known and today - self._begun > self._keep_days:
            self._forget_old(batch, known, (today - self._keep_days).to_bytes(STAMP_BYTES, "big"))

    def _forget_old(self, batch: Any, known: Mapping[bytes, bytes], oldest: bytes) -> None:
        """Look at as many keys as are written, from where the last look ended."""
        iterator = self._database.iter()
        iterator.seek(self._swept)
        for _ in range(len(known) + SWEPT_AT_LEAST):
            if not iterator.valid() or not (key := iterator.key()).startswith(KEY):
                self._swept = KEY
                return
            if iterator.value()[:STAMP_BYTES] < oldest and key[len(KEY) :] not in known:
                batch.delete(key)
            iterator.next()
        self._swept = iterator.key() if iterator.valid() else KEY

    def _write(self, batch: Any, place: Any) -> None:
        raw = msgspec.Raw(msgspec.msgpack.encode(place))
        batch.put(PLACE, msgspec.msgpack.encode(StoreHeader(self._identity, raw, self._begun)))
        self._database.write(batch)

    @property
    def bytes(self) -> int:
        """On disk."""
        found: int | None = self._database.property_int_value("rocksdb.total-sst-files-size")
        return found or 0

    def close(self) -> None:
        """Let others use it."""
        self._database.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def vanish_with(self, folder: Path) -> None:
        """It is for this process alone: `folder` goes when it is closed."""
        self._temporary = folder


class States(StoreView):
    """The states of the messages of one partition.

    Attributes:
        place: up to where it is a view; None where it is new.
    """

    place: ViewPlace | None

    def _read(self, place: msgspec.Raw | None) -> None:
        self.place = None if place is None else msgspec.msgpack.decode(place, type=ViewPlace)

    def get(self, key: bytes) -> bytes | None:
        """What was written last for this key; None where nothing was, or it is older than what is kept."""
        found: bytes | None = self._database.get(KEY + key)
        return None if found is None else found[STAMP_BYTES:]

    def write(self, states: Mapping[bytes, bytes], place: ViewPlace) -> None:
        """Write states and the place they bring this store to, all or nothing."""
        batch = self._batch(raw_mode=True)
        self._put(batch, states)
        self._write(batch, place)
        self.place = place


class Stores(Generic[V]):
    """Opens stores of one kind.

    Args:
        folder: where they stand, one folder each.
        view: the kind.
        keep: seconds for which what is written is kept at least.
        memory: shared by all stores of the process.

    Raises:
        ConfigurationError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, view: type[V], *, keep: float, memory: StoreMemory) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = Problem(
                f"{folder} cannot be used: {error.strerror}", "name another folder", path="receipts.folder"
            )
            raise ConfigurationError([problem]) from error
        self._view = view
        self._memory = memory
        self._folder = folder
        self._keep_days = -(-round(keep) // DAY_SECONDS)

    def open(self, identity: StoreIdentity) -> V:
        """The store of a partition; a new one where there is none that can be used."""
        folder = self._folder / f"{identity.topic}-{identity.partition}"
        try:
            return self._opened(folder, identity)
        except Exception as error:  # rocksdict has one class for whatever RocksDB says
            if _is_locked(error):
                # Its owner may have been frozen, and has lost the partition since.
                aside = folder.with_name(f"{folder.name}.{os.getpid()}")
                log.warning(
                    "states are in use by another process; made anew from the topic", partition=identity.partition
                )
                shutil.rmtree(aside, ignore_errors=True)
                opened = self._opened(aside, identity)
                opened.vanish_with(aside)
                return opened
            log.warning(
                "states cannot be opened; made anew from the topic", partition=identity.partition, error=str(error)
            )
        return self.renew(identity)

    def renew(self, identity: StoreIdentity) -> V:
        """A new store in the place of one that cannot be used. That one is closed."""
        folder = self._folder / f"{identity.topic}-{identity.partition}"
        shutil.rmtree(folder, ignore_errors=True)
        return self._opened(folder, identity)

    def _opened(self, folder: Path, identity: StoreIdentity) -> V:
        driver = self._memory.driver
        database = driver.Rdict(str(folder), self._memory.options())
        header = None
        raw = database.get(PLACE)
        try:
            if raw is not None:
                header = msgspec.msgpack.decode(raw, type=StoreHeader)
                if header.identity != identity:
                    raise ValueError("it is of another partition, topic or cluster")
            elif next(iter(database.keys()), None) is not None:
                raise ValueError("it does not say what it is of")
            return self._view(database, driver.WriteBatch, header, identity, keep_days=self._keep_days)
        except (ValueError, msgspec.MsgspecError):
            database.close()
            raise


def _today() -> int:
    return int(time.time() // DAY_SECONDS)


def _is_locked(error: Exception) -> bool:
    return "/LOCK: " in str(error)
