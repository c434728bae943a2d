"""What documents tell a reader to type, and the files they tell him to write."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

BLOCK = re.compile(r"^```(\w*)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(?:\$ )?(sms-connector [^`]+)`")


class Block(NamedTuple):
    """A fenced block: its language, the word behind it (a file name, or `background`), its text."""

    language: str
    word: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    for language, word, text in BLOCK.findall(page.read_text("utf-8")):
        yield Block(language, word, text)


def lines(block: Block) -> list[str]:
    """The commands of a block, one per line."""
    text = re.sub(r"\\\n\s*", " ", block.text)
    return [
        line.removeprefix("$ ") for line in text.splitlines() if line.removeprefix("$ ").startswith("sms-connector")
    ]


def commands(page: Path) -> Iterator[list[str]]:
    """Every command of ours a page names, split into words; in blocks and in the text."""
    text = page.read_text("utf-8")
    for line in [line for block in blocks(page) for line in lines(block)] + INLINE.findall(BLOCK.sub("", text)):
        yield shlex.split(line.partition(" | ")[0].partition(" > ")[0], comments=True)[1:]
