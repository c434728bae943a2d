"""helm and kubeconform, from their Go modules: `python -m tests.deploy.tools` builds them into `.cache/`.

They take five minutes of CPU time the first time, and some seconds as long as Go's own cache has them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click

from tests.deploy.files import ROOT

BUILD_SECONDS = 1800
"""What a busy machine may need."""
FOLDER = ROOT / ".cache" / "go"


@dataclass(frozen=True)
class Tool:
    """A command of a Go module."""

    package: str
    version: str

    @property
    def name(self) -> str:
        return self.package.rpartition("/")[2]

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}-{self.version}"


HELM = Tool("helm.sh/helm/v4/cmd/helm", "v4.3.1")
KUBECONFORM = Tool("github.com/yannh/kubeconform/cmd/kubeconform", "v0.8.0")
TOOLS = (KUBECONFORM, HELM)


def built() -> bool:
    """Whether both are there."""
    return all(tool.path.exists() for tool in TOOLS)


def go() -> str | None:
    """The command, where there is one."""
    return shutil.which("go")


def build(tool: Tool) -> float:
    """Build it, unless it is there; returns the seconds that took. One process at a time. Raises CalledProcessError."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if tool.path.exists():
            return 0.0
        with tempfile.TemporaryDirectory(dir=FOLDER) as made:
            subprocess.run(
                ["go", "install", "-trimpath", "-ldflags=-s -w", f"{tool.package}@{tool.version}"],
                env={**os.environ, "GOBIN": made, "CGO_ENABLED": "0"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=True,
            )
            (Path(made) / tool.name).rename(tool.path)
    return time.monotonic() - started


def main() -> int:
    """Build both, where there is Go; without it a line says so."""
    if go() is None:
        click.echo("there is no Go here: the Helm chart is not rendered, only the manifests made from it are tested")
        return 0
    for tool in TOOLS:
        try:
            seconds = build(tool)
        except subprocess.CalledProcessError as error:
            click.echo(f"{tool.package}@{tool.version} cannot be built:\n{error.stderr[-2000:]}", err=True)
            return 1
        click.echo(f"{tool.name} {tool.version}: {'there' if not seconds else f'built in {seconds:.0f} s'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
