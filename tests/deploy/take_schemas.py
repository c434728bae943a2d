"""Takes the schemas under `schemas/` anew from where they are published; by hand, when a version is raised.

    python -m tests.deploy.take_schemas

Kubernetes' own come from the package `kubernetes-validate` of PyPI, the others from the CRDs in their Go modules.
Descriptions are left out, and an unknown field is an error, as it is for the API server with strict validation.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.deploy.files import read_yaml
from tests.deploy.schemas import SCHEMAS

KUBERNETES = "1.37.0"
# The oldest that the chart allows, and the newest.
KUBERNETES_VERSIONS = ("1.31.0", "1.37.0")
KINDS = {
    "configmap-v1": "io.k8s.api.core.v1.ConfigMap",
    "deployment-apps-v1": "io.k8s.api.apps.v1.Deployment",
    "job-batch-v1": "io.k8s.api.batch.v1.Job",
    "networkpolicy-networking-v1": "io.k8s.api.networking.v1.NetworkPolicy",
    "poddisruptionbudget-policy-v1": "io.k8s.api.policy.v1.PodDisruptionBudget",
    "service-v1": "io.k8s.api.core.v1.Service",
}
KEDA = ("github.com/kedacore/keda/v2", "v2.21.0")
KEDA_CRDS = ("scaledobjects", "triggerauthentications")
OPERATOR = ("github.com/prometheus-operator/prometheus-operator", "v0.85.0")
OPERATOR_CRDS = ("podmonitors", "prometheusrules")
PREFIX = "#/$defs/"


def main() -> None:
    """Write every file."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = f"kubernetes-validate=={KUBERNETES}"
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, wheel], check=True)
        (file,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(file) as archive:
            for version in KUBERNETES_VERSIONS:
                name = f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict/_definitions.json"
                _write(f"kubernetes-{version.rpartition('.')[0]}", _kubernetes(json.loads(archive.read(name))))
    keda, operator = _module(*KEDA), _module(*OPERATOR)
    scalers = json.loads((keda / "schema" / "generated" / "scalers-schema.json").read_text())["scalers"]
    (kafka,) = [it["parameters"] for it in scalers if it["type"] == "kafka"]
    kinds = dict(_crd(keda / "config" / "crd" / "bases" / f"keda.sh_{name}.yaml") for name in KEDA_CRDS)
    scaled, authentication = kinds["scaledobject-keda-v1alpha1"], kinds["triggerauthentication-keda-v1alpha1"]
    (trigger, secret) = _kafka(kafka)
    scaled["properties"]["spec"]["properties"]["triggers"]["items"]["allOf"] = [trigger]
    authentication["properties"]["spec"]["properties"]["secretTargetRef"]["items"]["allOf"] = [secret]
    _write(f"keda-{KEDA[1].removeprefix('v')}", {"kinds": kinds, "definitions": {}})
    folder = operator / "example" / "prometheus-operator-crd"
    kinds = dict(_crd(folder / f"monitoring.coreos.com_{name}.yaml") for name in OPERATOR_CRDS)
    _write(f"prometheus-operator-{OPERATOR[1].removeprefix('v')}", {"kinds": kinds, "definitions": {}})


def _module(name: str, version: str) -> Path:
    """The folder of a Go module."""
    said = subprocess.run(["go", "mod", "download", "-json", f"{name}@{version}"], check=True, capture_output=True)
    return Path(json.loads(said.stdout)["Dir"])


def _kafka(parameters: list[dict[str, Any]]) -> tuple[Any, Any]:
    """What KEDA says of its Kafka trigger: its metadata, and what it takes from secrets. The CRDs leave both open."""
    readable = {
        it["name"]: {"type": "string", **({"enum": it["allowedValue"]} if "allowedValue" in it else {})}
        for it in parameters
        if it.get("metadataVariableReadable") or it.get("envVariableReadable")
    }
    required = [
        it["name"] for it in parameters if it["name"] in readable and not it.get("optional") and "default" not in it
    ]
    metadata = {"properties": readable, "required": required, "additionalProperties": False}
    secrets = [it["name"] for it in parameters if it.get("triggerAuthenticationVariableReadable")]
    trigger = {"if": {"properties": {"type": {"const": "kafka"}}}, "then": {"properties": {"metadata": metadata}}}
    return trigger, {"properties": {"parameter": {"enum": secrets}}}


def _kubernetes(document: dict[str, Any]) -> dict[str, Any]:
    """The kinds, and what they are made of."""
    everything = document["$defs"]
    taken: dict[str, Any] = {}
    wanted = list(KINDS.values())
    while wanted:
        name = wanted.pop()
        if name not in taken:
            taken[name] = _without_words(everything[name])
            wanted += _referenced(taken[name])
    kinds = {kind: {"$ref": f"#/definitions/{name}"} for kind, name in KINDS.items()}
    return {"kinds": kinds, "definitions": dict(sorted(taken.items()))}


def _referenced(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix("#/definitions/")
            yield from _referenced(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _referenced(value)


def _crd(file: Path) -> tuple[str, Any]:
    """The schema of a CRD's stored version, by its name as kubeconform looks for it."""
    spec = read_yaml(file)["spec"]
    (version,) = [it for it in spec["versions"] if it["storage"]]
    group = spec["group"].partition(".")[0]
    return (
        f"{spec['names']['kind'].lower()}-{group}-{version['name']}",
        _closed(_without_words(version["schema"]["openAPIV3Schema"])),
    )


def _without_words(schema: Any, *, names: bool = False) -> Any:
    """Without descriptions and what only the API server reads; `names`: the keys are names of fields."""
    if isinstance(schema, list):
        return [_without_words(it) for it in schema]
    if not isinstance(schema, dict):
        return schema.replace(PREFIX, "#/definitions/") if isinstance(schema, str) else schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    kept = {}
    for key, value in schema.items():
        if names or not (key in {"description", "default"} or key.startswith("x-kubernetes-")):
            kept[key] = _without_words(value, names=key == "properties" and not names)
        elif key == "x-kubernetes-preserve-unknown-fields" and value:
            kept["additionalProperties"] = True
    return kept


def _closed(schema: Any, *, names: bool = False) -> Any:
    """With an error for each field that no schema names."""
    if isinstance(schema, list):
        return [_closed(it) for it in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value, names=key == "properties" and not names) for key, value in schema.items()}
    if not names and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed


def _write(name: str, document: dict[str, Any]) -> None:
    (SCHEMAS / f"{name}.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
