"""Where loading collects what it finds: every problem at once, and the values that came from outside the file."""

from __future__ import annotations

from connector.definition.environment import Environment
from connector.definition.expression import Expression, ExpressionError, split
from connector.definition.source import Place, Value
from connector.errors import Problem


class Report:
    """Errors, warnings and secrets of one definition.

    Attributes:
        environment: where `${NAME}` is looked up.
        errors, warnings: in the order they were found; a fault inherited by several operations is named once.
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
        self.secrets: dict[str, str] = {}

    def error(self, place: Place, message: str, remedy: str = "") -> None:
        """Note something that must be mended."""
        self.add(place.problem(message, remedy))

    def add(self, problem: Problem) -> None:
        """Note an error that already knows its place."""
        self.faults += 1
        if problem not in self.errors:
            self.errors.append(problem)

    def warn(self, place: Place, message: str, remedy: str = "") -> None:
        """Note what looks like a slip."""
        problem = place.problem(message, remedy)
        if problem not in self.warnings:
            self.warnings.append(problem)

    def resolve(self, value: Value) -> str | None:
        """The text of a scalar with its references replaced; None where it is one optional reference without value."""
        return self._resolve(value, value.text, 0)

    def parts(self, value: Value) -> tuple[str | Expression, ...] | None:
        """Literal parts (references replaced) and replacements; None where the whole is to be left out.

        Replacements are found first, so what a reference brings is never read as one.
        """
        try:
            found = split(value.text)
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

    def _resolve(self, value: Value, text: str, offset: int) -> str | None:
        if "${" not in text:
            return text
        resolved = self.environment.resolve(text)
        self.secrets.update(resolved.secrets)
        for fault in resolved.faults:
            self.error(value.at(offset + fault.position), fault.message, fault.remedy)
        return None if resolved.optional else resolved.text
