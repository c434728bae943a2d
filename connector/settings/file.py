"""Reading `connector.yaml`: values as text, each with its place, `${NAME}` filled in.

Only null is special. Everything else stays text until the model says what it is: a password made of digits is what was
written, and `30` where a duration belongs can be refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any, Final

from connector.config_text.environment import Environment
from connector.config_text.regular_file import FileError, read_regular
from connector.config_text.source import List, Map, Place, PlacedValue, Value
from connector.config_text.yaml_text import YamlSyntaxError, read_yaml
from connector.errors import Problem
from connector.settings.names import leaves
from connector.settings.origin import Origin, SettingPath, dotted
from connector.settings.renamed import EARLIER, present, rename, warning

NOTHING = object()
"""`${NAME?}` without a value: as if the setting were not in the file."""


@dataclass(slots=True)
class Layer:
    """What one source says.

    Attributes:
        tree: nested mappings, lists and text, as far as the source says anything.
        origins: place of every value and section in it.
        problems: what could not be read.
        warnings: what is read, and should be written otherwise.
    """

    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[SettingPath, Origin] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


FILE_BYTES: Final = 256 * 1024


def read_file(file: FilePath, environ: Mapping[str, str]) -> Layer:
    """Read `file`. Never raises: what is wrong with it is in `problems`."""
    layer = Layer()
    try:
        text = read_regular(file, FILE_BYTES).decode("utf-8-sig")
    except FileError as error:
        layer.problems.append(Problem(error.message, error.remedy, str(file)))
        return layer
    except UnicodeDecodeError as error:
        layer.problems.append(Problem(f"is not UTF-8 (byte {error.start})", "save it as UTF-8", str(file)))
        return layer
    source = _parse(text, str(file), layer)
    if isinstance(source, Map):
        layer.tree = _Filler(Environment(environ, file.parent), layer).map(source, ())
        _use_present_names(layer)
    elif source is not None and not (isinstance(source, Value) and source.data is None):
        layer.problems.append(
            source.place.problem("must be a mapping of names to values", "write lines such as `group: sms-connector`")
        )
    return layer


def _use_present_names(layer: Layer) -> None:
    """Sections under earlier names are read as what they are called now."""
    for old in rename(layer.tree):
        origin = layer.origins[old,]
        layer.warnings.append(warning((old,), origin.name, origin.line, origin.column))
        layer.origins = {present(path) if path[0] == old else path: it for path, it in layer.origins.items()}
    for old in EARLIER.keys() & layer.tree.keys():
        origin, new = layer.origins[old,], EARLIER[old]
        remedy = f"write everything below {new}:"
        layer.problems.append(
            Problem(
                f"is the earlier name of {new}, which is there as well",
                remedy,
                origin.name,
                old,
                origin.line,
                origin.column,
            )
        )
        del layer.tree[old]


def read_value(text: str) -> Any:
    """A list or mapping written in one line, as an environment variable holds it. Raises ValueError."""
    layer = Layer()
    source = _parse(text, "", layer)
    if source is None or layer.problems:
        raise ValueError(layer.problems[0].message if layer.problems else "it is empty")
    return _Filler(Environment({}), layer).value(source, (), source.place)


def _parse(text: str, name: str, layer: Layer) -> PlacedValue | None:
    problems: list[Problem] = []
    source = None
    try:
        source = read_yaml(text, name, problems)
    except YamlSyntaxError as error:
        problems.append(error.problem)
    secrets = {leaf.name for leaf in leaves() if leaf.secret}
    for problem in problems:
        path = problem.path.replace('"', "")  # `kafka."sasl.password"`
        mended = replace(problem, path=path)
        if path in secrets:  # the reader shows what it doubts
            mended = replace(mended, message="is read differently by different programs", remedy="quote it")
        layer.problems.append(mended)
    return source


class _Filler:
    """Turns what was read into a tree of text, fills in `${…}`, and notes where everything stood."""

    def __init__(self, environment: Environment, layer: Layer) -> None:
        self._environment = environment
        self._layer = layer

    def map(self, source: Map, path: SettingPath) -> dict[str, Any]:
        values = {name: self.value(member, (*path, name), source.keys[name]) for name, member in source.members.items()}
        return {name: value for name, value in values.items() if value is not NOTHING}

    def value(self, source: PlacedValue, path: SettingPath, place: Place) -> Any:
        """`place` is where a reader looks for it: at its key, where it has one."""
        origin = Origin("file", place.file, place.line, place.column)
        self._layer.origins[path] = origin
        if isinstance(source, Map):
            return self.map(source, path)
        if isinstance(source, List):
            items = [self.value(item, (*path, index), item.place) for index, item in enumerate(source.items)]
            return [item for item in items if item is not NOTHING]
        if source.data is None or "${" not in source.text:
            return None if source.data is None else source.text
        self._layer.origins[path] = replace(origin, written=source.text)
        return self.fill(source, path)

    def fill(self, source: Value, path: SettingPath) -> Any:
        resolved = self._environment.resolve(source.text)
        for fault in resolved.faults:
            place = source.at(fault.position)
            remedy = fault.remedy.partition("; a literal")[0]  # definitions have a way to write one, settings need none
            self._layer.problems.append(
                Problem(fault.message, remedy, place.file, dotted(path), place.line, place.column)
            )
        return NOTHING if resolved.optional else resolved.text
