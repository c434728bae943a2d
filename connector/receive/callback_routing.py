"""Whose a callback is, by its path alone."""

from __future__ import annotations

from urllib.parse import urlsplit

from connector.receipts.tokens import ForeignTokenError
from connector.receipts.verification import ReceiptKeys, RoutedPath, route


class Routing:
    """Finds the definition that a path is for.

    Args:
        public_url: its path stands before every path of ours.
    """

    def __init__(self, public_url: str, keys: ReceiptKeys) -> None:
        self._prefix = urlsplit(public_url).path.rstrip("/")
        self._keys = keys

    def find(self, path: str) -> RoutedPath | None:
        """What a path says; None where it is none of ours."""
        return route(path, self._prefix)

    def is_ours(self, found: RoutedPath) -> bool:
        """Whether its token or secret was made by us: then the definition is missing here, and the callback is not
        somebody's guess.
        """
        if found.kind == "r":
            return bool(found.credential) and self._keys.url_secrets.right(found.definition, found.credential)
        try:
            self._keys.tokens.read(found.definition, found.credential)
        except ForeignTokenError:
            return False
        return True
