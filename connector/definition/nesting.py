"""`nesting`: how the names of pairs say that values stand in a list or a map."""

from __future__ import annotations

import re
from typing import Final

from connector.config_text.source import PlacedValue
from connector.definition.findings import Findings
from connector.definition.shape import MapKey, Record, Schema, Shape, scalar_text, shown
from connector.definition.tree import ListNames, MapNames, Nesting

_LENGTH: Final = 20
_outside = re.compile(r"[^\x21-\x7e]|[&=#%+]").search
_numbered = re.compile(r"([^0-9]*)([01])([^0-9]*)").fullmatch


class ListNamesShape(Shape):
    """`[0]`, `.1`, `[]`, `repeat`: what stands behind the name for the first element."""

    def read(self, source: PlacedValue, report: Findings) -> ListNames | None:
        text = scalar_text(source, report)
        if text is None:
            return None
        if text in ("repeat", "[]"):
            return ListNames("" if text == "repeat" else text)
        found = _numbered(text) if len(text) <= _LENGTH and not _outside(text) else None
        if found is None:
            remedy = "write what stands behind the name for the first element: [0], .1, _1, or repeat, []"
            report.error(source.place, f"`{shown(text)}` numbers no elements", remedy)
            return None
        return ListNames(found[1], int(found[2]), found[3])

    def schema(self) -> Schema:
        return {"type": ["string", "integer"]}


class MapNamesShape(Shape):
    """`[key]`, `.key`: what stands behind the name for a member called `key`."""

    def read(self, source: PlacedValue, report: Findings) -> MapNames | None:
        text = scalar_text(source, report)
        if text is None:
            return None
        before, key, after = text.partition("key")
        if not key or not before or "key" in after or len(text) > _LENGTH or _outside(text) or re.search("[0-9]", text):
            remedy = "write what stands behind the name for a member called key: [key] or .key"
            report.error(source.place, f"`{shown(text)}` names no members", remedy)
            return None
        return MapNames(before, after)

    def schema(self) -> Schema:
        return {"type": "string"}


class NestingShape(Shape):
    """`{lists: …, maps: …}`."""

    def __init__(self) -> None:
        self.record = Record(
            MapKey(
                "lists",
                ListNamesShape(),
                "What stands behind the name for the first element of a list, or `repeat`; default `[0]`.",
                "repeat",
            ),
            MapKey(
                "maps", MapNamesShape(), "What stands behind it for a member called `key`; default `[key]`.", ".key"
            ),
        )

    def read(self, source: PlacedValue, report: Findings) -> Nesting | None:
        read = self.record.read(source, report)
        return (
            None
            if read is None
            else Nesting(read.get("lists") or ListNames("[", 0, "]"), read.get("maps") or MapNames("[", "]"))
        )

    def schema(self) -> Schema:
        return self.record.schema()
