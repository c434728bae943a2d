"""The names of all settings: paths, environment variables, and what a wrong one may have meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from connector.settings.model import Settings
from connector.settings.origin import SettingPath, dotted

PREFIX = "SMS_CONNECTOR_"
FILE_VARIABLE = "SMS_CONNECTOR_CONFIG"
"""Names the file itself; the only variable with the prefix that is not a setting."""


@dataclass(frozen=True, slots=True)
class SettingLeaf:
    """One setting.

    Attributes:
        path: where it stands in the file.
        field: its default, bounds and description.
        secret: never shown.
        many: a list.
    """

    path: SettingPath
    field: FieldInfo
    secret: bool
    many: bool

    @property
    def name(self) -> str:
        return dotted(self.path)

    @property
    def variable(self) -> str:
        """`kafka` / `bootstrap.servers` → `SMS_CONNECTOR_KAFKA__BOOTSTRAP_SERVERS`."""
        return variable_of(self.path)


def variable_of(path: SettingPath) -> str:
    """The environment variable of the setting at `path`."""
    return PREFIX + "__".join(re.sub(r"[^A-Za-z0-9]", "_", str(part)).upper() for part in path)


@cache
def leaves() -> tuple[SettingLeaf, ...]:
    """Every setting, in the order of the model."""
    return tuple(_walk(Settings, ()))


@cache
def sections() -> dict[SettingPath, type[BaseModel]]:
    """The models by path, the root included; a list's elements stand at position 0."""
    found: dict[SettingPath, type[BaseModel]] = {(): Settings}

    def walk(model: type[BaseModel], path: SettingPath) -> None:
        for name, field in model.model_fields.items():
            here = (*path, field.alias or name)
            for part in _parts(field.annotation):
                if _is_model(part):
                    found[(*here, 0) if _is_list(field.annotation) else here] = part
                    walk(part, (*here, 0) if _is_list(field.annotation) else here)

    walk(Settings, ())
    return found


def keys(model: type[BaseModel]) -> list[str]:
    """The names a section takes, as they are written in the file."""
    return [field.alias or name for name, field in model.model_fields.items()]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean …?` with the nearest known name, or nothing."""
    spelt = {_plain(candidate): candidate for candidate in known}
    near = get_close_matches(_plain(name), spelt, n=1, cutoff=0.6)
    return f"did you mean {spelt[near[0]]}?" if near else ""


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _walk(model: type[BaseModel], path: SettingPath) -> Iterator[SettingLeaf]:
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        if isinstance(field.annotation, type) and _is_model(field.annotation):
            yield from _walk(field.annotation, here)
        else:
            parts = list(_parts(field.annotation))
            yield SettingLeaf(here, field, secret=SecretStr in parts, many=_is_list(field.annotation))


def _parts(annotation: Any) -> Iterator[Any]:
    """The types an annotation is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_list(annotation: Any) -> bool:
    if get_origin(annotation) in {Union, UnionType}:
        return any(_is_list(part) for part in get_args(annotation))
    return get_origin(annotation) is tuple
