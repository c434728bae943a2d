"""The words of a shell command, as it was pasted: `$'…'`, continued lines and `$NAME` included.

shlex does the words; what it does not know is rewritten first. A shell's variable becomes a mark around its name, so
that it can become `${NAME}` of the definition and is never mistaken for text.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

from connector.errors import UsageError

# Two noncharacters of Unicode, which no text holds: around the name of a variable.
OPEN: Final = "\ufdd0"
CLOSE: Final = "\ufdd1"

_piece = re.compile(
    r"""
      (?P<ansi>\$'(?:[^'\\]|\\.)*')
    | (?P<single>'[^']*')
    | (?P<double>\$?"(?:[^"\\]|\\.)*")
    | (?P<continued>\\[ \t]*\r?\n)
    | (?P<escaped>\\.)
    | (?P<variable>\$(?:\{\w+\}|[A-Za-z_]\w*))
    | (?P<comment>(?:^|(?<=\s))\#[^\n]*)
    | (?P<end>(?:^|(?<=\s))(?:\|\|?|;|&&?|[12]?>|<<?)(?=\s|$|[/"'A-Za-z])|[;&](?=\s|$))
    """,
    re.VERBOSE | re.DOTALL,
)
_variable = re.compile(r"(?P<continued>\\\r?\n)|\\(?P<plain>[$`])|\\.|\$(?:\{(\w+)\}|([A-Za-z_]\w*))", re.DOTALL)
_foreign = re.compile(r"(\^|`)[ \t]*\r?\n")
_typographic = re.compile(r"(?:^|(?<=\s))([\u2018\u2019\u201c\u201d]|[\u2013\u2014]\w)")

_ESCAPES: Final = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
_ansi_escape = re.compile(
    r"\\(?:x(?P<x>[0-9A-Fa-f]{1,2})|u(?P<u>[0-9A-Fa-f]{1,4})|U(?P<U>[0-9A-Fa-f]{1,8})|(?P<o>[0-7]{1,3})|(?P<c>.))",
    re.DOTALL,
)


def words(command: str) -> list[str]:
    """The words of the first simple command; what a pipe or redirection does with its output is left out.

    Raises UsageError where a quote is open, or where the command was written for another shell.
    """
    command = command.replace(OPEN, "").replace(CLOSE, "")
    if foreign := _foreign.search(command):
        shell = "cmd" if foreign[1] == "^" else "PowerShell"
        raise UsageError(f"the lines end in `{foreign[1]}`, as in {shell}: copy the command in its form for bash")
    if typographic := _typographic.search(command):
        raise UsageError(f"a typographic {typographic[1][0]} stands in the command: write plain quotes and hyphens")
    rewritten: list[str] = []
    position = 0
    for piece in _piece.finditer(command):
        rewritten.append(command[position : piece.start()])
        position = piece.end()
        if piece.lastgroup == "end":
            if not "".join(rewritten).strip():
                continue  # nothing before it yet
            if piece.group().startswith("<<"):
                raise UsageError("the body comes from a here-document: put its text after --data-raw, in quotes")
            break
        rewritten.append(_rewritten(piece))
    else:
        rewritten.append(command[position:])
    try:
        return shlex.split("".join(rewritten))
    except ValueError as error:
        raise UsageError(f"the command cannot be read ({str(error).lower()}): a quote or `\\` is left open") from None


def _rewritten(piece: re.Match[str]) -> str:
    text = piece.group()
    match piece.lastgroup:
        case "ansi":
            return shlex.quote(_ansi_escape.sub(_ansi, text[2:-1]))
        case "double":
            return _variable.sub(_marked, text.removeprefix("$"))
        case "continued" | "comment":
            return " "
        case "variable":
            return _variable.sub(_marked, text)
        case _:
            return text


def _marked(match: re.Match[str]) -> str:
    """A variable as its mark; what a backslash hides as bash reads it, and shlex reads the rest."""
    if match["continued"] is not None:
        return ""
    name = match[3] or match[4]
    return f"{OPEN}{name}{CLOSE}" if name else match["plain"] or match.group()


def _ansi(match: re.Match[str]) -> str:
    code = match["x"] or match["u"] or match["U"]
    if code:
        return chr(min(int(code, 16), 0x10FFFF))
    if match["o"]:
        return chr(int(match["o"], 8) & 0xFF)
    return _ESCAPES.get(match["c"], match["c"])
