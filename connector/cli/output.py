"""What commands print: data on standard output, what they say about it on standard error."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click
import orjson
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector.masking import mask_number

GAP = 2
"""Blanks between columns."""

ANY_WIDTH = 10_000
"""A file must not lose what a screen would."""


def note(text: str) -> None:
    """About the data: never mixed with it."""
    click.echo(text, err=True)


def print_json(document: Any) -> None:
    """One line: programs read it line by line."""
    click.echo(orjson.dumps(document).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """For people: columns of text, numbers to the right. No colours, so that it can be cut and grepped.

    Nothing is cut off: on a terminal that is too narrow the last columns stand below their row, by name.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in table_lines(columns, rows, right=right, width=width):
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
        yield from (f"    {name}: {cell}" for name, cell in zip(columns[beside:], row[beside:], strict=True) if cell)


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
