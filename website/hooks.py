"""What MkDocs calls while it builds: see mkdocs.yml."""

from __future__ import annotations

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parents[1]))

from website.markdown import for_site
from website.pages import ROOT, navigation, pages

PAGES = pages()
SOURCES = {".py", ".yaml", ".yml", ".toml", ".mjs", ".xml", ".jsonl"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.nav = navigation()
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages that are not in docs/, and the files that pages link to."""
    for file in list(files):
        if file.src_uri == "README.md":
            files.remove(file)
    have = {file.src_uri for file in files}
    for path, uri in PAGES.items():
        if uri not in have:
            files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    css = "assets/site.css"
    files.append(File.generated(config, css, abs_src_path=str(ROOT / "website" / css)))
    for path in PAGES:
        for_site((ROOT / path).read_text("utf-8"), path, PAGES, lambda wanted: _attach(wanted, files, config))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    path = next(path for path, uri in PAGES.items() if uri == page.file.src_uri)
    return for_site(markdown, path, PAGES, lambda wanted: _attach(wanted, files, config))


def _attach(path: str, files: Files, config: MkDocsConfig) -> str:
    """Where a file of the repository is in the site. Sources are text there: a browser shows them."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    name = Path(path).name
    text = Path(path).suffix in SOURCES or "." not in name
    uri = f"files/{path}.txt" if text else f"files/{path}"
    if files.get_file_from_path(uri) is None:
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    return uri
