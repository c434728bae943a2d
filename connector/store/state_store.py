"""States of messages by key, one store per partition: a view of a topic, with the place up to which it is one.

States and place are written together, so that a store is never ahead of what it says or behind it. Whatever is wrong
with one (damaged, of another partition, in use by somebody else) makes it be begun anew: the topic has it all.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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

_PLACE = b"\x00place"
_KEY = b"\x01"


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


class _Header(msgspec.Struct, frozen=True):
    """What a store says of itself; `begun` is the day since the epoch when it was made."""

    identity: StoreIdentity
    place: ViewPlace
    begun: int


class States:
    """The states of one partition. Used by one thread.

    Each carries the day it was written, and is forgotten as new ones come: with each of them an old one is looked at.
    RocksDB's own time to live is not used: opened with it, rocksdict 0.3.29 loses live keys whenever files are merged.

    Attributes:
        place: up to where it is a view; None where it is new.
    """

    def __init__(
        self, database: Any, batch: Any, identity: StoreIdentity, header: _Header | None, *, keep_days: int
    ) -> None:
        self.place = None if header is None else header.place
        self._database = database
        self._batch = batch
        self._identity = identity
        self._keep_days = keep_days
        self._begun = _today() if header is None else header.begun
        self._swept = _KEY
        self._temporary: Path | None = None

    def get(self, key: bytes) -> bytes | None:
        """What was written last for this key; None where nothing was, or it is older than what is kept."""
        found: bytes | None = self._database.get(_KEY + key)
        return None if found is None else found[STAMP_BYTES:]

    def write(self, states: Mapping[bytes, bytes], place: ViewPlace) -> None:
        """Write states and the place they bring this store to, all or nothing."""
        batch = self._batch(raw_mode=True)
        today = _today()
        stamp = today.to_bytes(STAMP_BYTES, "big")
        for key, value in states.items():
            batch.put(_KEY + key, stamp + value)
        if states and today - self._begun > self._keep_days:
            self._forget_old(batch, states, (today - self._keep_days).to_bytes(STAMP_BYTES, "big"))
        batch.put(_PLACE, msgspec.msgpack.encode(_Header(self._identity, place, self._begun)))
        self._database.write(batch)
        self.place = place

    def _forget_old(self, batch: Any, states: Mapping[bytes, bytes], oldest: bytes) -> None:
        """Look at as many keys as are written, from where the last look ended."""
        iterator = self._database.iter()
        iterator.seek(self._swept)
        for _ in range(len(states) + SWEPT_AT_LEAST):
            if not iterator.valid() or not (key := iterator.key()).startswith(_KEY):
                self._swept = _KEY
                return
            if iterator.value()[:STAMP_BYTES] < oldest and key[len(_KEY) :] not in states:
                batch.delete(key)
            iterator.next()
        self._swept = iterator.key() if iterator.valid() else _KEY

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


class Stores:
    """Opens stores that share one cache: memory does not grow with partitions or keys.

    Args:
        folder: where they stand, one folder each.
        keep: seconds for which a state is kept at least.
        cache: bytes of the cache.

    Raises:
        ConfigurationError: the extra is not installed, or the folder cannot be written to.
    """

    def __init__(self, folder: Path, *, keep: float, cache: int) -> None:
        try:
            import rocksdict
        except ImportError:
            remedy = "pip install 'kafka-sms-connector[receipts]'"
            problem = Problem("receipts need the package rocksdict, which is not installed", remedy, path="receipts")
            raise ConfigurationError([problem]) from None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = Problem(
                f"{folder} cannot be used: {error.strerror}", "name another folder", path="receipts.folder"
            )
            raise ConfigurationError([problem]) from error
        self._driver = rocksdict
        self._folder = folder
        self._keep_days = -(-round(keep) // DAY_SECONDS)
        self._cache = rocksdict.Cache(cache)

    def open(self, identity: StoreIdentity) -> States:
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

    def renew(self, identity: StoreIdentity) -> States:
        """A new store in the place of one that cannot be used. That one is closed."""
        folder = self._folder / f"{identity.topic}-{identity.partition}"
        shutil.rmtree(folder, ignore_errors=True)
        return self._opened(folder, identity)

    def _opened(self, folder: Path, identity: StoreIdentity) -> States:
        driver = self._driver
        database = driver.Rdict(str(folder), self._options())
        header = None
        raw = database.get(_PLACE)
        try:
            if raw is not None:
                header = msgspec.msgpack.decode(raw, type=_Header)
                if header.identity != identity:
                    raise ValueError("it is of another partition, topic or cluster")
            elif next(iter(database.keys()), None) is not None:
                raise ValueError("it does not say what it is of")
        except (ValueError, msgspec.MsgspecError):
            database.close()
            raise
        return States(database, driver.WriteBatch, identity, header, keep_days=self._keep_days)

    def _options(self) -> Any:
        driver = self._driver
        options = driver.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(WRITE_BUFFER_BYTES)
        options.set_max_open_files(OPEN_FILES)
        options.set_keep_log_file_num(LOG_FILES)
        blocks = driver.BlockBasedOptions()
        blocks.set_bloom_filter(BLOOM_BITS, False)
        blocks.set_block_cache(self._cache)
        options.set_block_based_table_factory(blocks)
        return options


def _today() -> int:
    return int(time.time() // DAY_SECONDS)


def _is_locked(error: Exception) -> bool:
    return "/LOCK: " in str(error)
