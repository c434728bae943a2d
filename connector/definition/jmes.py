"""JMESPath in a definition: checked when it is loaded, for its syntax and for what it only seems to say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connector.config_text.jmes_checks import OVER_REPLIES, STANDARD, operands, slips
from connector.config_text.jmes_parse import AstNode, PathSyntaxError, parse
from connector.config_text.source import PlacedValue
from connector.definition.findings import Findings
from connector.definition.shape import Schema, Shape, near, scalar_text, shown
from connector.model import Message

_FIELDS: Final = ("field", "subexpression", "index_expression", "current")

# Of these only the first child is read from the document itself; the others from what it gives.
_LEFTMOST: Final = ("subexpression", "index_expression", "projection", "value_projection", "filter_projection", "pipe")


class JmesPath(Shape):
    """A JMESPath expression; gives its source."""

    functions = OVER_REPLIES
    condition = False  # its truth is asked
    bare_fields = True  # it may be nothing but a field: a condition over replies may not, as 0 counts as true

    def read(self, source: PlacedValue, report: Findings) -> str | None:
        text = scalar_text(source, report)
        if text is None:
            return None
        said = shown(text)
        try:
            tree = parse(text)
        except PathSyntaxError as error:
            report.error(source.place, f"`{said}` {error.message}{_where(error.position)}", error.remedy)
            return None
        sound = True
        for slip in slips(tree, text, self.functions, condition=self.condition):
            message = f"{slip.message}{_where(slip.position)}" + (f" of `{said}`" if slip.position is not None else "")
            if slip.certain:
                sound = False
                report.error(source.place, message, slip.remedy)
            else:
                report.warn(source.place, message, slip.remedy)
        if not sound:
            return None
        if not self.bare_fields and any(node["type"] in _FIELDS for node in operands(tree)):
            report.warn(
                source.place,
                f"`{said}` asks only whether a field is there: 0, '0' and 'false' count as true",
                "compare it (`code == '0'`), or write `field != null` with null in backticks",
            )
        return text

    def schema(self) -> Schema:
        return {"type": "string"}


def _where(position: int | None) -> str:
    return "" if position is None else f" at character {position + 1}"


class Predicate(JmesPath):
    """A JMESPath expression whose truth is asked."""

    condition = True
    bare_fields = False


class OverMessage(JmesPath):
    """A JMESPath expression over a message: its fields are known, and the functions are the standard ones."""

    functions = STANDARD
    condition = True

    def read(self, source: PlacedValue, report: Findings) -> str | None:
        text = super().read(source, report)
        for name in _roots(parse(text)) if text is not None else ():
            if name not in Message.__struct_fields__:
                meant = near(name, Message.__struct_fields__)
                known = ", ".join(Message.__struct_fields__)
                remedy = f"did you mean `{meant[0]}`?" if meant else f"custom values are custom.{name}; known: {known}"
                report.error(source.place, f"a message has no field `{shown(name)}`", remedy)
                return None
        return text


def _roots(node: AstNode) -> Iterator[str]:
    """Names of the fields that are read from the message itself."""
    if node["type"] == "field":
        yield node["value"]
    elif node["type"] in _LEFTMOST:
        yield from _roots(node["children"][0])
    elif node["type"] != "expref":
        for child in node.get("children", ()):
            if isinstance(child, dict):
                yield from _roots(child)
