"""Documents lead somewhere, and tell the truth about `make`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.rooms import BEGIN

ROOT = Path(__file__).parents[2]
FOLDERS = [path.name for base in (ROOT, ROOT / "connector") for path in base.glob("[a-z]*") if path.is_dir()]
PATH = re.compile(rf"`((?:{'|'.join(map(re.escape, FOLDERS))})/(?:[a-z_]+/)*(?:[a-z_]+\.(?:py|md|yaml))?)`")
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def documents() -> list[Path]:
    return [
        *ROOT.glob("*.md"),
        *(page for folder in ("docs", "deploy", "examples", "requirements") for page in (ROOT / folder).rglob("*.md")),
    ]


def test_every_link_to_a_file_leads_to_one() -> None:
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in documents()
        for target in LINK.findall(document.read_text())
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert broken == []


def anchors(text: str) -> set[str]:
    """Of the headings of a page, as code hosts and the site make them."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#{1,6} (.+?)\s*$", FENCED.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = found[name] = found.get(name, -1) + 1
        names.add(f"{name}-{count}" if count else name)
    return names | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def test_every_anchor_leads_to_a_heading() -> None:
    broken = []
    for document in documents():
        text = FENCED.sub("", document.read_text())
        for target, anchor in re.findall(r"\[[^\]]*\]\(([^)#\s]*)#([^)\s]+)\)", text):
            there = document.parent / target if target else document
            if "://" not in target and there.suffix == ".md" and anchor not in anchors(there.read_text()):
                broken.append(f"{document.relative_to(ROOT)}: {target}#{anchor}")
    assert broken == []


def test_a_heading_has_one_anchor_and_a_second_of_its_name_another() -> None:
    text = "# A `b`: c?\n```sh\n# no heading\n```\n## x – y\n## Where …?\n### Same\n### Same\n"
    assert anchors(text) == {"a-b-c", "x--y", "where-", "same", "same-1"}


def test_every_path_into_the_tree_that_a_document_names_is_there() -> None:
    """From the root, or from `connector/`. The changelog tells of what was; the list of files names them by room."""
    broken = [
        f"{document.relative_to(ROOT)}: {path}"
        for document in documents()
        if document.name != "CHANGELOG.md"
        for path in PATH.findall(document.read_text().partition(BEGIN)[0])
        if not ((ROOT / path).exists() or (ROOT / "connector" / path).exists())
    ]
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = [page for page in documents() if page.parent == ROOT / "docs" and page.name != "README.md"]
    missing = [page.name for page in pages if f"({page.name})" not in index]
    assert missing == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_a_document_names_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z]+)", (ROOT / document).read_text(), re.MULTILINE))
    assert named
    assert named <= targets
