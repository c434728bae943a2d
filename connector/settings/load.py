"""Putting settings together: flags over environment over `connector.yaml` over defaults, each value with its origin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from connector.config_text.units import UnitError
from connector.errors import Problem, SettingsError
from connector.masking import MASK
from connector.settings.cross_checks import cross_check
from connector.settings.file import Layer, read_file
from connector.settings.kafka import ELSEWHERE
from connector.settings.model import Settings
from connector.settings.names import did_you_mean, keys, leaves, sections
from connector.settings.origin import DEFAULT, Origin, SettingPath, dotted
from connector.settings.overrides import read_environment, read_overrides


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and where they came from.

    Attributes:
        settings: checked, frozen.
        origins: dotted name of every setting → where its value came from.
        warnings: settings under earlier names.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    warnings: tuple[Problem, ...] = ()


def load_settings(*, file: FilePath | None, environ: Mapping[str, str], overrides: Mapping[str, Any]) -> Loaded:
    """Settings from all four sources.

    Args:
        file: `connector.yaml`; None reads no file.
        environ: the process environment; serves both `SMS_CONNECTOR_…` and `${NAME}`.
        overrides: dotted name → value from the command line; None counts as not given.

    Raises:
        SettingsError: with every problem of every source at once.
    """
    layers = [read_environment(environ), read_overrides(overrides)]
    if file is not None:
        layers.insert(0, read_file(file, environ))
    merged = Layer()
    for layer in layers:
        _merge(merged, layer)
    problems = [problem for layer in layers for problem in layer.problems]
    settings, invalid = _validate(merged)
    problems += invalid
    # A value that could not be read is unset here: the rest can still be checked, but not what depends on it.
    unread = {problem.path for problem in problems}
    if settings is not None:
        problems += [
            _problem(merged, clash.paths[0], clash.message, clash.remedy, clash.paths)
            for clash in cross_check(settings)
            if unread.isdisjoint(dotted(path) for path in clash.paths)
        ]
    if problems or settings is None:
        raise SettingsError(sorted(problems, key=lambda problem: (problem.file, problem.line or 0)))
    origins = {leaf.name: _origin(merged, leaf.path) for leaf in leaves()}
    return Loaded(settings, origins, tuple(warning for layer in layers for warning in layer.warnings))


def _merge(base: Layer, over: Layer) -> None:
    """Lay `over` on `base`: mappings are merged, everything else is replaced as a whole."""

    def lay(below: dict[str, Any], above: dict[str, Any], path: SettingPath) -> None:
        for name, value in above.items():
            here = (*path, name)
            if isinstance(value, dict) and isinstance(below.get(name), dict):
                lay(below[name], value, here)
                continue
            if name in below:
                for old in [place for place in base.origins if place[: len(here)] == here]:
                    del base.origins[old]
            below[name] = value

    lay(base.tree, over.tree, ())
    base.origins.update(over.origins)


def _validate(merged: Layer) -> tuple[Settings | None, list[Problem]]:
    """The settings, and the problems of single values; those are left out of the settings where that is possible."""
    try:
        return Settings.model_validate(_without_empty_sections(merged.tree)), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        # A list whose elements are wrong is also reported as too short.
        above = {detail["loc"][:length] for detail in details for length in range(len(detail["loc"]))}
        problems = [_explain(merged, detail) for detail in details if detail["loc"] not in above]
    try:
        return Settings.model_validate(_without(merged.tree, [_top(detail["loc"]) for detail in details])), problems
    except ValidationError:
        return None, problems


def _top(location: SettingPath) -> SettingPath:
    """The path of the setting a location is in: lists are one setting."""
    return location[: next((index for index, part in enumerate(location) if isinstance(part, int)), len(location))]


def _without(tree: dict[str, Any], paths: Iterable[SettingPath], here: SettingPath = ()) -> dict[str, Any]:
    left = {name: value for name, value in tree.items() if (*here, name) not in set(paths)}
    return _without_empty_sections(
        {
            name: _without(value, paths, (*here, name)) if isinstance(value, dict) else value
            for name, value in left.items()
        }
    )


def _without_empty_sections(tree: dict[str, Any]) -> dict[str, Any]:
    """`kafka:` with nothing below it says nothing."""
    return {name: value for name, value in tree.items() if value is not None or (name,) not in sections()}


def _origin(merged: Layer, path: SettingPath) -> Origin:
    """Where the value at `path` came from: it, or what it stands in (the root never says so)."""
    for length in range(len(path), 0, -1):
        origin = merged.origins.get(path[:length])
        if origin is not None and (length == len(path) or isinstance(path[length], int)):
            return origin
    return DEFAULT


def _place(merged: Layer, paths: Iterable[SettingPath]) -> Origin:
    """The nearest place to point at: of the first path that was written anywhere, else of the section it belongs to."""
    paths = tuple(paths)
    for path in paths:
        if (origin := merged.origins.get(path)) is not None:
            return origin
    for length in range(len(paths[0]), 0, -1):
        if (origin := merged.origins.get(paths[0][:length])) is not None:
            return origin
    return DEFAULT


def _problem(
    merged: Layer, path: SettingPath, message: str, remedy: str, places: Iterable[SettingPath] = ()
) -> Problem:
    origin = _place(merged, [path, *places])
    return Problem(message, remedy, "" if origin is DEFAULT else origin.name, dotted(path), origin.line, origin.column)


def _explain(merged: Layer, detail: ErrorDetails) -> Problem:
    """One pydantic error in the words of this program."""
    path: SettingPath = detail["loc"]
    name, section = str(path[-1]), sections().get(tuple(0 if isinstance(part, int) else part for part in path[:-1]))
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden" and section is not None:
        remedy = ELSEWHERE.get(name, "") if path[0] == "kafka" else ""
        return _problem(merged, path, "there is no such setting", remedy or _meant(name, keys(section)))
    if kind == "missing":
        return _problem(merged, path, "is missing", f"add `{name}`")
    error = context.get("error")
    if isinstance(error, UnitError):
        message, remedy = f"{_shown(merged, path, detail['input'])} is {error.message}", error.remedy
    elif kind in {"model_type", "model_attributes_type", "dict_type"}:
        message, remedy = "must be a mapping of names to values", f"indent its names below `{name}:`"
    elif kind == "tuple_type":
        message, remedy = "must be a list", f"write `{name}: [a, b]`"
    elif kind == "literal_error":
        message, remedy = f"{_shown(merged, path, detail['input'])} is not possible", f"write {context['expected']}"
    elif kind in {"int_parsing", "int_from_float", "float_parsing", "int_type"}:
        message, remedy = f"{_shown(merged, path, detail['input'])} is not a number", "write digits only"
    else:
        message, remedy = (
            f"{_shown(merged, path, detail['input'])} does not fit",
            detail["msg"].lower().removeprefix("input "),
        )
    return _problem(merged, path, message, remedy)


def _meant(name: str, siblings: list[str]) -> str:
    """A setting of that name elsewhere, or the nearest name here."""
    return (
        next((f"did you mean {leaf.name}?" for leaf in leaves() if leaf.path[-1] == name), "")
        or did_you_mean(name, siblings)
        or f"possible here: {', '.join(siblings)}"
    )


def _shown(merged: Layer, path: SettingPath, value: Any) -> str:
    """The value as it may be shown: secrets by their name or not at all."""
    origin = merged.origins.get(path, DEFAULT)
    if any(leaf.secret and leaf.path == path for leaf in leaves()):
        return MASK
    if origin.written is not None:
        return origin.written
    return "null" if value is None else repr(value) if isinstance(value, str) else str(value)
