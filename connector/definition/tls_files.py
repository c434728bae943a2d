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
    """Another text whenever one of the files holds something else; empty where none is named.

    A file that cannot be read is told by whoever needs it: `check` also runs where the files are not.
    """
    files = tls_files(http)
    if not files:
        return ""
    whole = hashlib.sha256()
    for file in files:
        try:
            content = b"no file"
            if file.is_file():  # to read a pipe would wait for ever
                with file.open("rb") as stream:
                    content = stream.read(MOST_BYTES)
        except OSError as error:
            content = type(error).__name__.encode()
        whole.update(hashlib.sha256(content).digest())
    return whole.hexdigest()
