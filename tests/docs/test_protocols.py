"""A protocol says who implements it: whoever follows a hand-over into one finds the way out of it.

Read from the source alone, nothing is imported. "Implemented by `X` (file), put in place in `place`" holds where the
file has a class X that names the protocol as its base or defines all of it, and the place mentions X, or imports from
a file that does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.tooling.pages import ROOT

LINE = re.compile(r"Implemented by `(\w+)` \((connector/\S+\.py)\), put in place in `(connector/\S+\.py)`\.")
HAND_OVERS = [ROOT / "connector" / "delivery", ROOT / "connector" / "stream"]


class Said(NamedTuple):
    """What a protocol's docstring says."""

    protocol: str
    members: frozenset[str]
    implementation: str
    file: str
    place: str


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def names(node: ast.AST) -> set[str]:
    found = {it.id for it in ast.walk(node) if isinstance(it, ast.Name)}
    return found | {it.name for it in ast.walk(node) if isinstance(it, ast.alias | ast.ClassDef)}


def given(node: ast.ClassDef) -> set[str]:
    """What an object of a class has: methods, and what the class or one of its methods assigns."""
    targets = [it for it in ast.walk(node) if isinstance(getattr(it, "ctx", None), ast.Store)]
    assigned = {it.attr if isinstance(it, ast.Attribute) else getattr(it, "id", "") for it in targets}
    return assigned | {it.name for it in methods(node)}


def protocols(file: Path) -> Iterator[ast.ClassDef]:
    for node in tree(file).body:
        if isinstance(node, ast.ClassDef) and any(
            isinstance(it, ast.Name) and it.id == "Protocol" for it in node.bases
        ):
            yield node


def methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (it for it in node.body if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef))


def said_by(node: ast.ClassDef) -> list[Said]:
    text = " ".join((ast.get_docstring(node) or "").split())
    found = LINE.findall(text)
    assert len(found) == text.count("Implemented by"), f"{node.name}: a line that is not understood"
    members = frozenset(it.name for it in methods(node))
    return [Said(node.name, members, *it) for it in found]


def files() -> list[Path]:
    return sorted((ROOT / "connector").rglob("*.py"))


def everything_said() -> list[Said]:
    return [said for file in files() for node in protocols(file) for said in said_by(node)]


def knows(place: str, name: str) -> bool:
    """Whether a file mentions a class, or imports from a module that does."""
    here = tree(ROOT / place)
    if name in names(here):
        return True
    imported = {it.module for it in ast.walk(here) if isinstance(it, ast.ImportFrom) and it.module}
    beside = [ROOT / f"{it.replace('.', '/')}.py" for it in imported]
    return any(it.is_file() and name in names(tree(it)) for it in beside)


def wrong(said: Said) -> str | None:
    for file in (said.file, said.place):
        if not (ROOT / file).is_file():
            return f"there is no {file}"
    classes = {it.name: it for it in tree(ROOT / said.file).body if isinstance(it, ast.ClassDef)}
    found = classes.get(said.implementation)
    if found is None:
        return f"{said.file} has no class {said.implementation}"
    bases = {name for base in found.bases for name in names(base)}
    if said.protocol not in bases and not said.members <= given(found):
        return f"{said.implementation} is no {said.protocol}"
    return None if knows(said.place, said.implementation) else f"{said.place} does not know {said.implementation}"


@pytest.mark.parametrize("said", everything_said(), ids=lambda it: f"{it.protocol} is {it.implementation}")
def test_who_is_said_to_implement_a_protocol_does(said: Said) -> None:
    assert wrong(said) is None


def test_every_protocol_that_hands_over_says_who_implements_it() -> None:
    """Those that only describe a value, by its properties, hand nothing over."""
    silent = [
        f"{file.relative_to(ROOT)} {node.name}"
        for folder in HAND_OVERS
        for file in folder.rglob("*.py")
        for node in protocols(file)
        if any(not it.decorator_list for it in methods(node)) and not said_by(node)
    ]
    assert silent == []


def test_every_class_of_ours_that_names_a_protocol_as_its_base_is_said_there() -> None:
    said = {(it.protocol, it.implementation) for it in everything_said()}
    known = {it.protocol for it in everything_said()}
    for file in files():
        for node in tree(file).body:
            if isinstance(node, ast.ClassDef):
                bases = {it.id for it in node.bases if isinstance(it, ast.Name)}
                assert {(base, node.name) for base in bases & known} <= said, f"{file}: {node.name}"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"file": "connector/stream/gone.py"}, "there is no connector/stream/gone.py"),
        ({"implementation": "Gone"}, "connector/stream/process.py has no class Gone"),
        ({"protocol": "Passage", "members": frozenset({"narrow"})}, "Process is no Passage"),
        ({"place": "connector/clock.py"}, "connector/clock.py does not know Process"),
    ],
)
def test_what_is_not_so_is_noticed(change: dict[str, object], why: str) -> None:
    here = "connector/stream/process.py"
    said = Said("ChunkSink", frozenset({"failed"}), "Process", here, here)
    assert wrong(said) is None
    assert wrong(said._replace(**change)) == why  # type: ignore[arg-type]
