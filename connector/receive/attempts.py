"""Several things that may be wrong, tried one after the other, so that all their problems are told at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from connector.errors import ConfigurationError, Problem

T = TypeVar("T")


class Attempts:
    """Collects problems."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def __call__(self, make: Callable[[], T]) -> T | None:
        """What `make` returns; None where something has to be mended."""
        try:
            return make()
        except ConfigurationError as error:
            self._problems += error.problems
            return None

    def end(self) -> None:
        """Raises ConfigurationError with all of them, where there are any."""
        if self._problems:
            raise ConfigurationError(dict.fromkeys(self._problems))
