"""Regular expressions of definitions, run in linear time: RE2 in place of Python's `re`, which a provider's forty bytes
can hold for minutes (`^(a+)+$`).

RE2 has no look-around, no back-references, no possessive repetition; its classes (digits, letters) are ASCII,
and `$` is the very end. docs/definition.md says so, and what it does not know is explained here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import re2

LENGTH: Final = 2_000  # characters of one expression
GROUPS: Final = 50
SIZE: Final = 2_000  # RE2's instructions; `\pL` has 1,200, a sentence of alternatives 100
MEMORY: Final = 1024 * 1024  # bytes one expression may use while it runs


class PatternError(Exception):
    """The text is no regular expression, or none that RE2 can run within bounds.

    Attributes:
        message: what is wrong, to stand after the expression.
        remedy: what to write instead.
    """

    def __init__(self, message: str, remedy: str) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message)


class Pattern:
    """A compiled expression.

    Attributes:
        names: of its groups, in their order.
        size: RE2's instructions: what a character may cost.
    """

    __slots__ = ("_regexp", "names", "size")

    def __init__(self, regexp: Any) -> None:
        self._regexp = regexp
        self.names: tuple[str, ...] = tuple(sorted(regexp.groupindex, key=regexp.groupindex.__getitem__))
        self.size: int = max(regexp.programsize, regexp.reverseprogramsize)

    def search(self, text: str) -> Any:
        """The first match, as `re` gives it (`groupdict`, `start`, `end`); None where there is none."""
        return self._regexp.search(writable(text))

    def finditer(self, text: str) -> Iterator[Any]:
        """Every match, one after the other; none of them overlap."""
        found: Iterator[Any] = self._regexp.finditer(writable(text))
        return found


def writable(text: str) -> str:
    """`text` with halves of surrogate pairs replaced: RE2 reads UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


@lru_cache(maxsize=1_024)
def compile_pattern(source: str) -> Pattern:
    """Raises PatternError."""
    if len(source) > LENGTH:
        raise PatternError(f"is longer than {LENGTH:,} characters", "several rules say the same in less")
    if (nested := _nested(source)) > GROUPS:
        raise PatternError(f"has {nested} groups inside one another", f"at most {GROUPS}")
    if _single_byte(source):
        raise PatternError("holds \\C, which takes a character apart", "write . for any character")
    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    try:
        pattern = re2.compile(writable(source), options)
    except re2.error as error:
        said = error.args[0]
        raise _explained(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from None
    if pattern.groups > GROUPS:
        raise PatternError(f"has {pattern.groups} groups", f"at most {GROUPS}; (?:…) groups without counting")
    named = _named.findall(_open.sub(_groups_only, source))
    if len(set(named)) < len(named):
        raise PatternError("names two groups alike", "give one of them another name")
    compiled = Pattern(pattern)
    if compiled.size > SIZE:
        message = f"is too large ({compiled.size:,} steps for a character)"
        raise PatternError(message, f"at most {SIZE:,}: fewer or shorter repetitions such as {{100}}, fewer \\p{{…}}")
    return compiled


_open = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()]", re.DOTALL)
_named = re.compile(r"\(\?P?<(\w+)>")
_single_byte = re.compile(r"(?:[^\\]|\\[^C])*?\\C", re.DOTALL).match


def _groups_only(mark: re.Match[str]) -> str:
    """Parentheses stay; escapes and classes go."""
    return mark.group() if mark.group() in "()" else ""


def _nested(source: str) -> int:
    """The deepest nesting of parentheses, escapes and classes left aside."""
    depth = deepest = 0
    for mark in _open.findall(source):
        depth += (mark == "(") - (mark == ")")
        deepest = max(deepest, depth)
    return deepest


# How RE2's words begin → what is wrong, and what to write.
_AROUND: Final = ("(?=", "(?!", "(?<=", "(?<!", "(?<")
_SAID: Final = (
    ("invalid perl operator: (?P", "refers to a group", "write out what may stand there"),
    ("invalid perl operator: (?>", "holds an atomic group (?>…)", "write (?:…): nothing is tried twice anyway"),
    ("invalid perl operator: (?#", "holds a comment (?#…)", "write it behind a # of the YAML"),
    ("invalid perl operator: (?(", "holds a condition (?(…)…)", "write alternatives: a|b"),
    ("invalid perl operator: (?", "holds a flag or group that is not known", "flags are i, m, s, U: (?i)failed"),
    ("invalid escape sequence: \\Z", "holds \\Z", "write $ or \\z for the end"),
    ("invalid escape sequence: \\u", "holds \\u", "write the character itself, or \\x{20ac}"),
    ("invalid escape sequence: \\U", "holds \\U", "write the character itself, or \\x{1f600}"),
    ("invalid escape sequence: \\N", "holds \\N", "write the character itself, or \\x{20ac}"),
    ("invalid escape sequence: \\", "holds a \\ that means nothing here", "write the character without \\, or \\\\"),
    ("bad repetition operator: ", "repeats a repetition (a++, a*+)", "write it once: nothing is tried twice anyway"),
    ("invalid repetition size", "repeats more than 1,000 times", "write + or *, or {1000}; nested ones multiply"),
    ("no argument for repetition", "repeats nothing", "write \\* for the character *, \\+ for +, \\? for ?"),
    ("missing ]", "has a [ that is not closed", "close it, or write \\["),
    ("missing closing ]", "has a [ that is not closed", "close it, or write \\["),
    ("missing closing )", "has a ( that is not closed", "close it, or write \\("),
    ("missing )", "has a ( that is not closed", "close it, or write \\("),
    ("unexpected )", "has a ) that nothing opens", "take it away, or write \\)"),
    ("trailing \\", "ends with a \\", "write \\\\ for the character"),
    ("invalid character class range", "has a range from a higher to a lower character", "swap its ends, or write \\-"),
    ("invalid named capture", "has a group without a name", "write (?P<name>…)"),
    ("pattern too large", "is too large", "fewer or shorter repetitions"),
    ("expression nests too deeply", "has too many groups inside one another", f"at most {GROUPS}"),
)  # fmt: skip


def _explained(said: str) -> PatternError:
    """RE2's words in ours, with what to write."""
    kind, _, where = said.partition(": ")
    if kind == "invalid perl operator" and where.startswith(_AROUND):
        remedy = "write what stands there as part of the expression, or use `when` or another rule"
        return PatternError(f"looks ahead or behind ({where}…)", remedy)
    if kind == "invalid escape sequence" and where[1:2].isdigit():
        return PatternError(f"refers back to a group ({where})", "write out what may stand there")
    for begins, message, remedy in _SAID:
        if said.startswith(begins):
            return PatternError(message, remedy)
    return PatternError(f"is no regular expression ({said})", "docs/definition.md says what may stand in one")
