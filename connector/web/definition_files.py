"""The folder in which Studio saves definitions: read, written whole or not at all, and one step back."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from connector.config_text.regular_file import FileError, read_regular
from connector.definition.files import FILE_BYTES, SUFFIXES
from connector.definition.keys import NAME_HINT, is_name
from connector.web.problems import HttpProblemError

NEW_FILE_MODE = 0o644


@dataclass(frozen=True, slots=True)
class DefinitionFile:
    """One definition as it stands.

    Attributes:
        name: of the file, without suffix.
        file: its name.
        text: what it says.
        etag: of that text.
        undo: whether there is one step back.
    """

    name: str
    file: str
    text: str
    etag: str
    undo: bool


def etag_of(text: str) -> str:
    """Another one for every other text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def folder_to_read(places: Iterable[Path], folder: Path | None) -> Path | None:
    """What drafts may extend beside the catalogue: where definitions are saved, else the one folder they stand in."""
    if folder is not None:
        return folder
    folders = {place if place.is_dir() else place.parent for place in places}
    return folders.pop() if len(folders) == 1 else None


class DefinitionFiles:
    """Definitions of folders and single files.

    Args:
        places: folders and files that are read, the first that has a name counts.
        folder: where they are saved, read before all others; None where they are not.
    """

    def __init__(self, places: Iterable[Path], folder: Path | None) -> None:
        self._folder = folder
        self._places = [*([folder] if folder is not None else []), *places]
        self._lock = asyncio.Lock()

    @property
    def folder(self) -> Path | None:
        """Where definitions are saved; None where they are not, or nothing can be written there."""
        folder = self._folder
        return folder if folder is not None and folder.is_dir() and os.access(folder, os.W_OK) else None

    def names(self) -> list[str]:
        """Of all there are."""
        return sorted(self._found())

    def read(self, name: str) -> DefinitionFile | None:
        """One of them; None where there is none, or it cannot be read."""
        file = self._found().get(name)
        if file is None:
            return None
        try:
            text = read_regular(file, FILE_BYTES).decode("utf-8-sig")
        except (FileError, UnicodeDecodeError):
            return None
        return DefinitionFile(name, file.name, text, etag_of(text), self._before(file).exists())

    async def save(self, name: str, text: str, seen: str | None) -> DefinitionFile:
        """Write a text in place of the one that was seen; None: there was none.

        Raises HttpProblemError: nothing is saved here, or somebody else was first.
        """
        async with self._lock:
            self._expect(name, seen)
            return self._written(name, text)

    async def undo(self, name: str, seen: str | None) -> DefinitionFile | None:
        """The text before the last save; None where the last save made the file, which is gone then.

        Raises HttpProblemError: there is no step back, or somebody else was first.
        """
        async with self._lock:
            self._expect(name, seen)
            file = self._file(name)
            before = self._before(file)
            if not before.exists():
                raise HttpProblemError(409, f"nothing of {file.name} was saved here before")
            text = read_regular(before, FILE_BYTES).decode()
            if text:
                return self._written(name, text)
            before.unlink()
            file.unlink()
            _flush(file.parent)
            return None

    def _expect(self, name: str, seen: str | None) -> None:
        """Raises HttpProblemError where a name is not what the person has seen."""
        if self.folder is None:
            raise HttpProblemError(409, "definitions are not saved here: web.definitions is read-only")
        if not is_name(name):  # it could lead anywhere
            raise HttpProblemError(422, f"no name of a definition: {NAME_HINT}")
        file = self._file(name)
        there = self.read(name) if file.exists() else None
        if (there.etag if there is not None else None) != seen:
            told = f"{file.name} has changed meanwhile: load it, and make the change again"
            raise HttpProblemError(412, told if file.exists() else f"{file.name} is not there any more")

    def _written(self, name: str, text: str) -> DefinitionFile:
        file = self._file(name)
        there = file.exists()
        _replace(self._before(file), file.read_bytes() if there else b"", NEW_FILE_MODE)
        _replace(file, text.encode(), file.stat().st_mode & 0o777 if there else NEW_FILE_MODE)
        return DefinitionFile(name, file.name, text, etag_of(text), undo=True)

    def _file(self, name: str) -> Path:
        assert self._folder is not None
        found = (self._folder / f"{name}{suffix}" for suffix in SUFFIXES)
        return next((file for file in found if file.exists()), self._folder / f"{name}.yaml")

    @staticmethod
    def _before(file: Path) -> Path:
        return file.with_name(f".{file.name}.before")

    def _found(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for place in self._places:
            with suppress(OSError):
                files = sorted(place.iterdir()) if place.is_dir() else [place]
                for file in files:
                    if file.suffix in SUFFIXES and is_name(file.stem) and file.is_file() and _inside(file):
                        found.setdefault(file.stem, file)
        return found


def _inside(file: Path) -> bool:
    """Whether it stands where it says, links followed: a mounted ConfigMap is made of them."""
    return file.resolve().is_relative_to(file.parent.resolve())


def _replace(file: Path, data: bytes, mode: int) -> None:
    """The whole or nothing, also when the machine stops meanwhile. Raises HttpProblemError."""
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", suffix=".new", delete=False) as out:
            temporary = Path(out.name)
            out.write(data)
            out.flush()
            os.fchmod(out.fileno(), mode)
            os.fsync(out.fileno())
        temporary.replace(file)
        _flush(file.parent)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise HttpProblemError(409, f"{file.name} cannot be written: {error.strerror}") from None


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
