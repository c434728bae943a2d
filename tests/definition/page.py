"""Runs a page of documentation: its files are written, its commands run, their output put under them.

A block whose info string names a file (```yaml acme.yaml) is that file. In a ```console block each line that begins
with `$ sms-connector` is run in the folder of the files. To write the output anew:
`python -m tests.definition.page docs/tutorial.md docs/definition.md docs/signing.md`; the pages share the folder.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

from click.testing import CliRunner

from connector.cli.main import group
from connector.definition.reference import filled

_block = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def executed(page: str, folder: Path) -> str:
    """The page with what its commands print."""

    def block(match: re.Match[str]) -> str:
        language, name, text = match.groups()
        if name is not None:
            (folder / name).write_text(text, encoding="utf-8")
        if language != "console":
            return match[0]
        commands = [line for line in text.splitlines() if line.startswith("$ ")]
        return "```console\n" + "".join(f"{command}\n{_output(command, folder)}" for command in commands) + "```"

    return _block.sub(block, page)


def _output(command: str, folder: Path) -> str:
    program, *arguments = shlex.split(command.removeprefix("$ "))
    assert program == "sms-connector"
    before = Path.cwd()
    os.chdir(folder)
    try:
        result = CliRunner().invoke(group, arguments, env={})
    finally:
        os.chdir(before)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output.rstrip("\n") + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        for name in sys.argv[1:]:
            file = Path(name)
            file.write_text(executed(filled(file.read_text("utf-8")), Path(temporary)), "utf-8")
