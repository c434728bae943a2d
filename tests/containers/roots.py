"""Root file systems made of Debian's packages, kept in .cache/ like Kafka's jars.

`engine` is what the daemon and its clients run in: Docker, Compose and Buildx as Debian 13 ships them, whatever this
machine has, and beside them Java and Prometheus, which the stand-ins are made of. Nothing is installed on the machine.
`python` becomes the base image of our Dockerfile.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.kafka.jars import CACHE, KAFKA_3, JarsUnavailableError, jars

SUITE = "trixie"
"""Debian 13: the first with Compose v2, and with the Python of our image."""

TOOL = "mmdebstrap"
SECONDS = 900
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")

ENGINE = ("docker.io", "docker-cli", "docker-buildx", "docker-compose", "iptables", "iproute2")
# Unpacked, not installed: their programs are all that is wanted, and to set them up takes longer than all the rest.
UNPACKED = ("openjdk-21-jre-headless", "prometheus")
ENGINE_HOOKS = (
    f'chroot "$1" sh -c "cd /tmp && apt-get -qq download {" ".join(UNPACKED)}"',
    'for it in "$1"/tmp/*.deb; do dpkg-deb -x "$it" "$1"; rm "$it"; done',
)
PYTHON = ("python3", "python3-venv", "python3-pip", "ca-certificates")

# As slim as the image it stands for, whose size is what ours is compared with.
SLIM = ("path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*")

# The official image has its Python in /usr/local/bin. Builds trust whom this machine trusts: it may be behind a proxy.
PYTHON_HOOKS = (
    'for name in python python3 python3.13; do ln -s /usr/bin/python3.13 "$1/usr/local/bin/$name"; done',
    'ln -s /usr/bin/pip "$1/usr/local/bin/pip"',
    f'if [ -e {AUTHORITIES} ]; then cp {AUTHORITIES} "$1{AUTHORITIES}"; fi',
    f'printf "[global]\\ncert = {AUTHORITIES}\\n" > "$1/etc/pip.conf"',
    'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*',
)


class UnavailableError(Exception):
    """Why a root file system could not be made."""


@dataclass(frozen=True, slots=True)
class Roots:
    """Folder of the engine's root, and the archive of the base image's."""

    engine: Path
    python: Path


def unavailable() -> str:
    """Why the stand-ins cannot be made here; empty when they can."""
    if shutil.which(TOOL) is None:
        return f"no `{TOOL}` on the path (Debian: apt install {TOOL})"
    try:
        jars(KAFKA_3)
    except JarsUnavailableError as reason:
        return str(reason)
    return ""


def make() -> Roots:
    """Both of them, from the cache or anew; raises UnavailableError."""
    with ThreadPoolExecutor() as pool:
        engine = pool.submit(_root, "engine", ENGINE, ENGINE_HOOKS)
        python = pool.submit(_root, "python.tar", PYTHON, PYTHON_HOOKS)
        return Roots(engine.result(), python.result())


def _root(name: str, packages: tuple[str, ...], hooks: tuple[str, ...]) -> Path:
    """The folder or archive; what it is made of is part of its name, so that a change makes it anew."""
    command = [TOOL, "--mode=root", "--variant=minbase", f"--include={','.join(packages)}"]
    command += [f"--dpkgopt={option}" for option in (*SLIM, "force-unsafe-io")]
    command += ['--aptopt=Acquire::Languages "none"', *(f"--customize-hook={hook}" for hook in hooks), SUITE]
    recipe = hashlib.sha256("\0".join(command).encode()).hexdigest()[:8]
    folder = CACHE / "containers"
    made = folder / f"{recipe}-{name}"
    if made.exists():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        target = Path(scratch) / name
        try:
            subprocess.run([*command, str(target)], check=True, capture_output=True, text=True, timeout=SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            last = [line for line in str(error.stderr or error).splitlines() if line.startswith("E:")]
            raise UnavailableError(f"Debian's packages for {name} cannot be had: {' '.join(last) or error}") from error
        target.rename(made)
    return made
