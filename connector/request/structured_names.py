"""Structures as flat pairs: `Messages[0][To]`, or as a provider spells it (`Messages.1.To`, `to=…&to=…`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connector.definition.tree import Nesting

_ends_in_digit = re.compile(".*[0-9]", re.DOTALL).fullmatch


class StructuredNames:
    """One spelling.

    Args:
        nesting: what the definition says.
        escape: how names are written in the format; what `nesting` puts between them is written so as well.
    """

    def __init__(self, nesting: Nesting, escape: Callable[[str], str]) -> None:
        lists, maps = nesting.lists, nesting.maps
        self._first = lists.first
        self._element = escape(lists.before), escape(lists.after)
        self._member = escape(maps.before), escape(maps.after)
        self._repeated = escape("[]")
        marks = {"[", "]", lists.before, lists.after, maps.before, maps.after} - {""}
        self._marks = re.compile("|".join(map(re.escape, marks))).search
        self._bare = lists.first is not None and not lists.before and not lists.after

    @property
    def numbered(self) -> bool:
        """Whether elements of lists have their number in their names."""
        return self._first is not None

    def ambiguous(self, name: str) -> bool:
        """Whether the name of a variable could be read as a place in a structure."""
        return self._marks(name) is not None or (self._bare and _ends_in_digit(name) is not None)

    def pairs(self, name: str, value: Any, found: list[tuple[str, str]]) -> None:
        """Every leaf of `value` with its whole name, in order. A list under `to[]` always repeats that name."""
        if isinstance(value, dict):
            before, after = self._member
            for key, item in value.items():
                self.pairs(f"{name}{before}{key}{after}", item, found)
        elif isinstance(value, list):
            before, after = self._element
            first = None if name.endswith(self._repeated) else self._first
            if first is None:
                name = name if name.endswith(self._repeated) else f"{name}{before}"
                for item in value:
                    self.pairs(name, item, found)
            else:
                for index, item in enumerate(value, first):
                    self.pairs(f"{name}{before}{index}{after}", item, found)
        else:
            found.append((name, value))
