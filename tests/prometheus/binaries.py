"""Prometheus and promtool: those of the machine, or Debian's package, unpacked once into .cache/ and never installed.

Nothing of the machine is changed: no service is started, no user made. What the package needs besides is the C library.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache"
PACKAGE = "prometheus"
OLDEST = (2, 42)
"""What deploy/prometheus/alerts.yml asks for, and what Debian 12 has."""
APT_SECONDS = 300


class PrometheusUnavailableError(RuntimeError):
    """Why there is no Prometheus here, and what to install."""


@dataclass(frozen=True)
class Binaries:
    """Paths of the two programs."""

    prometheus: str
    promtool: str


@cache
def binaries() -> Binaries:
    """Those of the machine where they are new enough, else Debian's.

    Raises:
        PrometheusUnavailableError: neither can be had here.
    """
    found = Binaries(shutil.which("prometheus") or "", shutil.which("promtool") or "")
    if found.prometheus and found.promtool and _version(found.promtool) >= OLDEST:
        return found
    unpacked = _unpacked()
    made = Binaries(str(unpacked / "usr/bin/prometheus"), str(unpacked / "usr/bin/promtool"))
    if (version := _version(made.promtool)) < OLDEST:
        raise PrometheusUnavailableError(f"the package {PACKAGE} is {version}, older than {OLDEST}")
    return made


def _version(promtool: str) -> tuple[int, ...]:
    said = subprocess.run([promtool, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"version (\d+)\.(\d+)", said.stdout + said.stderr)
    return tuple(map(int, found.groups())) if found else (0,)


def _unpacked() -> Path:
    """The folder with the package's files."""
    folder = CACHE / PACKAGE
    if folder.is_dir():
        return folder
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise PrometheusUnavailableError("no `promtool` on the path, and no apt-get to fetch Debian's package with")
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        error = _apt(scratch, "download", PACKAGE)
        if error and os.geteuid() == 0:  # a fresh machine has no lists yet; making them takes root
            error = _apt(scratch, "update") or _apt(scratch, "download", PACKAGE)
        if error:
            raise PrometheusUnavailableError(f"apt-get cannot fetch the package {PACKAGE}: {error}")
        (package,) = Path(scratch).glob("*.deb")
        files = Path(scratch) / "files"
        subprocess.run(["dpkg-deb", "--extract", str(package), str(files)], check=True, capture_output=True)
        with contextlib.suppress(OSError):  # another run was quicker: its folder is as good
            files.rename(folder)
    return folder


def _apt(folder: str, *arguments: str) -> str:
    """Run it; returns what went wrong."""
    command = ["apt-get", "--quiet", "--quiet", *arguments]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=APT_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return " ".join(str(error.stderr or error).strip().splitlines()[:2])
    return ""
