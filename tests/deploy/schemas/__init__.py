"""Schemas of the APIs that manifests are for, as JSON Schema; NOTICE.md says where they come from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

SCHEMAS = Path(__file__).parent
OLDEST, NEWEST = "1.31", "1.37"
"""Of Kubernetes."""
DRAFT = "http://json-schema.org/draft-07/schema#"
"""kubeconform takes a schema that says nothing for the fourth, which knows no `if`."""
OTHERS = ("keda-2.21.0", "prometheus-operator-0.85.0")


def kinds(kubernetes: str) -> dict[str, Any]:
    """A schema for each kind that is used, by its name as kubeconform looks for it: `deployment-apps-v1`."""
    found: dict[str, Any] = {}
    for name in (f"kubernetes-{kubernetes}", *OTHERS):
        document = json.loads((SCHEMAS / f"{name}.json").read_text())
        for kind, schema in document["kinds"].items():
            found[kind] = {"$schema": DRAFT, "definitions": document["definitions"], "allOf": [schema]}
    return found


def write_each(folder: Path, kubernetes: str) -> None:
    """A file for each kind."""
    for kind, schema in kinds(kubernetes).items():
        (folder / f"{kind}.json").write_text(json.dumps(schema))


def problems(documents: list[dict[str, Any]], kubernetes: str) -> Iterator[str]:
    """What the schemas say against manifests."""
    schemas = kinds(kubernetes)
    for document in documents:
        for error in Draft7Validator(schemas[_name(document)]).iter_errors(document):
            yield f"{document['kind']}: {'.'.join(map(str, error.absolute_path))}: {error.message}"


def _name(document: Mapping[str, Any]) -> str:
    group, _, version = document["apiVersion"].rpartition("/")
    return "-".join(filter(None, [document["kind"].lower(), group.partition(".")[0], version]))
