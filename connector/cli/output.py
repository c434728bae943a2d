"""What commands print: data on standard output, what they say about it on standard error."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TextIO

import click
import orjson
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector.masking import mask_number

GAP = 2
"""Blanks between columns."""

NARROWEST = 20
"""Columns below which nothing can be read however it is broken."""

CONTINUED = 4
"""Blanks before what goes on of a line."""

ANY_WIDTH = 10_000
"""A file must not lose what a screen would."""


def note(text: str) -> None:
    """About the data: never mixed with it."""
    say(text, err=True)


def say(text: str, *, err: bool = False) -> None:
    """Sentences for people: on a terminal they are broken between words, so that no number stands on two lines."""
    stream = sys.stderr if err else sys.stdout
    click.echo(folded(text, terminal_width(stream)), err=err)


def counted(number: int, noun: str) -> str:
    """`1 event`, `2 events`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def terminal_width(stream: TextIO) -> int | None:
    """Columns of the terminal that `stream` is; None for files and pipes, which keep lines as they are."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def folded(text: str, width: int | None) -> str:
    """`text` in lines of at most `width`; what goes on in the next one is indented. Long words stay whole."""
    if width is None or width < NARROWEST:
        return text
    return "\n".join(_folded(line, width) for line in text.splitlines())


def _folded(line: str, width: int) -> str:
    if cell_len(line) <= width:
        return line
    indent = " " * min(len(line) - len(line.lstrip()), width // 4)
    lines, words = [], re.findall(r"\S+\s*", line.strip())
    current = indent
    for word in words:
        if current.strip() and cell_len(current) + cell_len(word.rstrip()) > width:
            lines.append(current.rstrip())
            current = f"{indent}{' ' * CONTINUED}"
        current += word
    return "\n".join([*lines, current.rstrip()])


def print_json(document: Any) -> None:
    """One line: programs read it line by line."""
    click.echo(orjson.dumps(document).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """For people: columns of text, numbers to the right. No colours, so that it can be cut and grepped.

    Nothing is cut off: on a terminal that is too narrow the last columns stand below their row, by name.
    """
    for line in table_lines(columns, rows, right=right, width=terminal_width(sys.stdout)):
        click.echo(line)


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, as_json: bool) -> None:
    """A table, or for programs one JSON object per row."""
    if as_json:
        for row in rows:
            print_json(dict(zip(columns, row, strict=True)))
    else:
        print_table(columns, rows)


def table_lines(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str], width: int | None
) -> Iterator[str]:
    """The lines of a table, none of its rows longer than `width` where there is one."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    beside = _fitting([max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)], width)
    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="")
    for column in columns[:beside]:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    for row in cells:
        table.add_row(*map(Text, row[:beside]))
    console = Console(width=ANY_WIDTH, color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(table, soft_wrap=True)
    head, *lines = captured.get().splitlines()
    yield head.rstrip()
    for line, row in zip(lines, cells, strict=True):
        yield line.rstrip()
        for name, cell in zip(columns[beside:], row[beside:], strict=True):
            if cell:
                yield from folded(f"    {name}: {cell}", width).splitlines()


def _fitting(widths: Sequence[int], width: int | None) -> int:
    """How many columns stand beside each other; at least one."""
    ends = [sum(widths[: number + 1]) + GAP * number for number in range(len(widths))]
    return max(1, sum(width is None or end <= width for end in ends))


def masked(number: str | None) -> str:
    """A recipient as people see it; `--json` prints what stands in Kafka."""
    return "" if number is None else mask_number(number)


@contextlib.contextmanager
def progress(about: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error where that is a terminal; yields what is to be told how far it is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(about, total=total)
        yield lambda done: bar.update(task, completed=done)
