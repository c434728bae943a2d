"""Which files of the repository are pages of the site, in which order, and where each is. Pure."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath

ROOT = Path(__file__).parents[1]
INDEX = ROOT / "docs" / "README.md"
TITLES = {"SECURITY.md": "Reporting a vulnerability"}
HOME = {"README.md": "index.md", "docs/README.md": "contents.md"}

_heading = re.compile(r"^## (.+)$")
_row = re.compile(r"^\| \[[^\]]+\]\(([^)#]+\.md)\)")


def sections() -> dict[str, list[str]]:
    """Heading → paths of its pages, from the root of the repository: the tables of docs/README.md."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in INDEX.read_text("utf-8").splitlines():
        if heading := _heading.match(line):
            section = heading[1]
        elif row := _row.match(line):
            found.setdefault(section, []).append(normpath(f"docs/{row[1]}"))
    return found


def uri(path: str) -> str:
    """Where a file of the repository is in the site, as Markdown: `deploy/README.md` → `project/deploy.md`."""
    if path in HOME:
        return HOME[path]
    inner = PurePosixPath(path)
    if inner.parts[0] == "docs":
        return str(PurePosixPath(*inner.parts[1:]))
    return "project/" + "-".join(part.lower() for part in inner.with_suffix("").parts if part != "README") + ".md"


def pages() -> dict[str, str]:
    """Path in the repository → where it is in the site, for every page."""
    return {path: uri(path) for path in (*HOME, *(path for each in sections().values() for path in each))}


def navigation() -> list[dict[str, str | list[str | dict[str, str]]]]:
    """What MkDocs calls `nav`."""
    return [
        {"Home": HOME["README.md"]},
        *({title: [_entry(path) for path in each if path not in HOME]} for title, each in sections().items()),
    ]


def _entry(path: str) -> str | dict[str, str]:
    """Without a title, a page is called as its heading."""
    return {TITLES[path]: uri(path)} if path in TITLES else uri(path)
