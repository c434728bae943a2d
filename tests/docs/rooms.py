"""Writes the list of rooms and files in docs/architecture.md, from the files' own first sentences.

python -m tests.docs.rooms
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.tooling.pages import ROOT

PAGE = ROOT / "docs" / "architecture.md"
PACKAGE = ROOT / "connector"
BEGIN, END = "<!-- rooms: begin -->\n", "<!-- rooms: end -->\n"

# In the order of the imports: a room imports what stands below it.
ROOMS = (
    *("cli", "web", "workbench", "operating", "health", "tools", "stream", "receive"),
    *("delivery", "kafka", "formats", "store", "receipts"),
    *("request", "response", "settings", "suppressions", "definition", "config_text"),
)


def filled(page: str) -> str:
    """The page with the list as the tree is now."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + "\n" + "\n".join(_rooms()) + "\n" + END + after


def _rooms() -> Iterator[str]:
    for room in ROOMS:
        yield from _table(f"`connector/{room}/`", PACKAGE / room, sorted((PACKAGE / room).rglob("*.py")))
    yield from _table("`connector/`", PACKAGE, sorted(PACKAGE.glob("*.py")))


def _table(title: str, folder: Path, files: list[Path]) -> Iterator[str]:
    told = [(str(file.relative_to(folder)), first_sentence(file)) for file in files]
    yield from (f"### {title}", "", "| file | |", "|---|---|")
    yield from (f"| `{name}` | {sentence} |" for name, sentence in told if sentence)
    yield ""


def first_sentence(file: Path) -> str:
    """Of the module's docstring; empty where it has none, as empty `__init__.py` do."""
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    found = re.match(r"(.+?[.:;])(?:\s+[A-Z]|$)", paragraph)
    return (found[1] if found else paragraph).rstrip(".:;").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
