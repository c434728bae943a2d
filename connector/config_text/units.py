"""Durations and sizes as people write them: `250ms`, `5s`, `24h`; `64KiB`, `256MiB`.

Inside the program a duration is a float of seconds and a size an int of bytes. A bare number is refused: in a file
next to `session.timeout.ms` nobody can tell whether `30` means seconds.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}

DURATION_PATTERN = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$"
SIZE_PATTERN = r"^[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB)$"


class UnitError(ValueError):
    """A value a validator does not take.

    Attributes:
        message: what is wrong with it, without the value itself.
        remedy: what to write instead.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message)


def duration(text: str) -> float:
    """Seconds of `250ms`, `5s`, `1.5m`, `24h`, `7d`. Raises RefusedError."""
    return _measure(text, DURATION_PATTERN, SECONDS, "duration", "5s, 250ms, 10m, 24h")


def size(text: str) -> int:
    """Bytes of `512B`, `64KiB`, `256MiB`, `1GiB`. Raises RefusedError."""
    return int(_measure(text, SIZE_PATTERN, BYTES, "size", "512B, 64KiB, 256MiB, 1GiB"))


def format_duration(seconds: float) -> str:
    """The shortest exact spelling: 86400.0 → `24h`, 0.25 → `250ms`."""
    milliseconds = round(seconds * 1000)
    if milliseconds % 1000:
        return f"{milliseconds}ms"
    whole = milliseconds // 1000
    for unit, factor in (("h", 3600), ("m", 60)):
        if whole and whole % factor == 0:
            return f"{whole // factor}{unit}"
    return f"{whole}s"


def format_size(count: int) -> str:
    """The shortest exact spelling: 67108864 → `64MiB`."""
    for unit in ("GiB", "MiB", "KiB"):
        if count and count % BYTES[unit] == 0:
            return f"{count // BYTES[unit]}{unit}"
    return f"{count}B"


def _measure(text: str, pattern: str, units: dict[str, Any], what: str, examples: str) -> float:
    if not re.fullmatch(pattern, text):
        raise UnitError(f"not a {what}", f"write a number and a unit: {examples}")
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]+)", text).groups()  # type: ignore[union-attr]
    return float(number) * float(units[unit])


def _read_duration(value: Any) -> float:
    # Floats come from Python (defaults, tests), never from a file: the loader hands numbers over as text.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return duration(str(value))


def _read_size(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else size(str(value))


Duration = Annotated[
    float,
    BeforeValidator(_read_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["5s", "250ms", "24h"]}),
]
"""Seconds in the program, `5s` in the file."""

ByteSize = Annotated[
    int,
    BeforeValidator(_read_size),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema({"type": "string", "pattern": SIZE_PATTERN, "examples": ["64KiB", "256MiB"]}),
]
"""Bytes in the program, `64MiB` in the file."""
