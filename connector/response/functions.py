"""JMESPath's functions and ours. Ours take any value and give null for what they cannot take."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from jmespath import functions

from connector.response.document import Fields, parse_json
from connector.response.work import BYTES_A_STEP, CALL, ITEM, Work

# Bounded, so that a reply of 4 MB of digits is not turned into a number.
_DECIMAL: Final = re.compile(r"\s*[+-]?\d{1,300}(\.\d{1,300})?([eE][+-]?\d{1,3})?\s*", re.ASCII)

# Functions that look at everything inside their arguments: to write it, or to compare it.
_WHOLE: Final = frozenset({"to_string", "contains", "sort", "min", "max"})

_NOT_DIGITS: Final = re.compile(r"[^0-9]+")


def to_number(value: Any) -> int | float | None:
    """The decimal number a text spells ("013" is 13); not NaN, infinity or "1_000", which the library's takes."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        return None
    try:
        return int(value)
    except ValueError:
        number = float(value)
        return number if math.isfinite(number) else None


_TYPE_NAMES: Final[dict[type, str]] = {
    str: "string",
    bool: "boolean",
    list: "array",
    dict: "object",
    Fields: "object",
    int: "number",
    float: "number",
    type(None): "null",
}


def type_name(value: Any) -> str:
    """JMESPath's name of a value's type."""
    return _TYPE_NAMES[value.__class__]


class ReplyFunctions(functions.Functions):
    """JMESPath's functions with ours, paid out of `work` by the size of what they are given."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work

    def call_function(self, function_name: str, resolved_args: Any) -> Any:
        """The library's, after its price is paid. Raises TooMuchWorkError besides what the library raises."""
        spend = self._work.spend
        spend(CALL)
        for value in resolved_args:
            if isinstance(value, str):
                spend(len(value) // BYTES_A_STEP)
            elif isinstance(value, list):
                spend(len(value) * ITEM)
                if function_name == "join":
                    spend(sum(len(each) for each in value if isinstance(each, str)) // BYTES_A_STEP)
            elif isinstance(value, dict):
                spend(len(value) * ITEM)
        if function_name in _WHOLE:
            for value in resolved_args:
                self._work.weigh(value)
        return super().call_function(function_name, resolved_args)

    @functions.signature({"types": []})
    def _func_to_number(self, value: Any) -> int | float | None:
        return to_number(value)

    @functions.signature({"types": []})
    def _func_items(self, value: Any) -> list[dict[str, Any]]:
        """`{"+4412": {…}}` as `[{"key": "+4412", "value": {…}}]`; a key written twice is there twice."""
        if not isinstance(value, dict):
            return []
        pairs = value.pairs if isinstance(value, Fields) else value.items()
        return [{"key": key, "value": item} for key, item in pairs]

    @functions.signature({"types": []})
    def _func_json(self, value: Any) -> Any:
        """What a text of JSON says."""
        if not isinstance(value, str):
            return None
        try:
            return parse_json(value.encode("utf-8", "replace"), self._work)
        except ValueError:
            return None

    @functions.signature({"types": []})
    def _func_digits(self, value: Any) -> str | None:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return None
        return _NOT_DIGITS.sub("", str(value))

    @functions.signature({"types": []}, {"types": ["number"]})
    def _func_last(self, value: Any, count: float) -> Any:
        """The last `count` characters or elements."""
        if not isinstance(value, (str, list)):
            return None
        return value[-int(count) :] if count >= 1 else value[:0]

    @functions.signature({"types": []})
    def _func_trim(self, value: Any) -> str | None:
        return value.strip() if isinstance(value, str) else None
