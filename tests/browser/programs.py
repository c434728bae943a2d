"""Debian's Chromium, Node, and the packages that drive it: `make browser` installs what is missing and can be had.

python -m tests.browser.programs
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.kafka.find import required

FOLDER = Path(__file__).parent
INSTALL_SECONDS = 400
NEEDED = {"chromium": "chromium", "node": "nodejs", "npm": "npm"}
"""Program → Debian's package."""


class NoBrowserError(Exception):
    """Why pages cannot be looked at here."""


@dataclass(frozen=True, slots=True)
class Programs:
    """What is started."""

    chromium: str
    node: str


def programs() -> Programs:
    """Those that are here. Raises NoBrowserError."""
    missing = _missing()
    if missing:
        raise NoBrowserError(f"not installed: {', '.join(missing)}; `make browser` installs it as root on Debian")
    if not (FOLDER / "node_modules" / "playwright-core").is_dir():
        raise NoBrowserError(f"{FOLDER.name}/node_modules is not there: `make browser` makes it")
    return Programs(str(shutil.which("chromium")), str(shutil.which("node")))


def must_be_had() -> bool:
    """Whether tests fail without: in continuous integration, as root on a machine with Debian's packages."""
    return required() and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install() -> None:
    """What is missing. Raises NoBrowserError."""
    missing = _missing()
    if missing and (os.geteuid() != 0 or shutil.which("apt-get") is None):
        raise NoBrowserError(f"not installed: {', '.join(missing)}, and only root on Debian can have it installed")
    if missing:
        apt = ["apt-get", "-qq"]
        _run([*apt, "update"])
        _run([*apt, "install", "--yes", "--no-install-recommends", *(NEEDED[it] for it in missing)])
    _run(["npm", "ci", "--prefix", str(FOLDER), "--no-fund", "--no-audit", "--ignore-scripts", "--silent"])


def _missing() -> list[str]:
    return [program for program in NEEDED if shutil.which(program) is None]


def _run(command: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, check=False, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NoBrowserError(f"{' '.join(command[:2])} took longer than {INSTALL_SECONDS} s") from None
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise NoBrowserError(f"{' '.join(command[:2])} failed: {' '.join(last)}")


if __name__ == "__main__":
    try:
        install()
    except NoBrowserError as reason:
        # The tests then say so as well, and fail where they have to run.
        sys.stdout.write(f"No browser: {reason}\n")
