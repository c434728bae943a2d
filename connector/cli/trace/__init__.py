"""`sms-connector trace`: where is my message?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from connector.cli.moments import MOMENT
from connector.cli.options import settings_options
from connector.cli.output import note, print_json, say
from connector.settings import Loaded

if TYPE_CHECKING:
    from connector.cli.trace.found import Trace

HOURS = 24


@click.command()
@click.argument("message_id", metavar="MESSAGE_ID")
@click.option("--since", type=MOMENT, help=f"The event was produced then or later (2h, or a time); default: {HOURS}h.")
@click.option("--key", help="The event's key: only its partition is searched (Kafka's default partitioner).")
@click.option(
    "--health",
    "--console",
    "url",
    metavar="URL",
    help="A worker's port, to ask what its providers do; default: from health.*",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per event of that id.")
@settings_options
def trace(
    loaded: Loaded, *, message_id: str, since: datetime | None, key: str | None, url: str | None, as_json: bool
) -> int:
    """Find a message: its event, its waits, its attempts and its result; and say what was searched.

    Kafka has no index: the source topics are read from --since on, then, in the event's partition, everything written
    after it. A key, or a shorter --since, makes that quicker.

    Exit codes: 0 found, 1 not found, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector trace m1
      sms-connector trace m1 --since 2h --key +919812345678
      sms-connector trace m1 --since 2025-01-31T08:00:00Z --json
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    from connector.cli.trace.search import search

    now = datetime.now(UTC)
    traces, searched = asyncio.run(search(loaded.settings, message_id, since or now - timedelta(hours=HOURS), key, url))
    _show(message_id, traces, now, as_json=as_json)
    for line in searched:
        note(line)
    return 0 if traces else 1


def _show(message_id: str, traces: list[Trace], now: datetime, *, as_json: bool) -> None:
    if not traces:
        note(f"{message_id}: not found; look further back with --since")
    for found in traces:
        if as_json:
            print_json({"message_id": message_id, **found.document(now)})
        else:
            click.echo(message_id)
            for line in found.lines(now):
                say(line)
