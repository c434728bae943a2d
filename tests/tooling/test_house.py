"""The rooms of the code: few boxes in each, no circle between them, one meaning per name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tooling.pages import ROOT

PACKAGE = ROOT / "connector"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
ROOMS = sorted({name for name, path in MODULES.items() if path.name == "__init__.py"})
TWICE_AT_MOST = 5
MOST_BOXES = {"connector.stream": 17, "connector.delivery": 13}


def imported(name: str) -> Iterator[str]:
    """Modules of ours that a module imports."""
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


IMPORTS = {name: set(imported(name)) - {name} for name in MODULES}


def box(room: str, module: str) -> str | None:
    """The file or folder directly inside a room that a module belongs to."""
    return module[len(room) + 1 :].partition(".")[0] if module.startswith(f"{room}.") else None


def arrows(room: str) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for module, others in IMPORTS.items():
        if (source := box(room, module)) is not None:
            found[source].update(it for other in others if (it := box(room, other)) not in (None, source))
    return dict(found)


@pytest.mark.parametrize("room", ROOMS)
def test_no_circle_of_imports_between_what_stands_in_a_room(room: str) -> None:
    left = arrows(room)
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert left == {}


@pytest.mark.parametrize("room", MOST_BOXES)
def test_a_room_is_seen_at_a_glance(room: str) -> None:
    assert len(arrows(room)) <= MOST_BOXES[room], sorted(arrows(room))


def test_a_file_name_says_which_file_it_is() -> None:
    names = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        if not path.name.startswith("__"):
            names[path.name].append(str(path.relative_to(PACKAGE)))
    twice = {name: paths for name, paths in names.items() if len(paths) > 1}
    assert len(twice) <= TWICE_AT_MOST, twice
    assert all(len(paths) == 2 for paths in twice.values()), twice


def test_a_class_name_means_one_class() -> None:
    names: defaultdict[str, list[Path]] = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                names[node.name].append(path.relative_to(PACKAGE))
    assert {name: paths for name, paths in names.items() if len(paths) > 1} == {}
