"""Files given to commands, or `-` for standard input: read within bounds."""

from __future__ import annotations

import sys
from typing import Final

from connector.config_text.regular_file import FileError, read_regular
from connector.errors import UsageError

INPUT_BYTES: Final = 256 * 1024  # a curl command, a form, a payload
REPLY_BYTES: Final = 16 * 1024**2  # the largest reply a definition may ask for
EVENTS_BYTES: Final = 64 * 1024**2


def read_input(option: str, file: str, limit: int) -> bytes:
    """What `file`, or standard input for `-`, holds. Raises UsageError, naming `option`."""
    name = f"{option} {file}".strip()
    if file == "-":
        binary = getattr(sys.stdin, "buffer", None)
        data: bytes = sys.stdin.read(limit + 1).encode() if binary is None else binary.read(limit + 1)
        if len(data) > limit:
            raise UsageError(f"{name}: standard input is larger than {limit // 1024:,} KiB")
        return data
    try:
        return read_regular(file, limit)
    except FileError as error:
        raise UsageError(f"{name}: {error.message}; {error.remedy}") from None
