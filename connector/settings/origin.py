"""Where a value came from, and how a path into the settings is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Path = tuple[str | int, ...]
"""Keys and list positions from the root: `("topics", "sources", 0, "topic")`."""


def dotted(path: Path) -> str:
    """`topics.sources[0].topic`; keys of `kafka` keep their dots, as users know them."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value came from.

    Attributes:
        kind: which of the four sources.
        name: the file's path, the environment variable, or the flag; empty for a default.
        line, column: counted from 1, in a file only.
        written: the text as it stands in the file when it holds `${NAME}`, so that a secret can be shown by name.
    """

    kind: Literal["default", "file", "environment", "flag"]
    name: str = ""
    line: int | None = None
    column: int | None = None
    written: str | None = None

    def __str__(self) -> str:
        if self.kind == "file":
            return f"{self.name}:{self.line}"
        return self.name or self.kind


DEFAULT = Origin("default")
