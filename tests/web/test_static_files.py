"""The pages' own files, and the page of every address."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import aiohttp
import pytest

from connector.errors import ConnectorError
from connector.settings.web import Web
from connector.web.static_files import StaticFiles
from tests.web.serving import served


def folder(path: Path, script: str = "import './parts.js'\n" * 50) -> Path:
    (path / "pages").mkdir(exist_ok=True)
    (path / "index.html").write_text('<script src="$assets/main.js"></script><style nonce="$nonce"></style>')
    (path / "main.js").write_text(script)
    (path / "pages" / "overview.js").write_text("1")
    (path / ".secret").write_text("hunter2")
    (path / "notes.py").write_text("hunter2")
    return path


def test_a_file_that_changes_changes_the_folder_of_all(tmp_path: Path) -> None:
    before = StaticFiles(folder(tmp_path)).digest
    assert StaticFiles(folder(tmp_path)).digest == before
    assert StaticFiles(folder(tmp_path, "2")).digest != before


@pytest.mark.parametrize(
    ("path", "up"),
    [("/", "./"), ("/providers", "./"), ("/providers/acme", "../"), ("/m/sms.messages/7/1", "../../../")],
)
def test_a_page_names_its_files_relative_to_itself(tmp_path: Path, path: str, up: str) -> None:
    files = StaticFiles(folder(tmp_path))
    text, nonce = files.page(path)
    assert f'src="{up}s/{files.digest}/main.js"' in text
    assert f'nonce="{nonce}"' in text
    assert files.page(path)[1] != nonce


@pytest.mark.parametrize("name", ["../secret", ".secret", "notes.py", "index.html", "pages", "", "pages/../main.js"])
def test_nothing_but_the_pages_files_is_served(tmp_path: Path, name: str) -> None:
    files = StaticFiles(folder(tmp_path))
    assert files.find(files.digest, name) is None


def test_files_of_an_earlier_release_are_not_there(tmp_path: Path) -> None:
    files = StaticFiles(folder(tmp_path))
    assert files.find(files.digest, "main.js") is not None
    assert files.find("0" * 16, "main.js") is None


def test_a_package_that_is_not_whole_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match="the package is not whole"):
        StaticFiles(tmp_path)


async def test_browsers_keep_files_for_ever_and_get_them_compressed(tmp_path: Path) -> None:
    async with served(Web(port=0), folder=folder(tmp_path)) as ask:
        page = await ask("GET", "/providers/acme")
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        found = re.search(r'src="\.\.(/s/[0-9a-f]{16}/main\.js)"', page.text)
        assert found is not None
        nonce = re.search(r"'nonce-([\w-]+)'", page.headers["Content-Security-Policy"])
        assert nonce is not None
        assert nonce[1] in page.text
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            url = ask.url.rstrip("/") + found[1]
            async with session.get(url, headers={"Accept-Encoding": "identity"}) as plain:
                assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
                assert plain.headers["Content-Type"] == "text/javascript; charset=utf-8"
                body = await plain.read()
            async with session.get(url, headers={"Accept-Encoding": "gzip"}) as packed:
                assert packed.headers.get("Content-Encoding") == "gzip"
                assert gzip.decompress(await packed.read()) == body
