"""The Helm chart, rendered by the real helm, and what is made from it for those who have none."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.deploy.files import ROOT
from tests.deploy.schemas import NEWEST, write_each
from tests.deploy.tools import HELM, KUBECONFORM

CHART = ROOT / "deploy" / "chart"
VALUES = ROOT / "deploy" / "values"
PLAIN = ROOT / "deploy" / "kubernetes"
FIRST, PRODUCTION = VALUES / "first.yaml", VALUES / "production.yaml"
EVERYTHING = Path(__file__).with_name("everything.yaml")
# With all that needs nothing but Kubernetes and KEDA. `replicas` is KEDA's then, or that of `kubectl scale`.
PLAIN_VALUES = ("--values", str(FIRST), "--set", "autoscaling.enabled=true,networkPolicy.enabled=true")

HELMS_OWN = re.compile(r"^(?:# Source: .*| +(?:app\.kubernetes\.io/managed-by|helm\.sh/chart): .*)\n", re.MULTILINE)
PLAIN_HEAD = "# Written from deploy/chart by `python -m tests.deploy.plain`; a test compares.\n"

Document = dict[str, Any]


class ChartError(Exception):
    """What helm says against values."""


def helm(*arguments: str) -> str:
    """Run it; returns what it prints. Raises ChartError."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [HELM.path, *arguments],
            env={**os.environ, "HELM_CACHE_HOME": home, "HELM_CONFIG_HOME": home, "HELM_DATA_HOME": home},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise ChartError(done.stderr)
    return done.stdout


@functools.cache
def text(*arguments: str, release: str = "sms-connector", kubernetes: str = NEWEST, chart: Path = CHART) -> str:
    """The manifests as helm prints them."""
    return helm("template", release, str(chart), "--kube-version", f"{kubernetes}.0", *arguments)


def documents(rendered: str) -> list[Document]:
    """Manifests, in the order in which they stand; the caller's own."""
    found: list[Document] = json.loads(_parsed(rendered))
    return found


@functools.cache
def _parsed(rendered: str) -> str:
    return json.dumps([it for it in YAML(typ="safe").load_all(rendered) if it is not None])


def render(*values: Path | str, sets: Iterable[str] = (), release: str = "sms-connector") -> list[Document]:
    """The manifests of these values (files, and `name=value`)."""
    arguments = [part for file in values for part in ("--values", str(file))]
    arguments += [part for it in sets for part in ("--set", it)]
    return documents(text(*arguments, release=release))


def kubeconform(manifests: str, kubernetes: str, folder: Path) -> str:
    """What it says; nothing where all is well."""
    write_each(folder, kubernetes)
    place = str(folder / "{{ .ResourceKind }}{{ .KindSuffix }}.json")
    command = [str(KUBECONFORM.path), "-strict", "-schema-location", place]
    done = subprocess.run(command, input=manifests, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == bool(done.stdout), done.stderr
    return done.stdout


def one(manifests: Iterable[Document], kind: str, name: str = "") -> Document:
    """The only one of its kind, or the one whose name ends so."""
    (found,) = [it for it in manifests if it["kind"] == kind and it["metadata"]["name"].endswith(name)]
    return found


def plain() -> dict[str, str]:
    """The files of deploy/kubernetes: one for each template, without what only Helm needs."""
    with tempfile.TemporaryDirectory() as folder:
        text(*PLAIN_VALUES, "--output-dir", folder)
        rendered = sorted((Path(folder) / "sms-connector" / "templates").iterdir())
        return {file.name: PLAIN_HEAD + HELMS_OWN.sub("", file.read_text()).strip() + "\n" for file in rendered}
