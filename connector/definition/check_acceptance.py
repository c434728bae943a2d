"""Checks of what makes a message accepted: a condition that failures meet as well is a customer without a text.

None of these says that a rule is wrong, only that it asks too little. What is left in peace: a rule that asks for
something success says, whatever else it asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from connector.config_text.jmes_checks import walk as nodes
from connector.config_text.jmes_parse import AstNode, PathSyntaxError, parse
from connector.config_text.source import Map
from connector.definition.findings import Findings
from connector.definition.tree import SUCCESS, EntrySource, Operation, Rule
from connector.definition.walk import where

_WORD_ALONE: Final = re.compile(r"(?:\(\?[a-zA-Z]+\)|\(\?P?<\w+>|\\b|\(\?:|[\w()|])+").fullmatch
"""One word or several, with nothing that says where it stands."""

_FORM_ALONE: Final = frozenset({"content-type", "content-length", "date", "server", "connection", "transfer-encoding"})
"""Headers that replies of every kind have."""


def weak_conditions(operation: Operation, source: Map, report: Findings) -> None:
    """A rule that accepts asks for what success says, not for what one failure does not say."""
    for rule, path in _accepting(operation):
        if rule.when is not None and (said := _weak(rule.when)) is not None and not _firm_text(rule):
            report.warn(where(source, (*path, "when")), *said)
        if rule.text is not None and rule.when is None and _WORD_ALONE(rule.text):
            report.warn(
                where(source, (*path, "text")),
                f"`{rule.text}` is found anywhere in a reply: in `ERROR: not {_words(rule.text)}` too",
                f"say where it stands: ^{_words(rule.text)}, or the whole reply: ^{_words(rule.text)}$",
            )
        if rule.header and not (rule.text or rule.when) and {name for name, _ in rule.header} <= _FORM_ALONE:
            report.warn(
                where(source, (*path, "header")),
                "this header says what form a reply has, and not what it says: failures have it too",
                "say what a reply of success says as well: when: \"status == 'ok'\"",
            )


def first_of_a_list(operation: Operation, source: Map, report: Findings) -> None:
    """Of a batch, a list with something good in it may hold something bad besides."""
    if operation.batching is None or operation.response is None or operation.batching.max_records == 1:
        return
    for index, rule in enumerate(operation.response.rules):
        if rule.then == "accept" and rule.count is None and rule.when is not None and _asks_of_some(rule.when):
            report.warn(
                where(source, ("response", "rules", str(index), "when")),
                "this holds as soon as the list has one that is good, and accepts the whole batch",
                "write `then: entries` and say under `entries` whose they are, or `count: length(ids)`, "
                "or ask that nothing failed as well: length(failed) == `0`",
            )


def overtaken(operation: Operation, source: Map, report: Findings) -> None:
    """A rule that accepts by the status alone leaves no such reply to the rules after it."""
    if operation.response is None:
        return
    rules = operation.response.rules
    for index, rule in enumerate(rules):
        if rule.then != "accept" or rule.when or rule.text or rule.header:
            continue
        if not any(low <= 200 <= high for low, high in rule.status):
            continue  # who answers 201 to what was taken answers something else to what was not
        for later, other in enumerate(rules[index + 1 :], index + 1):
            bare = not (other.when or other.text or other.header)
            inherited = other.path.rpartition("[")[0] != rule.path.rpartition("[")[0]
            if bare or inherited or other.then == "accept" or other.status:
                continue
            report.warn(
                where(source, ("response", "rules", str(later))),
                f"{rule.path} accepts every reply with {_spans(rule.status)} before this rule is asked",
                "put this one first, or say with which `status` it comes: status: 4xx",
            )


def others_taken(operation: Operation, source: Map, report: Findings) -> None:
    """Where those who are not named are accepted, something must say that the list of the others was read."""
    response = operation.response
    if response is None:
        return
    asking = [rule for rule in response.rules if rule.then == "entries"]
    if not all(rule.when or rule.text or rule.header for rule in asking):
        return  # `others` says so already
    for index, entries in enumerate(response.entries):
        if entries.match.kind != "others" or entries.then != "accept" or entries.count is not None:
            continue
        named = response.entries[:index]
        unsure = [each for each in named if each.count is None and not _list_is_asked_for(each, asking)]
        if unsure and not any(rule.count for rule in asking):
            report.warn(
                where(source, ("response", "entries", str(index))),
                f"whatever {unsure[0].path} does not find is accepted: a list under another name, a line written "
                "otherwise",
                _way(unsure[0]),
            )


def _way(entries: EntrySource) -> str:
    if entries.text is not None:
        return (
            "let the rule's `text` describe the whole reply (^…$), so that a line which is none of these makes the"
            " reply unknown, or say where it counts them: count: accepted"
        )
    return (
        "say where the reply counts them (count: accepted), or let the rule ask for the list: "
        f"when: \"status == 'ok' && {entries.each} != `null`\""
    )


def _list_is_asked_for(entries: EntrySource, asking: Sequence[Rule]) -> bool:
    """Whether every rule that asks for entries knows that this source's list is there, or the whole of a text."""
    if entries.text is not None:
        return bool(asking) and all(rule.text is not None and _whole(rule.text) for rule in asking)
    each = entries.each or ""
    return bool(asking) and all(rule.when is not None and each in rule.when for rule in asking)


def _whole(text: str) -> bool:
    """Anchored at both ends, and not at those of a line."""
    plain = re.sub(r"^\(\?[a-zA-Z]+\)", "", text)
    lines = re.match(r"\(\?[a-zA-Z]*m", text) is not None
    return not lines and plain.startswith(("^", r"\A")) and plain.endswith(("$", r"\z"))


def _accepting(operation: Operation) -> Iterator[tuple[Rule, tuple[str, ...]]]:
    """Rules that say `accept`, of the request and of its entries, and where they stand."""
    if operation.response is None:
        return
    lists: list[tuple[Sequence[Rule], tuple[str, ...]]] = [(operation.response.rules, ("response", "rules"))]
    for index, entries in enumerate(operation.response.entries):
        lists.append((entries.rules, ("response", "entries", str(index), "rules")))
    for rules, path in lists:
        yield from ((rule, (*path, str(at))) for at, rule in enumerate(rules) if rule.then == "accept")


def _firm_text(rule: Rule) -> bool:
    return rule.text is not None and not _WORD_ALONE(rule.text)


def _words(pattern: str) -> str:
    """What a bare pattern looks for, without its marks."""
    return re.sub(r"\(\?[a-zA-Z]+\)|\(\?P?<\w+>|\\b|\(\?:|[()]", "", pattern).partition("|")[0] or "OK"


def _spans(status: Sequence[tuple[int, int]]) -> str:
    if tuple(status) == SUCCESS:
        return "2xx"
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in status)


# ---- JMESPath ------------------------------------------------------------------------------------------------------


def _weak(when: str) -> tuple[str, str] | None:
    """Message and remedy where a condition only says what a reply is not, or looks for a word anywhere in a text."""
    try:
        tree = parse(when)
    except PathSyntaxError:
        return None
    if not _says_something(tree):
        return (
            "this accepts whatever does not say so: `{}`, `[]`, and a failure in other words",
            "ask for what success says: status == 'ok'",
        )
    loose = _loose_word(tree)
    if loose is not None:
        return (
            f"'{loose}' is found anywhere in a text: in 'un{loose}' and 'no {loose}' too",
            f"compare the whole (message == '{loose}'), or its beginning: starts_with(message, '{loose}')",
        )
    return None


def _says_something(node: AstNode) -> bool:
    """Whether a condition asks for something that a reply says."""
    match node["type"]:
        case "and_expression":
            return any(_says_something(child) for child in node["children"])
        case "or_expression":
            return all(_says_something(child) for child in node["children"])
        case "not_expression":
            inner = node["children"][0]
            return inner["type"] in ("comparator", "not_expression") and not _says_something(inner)
        case "comparator" if node["value"] in ("eq", "ne"):
            absent = any(_is_literal(child, None) for child in node["children"])
            return bool((node["value"] == "eq") is not absent)
    return True


def _is_literal(node: AstNode, value: object) -> bool:
    return bool(node["type"] == "literal" and node["value"] is value)


def _loose_word(node: AstNode) -> str | None:
    """The word, where a condition asks for nothing firmer than that a text holds it."""
    match node["type"]:
        case "and_expression":
            found = [_loose_word(child) for child in node["children"] if _says_something(child)]
            return found[0] if found and None not in found else None
        case "or_expression":
            return next((word for child in node["children"] if (word := _loose_word(child)) is not None), None)
        case "function_expression" if node["value"] == "contains":
            subject, sought = node["children"]
            single = subject["type"] in ("field", "subexpression", "current")
            word = sought["value"] if sought["type"] == "literal" else None
            if single and isinstance(word, str) and word.isalpha():
                return word
    return None


_MANY: Final = frozenset({"projection", "filter_projection", "value_projection", "flatten", "index_expression"})


def _asks_of_some(when: str) -> bool:
    """Whether a condition holds by some elements of a list, and says nothing about there being no others."""
    try:
        tree = parse(when)
    except PathSyntaxError:
        return False
    terms = list(_terms(tree))
    return any(_some(term) for term in terms) and not any(_none_of(term) for term in terms)


def _terms(node: AstNode) -> Iterator[AstNode]:
    if node["type"] in ("and_expression", "or_expression"):
        for child in node["children"]:
            yield from _terms(child)
    else:
        yield node


def _some(node: AstNode) -> bool:
    """`length(a) > `0``, `a[0].b == 'c'`, `a[?b]`, `contains(a[].b, 'c')`."""
    if node["type"] == "comparator" and node["value"] not in ("eq", "lt", "lte") and _length(node):
        return True
    if node["type"] == "comparator" and _length(node):
        return False
    return node["type"] != "not_expression" and any(each["type"] in _MANY for each in nodes(node))


def _length(node: AstNode) -> bool:
    return any(child["type"] == "function_expression" and child["value"] == "length" for child in node["children"])


def _none_of(node: AstNode) -> bool:
    """`length(failed) == `0``, `!failed`, `failed == `[]``, `failed == `0`` and their like."""
    if node["type"] == "not_expression":
        return True
    if node["type"] != "comparator" or node["value"] not in ("eq", "lt", "lte"):
        return False
    literals = [child["value"] for child in node["children"] if child["type"] == "literal"]
    empty = any(value in (0, "0", [], None, 1) and not isinstance(value, bool) for value in literals)
    both = all(child["type"] == "function_expression" and child["value"] == "length" for child in node["children"])
    return empty or both
