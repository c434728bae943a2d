"""The language as JSON Schema, for editors: made from the same tables as loading (keys.py)."""

from __future__ import annotations

from typing import Any, Final

from connector.definition.keys import DEFINITION

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a definition, with descriptions and examples.

    It knows shapes, not meanings: `sms-connector check` finds more (replacements, expressions, what belongs together).
    """
    schema = DEFINITION.schema()
    return {
        "$schema": DIALECT,
        "title": "Provider definition",
        "description": "How one SMS provider is called over HTTP, and what its replies mean.",
        **_nullable(schema),
    }


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """Null allowed for the keys of the top level and of operations: it takes away what is inherited."""
    properties = dict(schema["properties"])
    operations = dict(properties["operations"])
    operation = operations["items"]
    operations["items"] = {**operation, "properties": _or_null(operation["properties"])}
    properties["operations"] = operations
    return {**schema, "properties": _or_null(properties)}


def _or_null(properties: dict[str, Any]) -> dict[str, Any]:
    keep = ("description", "examples")
    return {
        name: {
            "anyOf": [{key: value for key, value in schema.items() if key not in keep}, {"type": "null"}],
            **{key: value for key, value in schema.items() if key in keep},
        }
        for name, schema in properties.items()
    }
