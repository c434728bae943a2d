"""The pages' own sources: everything in them is used, is there once, and makes no markup of text."""

from __future__ import annotations

import re

import pytest

from connector.web.static_files import FOLDER

SCRIPTS = {path.relative_to(FOLDER).as_posix(): path.read_text() for path in sorted(FOLDER.rglob("*.js"))}
OURS = {name: text for name, text in SCRIPTS.items() if not name.startswith("vendor/")}
SHEETS = {path.relative_to(FOLDER).as_posix(): path.read_text() for path in sorted(FOLDER.rglob("*.css"))}
SHARED = ("api.js", "parts.js", "say.js", "place.js", "icons.js", "deeds.js")
LIBRARY = re.compile(r"cm-[\w-]+|u-[\w-]+|uplot")
"""Classes that libraries give to what they draw."""


def exports(text: str) -> set[str]:
    return set(re.findall(r"^export (?:async )?(?:function|const|class) (\w+)", text, re.MULTILINE))


def code(text: str) -> str:
    """Without comments."""
    return re.sub(r"/\*.*?\*/|^\s*//.*$", "", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("sheet", [name for name in SHEETS if not name.startswith("vendor/")])
def test_every_class_of_the_styles_is_given_by_a_page(sheet: str) -> None:
    given: set[str] = set()
    for text in (*OURS.values(), (FOLDER / "index.html").read_text()):
        for found in re.findall(r'class=(?:"([^"]*)"|\$\{(.*?)\}[ />])|"([a-z -]+)"', text):
            given |= set(re.findall(r"[a-z][\w-]*", " ".join(found)))
    rules = re.sub(r"/\*.*?\*/|\{[^{}]*\}", " ", SHEETS[sheet], flags=re.DOTALL)
    named = {name for name in re.findall(r"\.([a-zA-Z][\w-]*)", rules) if not LIBRARY.fullmatch(name)}
    assert named - given == set()


def test_whatever_a_file_offers_another_one_takes() -> None:
    unused = {
        f"{name}: {offered}"
        for name, text in OURS.items()
        for offered in exports(text)
        if not any(
            re.search(rf"import [^;]*?\b{offered}\b[^;]*? from|\bsay\.{offered}\b", other)
            for taker, other in OURS.items()
            if taker != name
        )
    }
    assert unused == set()


def test_what_pages_share_is_there_once() -> None:
    shared = {offered: name for name in SHARED for offered in exports(OURS[name])}
    again = {
        f"{name}: {made} is in {shared[made]}"
        for name, text in OURS.items()
        for made in re.findall(r"^(?:export )?(?:async )?(?:function|const|class) (\w+)", text, re.MULTILINE)
        if made in shared and shared[made] != name
    }
    assert again == set()


@pytest.mark.parametrize("name", OURS)
def test_no_page_makes_markup_or_script_of_text(name: str) -> None:
    text = code(OURS[name])
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "dangerously", "document.write", "eval(", "new Function"):
        assert word not in text
    assert re.search(r"fetch\(\s*[\"'`]http|\bWebSocket\b|\bXMLHttpRequest\b", text) is None


@pytest.mark.parametrize("name", OURS)
def test_a_file_of_a_page_is_one_idea(name: str) -> None:
    assert len(OURS[name].splitlines()) <= 260


def test_every_file_is_reached_from_the_page() -> None:
    reached: set[str] = set()
    left = ["main.js"]
    while left:
        name = left.pop()
        if name in reached:
            continue
        reached.add(name)
        taken = re.findall(r"(?:from|import\()\s*\"(\.[^\"]+)\"", SCRIPTS[name])
        places = [(FOLDER / name).parent.joinpath(it).resolve() for it in taken]
        left += [place.relative_to(FOLDER.resolve()).as_posix() for place in places]
    assert set(SCRIPTS) - reached == set()
