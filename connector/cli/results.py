"""`sms-connector results`: the results topic, for people and programs."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from connector.cli.moments import MOMENT
from connector.cli.options import settings_options
from connector.cli.output import masked, note, print_json
from connector.cli.selection import Selection, selection_options
from connector.kafka.reader import TopicReader, ends_of, open_reader
from connector.settings import Loaded, Settings

LAST = 20


@click.command()
@selection_options
@click.option("--since", type=MOMENT, help="Results written since then (1h, or a time); default: the last ones.")
@click.option("-n", "--last", type=click.IntRange(1), default=LAST, show_default=True, help="At most so many.")
@click.option("-f", "--follow", is_flag=True, help="Go on with those that come, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, as it stands in the topic.")
@settings_options
def results(
    loaded: Loaded, *, selection: Selection, since: datetime | None, last: int, follow: bool, as_json: bool
) -> None:
    """Show results: what became of messages. Numbers are masked unless --json is given.

    Without --since the ends of the topic's partitions are searched; what was searched is said on standard error.

    Exit codes: 0 shown (also when there are none), 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector results
      sms-connector results --status failed --status rejected --since 1h
      sms-connector results --campaign diwali --follow
      sms-connector results --message-id m1 --since 24h --json
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_results(loaded.settings, selection, since=since, last=last, follow=follow, as_json=as_json))


async def _results(
    settings: Settings, selection: Selection, *, since: datetime | None, last: int, follow: bool, as_json: bool
) -> None:
    async with open_reader(settings, note) as reader:
        ends = await _show_last(reader, settings, selection, since=since, last=last, as_json=as_json)
        if follow:
            async for records in reader.follow(ends):
                for record in records:
                    if (result := selection.read(record.value)) is not None:
                        show(result, as_json=as_json)


async def _show_last(
    reader: TopicReader, settings: Settings, selection: Selection, *, since: datetime | None, last: int, as_json: bool
) -> dict[Any, int]:
    """Print the last results there are; returns where the topic ended."""
    partitions = await reader.partitions([settings.topics.results])
    bounds = await reader.bounds(partitions)
    ends = ends_of(bounds)
    if since is not None:
        starts = await reader.offsets_at(partitions, since)
    else:
        # A selection may want few of many: look further back for it.
        back = last if selection.all else last * 100
        starts = {tp: max(it.begin, it.end - back) for tp, it in bounds.items()}
    newest: list[tuple[int, int, dict[str, Any]]] = []
    found = 0
    async for record in reader.scan(starts, ends):
        if (result := selection.read(record.value)) is not None:
            found += 1
            push = heapq.heappush if len(newest) < last else heapq.heappushpop
            push(newest, (record.timestamp, found, result))
    for _, _, result in sorted(newest):
        show(result, as_json=as_json)
    note(
        f"{len(newest)} of {found} shown; searched {reader.scanned} results in {len(partitions)} partitions of "
        f"{settings.topics.results}, {'since ' + since.isoformat(timespec='seconds') if since else 'at their ends'}"
    )
    return ends


def show(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one result."""
    if as_json:
        print_json(result)
        return
    words = [
        (result.get("completed_at") or "")[:19],
        f"{result.get('status') or '':<9}",
        result.get("message_id") or "-",
        result.get("provider") or "-",
        result.get("campaign_id") or "-",
        masked(result.get("to")) or "-",
    ]
    if result.get("provider_message_id"):
        words.append(f"id={result['provider_message_id']}")
    if result.get("code"):
        words.append(f"code={result['code']}")
    if result.get("reason"):
        words.append(str(result["reason"]))
    click.echo("  ".join(words))
