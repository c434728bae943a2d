"""What a value of the language may look like: one small class per shape, which reads it, or says what is wrong with it,
and describes itself as JSON Schema. The tables in keys.py are made of these.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final

from connector.config_text.source import List, Map, PlacedValue, Value, kind_of, plain
from connector.definition.findings import Findings

Schema = dict[str, Any]

SHOWN: Final = 200  # characters of what a file says that a problem repeats


def shown(text: str) -> str:
    """`text` as a problem repeats it."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def near(name: str, known: Iterable[str]) -> list[str]:
    """What `name` may have meant; nothing for what is far too long to be a slip."""
    return get_close_matches(name.lower(), list(known), n=1) if len(name) <= _LONGEST_SLIP else []


_LONGEST_SLIP: Final = 64


class Shape(ABC):
    """Reads one value; faults go to the report, and the result is None then."""

    @abstractmethod
    def read(self, source: PlacedValue, report: Findings) -> Any:
        """The value, as the tree holds it."""

    @abstractmethod
    def schema(self) -> Schema:
        """The same as JSON Schema (draft 2020-12)."""


@dataclass(frozen=True, slots=True)
class MapKey:
    """One key of a map: what it holds and what it means.

    Attributes:
        name, shape: as written, and what its value may look like.
        about: one or two sentences, for the reference and for editors.
        example: YAML data as a person would write it; None for none.
        required: whether it must be there.
    """

    name: str
    shape: Shape
    about: str
    example: Any = None
    required: bool = False


class Read(dict[str, Any]):
    """The values of a map by key. `broken`: keys that hold something wrong, so that nothing follows from them."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()


class Record(Shape):
    """A map with known keys. `elsewhere`: keys that belong in another map, and where."""

    def __init__(self, *keys: MapKey, elsewhere: dict[str, str] | None = None, about: str = "") -> None:
        self.keys = {key.name: key for key in keys}
        self.elsewhere = elsewhere or {}
        self.about = about

    def read(self, source: PlacedValue, report: Findings) -> Read | None:
        if not isinstance(source, Map):
            report.error(source.place, f"{kind_of(source)} where a map belongs", f"keys: {', '.join(self.keys)}")
            return None
        return self.read_map(source, report)

    def read_map(self, source: Map, report: Findings) -> Read:
        """The same for what is known to be a map."""
        values = Read()
        for name, value in source.members.items():
            key = self.keys.get(name)
            if key is None:
                meant = [] if name in self.elsewhere or report.full else near(name, self.keys)
                report.error(source.keys[name], f"the key `{shown(name)}` is not known", self._remedy(name, meant))
                values.broken.update(meant)
            elif not (isinstance(value, Value) and value.data is None):  # `key:` with nothing is as good as absent
                before = report.faults
                values[name] = key.shape.read(value, report)
                if report.faults > before:
                    values.broken.add(name)
        for key in self.keys.values():
            if key.required and key.name not in values and key.name not in values.broken:
                report.error(source.place, f"the key `{key.name}` is missing", key.about)
                values.broken.add(key.name)
        return values

    def _remedy(self, name: str, meant: Sequence[str]) -> str:
        if name in self.elsewhere:
            return self.elsewhere[name]
        return f"did you mean `{meant[0]}`?" if meant else f"known: {', '.join(self.keys)}"

    def schema(self) -> Schema:
        properties = {}
        for key in self.keys.values():
            properties[key.name] = {**key.shape.schema(), "description": key.about}
            if key.example is not None:
                properties[key.name]["examples"] = [key.example]
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        required = [key.name for key in self.keys.values() if key.required]
        return {**schema, "required": required} if required else schema


class Kinds(Shape):
    """A map with exactly one of several keys, or one of some bare words. Gives (kind, value).

    Args:
        instead: what people write that is no key here, in lower case → what to write.
    """

    def __init__(
        self, *keys: MapKey, words: Sequence[str] = (), instead: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.keys = {key.name: key for key in keys}
        self.words = tuple(words)
        self.instead = instead

    def read(self, source: PlacedValue, report: Findings) -> tuple[str, Any] | None:
        if isinstance(source, Value) and source.text in self.words:
            return source.text, None
        choice = f"write one of: {', '.join([*self.words, *self.keys])}"
        if not isinstance(source, Map):
            report.error(source.place, f"{kind_of(source)} cannot stand here", choice)
            return None
        for name in source.members:
            if name not in self.keys:
                meant = [] if report.full else near(name, self.keys)
                remedy = f"did you mean `{meant[0]}`?" if meant else choice
                remedy = self.instead.get(name.lower().replace("-", "_"), remedy)
                report.error(source.keys[name], f"the key `{shown(name)}` is not known", remedy)
        known = [name for name in source.members if name in self.keys]
        if len(known) != 1:
            if known or not source.members:
                report.error(source.place, f"{len(known)} of {', '.join(self.keys)} stand here", "write exactly one")
            return None
        return known[0], self.keys[known[0]].shape.read(source.members[known[0]], report)

    def schema(self) -> Schema:
        options: list[Schema] = [{"enum": list(self.words)}] if self.words else []
        for key in self.keys.values():
            value = {**key.shape.schema(), "description": key.about}
            if key.example is not None:
                value["examples"] = [key.example]
            options.append(
                {
                    "type": "object",
                    "properties": {key.name: value},
                    "required": [key.name],
                    "additionalProperties": False,
                }
            )
        return {"oneOf": options}


class ListOf(Shape):
    """A list; `or_one`: a single value is a list of one."""

    def __init__(self, shape: Shape, *, or_one: bool = False) -> None:
        self.shape = shape
        self.or_one = or_one

    def read(self, source: PlacedValue, report: Findings) -> tuple[Any, ...] | None:
        if isinstance(source, List):
            return tuple(self.shape.read(item, report) for item in source.items)
        if self.or_one:
            return (self.shape.read(source, report),)
        report.error(source.place, f"{kind_of(source)} where a list belongs", "begin each element with `- `")
        return None

    def schema(self) -> Schema:
        items = self.shape.schema()
        listed = {"type": "array", "items": items}
        return {"anyOf": [items, listed]} if self.or_one else listed


class MapOf(Shape):
    """A map with any keys."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def read(self, source: PlacedValue, report: Findings) -> dict[str, Any] | None:
        if not isinstance(source, Map):
            report.error(source.place, f"{kind_of(source)} where a map belongs", "write `key: value` under it")
            return None
        return {key: self.shape.read(value, report) for key, value in source.members.items()}

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": self.shape.schema()}


# ---- scalars -------------------------------------------------------------------------------------------------------


class Plain(Shape):
    """Text without replacements; `${NAME}` is replaced. Gives None where it is one optional reference without value."""

    def __init__(self, pattern: str = "", hint: str = "") -> None:
        self.pattern = pattern
        self.hint = hint

    def read(self, source: PlacedValue, report: Findings) -> str | None:
        text = scalar_text(source, report)
        if text is None or not isinstance(source, Value):
            return None
        if "$$" in text:
            report.error(source.place, "a replacement cannot stand here", "it is read once, not per message")
            return None
        resolved = report.resolve(source)
        if resolved is not None and self.pattern and not re.fullmatch(self.pattern, resolved):
            report.error(source.place, f"`{shown(source.text)}` cannot stand here", self.hint)
            return None
        return resolved

    def schema(self) -> Schema:
        return {"type": "string"}


class Choice(Shape):
    """One of some words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, source: PlacedValue, report: Findings) -> str | None:
        if isinstance(source, Value) and source.text in self.words:
            return source.text
        said = f"`{shown(source.text)}`" if isinstance(source, Value) else kind_of(source)
        close = near(source.text, self.words) if isinstance(source, Value) and not report.full else []
        folded = [word for word in self.words if isinstance(source, Value) and word.lower() == source.text.lower()]
        meant = folded or close
        remedy = f"did you mean `{meant[0]}`?" if meant else f"write one of: {', '.join(self.words)}"
        report.error(source.place, f"{said} cannot stand here", remedy)
        return None

    def schema(self) -> Schema:
        return {"enum": list(self.words)}


class Flag(Shape):
    """true or false."""

    def read(self, source: PlacedValue, report: Findings) -> bool | None:
        if isinstance(source, Value) and isinstance(source.data, bool):
            return source.data
        report.error(
            source.place, f"{kind_of(source)} where true or false belongs", "write true or false, without quotes"
        )
        return None

    def schema(self) -> Schema:
        return {"type": "boolean"}


class Whole(Shape):
    """A whole number between two bounds."""

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high

    def read(self, source: PlacedValue, report: Findings) -> int | None:
        if isinstance(source, Value) and type(source.data) is int and self.low <= source.data <= self.high:
            return source.data
        said = shown(source.text) if isinstance(source, Value) else kind_of(source)
        report.error(
            source.place, f"{said} cannot stand here", f"write a whole number from {self.low:,} to {self.high:,}"
        )
        return None

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class WholeOrOff(Whole):
    """A whole number, or `off`, which gives 0."""

    def read(self, source: PlacedValue, report: Findings) -> int | None:
        return 0 if isinstance(source, Value) and source.text == "off" else super().read(source, report)

    def schema(self) -> Schema:
        return {"oneOf": [super().schema(), {"enum": ["off"]}]}


_MEASURE: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([A-Za-z]+)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Final = {"B": 1, "kB": 1000, "KB": 1000, "MB": 1000**2, "KiB": 1024, "MiB": 1024**2}


class Measure(Shape):
    """A number with a unit: `Duration` gives seconds, `Size` bytes."""

    def __init__(self, units: dict[str, Any], examples: str, low: float, high: float, span: str) -> None:
        self.units = units
        self.examples = examples
        self.low = low
        self.high = high
        self.span = span

    def read(self, source: PlacedValue, report: Findings) -> Any:
        text = scalar_text(source, report)
        if text is None:
            return None
        match = _MEASURE.fullmatch(text)
        if match is None or match.group(2) not in self.units:
            report.error(
                source.place, f"`{shown(text)}` cannot stand here", f"write a number and a unit: {self.examples}"
            )
            return None
        amount = float(match.group(1)) * self.units[match.group(2)]
        if not self.low <= amount <= self.high:
            report.error(source.place, f"{text} is out of range", f"write {self.span}")
            return None
        return amount if isinstance(self.low, float) else int(amount)

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^[0-9]+(\\.[0-9]+)?({'|'.join(self.units)})$"}


def duration(low: float, high: float, span: str) -> Measure:
    """`5s`, `250ms`, `12h`: seconds as a float."""
    return Measure(_SECONDS, "250ms, 5s, 10m, 12h", float(low), float(high), span)


class Size(Measure):
    """`6MB`, `64KiB`, or a bare number of bytes."""

    def __init__(self, low: int, high: int, span: str) -> None:
        super().__init__(_BYTES, "7000, 64KiB, 6MB", low, high, span)

    def read(self, source: PlacedValue, report: Findings) -> Any:
        if isinstance(source, Value) and type(source.data) is int:
            return Whole(int(self.low), int(self.high)).read(source, report)
        return super().read(source, report)

    def schema(self) -> Schema:
        return {"anyOf": [{"type": "integer", "minimum": int(self.low), "maximum": int(self.high)}, super().schema()]}


class Free(Shape):
    """Anything; kept as it is."""

    def read(self, source: PlacedValue, report: Findings) -> Any:
        return plain(source)

    def schema(self) -> Schema:
        return {}


def scalar_text(source: PlacedValue, report: Findings) -> str | None:
    """The spelling of a scalar; None, and an error, for anything else."""
    if isinstance(source, Value) and source.data is not None:
        return source.text
    report.error(source.place, f"{kind_of(source)} where a text belongs", "write a text")
    return None
