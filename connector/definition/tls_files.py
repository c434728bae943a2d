"""The files that `http.ca`, `http.certificate` and `http.key` name. They are renewed while a worker runs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from connector.definition.tree import Http

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of a file that are looked at; the authorities of a whole system are 200 KiB."""


def tls_files(http: Http) -> list[Path]:
    """The files named, relative to the working folder."""
    return [Path(name) for name in (http.ca, http.certificate, http.key) if name is not None]


def digest(http: Http) -> str:
    """Another text whenever one of the files holds something else; empty where there is none.

    A file that cannot be read is told by whoever needs it: `check` also runs where the files are not.
    """
    held = hashlib.sha256()
    found = False
    for file in tls_files(http):
        content = _content(file)
        found = found or content is not None
        held.update(b"-" if content is None else hashlib.sha256(content).digest())
    return held.hexdigest() if found else ""


def _content(file: Path) -> bytes | None:
    try:
        if not file.is_file():  # to read a pipe would wait for ever
            return None
        with file.open("rb") as stream:
            return stream.read(MOST_BYTES)
    except OSError:
        return None
