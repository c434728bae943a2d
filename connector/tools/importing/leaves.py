"""Walking the scalars of a request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connector.tools.importing.http_call import Number, Tree
from connector.tools.importing.literal import written

LeafPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar of the request: where it stands, and the map or list that holds it."""

    path: LeafPath
    holder: Any
    at: Any
    name: str

    @property
    def value(self) -> Tree:
        return self.holder[self.at]

    @property
    def text(self) -> str:
        value = self.value
        return value.text if isinstance(value, Number) else value if isinstance(value, str) else ""

    def put(self, value: Tree) -> None:
        self.holder[self.at] = value


def leaves(node: Tree, path: LeafPath = (), name: str = "") -> Iterator[Leaf]:
    """Every scalar below `node`, with the name of the nearest key."""
    members: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in members:
        named = key if isinstance(key, str) and not key.startswith(("$", "#")) else name
        below = (*path, str(key))
        if isinstance(value, dict | list):
            yield from leaves(value, below, named)
        else:
            yield Leaf(below, node, key, named.removeprefix("@").removesuffix("[]"))


def keyed(node: Tree) -> Tree:
    """The same with its keys in the language's spelling; those that are replacements stay so."""
    if isinstance(node, dict):
        return {written(key): keyed(value) for key, value in node.items()}
    return type(node)(keyed(item) for item in node) if isinstance(node, list) else node


def dotted(path: LeafPath) -> str:
    """A path as messages write it: `parameters.json.msgs[0].to`."""
    text = ""
    for segment in path:
        if segment.isdecimal() and segment.isascii():
            text += f"[{segment}]"
        else:
            name = segment if re.fullmatch(r"[^.\[\]\"\s]+", segment) else f'"{segment}"'
            text += f".{name}" if text else name
    return text
