"""What is printed fits the terminal: nothing breaks inside a word or a number, and a file gets whole lines."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from rich.cells import cell_len

from connector.cli.main import group
from connector.cli.output import counted, folded, table_lines

WIDTHS = [60, 80, 200]
SCRIPT = """
import sys
from connector.cli.main import main
for line in sys.argv[1:]:
    try:
        main(line.split("|"))
    except SystemExit:
        pass
"""
SOUND = "name: acme\nmethod: POST\nurl: https://sms.example.com/\nparameters: {json: {to: $$To, text: $$Body}}\n"
COMMANDS = [
    ["providers", "list"],
    ["providers", "show", "twilio"],
    ["check", "sound.yaml", "wrong.yaml"],
    ["reply", "sound.yaml", "--event", "event.json", "--body", "event.json"],
    ["config", "show", "--set", "nonsense=1", "--set", "grop=2"],
    ["send", "events.jsonl"],
    ["import-curl", "command.txt"],
    ["trace", "m1", "--set", "kafka.bootstrap.servers=127.0.0.1:1"],
    ["run"],
    ["campaign"],
]


def leaves(command: click.Command, *names: str) -> Iterator[list[str]]:
    yield [*names, "--help"]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from leaves(found, *names, name)


def on_a_terminal(folder: Path, width: int, commands: list[list[str]]) -> str:
    """What they print there, both streams."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *("|".join(words) for words in commands)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environ | {"NO_COLOR": "1", "TERM": "xterm"},
    )
    os.close(theirs)
    printed = bytearray()
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # nobody writes any more
            break
        if not part:
            break
        printed += part
    os.close(ours)
    process.wait()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed.decode()).replace("\r\n", "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sound.yaml").write_text(SOUND)
    (tmp_path / "wrong.yaml").write_text(SOUND.replace("https", "ftp").replace("method", "methud"))
    (tmp_path / "event.json").write_text('{"message_id": "m1", "to": "+919812345678", "body": "hi"}')
    (tmp_path / "events.jsonl").write_text('{"to": "x"}\nno\n{"to": "+919812345678", "sendAt": 1}\n[]\n')
    (tmp_path / "command.txt").write_text(
        "curl https://sms.example.com/send -d to=919812345678 -d text=Hello -d nonce=1"
    )
    return tmp_path


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal_but_for_one_long_word(folder: Path, width: int) -> None:
    printed = on_a_terminal(folder, width, COMMANDS)
    assert "Traceback" not in printed
    wide = [line for line in printed.splitlines() if cell_len(line) > width and len(line.split()) > 2]
    assert [line for line in wide if not line.startswith("#")] == []  # a draft is a file: its lines are its own
    assert printed.count("did you mean") >= 2


@pytest.mark.parametrize("width", WIDTHS)
def test_every_help_fits_but_for_its_examples(folder: Path, width: int) -> None:
    """An example is one line, so that it can be copied."""
    printed = on_a_terminal(folder, width, list(leaves(group)))
    wide = [line for line in printed.splitlines() if cell_len(line) > width]
    assert [
        line
        for line in wide
        if "sms-connector" not in line and not line.lstrip().startswith(("#", "authentication:", "parameters:"))
    ] == []


def test_a_pipe_gets_whole_lines(folder: Path) -> None:
    command = [sys.executable, "-m", "connector", "check", "sound.yaml", "wrong.yaml"]
    ran = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "40"}
    )
    assert any("methud" in line and "did you mean" in line for line in ran.stdout.splitlines())


ROWS = [
    ("sms.messages", 11, 1234567, "+91 ******78", "a provider that is paused by an operator"),
    ("r", 2, None, "", ""),
]


@pytest.mark.parametrize("width", [20, 40, *WIDTHS, None])
def test_a_table_keeps_each_value_whole(width: int | None) -> None:
    columns = ("topic", "partition", "end", "to", "held by")
    lines = list(table_lines(columns, ROWS, right=("partition", "end"), width=width))
    text = "\n".join(lines)
    for value in ("sms.messages", "1234567"):
        assert value in text
    assert " ".join(text.split()).count("operator") == 1
    assert width is None or all(cell_len(line) <= width for line in lines), text
    assert width is not None or len(lines) == 3


TEXTS = ["", "short", "  two words  apart", "x" * 100, "sent to +919812345678 at 2025-01-31T08:00:00Z, Zoë 日本語 " * 4]


@pytest.mark.parametrize("width", [20, 30, 60])
@pytest.mark.parametrize("text", TEXTS)
def test_a_folded_text_has_the_words_of_the_text(text: str, width: int) -> None:
    lines = folded(text, width).splitlines()
    assert " ".join(lines).split() == text.split()
    assert all(cell_len(line) <= width or len(line.split()) == 1 for line in lines)
    assert folded(text, None) == text


def test_one_is_no_plural() -> None:
    assert [counted(number, "bad event") for number in (0, 1, 2, 1234)] == [
        "0 bad events",
        "1 bad event",
        "2 bad events",
        "1,234 bad events",
    ]
