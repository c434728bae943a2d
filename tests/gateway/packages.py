"""Debian's Kannel without installing it: its packages are unpacked into .cache/, with the libraries they need.

Nothing on the machine changes, no service starts, and it needs no root. Where Kannel is installed, that one is used.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.kafka.find import required

PACKAGES = ("kannel", "kannel-extras")  # the gateway; its fake SMSC
FOLDER = Path(__file__).parents[2] / ".cache" / "kannel"
APT_SECONDS = 120


class NoGatewayError(Exception):
    """Why there is no Kannel here."""


@dataclass(frozen=True, slots=True)
class Programs:
    """What is started, and the environment it is started with."""

    bearerbox: Path
    smsbox: Path
    fakesmsc: Path
    environment: Mapping[str, str]


@cache
def programs() -> Programs:
    """Those of this machine, else unpacked ones; the first call takes some seconds. Raises NoGatewayError."""
    for root in (Path("/"), FOLDER):
        if root == FOLDER and not FOLDER.is_dir():
            _unpack()
        found = [root / "usr/sbin/bearerbox", root / "usr/sbin/smsbox", root / "usr/lib/kannel/test/fakesmsc"]
        if all(program.is_file() for program in found):
            libraries = ":".join(str(folder) for folder in sorted(root.glob("[ul]*/**/*-linux-gnu*")) if root == FOLDER)
            return Programs(*found, {**os.environ, **({"LD_LIBRARY_PATH": libraries} if libraries else {})})
    raise NoGatewayError(f"the packages {' and '.join(PACKAGES)} do not hold what they should")


def must_be_had() -> bool:
    """Whether tests fail where there is none: in continuous integration, on a machine that has Debian's packages."""
    return required() and shutil.which("apt-get") is not None


def _unpack() -> None:
    """Fetch and unpack; raises NoGatewayError."""
    if shutil.which("apt-get") is None:
        raise NoGatewayError(f"no Kannel is installed, and no `apt-get` is on the path to fetch {PACKAGES[0]} with")
    FOLDER.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as scratch:
        apt = _apt(Path(scratch))
        try:
            _run(*apt, "update")
            said = _run(*apt, "install", "--simulate", "--no-install-recommends", *PACKAGES)
            names = [line.split()[1] for line in said.splitlines() if line.startswith("Inst ")]
            _run(*apt, "download", *names, cwd=scratch)
            for package in sorted(Path(scratch).glob("*.deb")):
                _run("dpkg-deb", "--extract", str(package), f"{scratch}/root")
        except (OSError, subprocess.SubprocessError) as error:
            last = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1:]
            raise NoGatewayError(f"{' and '.join(PACKAGES)} cannot be fetched: {' '.join(last)}") from error
        with contextlib.suppress(OSError):  # another run was quicker: its folder is as good
            Path(scratch, "root").rename(FOLDER)


def _apt(scratch: Path) -> list[str]:
    """apt-get with lists of its own: those of the machine may be old, or missing."""
    for folder in ("lists/partial", "archives/partial"):
        (scratch / folder).mkdir(parents=True)
    options = {
        "Dir::State::Lists": f"{scratch}/lists",
        "Dir::Cache": str(scratch),
        "APT::Sandbox::User": "root",  # it may write into our folder
        "Acquire::Retries": "2",
    }
    return ["apt-get", "--quiet=2", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]


def _run(*command: str, cwd: str | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=True, timeout=APT_SECONDS
    )
    return done.stdout
