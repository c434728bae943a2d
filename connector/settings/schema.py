"""The JSON Schema of `connector.yaml`, for editors: made from the model."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from connector.settings.docstrings import attribute_docstrings
from connector.settings.kafka import KafkaSettings
from connector.settings.model import Settings
from connector.settings.origin import SettingPath
from connector.settings.section import Section

PLACEHOLDER = {
    "type": "string",
    "pattern": r"\$\{([A-Za-z_][A-Za-z0-9_]*(:-[^}]*|\?)?|file:[^}]+)\}",
    "description": "Filled in from the environment or a file.",
}


def plain_schema() -> dict[str, Any]:
    """The settings as JSON Schema: as the model says, with defaults written as in the file."""
    schema = Settings.model_json_schema(by_alias=True)
    models: tuple[type[BaseModel], ...] = (KafkaSettings, *Section.__subclasses__())
    for model in models:
        node = schema if model is Settings else schema["$defs"][model.__name__]
        for name, text in attribute_docstrings(model).items():
            field = model.model_fields[name]
            here = field.alias or name
            # In pydantic's order, which is that of the alphabet.
            node["properties"][here] = dict(sorted((node["properties"][here] | {"description": text}).items()))
    written = Settings().model_dump(mode="json", by_alias=True)
    for path, node in _settings(schema, schema, ()):
        node.pop("title", None)
        value: Any = written
        for part in path:
            value = value[part]
        if "$ref" in node:
            node.pop("default", None)  # a section's default is the defaults in it
        elif "default" in node:
            node["default"] = value
    for model in schema["$defs"].values():
        model.pop("title", None)
    return schema


def json_schema() -> dict[str, Any]:
    """Draft 2020-12, for `connector.yaml`: `${NAME}` may stand wherever a value does."""
    schema = plain_schema()
    for _path, node in _settings(schema, schema, ()):
        if ("$ref" not in node and node.get("type") not in {"string", "array"}) or "pattern" in node or "enum" in node:
            _allow_placeholder(node)
    schema["$defs"]["Placeholder"] = PLACEHOLDER
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:sms-connector:schema:connector",
        **schema,
        "title": "connector.yaml",
    }


def find(schema: dict[str, Any], path: SettingPath) -> dict[str, Any]:
    """The part of `schema` that describes the setting at `path`."""
    node: dict[str, Any] = schema
    for part in path:
        node = _resolve(schema, node)["properties"][part]
    return node


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def _settings(
    schema: dict[str, Any], node: dict[str, Any], path: SettingPath
) -> list[tuple[SettingPath, dict[str, Any]]]:
    """Every named value below `node`, sections first."""
    found: list[tuple[SettingPath, dict[str, Any]]] = []
    for name, child in _resolve(schema, node).get("properties", {}).items():
        found.append(((*path, name), child))
        found += _settings(schema, child, (*path, name))
    return found


def _allow_placeholder(node: dict[str, Any]) -> None:
    """Turn `node` into “this, or `${NAME}`”, keeping what describes it outside."""
    about = {key: node.pop(key) for key in ("description", "default") if key in node}
    either = [*node["anyOf"]] if set(node) == {"anyOf"} else [dict(node)]
    node.clear()
    node.update({"anyOf": [*either, {"$ref": "#/$defs/Placeholder"}]}, **about)
