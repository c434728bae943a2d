"""`make containers`: the image, the compose file and the manifests on a real Docker engine, from nothing.

Runs pytest on this folder inside a sandbox (sandbox.py). Where there can be no engine this says why in one line and
ends well. Arguments go to pytest; `--shell` opens a shell in the sandbox instead, with `docker` and `docker compose`.
"""

from __future__ import annotations

import sys

import click

from tests.containers import roots, sandbox
from tests.kafka import find


def main(arguments: list[str]) -> int:
    reason = sandbox.unavailable() or roots.unavailable()
    if reason:
        click.echo(f"== containers: nothing was run, there can be no Docker engine here: {reason}")
        return 0
    click.echo("== a Docker engine, and what stands in for the base images, from Debian's packages (two minutes, once)")
    try:
        made = roots.make()
    except roots.UnavailableError as failure:
        click.echo(f"containers: nothing was run: {failure}", err=True)
        return int(find.required())
    return sandbox.run(made, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
