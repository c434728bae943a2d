"""JMESPath parsed within bounds, and with what the library's tree forgets: where a name stands, and whether in quotes.

Everything that reads an expression goes through `parse`: what a definition says may be hostile too, and the library's
recursive parser ends in RecursionError, its number token in ValueError.
"""

from __future__ import annotations

import math
import re
import warnings
from functools import lru_cache
from typing import Any, Final

import jmespath.parser
from jmespath import ast
from jmespath.exceptions import JMESPathError

LENGTH: Final = 8_192  # characters of one expression
LEVELS: Final = 100  # parts inside one another; `a || b || c` nests to the left

# The library's tree: dicts with `type`, `children` and sometimes `value`. Fields and literals have `start` and `end` as
# well, their place in the expression; fields also `quoted` and, where they follow a dot, `member`.
AstNode = Any


_written = re.compile(r"""\w+|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`""", re.DOTALL).match

_dashed = re.compile(r"\w+(-\w+)+").fullmatch


class PathSyntaxError(Exception):
    """The text is no JMESPath expression, or one that is too large.

    Attributes:
        message: what is wrong, to stand after the expression.
        remedy: what to write instead.
        position: index into the text; None where it is the whole.
    """

    def __init__(self, message: str, remedy: str, position: int | None = None) -> None:
        self.message = message
        self.remedy = remedy
        self.position = position
        super().__init__(message)


@lru_cache(maxsize=2_048)
def parse(text: str) -> AstNode:
    """The expression's tree. Raises PathSyntaxError.

    The tree is shared: nobody changes it.
    """
    if len(text) > LENGTH:
        raise PathSyntaxError(f"is longer than {LENGTH:,} characters", "several rules say the same in less")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a text in backticks: the library guesses, and warns
            tree = _Parser().tree(text)
    except PendingDeprecationWarning:
        raise PathSyntaxError("has no JSON in its backticks", "write texts in '…'") from None
    except RecursionError:  # JSON in backticks, nested too deeply for the standard library
        raise _too_deep() from None
    except (JMESPathError, ValueError) as error:
        position = getattr(error, "lex_position", None)
        known = isinstance(position, int) and 0 <= position < len(text)
        remedy = "texts stand in '…', numbers in `…`"
        if _dashed(text):
            remedy = f'a name that is not letters, digits and _ stands in double quotes: "{text}"'
        raise PathSyntaxError("is no JMESPath expression", remedy, position if known else None) from None
    if _levels(tree) > LEVELS:
        raise _too_deep()
    _sound(tree)
    return tree


def _sound(tree: AstNode) -> None:
    """Raise PathSyntaxError for what the library parses and no reply can meet."""
    open_ = [tree]
    while open_:
        node = open_.pop()
        if node["type"] == "slice" and node["children"][2] == 0:
            raise PathSyntaxError("has a slice that steps by 0", "write [::1], or [] for every element")
        if node["type"] == "literal" and isinstance(node["value"], float) and not math.isfinite(node["value"]):
            raise PathSyntaxError("has a number in backticks that JSON does not know", "NaN and Infinity come as null")
        open_.extend(child for child in node["children"] if isinstance(child, dict))


def _too_deep() -> PathSyntaxError:
    remedy = "write contains(['a', 'b'], code) for many values, or several rules"
    return PathSyntaxError(f"has more than {LEVELS} parts inside one another", remedy)


def _levels(tree: AstNode) -> int:
    """How many nodes stand inside one another; counted without recursion."""
    deepest, open_ = 0, [(tree, 1)]
    while open_:
        node, level = open_.pop()
        deepest = max(deepest, level)
        open_.extend((child, level + 1) for child in node["children"] if isinstance(child, dict))
    return deepest


_Library: Any = jmespath.parser.Parser  # the stubs leave its own methods out; tests/contract holds them


class _Parser(_Library):  # type: ignore[misc]
    """The library's parser, which counts how deep it is and remembers the tokens of names and constants."""

    def tree(self, text: str) -> AstNode:
        self._levels = 0
        self._members: set[int] = set()
        self._text = text
        tree: AstNode = self._do_parse(text).parsed
        return tree

    def _expression(self, binding_power: int = 0) -> AstNode:
        self._levels += 1
        if self._levels > LEVELS:
            raise _too_deep()
        node: AstNode = super()._expression(binding_power)
        self._levels -= 1
        return node

    def _parse_dot_rhs(self, binding_power: int) -> AstNode:
        self._members.add(self._lookahead_token(0)["start"])
        node: AstNode = super()._parse_dot_rhs(binding_power)
        return node

    def _token_nud_unquoted_identifier(self, token: dict[str, Any]) -> AstNode:
        return self._field(token, quoted=False)

    def _token_nud_quoted_identifier(self, token: dict[str, Any]) -> AstNode:
        super()._token_nud_quoted_identifier(token)
        return self._field(token, quoted=True)

    def _field(self, token: dict[str, Any], *, quoted: bool) -> AstNode:
        member = token["start"] in self._members
        return {**ast.field(token["value"]), "quoted": quoted, "member": member, **self._place(token)}

    def _token_nud_literal(self, token: dict[str, Any]) -> AstNode:
        return {**ast.literal(token["value"]), **self._place(token)}

    def _place(self, token: dict[str, Any]) -> dict[str, int]:
        """Start and end; of what stands in quotes the lexer's own `end` is a length, and one short at times."""
        start: int = token["start"]
        found = _written(self._text, start)
        return {"start": start, "end": found.end() if found is not None else start}
