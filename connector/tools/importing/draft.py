"""A draft of a definition as YAML: what a person would have written, with what was guessed above it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from connector.tools.importing.http_call import Number, Repeated, Tree
from connector.tools.importing.known import known_providers
from connector.tools.importing.leaves import LeafPath
from connector.tools.importing.recognise import RECORDS, BatchLayout, Recognised

_plain = re.compile(r"[A-Za-z][A-Za-z0-9_/.-]*|\$\$[A-Za-z_]\w*|https?://[A-Za-z0-9_/.%~-]+").fullmatch
_SPECIAL: Final = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_unprintable = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029\ufeff]")

KEPT: Final = 40
"""Constants that are listed; the rest is counted."""

INTRODUCTION: Final = "What replies mean is not known yet: without `response`, every 2xx counts as accepted."


@dataclass(slots=True)
class Draft:
    """A definition to be written.

    Attributes:
        keys: the keys of the language in order; texts are the language's already.
        guessed, open, kept: notes for the person who goes on with it.
        known: shipped definitions of the same provider.
        secrets: names of the environment variables it needs.
    """

    name: str
    keys: dict[str, Any]
    guessed: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    secrets: tuple[str, ...] = ()

    def yaml(self) -> str:
        """The file."""
        body = dumped({key: value for key, value in self.keys.items() if value not in (None, {}, [])})
        comments = [*self.advice, *_section("Guessed:", self.guessed), *_section("To look at:", self.open)]
        more = [f"and {len(self.kept) - KEPT:,} more"] if len(self.kept) > KEPT else []
        comments += _section("Kept as it is, and sent with every message:", [*self.kept[:KEPT], *more])
        comments += _section("Set in the environment:", [*self.secrets, *_references(body)])
        return "".join(f"# {line}".rstrip() + "\n" for line in [*comments, INTRODUCTION]) + body

    @property
    def advice(self) -> list[str]:
        """What is better than going on with the draft."""
        if not self.known:
            return []
        names = " or ".join(f"`{name}`" for name in self.known)
        return [
            f"There is a finished definition of this provider, {names}, that knows what its replies mean:",
            f"write `extends: {self.known[0]}` and what differs, in place of this draft.",
        ]


_reference = re.compile(r"(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _references(body: str) -> list[str]:
    """Every variable that the file reads: the command may have brought some of its own."""
    return list(dict.fromkeys(_reference.findall(body)))


def _section(title: str, lines: Iterable[str]) -> list[str]:
    listed = [f"  {line}" for line in dict.fromkeys(lines)]
    return [title, *(_unprintable.sub("?", line.replace("\n", " ")) for line in listed)] if listed else []


def from_call(found: Recognised, name: str) -> Draft:
    """The draft of a recognised request."""
    call = found.call
    parameters: dict[str, Any] = {}
    if call.kind == "json":
        parameters = {"json": LiteralScalarString(json_text(call.body) + "\n")}
    elif call.kind != "none":
        parameters = {call.kind: scalars(call.body)}
    auth = None
    if call.user is not None:
        auth = {"basic": {"username": _scalar(call.user[0]), "password": _scalar(call.user[1])}}
    keys = {
        "method": call.method,
        "url": _scalar(call.url),
        "query": scalars(call.query),
        "headers": scalars(call.headers),
        "auth": auth,
        "parameters": parameters,
        "nesting": {"lists": "repeat"} if _repeats([call.query, call.body]) else None,
        "batching": _batching(found.batch),
    }
    return Draft(
        name, keys, found.guessed, found.open, found.kept, known_providers(call.url), secrets=tuple(found.secrets)
    )


def _repeats(node: Tree) -> bool:
    """Whether a name repeats without brackets somewhere."""
    if isinstance(node, Repeated):
        return True
    members = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return any(map(_repeats, members))


def _batching(batch: BatchLayout | None) -> dict[str, Any] | None:
    if batch is None:
        return None
    paths = [_scalar(_path(path)) for path in batch.paths]
    keys: dict[str, Any] = {"key": paths[0] if len(paths) == 1 else paths, "records": RECORDS}
    return keys if batch.join is None else {**keys, "join": DoubleQuotedScalarString(batch.join)}


def _path(path: LeafPath) -> str:
    """As `batching.key` writes it; `.` is the whole body."""
    text = ""
    for segment in path:
        if segment.isdecimal() and segment.isascii():
            text += f"[{segment}]"
        else:
            name = segment if re.fullmatch(r'[^."\[\]]+', segment) else f'"{segment}"'
            text += f".{name}" if text else name
    return text or "."


# ---- values ---------------------------------------------------------------------------------------------------------


def scalars(tree: Tree) -> Any:
    """A tree for YAML: texts quoted where a reader could take them for more."""
    if isinstance(tree, dict):
        return {_scalar(key): scalars(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [scalars(item) for item in tree]
    return _scalar(tree) if isinstance(tree, str) and not isinstance(tree, LiteralScalarString) else tree


def _scalar(text: str) -> str:
    if _plain(text) and text.lower() not in _SPECIAL:
        return text
    quoted: str = DoubleQuotedScalarString(text)
    return quoted


def json_text(tree: Tree, indent: str = "") -> str:
    """A tree as JSON for people: numbers in their own spelling."""
    inner = indent + "  "
    if isinstance(tree, dict) and tree:
        lines = [f"{inner}{_quoted(key)}: {json_text(value, inner)}" for key, value in tree.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(tree, list) and tree:
        return "[\n" + ",\n".join(inner + json_text(item, inner) for item in tree) + f"\n{indent}]"
    if isinstance(tree, Number):
        return tree.text
    return _quoted(tree) if isinstance(tree, str) else json.dumps(tree)


def _quoted(text: str) -> str:
    """A JSON string of characters that YAML can show."""
    return _unprintable.sub(lambda match: json.dumps(match.group())[1:-1], json.dumps(text, ensure_ascii=False))


def _number(representer: Any, number: Number) -> Any:
    kind = "int" if number.text.lstrip("-").isdecimal() else "float"
    return representer.represent_scalar(f"tag:yaml.org,2002:{kind}", number.text)


def dumped(keys: dict[str, Any]) -> str:
    """Keys and values as a definition writes them."""
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 1_000_000  # no line is folded
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.allow_unicode = True
    yaml.representer.add_representer(Number, _number)
    stream = io.StringIO()
    yaml.dump(keys, stream)
    return stream.getvalue()
