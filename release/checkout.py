"""What git has of the project, in the form in which it is built."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from release import ReleaseError

ROOT = Path(__file__).parents[1]
EXECUTABLE, PLAIN = 0o755, 0o644
BUILT_FROM = {"connector", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", "MANIFEST.in"}


def _git(*arguments: str, root: Path = ROOT) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"git {' '.join(arguments)}: {done.stderr.strip()}; a release is built in a clone")
    return done.stdout


def tracked(root: Path = ROOT) -> list[Path]:
    """The files that git knows and that are there, relative to the root."""
    return [Path(name) for name in _git("ls-files", "-z", root=root).split("\0") if name and (root / name).is_file()]


def must_be_committed(root: Path = ROOT) -> None:
    """Raises ReleaseError: what is built would not be what the commit has. What git does not know is not built."""
    changed = _git("status", "--porcelain", "--untracked-files=no", root=root).splitlines()
    if changed:
        raise ReleaseError(f"{len(changed)} files are not committed, {changed[0][3:]} among them: commit or stash them")


def commit_time(root: Path = ROOT) -> int:
    """Seconds since the epoch at which the commit was made: the time that everything built bears."""
    return int(_git("log", "-1", "--format=%ct", root=root))


def commit(root: Path = ROOT) -> str:
    """The commit's id."""
    return _git("rev-parse", "HEAD", root=root).strip()


def project(root: Path = ROOT) -> dict[str, Any]:
    """`[project]` of pyproject.toml."""
    found: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def must_be_told_of(version: str, root: Path = ROOT) -> None:
    """Raises ReleaseError where the changelog has no section for a version that is to be released."""
    if "dev" in version:
        return
    heading = f"## {version}"
    if not any(line.startswith(heading) for line in (root / "CHANGELOG.md").read_text("utf-8").splitlines()):
        raise ReleaseError(f"CHANGELOG.md has no section `{heading}`: turn `## Unreleased` into it")


def copy(target: Path, epoch: int, root: Path = ROOT) -> None:
    """What wheel and sdist are made of, with the time of the commit and without the modes of this machine."""
    for name in tracked(root):
        if name.parts[0] not in BUILT_FROM:
            continue
        there = target / name
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, there)
        there.chmod(EXECUTABLE if os.access(root / name, os.X_OK) else PLAIN)
        os.utime(there, (epoch, epoch))
