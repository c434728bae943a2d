"""The locked packages, and who asks for each: what `uv` wrote beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release import ReleaseError, checkout

_entry = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? \\\n"
    r"(?:    --hash=.*\n)+(?P<via>(?:    #.*\n?)*)",
    re.MULTILINE,
)
_parent = re.compile(r"#\s+(?:via )?([A-Za-z0-9_.-]+)")


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of a lock.

    Attributes:
        marker: for which Pythons and systems it is; empty for all.
        parents: names of packages that ask for it; the project's own among them.
    """

    name: str
    version: str
    marker: str
    parents: frozenset[str]


def read(lock: Path) -> list[Locked]:
    """Every entry. Where Pythons need different versions a package has several."""
    text = lock.read_text("utf-8")
    found = [
        Locked(
            match["name"],
            match["version"],
            match["marker"] or "",
            frozenset(_parent.findall(match["via"])) - {"via"},
        )
        for match in _entry.finditer(text)
    ]
    if len(found) != len(re.findall(r"^[a-z]", text, re.MULTILINE)):
        raise ReleaseError(f"{lock.name}: an entry cannot be read; run `make lock`")
    return found


def shipped(root: Path = checkout.ROOT) -> tuple[list[Locked], frozenset[str]]:
    """Everything that users may install, with all extras, and the names of what a worker needs."""
    folder = root / "requirements"
    needed = frozenset(it.name for it in read(folder / "run.lock"))
    return read(folder / "extras.lock"), needed


def extras_for_users(root: Path = checkout.ROOT) -> list[str]:
    """The extras but the one with the tests."""
    return sorted(set(checkout.project(root)["optional-dependencies"]) - {"test"})


def direct(root: Path = checkout.ROOT) -> frozenset[str]:
    """What pyproject.toml asks for itself, with the extras for users."""
    about = checkout.project(root)
    lines = [*about["dependencies"]]
    for extra in extras_for_users(root):
        lines += about["optional-dependencies"][extra]
    names = {canonicalize_name(Requirement(line).name) for line in lines}
    return frozenset(names - {about["name"]})
