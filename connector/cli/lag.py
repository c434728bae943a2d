"""`sms-connector lag`: how far the group is, and what holds each partition back."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

import click

from connector.cli.held import ask_workers
from connector.cli.options import settings_options
from connector.cli.output import note, print_json, print_table
from connector.config_text.units import format_duration
from connector.kafka.reader import open_reader
from connector.operating.group_progress import GroupProgress, Row, group_progress
from connector.settings import Loaded, Settings


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also partitions without lag.")
@click.option(
    "--health",
    "--console",
    "url",
    metavar="URL",
    help="A worker's port, to ask what its providers do; default: from health.*",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per partition.")
@settings_options
def lag(loaded: Loaded, *, everything: bool, url: str | None, as_json: bool) -> None:
    """Show per partition the committed offset, the end, the oldest open event and what holds it.

    Retry topics are shown with the sources: what waits there is not lost, it waits for its time.

    Exit codes: 0 shown, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector lag
      sms-connector lag --all --json
      sms-connector lag --health http://worker-1:8080
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    found = asyncio.run(_lag(loaded.settings, url))
    members, rows = found.members, found.rows
    shown = [row for row in rows if everything or row.lag]
    total = sum(row.lag for row in rows)
    if as_json:
        for row in shown:
            print_json(asdict(row))
    elif shown:
        columns = ("topic", "partition", "committed", "end", "lag", "oldest open", "age", "held by")
        print_table(columns, map(_cells, shown), right=("partition", "committed", "end", "lag", "age"))
    told = f"{members.state}, {members.number} members" if members.known else "its members are not known"
    note(f"group {loaded.settings.group}: {told}; {total} events behind")


def _cells(row: Row) -> tuple[Any, ...]:
    oldest = row.oldest
    committed = "-" if row.committed is None else row.committed
    cells = (row.topic, row.partition, committed, row.end, row.lag)
    if oldest is None:
        return (*cells, "", "", "")
    return (*cells, oldest.message_id or "-", format_duration(round(oldest.age)), oldest.holds)


async def _lag(settings: Settings, url: str | None) -> GroupProgress:
    async with open_reader(settings, note) as reader:
        return await group_progress(reader, settings, await ask_workers(settings, url))
