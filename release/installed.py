"""The wheel as a user has it: in an empty environment, far from the checkout."""

from __future__ import annotations

import os
import subprocess
import venv
from importlib.metadata import Distribution, distributions
from pathlib import Path

from release import ReleaseError, checkout

DEMO_EVENTS = 2_000
AUDIT = "AUDIT holds"


class Installed:
    """An environment with the wheel and all extras at the versions of the lock.

    Args:
        folder: a new one; commands run in an empty folder inside it.
    """

    def __init__(self, folder: Path) -> None:
        self._environment = folder / "environment"
        self._work = folder / "work"
        self._work.mkdir(parents=True)
        venv.create(self._environment, with_pip=True)
        self._python = self._environment / "bin" / "python"

    def install(self, wheel: Path, lock: Path) -> None:
        """Raises ReleaseError where pip says no, or what the wheel asks for is not what the lock has."""
        pip = (str(self._python), "-m", "pip", "--disable-pip-version-check", "--quiet")
        self._run(*pip, "install", "--no-compile", "--require-hashes", "--only-binary", ":all:", "-r", str(lock))
        self._run(*pip, "install", "--no-deps", "--no-index", str(wheel))
        self._run(*pip, "check")

    def distributions(self) -> list[Distribution]:
        """What is installed there."""
        (packages,) = self._environment.glob("lib/python*/site-packages")
        return list(distributions(path=[str(packages)]))

    def try_it(self, version: str, root: Path = checkout.ROOT) -> str:
        """Its commands, its catalogue, its schemas and the demo; returns the demo's last word. Raises ReleaseError."""
        command = str(self._environment / "bin" / "sms-connector")
        if version not in (said := self._run(command, "--version")):
            raise ReleaseError(f"`sms-connector --version` says {said.strip()!r}, and pyproject.toml {version}")
        imported = self._run(str(self._python), "-c", "import connector; print(connector.__file__)").strip()
        if not imported.startswith(str(self._environment)):
            raise ReleaseError(f"`connector` is imported from {imported}, and not from the wheel")
        listed = self._run(command, "providers", "list")
        lacking = [it.stem for it in (root / "connector" / "providers").glob("*.yaml") if it.stem not in listed]
        if lacking:
            raise ReleaseError(f"`sms-connector providers list` lacks {', '.join(lacking)}")
        self._run(command, "schemas", "schemas")
        for schema in (root / "schemas").glob("*.json"):
            made = self._work / "schemas" / schema.name
            if not made.is_file() or made.read_bytes() != schema.read_bytes():
                raise ReleaseError(f"{schema.name} of the wheel is not the one in schemas/: run `make generated`")
        shown = self._run(command, "demo", "--events", str(DEMO_EVENTS))
        last = [line for line in shown.splitlines() if line.startswith(AUDIT)]
        if not last:
            raise ReleaseError(f"the demo of the wheel has no audit that holds: {shown[-2000:]}")
        return last[0]

    def _run(self, *command: str) -> str:
        """In the empty folder, and with nothing of this environment but the path and where pip may look."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
        environment = {"PATH": os.defpath, "HOME": str(self._work), "NO_COLOR": "1", **kept}
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
            if name in os.environ:
                environment[name] = os.environ[name]
        done = subprocess.run(command, cwd=self._work, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[-2000:]
            raise ReleaseError(f"{' '.join(command[:4])}: exit {done.returncode}: {said}")
        return done.stdout + done.stderr
