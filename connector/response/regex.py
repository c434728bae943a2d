"""A regular expression of a definition over a reply, paid for out of the reply's account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from connector.definition.patterns import Pattern, writable
from connector.response.work import AUTOMATON_BYTES, CALL, SEARCH, TooMuchWorkError, Work

_UTF8: Final = 4  # bytes of a character at most


class Regex:
    """One expression.

    Attributes:
        names: of its groups.
    """

    __slots__ = ("_pattern", "_work", "names")

    def __init__(self, pattern: Pattern, work: Work) -> None:
        self._pattern = pattern
        self._work = work
        self.names = pattern.names

    def search(self, text: str) -> Any:
        """The first match or None. Raises TooMuchWorkError where it may take longer than a reply is given."""
        text = writable(text)
        self._pay(text)
        found = self._pattern.search(text)
        self._work.look()
        return found

    def finditer(self, text: str) -> Iterator[Any]:
        """Every match. Each of them may read the whole rest of the text, so each is paid for."""
        text = writable(text)
        self._pay(text)
        for found in self._pattern.finditer(text):
            self._work.spend(CALL + (len(text) - found.end()) // AUTOMATON_BYTES)
            self._work.look()
            yield found

    def _pay(self, text: str) -> None:
        length = len(text) if text.isascii() else len(text) * _UTF8
        if length * self._pattern.size > SEARCH:
            raise TooMuchWorkError
        self._work.spend(CALL + length // AUTOMATON_BYTES)
