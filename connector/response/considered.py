"""Why a rule decided, and why each one before it did not hold: in sentences, for people who write rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jmespath.exceptions import JMESPathError

from connector.config_text.jmes_parse import AstNode, PathSyntaxError, parse
from connector.definition.tree import EntrySource, Operation, Response, Rule
from connector.model import Batch, Message, Reply
from connector.response.content import Content
from connector.response.document import TEXT_LIMIT
from connector.response.documented import documented_codes
from connector.response.fields import Scope
from connector.response.path import compile_path, evaluate, truthy
from connector.response.redact import Redactor
from connector.response.rules import NO, CompiledRule
from connector.response.work import TooMuchWorkError, Work

VALUE: Final = 60
"""Characters of a value that are shown."""

ENTRIES: Final = 20
"""Entries of a reply that are looked at one by one."""

_COMPARED: Final = {
    "eq": "equal to",
    "ne": "other than",
    "lt": "below",
    "lte": "at most",
    "gt": "above",
    "gte": "at least",
}


@dataclass(frozen=True, slots=True)
class Considered:
    """One rule, asked.

    Attributes:
        rule: its path in the definition.
        held: whether it held.
        why: why not, in a sentence; empty where it held.
        entry: of which entry it was asked, from 1; None for the reply as a whole.
    """

    rule: str
    held: bool
    why: str
    entry: int | None = None


def consider(
    operation: Operation,
    reply: Reply,
    messages: Sequence[Message],
    *,
    batch: Batch,
    now: float,
    secrets: Mapping[str, str],
) -> list[Considered]:
    """The rules in their order, up to the one that decided; for a rule `entries` those of each entry, too."""
    response = operation.response
    if response is None or reply.fault is not None:
        return []
    scope = Scope()
    content = Content(
        reply,
        messages,
        now,
        decoders=response.decode,
        keep_repeated=False,
        redact=Redactor(secrets, documented_codes(response)),
        work=scope.work,
        charset=response.charset,
        batch=batch,
    )
    scope.work.begin()
    found: list[Considered] = []
    try:
        for rule in response.rules:
            held = CompiledRule(rule, scope).decides(content) is not NO
            found.append(Considered(rule.path, held, "" if held else _why_not(rule, content, scope)))
            if held:
                return found + (_of_entries(response, content, scope) if rule.then == "entries" else [])
    except TooMuchWorkError as error:
        found.append(Considered("built-in reader", True, str(error)))
    return found


def _of_entries(response: Response, content: Content, scope: Scope) -> list[Considered]:
    found: list[Considered] = []
    for source in response.entries:
        found += _of_source(source, content, scope)
    return found


def _of_source(source: EntrySource, content: Content, scope: Scope) -> list[Considered]:
    if source.each is None or content.undecodable is not None:
        return []
    entries = compile_path(source.each, scope.faults, name=source.path, work=scope.work)(content.document)
    listed = entries if isinstance(entries, list) else [] if entries in (None, "") else [entries]
    if not listed:
        return [Considered(f"{source.path}.each", False, f"`{source.each}` finds no entry in this reply")]
    rules = [(rule, CompiledRule(rule, scope)) for rule in source.rules]
    found: list[Considered] = []
    for number, entry in enumerate(listed[:ENTRIES], 1):
        for rule, compiled in rules:
            held = compiled.fits_head(content) and compiled.judges()(entry) is not NO
            why = "" if held else _head(rule, content) or _about(rule, entry, scope.work)
            found.append(Considered(rule.path, held, why, number))
            if held:
                break
    return found


# ---- why not --------------------------------------------------------------------------------------------------------


def _why_not(rule: Rule, content: Content, scope: Scope) -> str:
    if head := _head(rule, content):
        return head
    if rule.text is not None:
        found = scope.regex(rule.text, rule.path).search(content.text)
        if found is None:
            return f"the text holds nothing like `{_short(rule.text)}`"
        if rule.when is None:
            return "the reply was cut off where it was found"
        if groups := found.groupdict():
            return _about(rule, groups, scope.work)
    if rule.when is not None and content.undecodable is not None:
        return content.undecodable
    return _about(rule, content.document, scope.work)


def _head(rule: Rule, content: Content) -> str:
    """What of status and headers is other than the rule wants."""
    reply = content.reply
    if rule.status and not any(low <= reply.status <= high for low, high in rule.status):
        wanted = " or ".join(str(low) if low == high else f"{low} to {high}" for low, high in rule.status)
        return f"the status is {reply.status}, not {wanted}"
    for name, pattern in rule.header:
        value = reply.headers.get(name.lower())
        if value is None:
            return f"there is no header `{name}`"
        if Scope().regex(pattern, rule.path).search(value[:TEXT_LIMIT]) is None:
            return f"the header `{name}` is {_shown(value)}, which holds nothing like `{_short(pattern)}`"
    return ""


def _about(rule: Rule, document: Any, work: Work) -> str:
    """What of `when`, and of an entry's `text`, is other than the rule wants."""
    if rule.when is None:
        return f"the text holds nothing like `{_short(rule.text or '')}`" if rule.text else ""
    try:
        return _false(parse(rule.when), document, work) or f"`{_short(rule.when)}` is not true of it"
    except (PathSyntaxError, JMESPathError, RecursionError):
        return f"`{_short(rule.when)}` failed on it"


def _false(node: AstNode, document: Any, work: Work) -> str:
    """Why a condition is false: the first part of it that is; empty where the condition itself says it as well."""
    kind, children = node["type"], node.get("children", ())
    if kind == "and_expression":
        left, right = children
        return _false(right if truthy(evaluate(left, document, work)) else left, document, work)
    if kind == "or_expression":
        reasons = [_false(child, document, work) for child in children]
        return "; and ".join(dict.fromkeys(reasons)) if all(reasons) else ""
    if kind == "not_expression":
        name = _written(children[0])
        return f"{name} is {_shown(evaluate(children[0], document, work))}" if name else ""
    if kind == "comparator":
        left, right = children
        name, wanted = _written(left), _literal(right)
        if not name or wanted is None:
            return ""
        found = evaluate(left, document, work)
        if found is None:
            return f"there is no {name}"
        relation = "" if node["value"] == "eq" else f"{_COMPARED[node['value']]} "
        return f"{name} is {_shown(found)}, not {relation}{wanted}"
    name = _written(node)
    if not name:
        return ""
    found = evaluate(node, document, work)
    return f"there is no {name}" if found is None else f"{name} is {_shown(found)}, which does not count as true"


def _written(node: AstNode) -> str:
    """A path of fields as it is written; empty for anything else."""
    match node["type"]:
        case "field":
            return f"`{node['value']}`"
        case "subexpression":
            names = [_written(child) for child in node["children"]]
            return f"`{'.'.join(name.strip('`') for name in names)}`" if all(names) else ""
        case "index_expression":
            left, index = node["children"]
            name = _written(left)
            return f"`{name.strip('`')}[{index['value']}]`" if name and index["type"] == "index" else ""
        case "current":
            return "`@`"
    return ""


def _literal(node: AstNode) -> str | None:
    return _shown(node["value"]) if node["type"] == "literal" else _written(node) or None


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{_short(text)}`" if text else "empty"


def _short(text: str) -> str:
    return text if len(text) <= VALUE else f"{text[:VALUE]}…"
