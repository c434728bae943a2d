"""Noticing that definition files have changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from connector.config_text.environment import Environment
from connector.definition.files import definition_files
from connector.definition.tls_files import tls_files
from connector.definition.tree import Definition
from connector.errors import DefinitionError

Fingerprint = Mapping[Path, tuple[int, int, int]]
"""File → what changes when it is edited or replaced (also through a link to another folder, as mounted volumes do)."""


def fingerprint(
    paths: Iterable[str | Path], definitions: Iterable[Definition], environment: Environment
) -> Fingerprint:
    """What the files stand at from which `load_all(paths, environment)` makes definitions.

    Args:
        paths: as given to `load_all`.
        definitions: those loaded last: the folders they came from may hold what they extend, and they name the files
            with their secrets and certificates.
        environment: where those are looked up.
    """
    files: set[Path] = set()
    for path in paths:
        try:
            files.update(definition_files(path))
        except DefinitionError:  # it is not there now, which is a change
            continue
    for definition in definitions:
        folder = Path(definition.file).parent
        files.update((*folder.glob("*.yaml"), *folder.glob("*.yml")))
        named = [reference[len("${file:") : -1] for reference in definition.secrets if reference.startswith("${file:")]
        files.update(environment.root / name for name in named)
        files.update(tls_files(definition.http))
    return {file: found for file in files if (found := _look(file)) is not None}


def _look(file: Path) -> tuple[int, int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
