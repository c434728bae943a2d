"""Where a value came from, and how a path into the settings is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

# Without `:-default`: a default may be the secret itself.
PLACEHOLDER_ONLY = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*\??|file:[^}]*)\}")

SettingPath = tuple[str | int, ...]
"""Keys and list positions from the root: `("topics", "sources", 0, "topic")`."""


def dotted(path: SettingPath) -> str:
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

    @property
    def placeholder(self) -> str | None:
        """The whole value as `${NAME}` or `${file:path}`, where that is all that stands in the file."""
        return self.written if self.written and PLACEHOLDER_ONLY.fullmatch(self.written) else None

    def __str__(self) -> str:
        if self.kind == "file":
            return f"{self.name}:{self.line}"
        return self.name or self.kind


DEFAULT = Origin("default")
