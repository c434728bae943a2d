"""The two layers above the file: `SMS_CONNECTOR_…` variables and command line flags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from connector.errors import Problem
from connector.settings.file import Layer, read_value
from connector.settings.names import FILE_VARIABLE, PREFIX, SettingLeaf, did_you_mean, leaves, variable_of
from connector.settings.origin import Origin, dotted
from connector.settings.renamed import earlier, warning


def read_environment(environ: Mapping[str, str]) -> Layer:
    """Settings from `SMS_CONNECTOR_…` variables. Empty ones count as not set: so do compose files pass nothing on."""
    layer = Layer()
    known = {leaf.variable: leaf for leaf in leaves()}
    before = {variable_of(path): (leaf, path) for leaf in leaves() if (path := earlier(leaf.path)) is not None}
    files = {f"{leaf.variable}_FILE": leaf for leaf in leaves() if leaf.secret}
    for name in sorted(name for name in environ if name.startswith(PREFIX) and environ[name]):
        origin = Origin("environment", name)
        if name in known:
            _put(layer, known[name], environ[name], origin)
        elif name in before:
            leaf, path = before[name]
            if environ.get(leaf.variable):
                layer.problems.append(Problem(f"is set, and so is {leaf.variable}", f"unset {name}", name))
            else:
                _put(layer, leaf, environ[name], origin)
                layer.warnings.append(
                    Problem(
                        f"is called {leaf.variable} now",
                        f"set that: the next release reads no {name}",
                        name,
                        dotted(path),
                    )
                )
        elif name in files:
            if environ.get(files[name].variable):
                layer.problems.append(Problem(f"is set, and so is {files[name].variable}", "unset one of them", name))
            else:
                _put_file(layer, files[name], environ[name], origin)
        elif name != FILE_VARIABLE:
            layer.problems.append(_unknown(name, known))
    return layer


def read_overrides(overrides: Mapping[str, Any]) -> Layer:
    """Settings from the command line, by dotted name (`kafka.bootstrap.servers`). None counts as not given."""
    layer = Layer()
    known = {leaf.name: leaf for leaf in leaves()}
    before = {dotted(path): (leaf, path) for leaf in leaves() if (path := earlier(leaf.path)) is not None}
    for name, value in overrides.items():
        origin = Origin("flag", f"--set {name}")
        if name in before:
            leaf, path = before[name]
            if overrides.get(leaf.name) is not None:
                layer.problems.append(Problem(f"is given, and so is {leaf.name}", f"leave {name} out", origin.name))
            elif value is not None:
                _put(layer, leaf, value, origin)
                layer.warnings.append(warning(path, origin.name))
            continue
        if name not in known:
            layer.problems.append(
                Problem(
                    f"there is no setting {name!r}",
                    did_you_mean(name, known) or "see `sms-connector config show`",
                    origin.name,
                )
            )
        elif value is not None:
            _put(layer, known[name], value, origin)
    return layer


def _put(layer: Layer, leaf: SettingLeaf, value: Any, origin: Origin) -> None:
    if isinstance(value, str):
        try:
            value = _interpret(leaf, value)
        except ValueError as error:
            layer.problems.append(
                Problem(f"cannot be read: {error}", "write a,b,c or [a, b, c]", origin.name, leaf.name)
            )
            return
    section = layer.tree
    for part in leaf.path[:-1]:
        section = section.setdefault(str(part), {})
    section[str(leaf.path[-1])] = value
    layer.origins[leaf.path] = origin


def _interpret(leaf: SettingLeaf, text: str) -> Any:
    if leaf.many:
        return (
            read_value(text)
            if text.lstrip().startswith("[")
            else [part.strip() for part in text.split(",") if part.strip()]
        )
    return None if text in {"null", "~"} else text


def _put_file(layer: Layer, leaf: SettingLeaf, name: str, origin: Origin) -> None:
    try:
        text = FilePath(name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error.__class__.__name__
        layer.problems.append(
            Problem(f"{name} cannot be read: {reason}", "name a readable file", origin.name, leaf.name)
        )
        return
    _put(layer, leaf, text, origin)


def _unknown(name: str, known: Mapping[str, SettingLeaf]) -> Problem:
    bare = name.removesuffix("_FILE")
    if bare in known:
        return Problem("only secrets can be read from a file", f"use {bare}", name)
    return Problem(
        "there is no such setting", did_you_mean(name, known) or "unset it; `sms-connector config show` lists all", name
    )
