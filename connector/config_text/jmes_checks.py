"""JMESPath that is well formed and says something else than it seems to: texts in double quotes, bare `true`, a text
that is asked for its truth. Each is silently true or false of every reply, so it is found when a definition is loaded.

What counts as a slip is decided by what stands beside it. A name in double quotes is a field, and needs them where it
is not letters, digits and _: it is left in peace as a path of its own (`"message-id"`), in a longer path (`"x-y".z`)
and compared with a constant (`"x-y" == 'a'`). Beside anything else it reads as a text, and a field that is meant
there is written `@."x-y"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from jmespath.functions import Functions

from connector.config_text.jmes_parse import AstNode

ANY: Final[tuple[str, ...]] = ()

# Of a function: the kinds each argument may have, and whether the last may be repeated.
Signature = tuple[tuple[tuple[str, ...], ...], bool]


def _signature(function: Any) -> Signature:
    declared = function["signature"]
    return tuple(tuple(each["types"]) for each in declared), bool(declared) and bool(declared[-1].get("variadic"))


STANDARD: Final[dict[str, Signature]] = {
    name: _signature(function) for name, function in Functions.FUNCTION_TABLE.items()
}
OVER_REPLIES: Final[dict[str, Signature]] = {
    **STANDARD,
    **dict.fromkeys(("items", "json", "digits", "trim"), ((ANY,), False)),
    "last": ((ANY, ("number",)), False),
}

_WORDS: Final = {"true": "`true`", "false": "`false`", "null": "`null`", "none": "`null`"}
_BOOLEAN: Final = ("and_expression", "or_expression", "not_expression")

# Arguments that are texts: of which function, which one, and beside which one it stands.
_TEXTS: Final = {"contains": (1, 0), "starts_with": (1, 0), "ends_with": (1, 0), "join": (0, None)}

_numeric = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII).fullmatch

SHOWN: Final = 200  # characters of an expression that a remedy writes out


@dataclass(frozen=True, slots=True)
class Slip:
    """One thing an expression does not say.

    Attributes:
        message, remedy: what it says, and what to write.
        position: index into the expression; None where it is the whole.
        certain: an error; else a warning.
    """

    message: str
    remedy: str
    position: int | None = None
    certain: bool = True


def slips(tree: AstNode, text: str, functions: dict[str, Signature], *, condition: bool) -> Iterator[Slip]:
    """What the expression `text` does not say. `condition`: its truth is asked."""
    for node in walk(tree):
        match node["type"]:
            case "function_expression":
                yield from _calls(node, text, functions)
            case "comparator":
                yield from _comparison(node, text)
            case "field":
                yield from _bare_word(node, text)
            case "filter_projection":
                yield from _condition(node["children"][2], text)
    if condition:
        yield from _condition(tree, text)


def walk(node: AstNode) -> Iterator[AstNode]:
    """A node and everything below it, in the order of the text."""
    yield node
    for child in node["children"]:
        if isinstance(child, dict):  # a slice's children are numbers
            yield from walk(child)


def operands(node: AstNode) -> Iterator[AstNode]:
    """What and, or, not combine."""
    if node["type"] in _BOOLEAN:
        for child in node["children"]:
            yield from operands(child)
    else:
        yield node


# ---- names that read as constants ----------------------------------------------------------------------------------


def _bare_word(node: AstNode, text: str) -> Iterator[Slip]:
    """`true`, `false`, `null` without backticks, and as Python writes them."""
    written = _WORDS.get(node["value"].lower())
    if written is None or node["quoted"] or node["member"]:
        return
    yield Slip(
        f"bare `{node['value']}` is a field called so, not {_WORDS[node['value'].lower()].strip('`')}",
        f"write {_instead(text, node, written)}",
        node["start"],
    )


def _comparison(node: AstNode, text: str) -> Iterator[Slip]:
    left, right = node["children"]
    if node["value"] not in ("eq", "ne"):
        yield from _order(left, right, text)
    for one, other in ((right, left), (left, right)):
        if _quoted(one) and not _constant(other):
            yield _in_double_quotes(one, text)
            break
    else:
        if _word(right) and not _constant(left):
            yield _two_fields(right, text)
    for one, other in ((left, right), (right, left)):
        if one["type"] == "not_expression" and other["type"] == "literal" and not isinstance(other["value"], bool):
            yield Slip(
                "`!` belongs to what follows it alone, so true or false is compared here",
                "write a != 'b', or !(a == 'b')",
                other.get("start"),
            )


def _order(left: AstNode, right: AstNode, text: str) -> Iterator[Slip]:
    """`<` and its like: numbers by size, texts letter by letter, and nothing else has an order."""
    for one, other in ((right, left), (left, right)):
        if one["type"] != "literal" or other["type"] == "literal":
            continue
        written, value = text[one["start"] : one["end"]], one["value"]
        if isinstance(value, str) and _numeric(value):
            yield Slip(
                f"{written} is a text: numbers are never below or above it, and texts are compared letter by letter",
                f"compare numbers: to_number(code) < `{value}`",
                one["start"],
                certain=False,
            )
        elif isinstance(value, bool) or not isinstance(value, int | float | str):
            yield Slip(f"nothing is below or above {written}", "compare numbers, or write == or !=", one["start"])


def _calls(node: AstNode, text: str, functions: dict[str, Signature]) -> Iterator[Slip]:
    name, given = node["value"], node["children"]
    if name not in functions:
        near = get_close_matches(name, sorted(functions), n=1)
        remedy = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(functions))}"
        yield Slip(f"the JMESPath function `{name}` is not known", remedy)
        return
    kinds, variadic = functions[name]
    if len(given) < len(kinds) or (len(given) > len(kinds) and not variadic):
        least = "at least " if variadic else ""
        count = f"{least}{len(kinds)} argument{'s' * (len(kinds) != 1)}"
        yield Slip(f"`{name}` takes {count}, not {len(given)}", f"write {_usage(name, kinds, variadic=variadic)}")
        return
    for index, argument in enumerate(given):
        wanted = kinds[min(index, len(kinds) - 1)] if kinds else ANY
        if "expref" in wanted and argument["type"] != "expref":
            yield Slip(f"`{name}` takes an expression here", f"write &field: {name}(list, &id)", argument.get("start"))
        elif "expref" not in wanted and argument["type"] == "expref":
            yield Slip(f"`{name}` takes no expression", f"leave out &: {_usage(name, kinds, variadic=variadic)}")
    if name in _TEXTS:
        which, beside = _TEXTS[name]
        listed = given[0]["children"] if name == "contains" and given[0]["type"] == "multi_select_list" else ()
        for each in listed:
            yield from _text_argument(each, None, text)
        if not listed:
            yield from _text_argument(given[which], None if beside is None else given[beside], text)


def _usage(name: str, kinds: tuple[tuple[str, ...], ...], *, variadic: bool) -> str:
    """`contains(array or string, any)`."""
    written = [" or ".join(kind.removesuffix("-number").removesuffix("-string") for kind in each) for each in kinds]
    return f"{name}({', '.join(each or 'value' for each in written)}{', …' * variadic})"


def _text_argument(node: AstNode, beside: AstNode | None, text: str) -> Iterator[Slip]:
    """An argument that is a text nearly always; `beside`: what it is looked for in."""
    if beside is not None and _constant(beside):
        return
    if _quoted(node):
        yield _in_double_quotes(node, text)
    elif _word(node):
        yield _two_fields(node, text)


def _in_double_quotes(node: AstNode, text: str) -> Slip:
    quoted = text[node["start"] : node["end"]]
    return Slip(
        f"`{quoted}` is a field here: double quotes name fields",
        f"write {_instead(text, node, _as_text(node['value']))}; where a field is meant, @.{quoted}",
        node["start"],
    )


def _two_fields(node: AstNode, text: str) -> Slip:
    name = node["value"]
    return Slip(
        f"`{name}` is a field here, not a text",
        f"write {_instead(text, node, _as_text(name))}; where a field is meant, @.{name}",
        node["start"],
        certain=False,
    )


# ---- what is asked for its truth -----------------------------------------------------------------------------------


def _condition(tree: AstNode, text: str) -> Iterator[Slip]:
    """A constant is as true of every reply: `a == 'b' || 'c'` always holds."""
    for node in operands(tree):
        if node["type"] != "literal" or (node is tree and isinstance(node["value"], bool)):
            continue
        written = text[node["start"] : node["end"]]
        shown = written if written.startswith("`") else f"`{written}`"
        yield Slip(
            f"{shown} alone is a constant: it is as true of every reply",
            f"compare it as well: code == {written}",
            node["start"],
        )


# ---- nodes ---------------------------------------------------------------------------------------------------------


def _quoted(node: AstNode) -> bool:
    return bool(node["type"] == "field" and node["quoted"] and not node["member"])


def _word(node: AstNode) -> bool:
    """A bare name that is no `true`, `false`, `null`, which have a word of their own."""
    named = node["type"] == "field" and not node["quoted"] and not node["member"]
    return named and node["value"].lower() not in _WORDS


def _constant(node: AstNode) -> bool:
    """A literal, or a list of nothing else."""
    if node["type"] == "multi_select_list":
        return all(_constant(child) for child in node["children"])
    return bool(node["type"] == "literal")


def _as_text(value: str) -> str:
    escaped = value.replace("'", "\\'")
    return f"'{escaped}'"


def _instead(text: str, node: AstNode, written: str) -> str:
    """The expression with something else in the place of `node`; of a long one only that."""
    whole = text[: node["start"]] + written + text[node["end"] :]
    return whole if len(whole) <= SHOWN else written
