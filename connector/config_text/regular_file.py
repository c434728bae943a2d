"""Files that a person names, read within bounds: no pipe that waits for ever, no device without an end, no folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from connector.errors import ConnectorError


class FileError(ConnectorError):
    """The file cannot be read.

    Attributes:
        message, remedy: what is wrong, and what to do.
    """

    def __init__(self, message: str, remedy: str) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message)


def read_regular(file: str | Path, limit: int) -> bytes:
    """What a regular file of at most `limit` bytes holds. Raises FileError."""
    try:
        # A pipe is opened only when somebody writes into it, unless nobody waits.
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}", "check the path and its permissions") from None
    except ValueError:  # a NUL in its name
        raise FileError("cannot be read: no file is called so", "check the path") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise FileError("is a folder", "name a file")
        if not stat.S_ISREG(mode):
            raise FileError("is no regular file", "name a file on disk, not a pipe or a device")
        with open(descriptor, "rb", closefd=False) as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}", "name a file on disk") from None
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise FileError(f"is larger than {_size(limit)}", "name the right one, or say less in it")
    return data


def is_file(file: Path) -> bool:
    """Whether a regular file is there; names that no file can have are none."""
    try:
        return file.is_file()
    except (OSError, ValueError):
        return False


def _size(limit: int) -> str:
    return f"{limit // 1024**2} MiB" if limit >= 1024**2 else f"{limit // 1024} KiB"
