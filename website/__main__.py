"""`python -m website`: build this version's pages into `build/site/VERSION`, beside those of other versions.

Versions are folders and a `versions.json`, which the theme's menu reads. mike, the usual tool, keeps built pages in
a branch of the repository; here they are files that any web server takes, and a version goes with its folder.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from website.pages import ROOT

CONFIG = ROOT / "website" / "mkdocs.yml"
REDIRECT = """<!doctype html><meta charset="utf-8"><title>Kafka SMS connector</title>
<meta http-equiv="refresh" content="0; url={version}/index.html"><a href="{version}/index.html">{version}</a>
"""


def version() -> str:
    """The version as readers know it: `0.2`, also of 0.2.1 and of what will be 0.2."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return ".".join(project["version"].split(".")[:2])


def build(folder: Path) -> None:
    """The pages alone. Every warning, such as a link or an anchor that leads nowhere, ends it with exit code 1."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(CONFIG), "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if not line.startswith(("INFO", " "))]
        raise SystemExit("make site: " + "\n".join(said))


def entitle(folder: Path) -> str:
    """Write which versions are there; the newest number, which is returned, is where the root leads."""

    def key(name: str) -> tuple[int, ...]:
        return tuple(int(part) for part in name.split("."))

    there = sorted((it.name for it in folder.iterdir() if re.fullmatch(r"\d+(\.\d+)*", it.name)), key=key, reverse=True)
    listed = [{"version": name, "title": name, "aliases": ["latest"] if name == there[0] else []} for name in there]
    (folder / "versions.json").write_text(json.dumps(listed, indent=2) + "\n")
    (folder / "index.html").write_text(REDIRECT.format(version=there[0]))
    return there[0]


def main() -> int:
    arguments = argparse.ArgumentParser(prog="make site", description="Build the documentation.")
    arguments.add_argument("--folder", type=Path, default=ROOT / "build" / "site", help="default: build/site")
    folder: Path = arguments.parse_args().folder
    mine = folder / version()
    shutil.rmtree(mine, ignore_errors=True)
    build(mine)
    entitle(folder)
    print(f"== {mine.name} is in {folder}: python -m http.server --directory {folder} shows it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
