"""What a filter is, what arguments it takes, and how they are checked when a definition is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from connector.errors import ConnectorError


class ExpressionError(ConnectorError):
    """A replacement is wrongly written.

    Attributes:
        message: what is wrong.
        remedy: what to write instead.
        position: where, as an index into the text given to `split` or `parse`.
    """

    def __init__(self, message: str, remedy: str = "", position: int = 0) -> None:
        self.message = message
        self.remedy = remedy
        self.position = position
        super().__init__(f"{message}; {remedy}" if remedy else message)


class _Missing:
    """The type of MISSING: one value, false, comparable by identity only."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()

FilterStep = Callable[[Any], Any]
_REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument a filter takes.

    Attributes:
        name: for messages.
        kind: `whole` (a number from `low` to `high`), `text`, `constant` (any), `value` (any, or an expression).
        default: used where it is left out; without one it is required.
    """

    name: str
    kind: Literal["whole", "text", "constant", "value"]
    low: int = 0
    high: int = 0
    default: Any = _REQUIRED

    @property
    def required(self) -> bool:
        """Whether it cannot be left out."""
        return self.default is _REQUIRED


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter, before its arguments.

    Attributes:
        name: as written.
        build: arguments → the function applied to each value; raises ExpressionError for arguments it cannot take.
        parameters: the arguments in order; `keyed` filters take `key=constant` pairs instead.
        normalises: applying it twice gives what applying it once does, so it may stand in a `match`.
        takes_bytes, gives_bytes: of what kind the value is before and after it, where that is not text.
        tells: it says something of the text and does not hold it: who sends only that has not sent the text.
        chooses: it gives one of its arguments. Only that one is evaluated, and it may be bytes.
        digest: it gives bytes that are hexadecimal digits in a text (`Digest`).
        derives: what it gives stands for a secret where a secret went in.
        about: one line for the reference.
    """

    name: str
    build: Callable[..., FilterStep]
    parameters: tuple[Parameter, ...] = ()
    keyed: bool = False
    normalises: bool = False
    takes_bytes: bool = False
    gives_bytes: bool = False
    tells: bool = False
    chooses: bool = False
    digest: bool = False
    derives: bool = False
    about: str = ""

    @property
    def signature(self) -> str:
        """`last(n)`, `map(a=1, …)`: for messages and the reference."""
        if self.keyed:
            return f"{self.name}(a=1, …)"
        return f"{self.name}({', '.join(p.name for p in self.parameters)})" if self.parameters else self.name


def bind(filter_: Filter, positional: Sequence[Any], keyed: Mapping[str, Any], expression: type) -> tuple[Any, ...]:
    """The arguments as `filter_.build` takes them, checked; `expression` is the type of arguments read per message.

    Raises ExpressionError.
    """
    usage = f"write {filter_.signature}"
    if filter_.keyed:
        if positional or not keyed:
            raise ExpressionError(f"`{filter_.name}` takes pairs", usage)
        return (dict(keyed),)
    if keyed:
        raise ExpressionError(f"`{filter_.name}` takes no `{next(iter(keyed))}=`", usage)
    if len(positional) > len(filter_.parameters):
        count = len(filter_.parameters) or "no"
        raise ExpressionError(f"`{filter_.name}` takes {count} argument{'s' * (count != 1)}", usage)
    bound = []
    for index, parameter in enumerate(filter_.parameters):
        value = positional[index] if index < len(positional) else parameter.default
        if value is _REQUIRED:
            raise ExpressionError(f"`{filter_.name}` lacks its argument `{parameter.name}`", usage)
        _check(filter_, parameter, value, expression)
        bound.append(value)
    if not any(isinstance(value, expression) for value in bound):
        filter_.build(*bound)  # refuses what only it can know: an unknown zone, an empty text
    return tuple(bound)


def _check(filter_: Filter, parameter: Parameter, value: Any, expression: type) -> None:
    name = filter_.name
    place = f"`{parameter.name}` of `{name}`"
    if isinstance(value, expression):
        if parameter.kind != "value":
            raise ExpressionError(f"{place} must be a constant", "a text stands in quotes: 'text'")
        if value.octets and not filter_.chooses:  # type: ignore[attr-defined]
            raise ExpressionError(f"{place} cannot be bytes", "write `hex` or `base64` behind `encode`")
    elif parameter.kind == "whole":
        if type(value) is not int or not parameter.low <= value <= parameter.high:
            message = f"{place} must be a whole number from {parameter.low} to {parameter.high}"
            raise ExpressionError(message, f"write one: {name}({parameter.low})")
    elif parameter.kind == "text" and not isinstance(value, str) and value is not parameter.default:
        raise ExpressionError(f"{place} must be a text", "a text stands in quotes: 'text'")
