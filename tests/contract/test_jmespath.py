"""What `connector/config_text/jmes_parse.py` takes from inside jmespath: its parser's methods and its tokens."""

from __future__ import annotations

from typing import Any

import pytest
from jmespath import ast
from jmespath.lexer import Lexer
from jmespath.parser import Parser
from jmespath.visitor import TreeInterpreter

from connector.config_text.jmes_parse import parse


@pytest.mark.parametrize(
    "name",
    [
        "_do_parse",
        "_expression",
        "_lookahead_token",
        "_parse_dot_rhs",
        "_token_nud_literal",
        "_token_nud_quoted_identifier",
        "_token_nud_unquoted_identifier",
    ],
)
def test_the_parser_has_the_methods_that_are_overridden(name: str) -> None:
    assert callable(getattr(Parser, name))


def test_tokens_say_where_they_start() -> None:
    tokens = [(token["type"], token["value"], token["start"]) for token in Lexer().tokenize("a == \"b c\" || 'd'")]
    assert tokens == [
        ("unquoted_identifier", "a", 0),
        ("eq", "==", 2),
        ("quoted_identifier", "b c", 5),
        ("or", "||", 11),
        ("literal", "d", 14),
        ("eof", "", 17),
    ]


def test_every_recursion_of_the_parser_goes_through_expression() -> None:
    """The bound on levels counts there: what recursed elsewhere would not be seen."""
    counted = 0

    class Counting(Parser):
        def _expression(self, binding_power: int = 0) -> Any:
            nonlocal counted
            counted += 1
            return super()._expression(binding_power)

    for text in (
        "(((a)))",
        "!!!a",
        "[[[a]]]",
        "{a: {a: {a: b}}}",
        "f(f(f(a)))",
        "a[?b[?c[?d]]]",
        "a[*][*][*]",
        "a.[b.[c]]",
    ):
        counted = 0
        Counting()._do_parse(text)
        assert counted >= 3, text


@pytest.mark.parametrize(
    "text", ["a == 'b'", '"a-b".c[?d == `1`].e | [0]', "sort_by(a, &b)[*].{c: d, e: [f, `true`]}", "!a && (b || c.d.e)"]
)
def test_our_tree_is_the_librarys_with_places(text: str) -> None:
    def bare(node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        kept = {key: value for key, value in node.items() if key not in ("quoted", "member", "start", "end")}
        return {**kept, "children": [bare(child) for child in node["children"]]}

    assert bare(parse(text)) == Parser()._do_parse(text).parsed
    assert set(ast.field("a")) == {"type", "children", "value"}
    assert TreeInterpreter.COMPARATOR_FUNC.keys() == {"eq", "ne", "lt", "gt", "lte", "gte"}
