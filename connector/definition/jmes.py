"""JMESPath, checked when a definition is loaded: syntax, function names, and predicates that only seem to compare."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

from connector.definition.report import Report
from connector.definition.shape import Schema, Shape, scalar_text
from connector.definition.source import Source

# The library's functions, and those the replies' reader adds.
FUNCTIONS: Final = frozenset(Functions.FUNCTION_TABLE) | {"items", "json", "digits", "last", "trim"}

_FIELDS: Final = ("field", "subexpression", "index_expression", "current")


class Path(Shape):
    """A JMESPath expression; gives its source."""

    predicate = False

    def read(self, source: Source, report: Report) -> str | None:
        text = scalar_text(source, report)
        if text is None:
            return None
        try:
            tree = jmespath.compile(text).parsed
        except JMESPathError as error:
            position = getattr(error, "lex_position", None)
            where = f" at character {position + 1}" if isinstance(position, int) and 0 <= position < len(text) else ""
            report.error(
                source.place, f"`{text}` is no JMESPath expression{where}", "texts stand in '…', numbers in `…`"
            )
            return None
        for node in _walk(tree):
            if node.get("type") == "function_expression" and node["value"] not in FUNCTIONS:
                near = get_close_matches(node["value"], sorted(FUNCTIONS), n=1)
                remedy = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(FUNCTIONS))}"
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


class Predicate(Path):
    """A JMESPath expression whose truth is asked."""

    predicate = True


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
