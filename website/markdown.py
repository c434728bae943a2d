"""Text of a page as MkDocs reads it: links out of `docs/`, named code blocks, lists. Pure but for what exists."""

from __future__ import annotations

import re
from collections.abc import Callable
from posixpath import dirname, normpath, relpath

from website.pages import ROOT

_fence = re.compile(r"^(```\w*)(?: (\S+))?$", re.MULTILINE)
_block = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_link = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_picture = re.compile(r"(!\[[^\]]*\]\()([^)\s]+)\)")
_nested = re.compile(r"^ {2,3}(?=(?:[-*]|\d+\.) )", re.MULTILINE)

Attach = Callable[[str], str]
"""Puts a file of the repository into the site, and says where."""


def for_site(text: str, path: str, pages: dict[str, str], attach: Attach) -> str:
    """The page `path` of the repository as its site has it.

    Args:
        text: its Markdown.
        path: from the root of the repository.
        pages: path in the repository → where it is in the site.
        attach: for files that pages link to and that are no pages: sources, schemas, settings.
    """
    parts = _block.split(text)
    parts[0::2] = [_prose(part, path, pages, attach) for part in parts[0::2]]
    parts[1::2] = [_fence.sub(_titled, part, count=1) for part in parts[1::2]]
    return "".join(parts)


def _titled(fence: re.Match[str]) -> str:
    """```yaml acme.yaml``` names the file that the block is; `background` says how tests run it."""
    language, word = fence.groups()
    return language if word is None or word in ("background", "acls") else f'{language or "```text"} title="{word}"'


def _prose(text: str, path: str, pages: dict[str, str], attach: Attach) -> str:
    here = pages[path]

    def link(match: re.Match[str]) -> str:
        said, target = match.groups()
        file, hash_, anchor = target.partition("#")
        if not file or "://" in file or file.startswith("mailto:"):
            return match[0]
        wanted = normpath(f"{dirname(path)}/{file}".lstrip("/"))
        if wanted in pages:
            return f"[{said}]({relpath(pages[wanted], dirname(here) or '.')}{hash_}{anchor})"
        if (ROOT / wanted).is_file():
            return f"[{said}]({relpath(attach(wanted), dirname(here) or '.')})"
        return said if (ROOT / wanted).is_dir() else match[0]

    def picture(match: re.Match[str]) -> str:
        wanted = normpath(f"{dirname(path)}/{match[2]}".lstrip("/"))
        return f"{match[1]}{relpath(attach(wanted), dirname(here) or '.')})"

    text = _picture.sub(picture, _link.sub(link, text))
    return _nested.sub("    ", text)
