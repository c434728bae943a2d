"""The SBOM: CycloneDX 1.6 as JSON, made from the locks. The same commit gives the same bytes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from release import checkout
from release.build import digest
from release.licences import Part
from release.locks import Locked

NAMESPACE = uuid.UUID("9c1d2f4e-6f0a-4b53-9a55-5b7f5f1f7a01")
SPEC = "1.6"


def document(
    parts: Iterable[Part],
    locked: Iterable[Locked],
    *,
    needed: frozenset[str],
    direct: frozenset[str],
    artefacts: Iterable[Path] = (),
    root: Path = checkout.ROOT,
) -> dict[str, Any]:
    """The document.

    Args:
        parts: what users get, with licences.
        locked: who asks for what.
        needed: names of what a worker needs; all others come with extras.
        direct: what the project asks for itself.
        artefacts: wheel and sdist, whose digests go in.
        root: the checkout.
    """
    about = checkout.project(root)
    name, version = about["name"], about["version"]
    ours = f"pkg:pypi/{name}@{version}"
    parts = list(parts)
    components = sorted((_component(part, part.name in needed, root) for part in parts), key=lambda it: it["bom-ref"])
    subject: dict[str, Any] = {
        "type": "application",
        "bom-ref": ours,
        "name": name,
        "version": version,
        "description": about["description"],
        "licenses": [{"license": {"id": about["license"]}}],
        "purl": ours,
        "properties": [{"name": "git:commit", "value": checkout.commit(root)}]
        + [{"name": f"sha256:{file.name}", "value": digest(file)} for file in sorted(artefacts)],
    }
    body: dict[str, Any] = {
        "metadata": {
            "timestamp": datetime.fromtimestamp(checkout.commit_time(root), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": subject,
        },
        "components": components,
        "dependencies": _dependencies(ours, parts, list(locked), direct),
    }
    serial = uuid.uuid5(NAMESPACE, json.dumps(body, sort_keys=True))
    return {"bomFormat": "CycloneDX", "specVersion": SPEC, "serialNumber": f"urn:uuid:{serial}", "version": 1, **body}


def encode(bom: Mapping[str, Any]) -> str:
    """The file's content."""
    return json.dumps(bom, indent=2, ensure_ascii=False) + "\n"


def purl(part: Part) -> str:
    """The part's name for scanners: `pkg:pypi/aiohttp@3.14.5`, `pkg:npm/%40codemirror/view@6.43.15`."""
    return f"pkg:{part.ecosystem}/{part.name.replace('@', '%40')}@{part.version.replace('!', '%21')}"


def _component(part: Part, needed: bool, root: Path) -> dict[str, Any]:
    scope = "required" if needed or part.file else "optional"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": _reference(part),
        "name": part.name,
        "version": part.version,
        "scope": scope,
        "licenses": [_licence(part.licence or "NOASSERTION")],
        "purl": purl(part),
    }
    if part.file:
        (file,) = (root / "connector").rglob(f"vendor/{part.file}")
        place = str(file.relative_to(root))
        component["properties"] = [{"name": "bundled", "value": f"{place} sha256:{digest(file)}"}]
    return component


def _reference(part: Part) -> str:
    return purl(part) + (f"#{part.file}" if part.file else "")


def _licence(expression: str) -> dict[str, Any]:
    if " " in expression:
        return {"expression": expression}
    if expression.startswith("LicenseRef-") or expression == "NOASSERTION":
        return {"license": {"name": expression}}
    return {"license": {"id": expression}}


def _dependencies(ours: str, parts: list[Part], locked: list[Locked], direct: frozenset[str]) -> list[dict[str, Any]]:
    """Who asks for whom; a package with several versions is asked for in all of them."""
    references: dict[str, list[str]] = {}
    for part in parts:
        references.setdefault(part.name, []).append(_reference(part))
    asks: dict[str, set[str]] = {reference: set() for known in references.values() for reference in known}
    asks[ours] = {_reference(part) for part in parts if part.file}
    for package in locked:
        for parent in package.parents:
            for reference in references.get(parent, ()):
                asks[reference].update(references[package.name])
        if package.name in direct:
            asks[ours].update(references[package.name])
    return [{"ref": reference, "dependsOn": sorted(wanted)} for reference, wanted in sorted(asks.items())]
