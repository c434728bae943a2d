"""Names that settings had before: still read, with a warning that says the present one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.errors import Problem
from connector.settings.origin import SettingPath, dotted

EARLIER: Final[Mapping[str, str]] = {"console": "health"}
"""Earlier name of a section → its present one."""


def earlier(path: SettingPath) -> SettingPath | None:
    """What a setting was called before; None where it always had its name."""
    was = next((old for old, new in EARLIER.items() if path[0] == new), None)
    return None if was is None else (was, *path[1:])


def present(path: SettingPath) -> SettingPath:
    """What a setting of this name is called now."""
    return (EARLIER.get(str(path[0]), path[0]), *path[1:]) if path else path


def warning(path: SettingPath, name: str, line: int | None = None, column: int | None = None) -> Problem:
    """It is read under its earlier name `path`, which stands at `name`."""
    now = dotted(present(path))
    return Problem(
        f"is called {now} now", f"write {now}: the next release reads only that", name, dotted(path), line, column
    )


def rename(tree: dict[str, Any]) -> list[str]:
    """Give sections their present names; the earlier ones that were there alone."""
    found = [old for old, new in EARLIER.items() if old in tree and new not in tree]
    for old in found:
        tree[EARLIER[old]] = tree.pop(old)
    return found
