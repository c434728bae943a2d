"""A file of phone numbers, one a line, however long: looked at whole before anything of it is written."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from connector.errors import ConfigurationError, Problem
from connector.masking import mask_number
from connector.suppressions.phone_list import PhoneList
from connector.suppressions.record import KeyFormatError, key_of, phone_of

TOLD_LINES = 20
"""Wrong lines of a file that are told one by one."""


@dataclass(frozen=True, slots=True)
class FileLooked:
    """What a file holds.

    Attributes:
        numbers: lines that have one.
        repeated: of them, those whose number and sender another line has as well.
    """

    numbers: int
    repeated: int


@contextmanager
def seekable(file: Path) -> Iterator[TextIO]:
    """It can be read twice, also where it comes from another program (`-`)."""
    if str(file) != "-":
        with file.open(encoding="utf-8-sig", errors="replace") as lines:
            yield lines
        return
    with tempfile.TemporaryFile("w+b") as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.seek(0)
        yield io.TextIOWrapper(kept, encoding="utf-8-sig", errors="replace")


def look(lines: Iterable[str], sender: str | None) -> FileLooked:
    """What is in it. Holds eight bytes for each number.

    Raises:
        ConfigurationError: lines are wrong, with all of them.
    """
    problems, count, wrong, phones = list[Problem](), 0, 0, PhoneList()
    for number, written, key in _keys(lines, sender):
        count += 1
        if isinstance(key, bytes):
            phones.add(phone_of(key))
            continue
        wrong += 1
        if wrong <= TOLD_LINES:
            problems.append(Problem(str(key), path=f"line {number}: {mask_number(written)[:32]}"))
    if wrong > TOLD_LINES:
        problems.append(Problem(f"{wrong - TOLD_LINES} further lines are wrong"))
    if problems:
        raise ConfigurationError(problems)
    return FileLooked(count, count - len(phones))


class FileKeys:
    """The keys of a file that was looked at, in order, from a line on; knows up to which line they are acknowledged.

    Args:
        first: the line to begin with.

    Attributes:
        done: the last line whose key is acknowledged; all before it are as well.
    """

    def __init__(self, lines: Iterable[str], sender: str | None, first: int) -> None:
        self._lines = lines
        self._sender = sender
        self._first = first
        self._open: deque[int] = deque()
        self.done = first - 1

    def __iter__(self) -> Iterator[bytes]:
        for number, _, key in _keys(self._lines, self._sender):
            if number >= self._first and isinstance(key, bytes):
                self._open.append(number)
                yield key

    def acknowledged(self, count: int) -> None:
        """So many further ones are."""
        for _ in range(count):
            self.done = self._open.popleft()


def _keys(lines: Iterable[str], sender: str | None) -> Iterator[tuple[int, str, bytes | KeyFormatError]]:
    """Number, phone as written, and key of each line that has one; or what is wrong with it."""
    for number, text in enumerate(lines, 1):
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        phone, _, own = line.partition(",")
        try:
            yield number, phone, key_of(phone, own.strip() or sender)
        except KeyFormatError as error:
            yield number, phone, error
