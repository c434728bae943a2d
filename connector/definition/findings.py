"""Where loading collects what it finds: every problem at once, and the values that came from outside the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from connector.config_text.environment import Environment
from connector.config_text.source import Place, Value
from connector.definition.expression import Expression, ExpressionError
from connector.definition.expression_text import MESSAGE, Vocabulary, split
from connector.errors import Problem

PROBLEMS: Final = 100  # named one by one, of errors and of warnings; the rest is counted


class Findings:
    """Errors, warnings and secrets of one definition.

    Attributes:
        environment: where `${NAME}` is looked up.
        errors, warnings: in the order they were found, the first of them; a fault inherited by several operations is
            named once.
        secrets: `${NAME}` → value.
        file: the file that is loaded (what it extends stands in others).
        faults: errors met, repeated ones included.
    """

    def __init__(self, environment: Environment, file: str = "") -> None:
        self.environment = environment
        self.file = file
        self.faults = 0
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []
        self._known: set[Problem] = set()
        self._more = [0, 0]
        self._words = MESSAGE
        self.secrets: dict[str, str] = {}

    def error(self, place: Place, message: str, remedy: str = "") -> None:
        """Note something that must be mended."""
        self.add(place.problem(message, remedy))

    def add(self, problem: Problem) -> None:
        """Note an error that already knows its place."""
        self.faults += 1
        self._keep(problem, self.errors, 0)

    def warn(self, place: Place, message: str, remedy: str = "") -> None:
        """Note what looks like a slip."""
        self._keep(place.problem(message, remedy), self.warnings, 1)

    @contextmanager
    def speaking(self, words: Vocabulary) -> Iterator[None]:
        """Replacements that are read meanwhile are in these words."""
        before, self._words = self._words, words
        try:
            yield
        finally:
            self._words = before

    @property
    def full(self) -> bool:
        """True when no further error is named: what it may have meant need not be looked for."""
        return len(self.errors) >= PROBLEMS

    def left_out(self) -> list[Problem]:
        """One problem that counts the errors that are not named; none where all are."""
        return self._rest(0)

    def left_out_warnings(self) -> list[Problem]:
        """The same for warnings."""
        return self._rest(1)

    def _keep(self, problem: Problem, kept: list[Problem], which: int) -> None:
        if problem in self._known:
            return
        if len(kept) < PROBLEMS:
            self._known.add(problem)
            kept.append(problem)
        else:
            self._more[which] += 1

    def _rest(self, which: int) -> list[Problem]:
        count = self._more[which]
        return [Problem(f"and {count:,} more", "mend these first", self.file)] if count else []

    def resolve(self, value: Value) -> str | None:
        """The text of a scalar with its references replaced; None where it is one optional reference without value."""
        return self._resolve(value, value.text, 0)

    def parts(self, value: Value) -> tuple[str | Expression, ...] | None:
        """Literal parts (references replaced) and replacements; None where the whole is to be left out.

        Replacements are found first, so what a reference brings is never read as one.
        """
        try:
            found = split(value.text, self._words, self._referred)
        except ExpressionError as error:
            self.error(value.at(error.position), error.message, error.remedy)
            return (value.text,)
        if len(found) == 1 and isinstance(found[0], str):
            text = self._resolve(value, found[0], 0)
            return None if text is None else (text,)
        resolved: list[str | Expression] = []
        for part in found:
            if isinstance(part, str):
                resolved.append(self._resolve(value, part, max(value.text.find(part), 0)) or "")
            else:
                resolved.append(part)
        return tuple(part for part in resolved if part != "")

    def _referred(self, reference: str) -> str:
        """The value of a reference inside a replacement."""
        resolved = self.environment.resolve(reference)
        if resolved.faults or resolved.optional:
            fault = resolved.faults[0] if resolved.faults else None
            message = fault.message if fault is not None else "this cannot be optional"
            raise ExpressionError(message, fault.remedy if fault is not None else "write ${NAME} or ${NAME:-default}")
        self.secrets.update(resolved.secrets)
        return resolved.text

    def _resolve(self, value: Value, text: str, offset: int) -> str | None:
        if "${" not in text:
            return text
        resolved = self.environment.resolve(text)
        self.secrets.update(resolved.secrets)
        for fault in resolved.faults:
            self.error(value.at(offset + fault.position), fault.message, fault.remedy)
        return None if resolved.optional else resolved.text
