"""Writes deploy/kubernetes again, from the chart: `python -m tests.deploy.plain`, a part of `make generated`."""

from __future__ import annotations

import click

from tests.deploy import tools
from tests.deploy.chart import PLAIN, plain


def main() -> None:
    """Write every file."""
    if not tools.built():
        click.echo("deploy/kubernetes stays as it is: `make tools` builds what renders the Helm chart")
        return
    written = plain()
    for file in PLAIN.iterdir():
        file.unlink()
    for name, content in written.items():
        (PLAIN / name).write_text(content)


if __name__ == "__main__":
    main()
