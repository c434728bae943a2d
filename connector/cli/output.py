"""What commands print: data on standard output, what they say about it on standard error."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table

from connector.masking import mask_number


def note(text: str) -> None:
    """About the data: never mixed with it."""
    click.echo(text, err=True)


def print_json(document: Any) -> None:
    """One line: programs read it line by line."""
    click.echo(orjson.dumps(document).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """For people: columns of text, numbers to the right. No colours, so that it can be cut and grepped."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    # Wide where it is not a terminal: a file must not lose what a screen would.
    width = None if sys.stdout.isatty() else 10_000
    for line in _lines(table, width):
        click.echo(line.rstrip())


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, as_json: bool) -> None:
    """A table, or for programs one JSON object per row."""
    if as_json:
        for row in rows:
            print_json(dict(zip(columns, row, strict=True)))
    else:
        print_table(columns, rows)


def _lines(table: Table, width: int | None) -> list[str]:
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(table, soft_wrap=True)
    return captured.get().splitlines()


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
