"""JMESPath, checked when a definition is loaded: syntax, function names, and predicates that only seem to compare."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

from connector.definition.report import Report
from connector.definition.shape import Schema, Shape, scalar_text
from connector.definition.source import Source
from connector.model import Message

STANDARD: Final = frozenset(Functions.FUNCTION_TABLE)
FUNCTIONS: Final = STANDARD | {"items", "json", "digits", "last", "trim"}  # what the replies' reader adds

_FIELDS: Final = ("field", "subexpression", "index_expression", "current")

# Of these only the first child is read from the document itself; the others from what it gives.
_LEFTMOST: Final = ("subexpression", "index_expression", "projection", "value_projection", "filter_projection", "pipe")


class Path(Shape):
    """A JMESPath expression; gives its source."""

    functions = FUNCTIONS
    predicate = False

    def read(self, source: Source, report: Report) -> str | None:
        text = scalar_text(source, report)
        if text is None:
            return None
        tree = _parsed(text, source, report)
        if tree is None:
            return None
        for node in _walk(tree):
            if node.get("type") == "function_expression" and node["value"] not in self.functions:
                near = get_close_matches(node["value"], sorted(self.functions), n=1)
                remedy = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(self.functions))}"
                report.error(source.place, f"the JMESPath function `{node['value']}` is not known", remedy)
                return None
        if self.predicate and any(node["type"] in _FIELDS for node in _operands(tree)):
            report.warn(
                source.place,
                f"`{text}` asks only whether a field is there: 0, '0' and 'false' count as true",
                "compare it (`code == '0'`), or write `field != null` with null in backticks",
            )
        return text

    def schema(self) -> Schema:
        return {"type": "string"}


def _parsed(text: str, source: Source, report: Report) -> Any:
    """The expression's tree; None, and an error, where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a text in backticks: the library guesses, and warns
            return jmespath.compile(text).parsed
    except PendingDeprecationWarning:
        report.error(source.place, f"`{text}`: what stands in backticks is JSON", "write texts in '…'")
    except JMESPathError as error:
        position = getattr(error, "lex_position", None)
        where = f" at character {position + 1}" if isinstance(position, int) and 0 <= position < len(text) else ""
        report.error(source.place, f"`{text}` is no JMESPath expression{where}", "texts stand in '…', numbers in `…`")
    return None


class Predicate(Path):
    """A JMESPath expression whose truth is asked."""

    predicate = True


class OverMessage(Path):
    """A JMESPath expression over a message: its fields are known, and the functions are the standard ones."""

    functions = STANDARD

    def read(self, source: Source, report: Report) -> str | None:
        text = super().read(source, report)
        for name in _roots(jmespath.compile(text).parsed) if text is not None else ():
            if name not in Message.__struct_fields__:
                near = get_close_matches(name.lower(), Message.__struct_fields__, n=1)
                known = ", ".join(Message.__struct_fields__)
                remedy = f"did you mean `{near[0]}`?" if near else f"custom values are custom.{name}; known: {known}"
                report.error(source.place, f"a message has no field `{name}`", remedy)
                return None
        return text


def _roots(node: Any) -> Iterator[str]:
    """Names of the fields that are read from the message itself."""
    if node["type"] == "field":
        yield node["value"]
    elif node["type"] in _LEFTMOST:
        yield from _roots(node["children"][0])
    elif node["type"] != "expref":
        for child in node.get("children", ()):
            if isinstance(child, dict):
                yield from _roots(child)


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for child in node.get("children", ()):
            yield from _walk(child)


def _operands(node: Any) -> Iterator[dict[str, Any]]:
    """What and, or, not combine."""
    if node["type"] in ("and_expression", "or_expression", "not_expression"):
        for child in node["children"]:
            yield from _operands(child)
    else:
        yield node
