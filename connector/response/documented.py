"""The codes a definition names in its rules: they are the provider's own, whatever else they may be equal to."""

from __future__ import annotations

import re
from typing import Final

from connector.definition.tree import Response

_LITERAL: Final = re.compile(r"'((?:[^'\\]|\\.)*)'|`\"?([^`\"]*)\"?`")
_DIGITS: Final = re.compile(r"[0-9]+")


def documented_codes(response: Response) -> frozenset[str]:
    """Literals of the conditions, and the digits of the regular expressions, of all rules."""
    rules = [*response.rules, *(rule for entry in response.entries for rule in entry.rules)]
    codes: set[str] = set()
    for rule in rules:
        for literal in _LITERAL.findall(rule.when or ""):
            codes.update(it for it in literal if it)
        codes.update(_DIGITS.findall(rule.text or ""))
    return frozenset(codes)
