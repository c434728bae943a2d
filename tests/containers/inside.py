"""What runs as the sandbox's work: mounts, then pytest; with `--stay` an engine to try things out with."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path

import click
import pytest

from tests.containers import stand_ins
from tests.containers.engine import Engine
from tests.containers.sandbox import INSIDE, REPOSITORY


def main(place: Path, root: Path, python: Path, arguments: list[str]) -> int:
    os.environ |= {INSIDE: str(place), "SMS_CONTAINERS_PYTHON": str(python)}
    engine = Engine(place)
    engine.prepare(root)
    if arguments == ["--stay"]:
        engine.start()
        for make in (stand_ins.make_base, stand_ins.make_kafka, stand_ins.make_pages):
            make(engine)
        click.echo("stays until Ctrl-C. From elsewhere:")
        words = ["env", f"--chdir={REPOSITORY}", f"DOCKER_HOST=unix://{engine.socket}", "docker", "version"]
        click.echo(f"nsenter --target $(pgrep -n -x dockerd) --net --mount --pid {shlex.join(words)}")
        signal.pause()
    options = ["-p", "no:cacheprovider", "-o", "timeout=600"]
    return int(pytest.main([*options, str(REPOSITORY / "tests" / "containers"), *arguments]))


if __name__ == "__main__":
    place, root, python, *arguments = sys.argv[1:]
    sys.exit(main(Path(place), Path(root), Path(python), arguments))
