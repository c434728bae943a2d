"""The pages' own files: read once, compressed once, served under a name that changes with any of them.

All stand below one folder that is named by a digest of them all, so that they may import each other by relative names
and be kept by browsers for ever. `index.html` is the page of every address; it says where the folder is.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from connector.errors import ConnectorError

FOLDER = Path(__file__).parent / "static"
INDEX = "index.html"
SERVED = frozenset({".js", ".css", ".svg", ".png", ".ico", ".json", ".webmanifest", ".txt"})
COMPRESSED = frozenset({".js", ".css", ".svg", ".json", ".webmanifest", ".txt"})
FOREVER = "public, max-age=31536000, immutable"
NONCE, ASSETS = "$nonce", "$assets"
"""What stands in `index.html` for the nonce of styles, and for the folder of the files, relative to the page."""

TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".ico": "image/x-icon"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file.

    Attributes:
        packed: its bytes, compressed; None where that gains nothing.
    """

    body: bytes
    type: str
    packed: bytes | None


class StaticFiles:
    """Those of a folder.

    Attributes:
        digest: of all of them.

    Raises:
        ConnectorError: the folder has no `index.html`.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        index = folder / INDEX
        if not index.is_file():
            raise ConnectorError(f"{index} is not there: the package is not whole; install it again")
        self._index = index.read_text("utf-8")
        self._files: Mapping[str, StaticFile] = {
            path.relative_to(folder).as_posix(): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in SERVED and path.is_file()
        }
        whole = hashlib.sha256()
        for name, file in self._files.items():
            whole.update(f"{name}\0{len(file.body)}\0".encode())
            whole.update(file.body)
        self.digest = whole.hexdigest()[:16]

    def find(self, digest: str, name: str) -> StaticFile | None:
        """A file of ours; None for one that is not, or not any more."""
        return self._files.get(name) if digest == self.digest else None

    def respond(self, request: web.Request, digest: str, name: str) -> web.Response:
        """A file. Raises HTTPNotFound."""
        found = self.find(digest, name)
        if found is None:
            raise web.HTTPNotFound
        headers = {"Content-Type": found.type, "Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
        body = found.body
        if found.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"], body = "gzip", found.packed
        return web.Response(body=body, headers=headers)

    def page(self, path: str) -> tuple[str, str]:
        """The page of an address, and the nonce that its styles need. `path` is the address below the console's own."""
        nonce = secrets.token_urlsafe(16)
        up = "../" * max(0, path.count("/") - 1) or "./"
        return self._index.replace(NONCE, nonce).replace(ASSETS, f"{up}s/{self.digest}"), nonce


def _read(path: Path) -> StaticFile:
    body = path.read_bytes()
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/") or path.suffix in {".json", ".webmanifest"}:
        kind += "; charset=utf-8"
    packed = gzip.compress(body, 9, mtime=0) if path.suffix in COMPRESSED else None
    return StaticFile(body, kind, packed if packed is not None and len(packed) < len(body) else None)
