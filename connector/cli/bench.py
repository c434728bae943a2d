"""`sms-connector bench`: what a message costs on this machine. It stands beside the package, as the tests do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from connector.errors import UsageError


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> int:
    """Measure parts and whole pipelines against a real Kafka, in a clone of the repository.

    ARGUMENTS are those of `python -m bench`: sections (parts, job, matrix, load, growth, workers, guarantees), --only
    TEXT, --json FILE, --plot FILE.svg; `compare COMMIT COMMIT`; `soak --seconds N --load PART`; `receive`.

    Exit codes: 0 measured, 1 no real Kafka, or a soak that does not hold, 2 usage, or no clone.

    \b
    Examples:
      sms-connector bench
      sms-connector bench job load --json figures.json --plot figures.svg
      sms-connector bench compare main HEAD
      sms-connector bench soak --seconds 1800 --load 0.7
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    if not Path("bench/__main__.py").is_file():
        raise UsageError(
            "the benchmark needs brokers and fake providers of the test suite, which are not installed with the "
            "package: run it in a clone of the repository"
        )
    return subprocess.call([sys.executable, "-m", "bench", *arguments])  # noqa: S603 - what the user has written
