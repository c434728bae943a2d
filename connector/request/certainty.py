"""Whether what is added to a request can be computed for any request, or only for most.

What depends on the texts of messages may fail for some of them: `fields()|get('n')|int`, a line break in a header.
Where that can be, it is tried when a request is rendered, so that the message at fault ends `invalid` and none waits.
"""

from __future__ import annotations

from typing import Final

from connector.definition.expression import Expression, Head
from connector.definition.signing import PARTS, expressions_of
from connector.definition.signing_filters import ON_PAIRS
from connector.definition.tree import Additions

CONTENT: Final = PARTS - {"method", "origin", "host", "hostname", "port"}
"""Calls whose value may differ from one message to another."""

_WRITING: Final = frozenset({"md5", "sha1", "sha256", "sha384", "sha512", "hmac", "hex", "base64", "base64url"})
"""What these give is printable ASCII; they take bytes as well."""

_SURE: Final = (
    _WRITING
    | (ON_PAIRS.keys() - {"uuid"})
    | {"replace", "upper", "lower", "truncate", "last", "default", "append", "prepend", "padstart", "digits", "str"}
)
"""These fail for no text."""


def may_fail(additions: Additions) -> bool:
    """Whether it may fail for some messages although it works for others."""
    content, octets, unclean = set[str](), set[str](), set[str]()  # names
    before = -1
    while before != (before := len(content) + len(octets) + len(unclean)):  # what values are made of, in any order
        for name, node in additions.values.items():
            for each in expressions_of(node):
                if each.calls & CONTENT or each.names & content:
                    content.add(name)
                if _reaches(each, unclean):
                    unclean.add(name)
                if not each.filters and _gives_octets(each.head, octets):
                    octets.add(name)
    places = (additions.headers, additions.query, additions.pairs, additions.json)
    for every in (*additions.values.values(), *places):
        for each in expressions_of(every):
            depends = each.calls & CONTENT or each.names & content
            if depends and any(call.filter.name not in _SURE for call in each.filters):
                return True
            if each.filters and each.filters[0].filter.name not in _WRITING and _gives_octets(each.head, octets):
                return True  # a text is asked for, and a body may be in any charset
    return any(_reaches(each, unclean) for each in expressions_of(additions.headers))


def _gives_octets(head: Head, octets: set[str]) -> bool:
    """Whether it is a body, or holds one, as it is."""
    return head.text in octets if head.kind == "name" else head == Head("call", "body")


def _reaches(expression: Expression, unclean: set[str]) -> bool:
    """Whether it may bring what no header can hold: a text of a message as it is. A header's own value is none."""
    if any(call.filter.name in _WRITING or call.filter.name == "urlencode" for call in expression.filters):
        return False  # printable ASCII, whatever went in
    return bool(expression.calls & (CONTENT - {"headers"}) or expression.names & unclean)
