"""The site: built strictly, so that no link and no anchor leads nowhere, and without anything from elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.tooling.pages import ROOT
from website import __main__ as site
from website.markdown import for_site
from website.pages import pages, sections

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
NOT_LOADED = {"canonical", "prev", "next", "alternate", "me"}


class Loads(HTMLParser):
    """What a browser fetches for a page by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in LOADED and given.get("rel") not in NOT_LOADED:
            self.found.append(given.get(LOADED[tag]) or "")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without a network: a proxy that is not there is what everything would have to go through."""
    folder = tmp_path_factory.mktemp("site")
    away = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "website", "--folder", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": "", **away}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_built_and_the_root_leads_to_the_newest_version(built: Path) -> None:
    mine = built / site.version()
    assert [uri for uri in pages().values() if not (mine / uri).with_suffix(".html").is_file()] == []
    listed = json.loads((built / "versions.json").read_text())
    assert [it["version"] for it in listed] == [site.version()]
    assert f"url={site.version()}/index.html" in (built / "index.html").read_text()


def test_nothing_is_loaded_from_elsewhere(built: Path) -> None:
    outside = {}
    for page in built.rglob("*.html"):
        reader = Loads()
        reader.feed(page.read_text("utf-8"))
        if found := [it for it in reader.found if re.match(r"(?:[a-z]+:)?//", it)]:
            outside[page.name] = found
    assert outside == {}
    styles = "".join(page.read_text("utf-8") for page in built.rglob("*.css"))
    assert re.findall(r"url\([\"']?(?:https?:)?//[^)]*\)|@import[^;]*//[^;]*", styles) == []


def test_words_of_every_page_are_found(built: Path) -> None:
    index = json.loads((built / site.version() / "search" / "search_index.json").read_text())
    found = {document["location"].partition("#")[0] for document in index["docs"]}
    assert {uri.replace(".md", ".html") for uri in pages().values()} <= found


def test_older_versions_stay_and_the_newest_number_is_where_the_root_leads(tmp_path: Path) -> None:
    for name in ("0.9", "0.10", "0.2", "pictures"):
        (tmp_path / name).mkdir()
    assert site.entitle(tmp_path) == "0.10"
    listed = json.loads((tmp_path / "versions.json").read_text())
    assert [it["version"] for it in listed] == ["0.10", "0.9", "0.2"]
    assert [it["aliases"] for it in listed] == [["latest"], [], []]


def test_every_section_of_the_index_has_pages_and_each_a_place_of_its_own() -> None:
    assert len(set(pages().values())) == len(pages())
    assert all(sections().values())
    assert "docs/quickstart.md" in sections()["Begin"]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("docs/quickstart.md", "[r](../README.md#a)", "[r](index.md#a)"),
        ("docs/quickstart.md", "[d](../deploy/README.md)", "[d](project/deploy.md)"),
        ("docs/quickstart.md", "[`a`](../connector/model.py) b", "[`a`](files/connector/model.py) b"),
        ("docs/quickstart.md", "[x](../connector/)", "x"),
        ("docs/quickstart.md", "[x](nowhere.md)", "[x](nowhere.md)"),
        ("docs/quickstart.md", "[x](https://a.example/b.md)", "[x](https://a.example/b.md)"),
        ("README.md", "![p](docs/pictures/demo.svg)", "![p](files/docs/pictures/demo.svg)"),
        ("deploy/README.md", "[s](../docs/security.md#secrets)", "[s](../security.md#secrets)"),
        ("SECURITY.md", "[s](docs/security.md)", "[s](../security.md)"),
        (
            "docs/quickstart.md",
            "```yaml a.yaml\nx: [r](../README.md)\n```\n",
            '```yaml title="a.yaml"\nx: [r](../README.md)\n```\n',
        ),
        ("docs/quickstart.md", "```sh background\nls\n```\n", "```sh\nls\n```\n"),
        ("docs/quickstart.md", "- a\n  - b\n", "- a\n    - b\n"),
    ],
)
def test_a_page_of_the_repository_becomes_one_of_the_site(path: str, text: str, expected: str) -> None:
    assert for_site(text, path, pages(), lambda file: f"files/{file}") == expected
