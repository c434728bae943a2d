"""`${NAME}`, `${NAME:-default}`, `${NAME?}` and `${file:path}`: values from outside the file, read at start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connector.config_text.regular_file import FileError, read_regular
from connector.errors import ConnectorError

_reference = re.compile(r"\$\{([^{}]*)(\}?)")
_undecoded = re.compile("[\ud800-\udfff]").search  # bytes that are not UTF-8, as Python hands them over
_name = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\?|:-(.*))?", re.DOTALL)

FILE_BYTES: Final = 64 * 1024  # a secret, a key, a certificate


class UnresolvedError(ConnectorError):
    """A `${…}` that cannot be resolved.

    Attributes:
        message, remedy: what is wrong and what to do.
        position: index into the text.
    """

    def __init__(self, message: str, remedy: str, position: int) -> None:
        self.message = message
        self.remedy = remedy
        self.position = position
        super().__init__(message)


@dataclass(slots=True)
class Resolved:
    """A text with its references replaced.

    Attributes:
        text: the result.
        secrets: `${NAME}` → value, of every reference that was looked up.
        optional: it was nothing but one `${NAME?}` and that is not set: what it stands in is left out.
        faults: what could not be resolved.
    """

    text: str
    secrets: dict[str, str] = field(default_factory=dict)
    optional: bool = False
    faults: list[UnresolvedError] = field(default_factory=list)


class Environment:
    """Where `${NAME}` and `${file:path}` are looked up.

    Args:
        values: usually `os.environ`.
        root: folder that relative paths of `${file:path}` start from.
    """

    def __init__(self, values: Mapping[str, str], root: Path | str = ".") -> None:
        self.values = values
        self.root = Path(root)
        self.showing = False

    @classmethod
    def placeholders(cls) -> Environment:
        """Every reference stands for itself, as `${NAME}` also where a default is given: for showing requests.

        The `secrets` of what is loaded with it are its references.
        """
        environment = cls({})
        environment.showing = True
        return environment

    def resolve(self, text: str) -> Resolved:
        """Replace every reference in `text`; what a value brings is not scanned again."""
        resolved = Resolved("")
        pieces: list[str] = []
        position = 0
        for match in _reference.finditer(text):
            pieces.append(text[position : match.start()])
            position = match.end()
            try:
                value = self._look_up(match, resolved)
            except UnresolvedError as error:
                resolved.faults.append(error)
                value = match.group()
            if value is None:
                resolved.optional = match.group() == text
                value = ""
            pieces.append(value)
        pieces.append(text[position:])
        resolved.text = "".join(pieces)
        return resolved

    def _look_up(self, match: re.Match[str], resolved: Resolved) -> str | None:
        """The value of one reference; None for an optional one that is not set. Raises UnresolvedError."""
        inside, start = match.group(1), match.start()
        if not match.group(2):
            raise UnresolvedError("`${` is not closed", "write ${NAME}; a literal is written $${'${'}", start)
        if inside.startswith("file:"):
            value = match.group() if self.showing else self._read_file(inside[5:], start)
            resolved.secrets[match.group()] = value
            return value
        name = _name.fullmatch(inside)
        if name is None:
            raise UnresolvedError(
                f"`${{{inside}}}` is not understood",
                "write ${NAME}, ${NAME:-default}, ${NAME?} or ${file:path}; a literal is written $${'${'}",
                start,
            )
        key, suffix, default = name.groups()
        if self.showing:
            return resolved.secrets.setdefault(f"${{{key}}}", f"${{{key}}}")
        value = self.values.get(key, "")
        if not value.isascii() and _undecoded(value):
            raise UnresolvedError(f"the environment variable {key} is not UTF-8 text", "set it anew", start)
        if value:
            resolved.secrets[f"${{{key}}}"] = value
            return value
        if suffix == "?":
            return None
        if default is not None:
            return str(default)
        state = "empty" if key in self.values else "not set"
        raise UnresolvedError(
            f"the environment variable {key} is {state}", f"set it, or write ${{{key}:-default}} or ${{{key}?}}", start
        )

    def _read_file(self, path: str, start: int) -> str:
        file = self.root / path
        try:
            text = read_regular(file, FILE_BYTES).decode().rstrip("\r\n")
        except FileError as error:
            raise UnresolvedError(f"the file {file} {error.message}", error.remedy, start) from None
        except UnicodeDecodeError:
            raise UnresolvedError(f"the file {file} is not UTF-8 text", "name the right one", start) from None
        if not text:
            raise UnresolvedError(f"the file {file} is empty", "write the value into it", start)
        return text
