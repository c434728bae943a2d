"""Reading `connector.yaml`: values as text, each with its place, `${NAME}` filled in.

Only null is special. Everything else stays text until the model says what it is: `NO`, `040` or a password made of
digits mean what was written, and `30` where a duration belongs can be refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from connector.errors import Problem
from connector.settings.origin import Origin, Path, dotted

PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(:-(.*))?", re.DOTALL)
# What YAML itself finds in untagged values; they are all read as text here.
TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")}
NULLS = {"", "~", "null", "Null", "NULL"}


@dataclass(slots=True)
class Layer:
    """What one source says.

    Attributes:
        tree: nested mappings, lists and text, as far as the source says anything.
        origins: place of every value and section in it.
        problems: what could not be read.
    """

    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, Origin] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_file(file: FilePath, environ: Mapping[str, str]) -> Layer:
    """Read `file`. Never raises: what is wrong with it is in `problems`."""
    layer = Layer()
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        layer.problems.append(Problem(f"cannot be read: {error.strerror or error}", "name a readable file", str(file)))
        return layer
    except UnicodeDecodeError as error:
        layer.problems.append(Problem(f"is not UTF-8 (byte {error.start})", "save it as UTF-8", str(file)))
        return layer
    _Reader(str(file), file.parent, environ, layer).read(text)
    return layer


def read_value(text: str) -> Any:
    """A list or mapping written in one line, as an environment variable holds it. Raises ValueError."""
    layer = Layer()
    reader = _Reader("", FilePath(), {}, layer)
    value = reader.document(f"value: {text}")
    if layer.problems:
        raise ValueError(layer.problems[0].message)
    return value["value"]


class _Reader:
    def __init__(self, name: str, folder: FilePath, environ: Mapping[str, str], layer: Layer) -> None:
        self.name = name
        self.folder = folder
        self.environ = environ
        self.layer = layer

    def read(self, text: str) -> None:
        value = self.document(text)
        if isinstance(value, dict):
            self.layer.tree = value
        elif value is not None:
            self.problem("must be a mapping of names to values", "write lines such as `group: sms-connector`", (), None)

    def document(self, text: str) -> Any:
        try:
            root = YAML(typ="safe", pure=True).compose(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = (None, None) if mark is None else (mark.line + 1, mark.column + 1)
            what = ", ".join(str(part) for part in (error.context, error.problem) if part)
            self.layer.problems.append(
                Problem(
                    f"is not YAML: {what}",
                    "check indentation and quotes here and in the line above",
                    self.name,
                    "",
                    *place,
                )
            )
            return None
        except YAMLError as error:
            self.layer.problems.append(Problem(f"is not YAML: {error}", "", self.name))
            return None
        return None if root is None else self.value(root, (), root, frozenset())

    def value(self, node: Node, path: Path, place: Node, above: frozenset[int]) -> Any:
        """`place` is the node a reader looks for: the key, where there is one."""
        origin = Origin("file", self.name, place.start_mark.line + 1, place.start_mark.column + 1)
        self.layer.origins[path] = origin
        if id(node) in above:
            return self.problem("contains itself", "remove the alias", path, origin)
        if str(node.tag) not in TAGS:
            return self.problem(f"the tag {node.tag} means nothing here", "remove it", path, origin)
        if isinstance(node, ScalarNode):
            return self.scalar(node, path, origin)
        above |= {id(node)}
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index), item, above) for index, item in enumerate(node.value)]
        assert isinstance(node, MappingNode)
        return self.mapping(node, path, above)

    def mapping(self, node: MappingNode, path: Path, above: frozenset[int]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, ScalarNode) else "?"
            if name in found:
                first = self.layer.origins[*path, name]
                origin = Origin("file", self.name, key.start_mark.line + 1, key.start_mark.column + 1)
                self.problem(
                    f"stands here a second time (first in line {first.line})", "remove one", (*path, name), origin
                )
            else:
                found[name] = self.value(value, (*path, name), key, above)
        return found

    def scalar(self, node: ScalarNode, path: Path, origin: Origin) -> str | None:
        text = str(node.value)
        if node.style is None and text in NULLS:
            return None
        if "${" not in text:
            return text
        self.layer.origins[path] = Origin("file", origin.name, origin.line, origin.column, written=text)
        return PLACEHOLDER.sub(lambda match: self.fill(match.group(1), path, origin), text)

    def fill(self, inside: str, path: Path, origin: Origin) -> str:
        if inside.startswith("file:"):
            return self.fill_file(inside.removeprefix("file:").strip(), path, origin)
        match = NAME.fullmatch(inside)
        if match is None:
            self.problem(
                f"${{{inside}}} is not a name", "write ${NAME}, ${NAME:-default} or ${file:path}", path, origin
            )
            return ""
        name, has_default, default = match.groups()
        value = self.environ.get(name)
        if value:
            return value
        if has_default:
            return str(default)
        if value is None:
            self.problem(
                f"${{{name}}}: {name} is not in the environment", f"set it, or write ${{{name}:-default}}", path, origin
            )
        return ""

    def fill_file(self, name: str, path: Path, origin: Origin) -> str:
        try:
            return (self.folder / name).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            self.problem(
                f"${{file:{name}}} cannot be read: {error.__class__.__name__}", "name a readable file", path, origin
            )
            return ""

    def problem(self, message: str, remedy: str, path: Path, origin: Origin | None) -> None:
        line, column = (origin.line, origin.column) if origin else (None, None)
        self.layer.problems.append(Problem(message, remedy, self.name, dotted(path), line, column))
