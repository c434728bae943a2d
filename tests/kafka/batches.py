"""Record batches of format v2 as producers write them, and as they must not: every field can be made wrong."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cramjam
from aiokafka import codec
from aiokafka.record.util import calc_crc32c

CODECS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (0, bytes),
    "gzip": (1, codec.gzip_encode),
    "snappy": (2, codec.snappy_encode),
    "snappy-raw": (2, lambda raw: bytes(cramjam.snappy.compress_raw(raw))),
    "lz4": (3, codec.lz4_encode),
    "zstd": (4, codec.zstd_encode),
}

TRANSACTIONAL, CONTROL = 0x10, 0x20


def varint(value: int) -> bytes:
    """Kafka's zigzag encoding."""
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(value: bytes | None) -> bytes:
    return varint(-1) if value is None else varint(len(value)) + value


@dataclass(frozen=True)
class Made:
    """One record; `offset` is its delta where it is not the one it should have, `raw` is written as it stands."""

    value: bytes | None = b"v"
    key: bytes | None = None
    headers: Sequence[tuple[bytes, bytes | None]] = ()
    offset: int | None = None
    raw: bytes | None = None

    def encode(self, index: int) -> bytes:
        if self.raw is not None:
            return self.raw
        body = b"\0" + varint(0) + varint(index if self.offset is None else self.offset)
        body += field(self.key) + field(self.value) + varint(len(self.headers))
        body += b"".join(field(name) + field(content) for name, content in self.headers)
        return varint(len(body)) + body


def batch(
    records: Iterable[Made | bytes],
    *,
    base: int = 0,
    compression: str | int = "none",
    attributes: int = 0,
    producer: int = -1,
    last: int | None = None,
    count: int | None = None,
    payload: bytes | None = None,
    checksum: int | None = None,
    magic: int = 2,
    now: int = 1_700_000_000_000,
) -> bytes:
    """A batch; what is given replaces what would be right."""
    made = [it if isinstance(it, Made) else Made(it) for it in records]
    raw = b"".join(it.encode(index) for index, it in enumerate(made))
    number, encode = CODECS[compression] if isinstance(compression, str) else (compression, bytes)
    packed = encode(raw) if payload is None else payload
    covered = struct.pack(
        ">hiqqqhii",
        number | attributes,
        len(made) - 1 if last is None else last,
        now,
        now,
        producer,
        0,
        -1,
        len(made) if count is None else count,
    )
    covered += packed
    found = calc_crc32c(covered) if checksum is None else checksum
    return struct.pack(">qiibI", base, len(covered) + 9, 0, magic, found) + covered


def marker(*, base: int, producer: int, commit: bool) -> bytes:
    """What ends a transaction."""
    key = struct.pack(">hh", 0, 1 if commit else 0)
    return batch([Made(b"\0" * 6, key)], base=base, producer=producer, attributes=TRANSACTIONAL | CONTROL)
