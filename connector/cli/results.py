"""`sms-connector results`: the results topic, for people and programs."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click
import msgspec

from connector.cli.known_receipts import find_receipts, outcome, receipt_partitions
from connector.cli.moments import MOMENT, moment
from connector.cli.options import settings_options
from connector.cli.output import counted, masked, note, print_json, say
from connector.cli.selection import selection_options
from connector.errors import ConnectorError, UsageError
from connector.kafka.reader import TopicReader, ends_of, open_reader
from connector.model import Source
from connector.operating.chosen_records import Selection
from connector.settings import Loaded, Settings

LAST = 20
EARLIER_MS = 3_600_000
"""How long a request may be under way, with all its repetitions, before its result is written."""


@click.command()
@selection_options
@click.option("--since", type=MOMENT, help="Results written since then (1h, or a time); default: the last ones.")
@click.option("-n", "--last", type=click.IntRange(1), default=LAST, show_default=True, help="At most so many.")
@click.option("-f", "--follow", is_flag=True, help="Go on with those that come, until Ctrl-C.")
@click.option("--receipts", is_flag=True, help="With what the providers have reported of them since.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, as it stands in the topic.")
@settings_options
def results(
    loaded: Loaded,
    *,
    selection: Selection,
    since: datetime | None,
    last: int,
    follow: bool,
    receipts: bool,
    as_json: bool,
) -> None:
    """Show results: what became of messages. Numbers are masked unless --json is given.

    Without --since the ends of the topic's partitions are searched; what was searched is said on standard error.

    With --receipts each says whether its message was delivered, as far as is known by now; with --json it gets a field
    `receipts`, a list of the records of that topic.

    Exit codes: 0 shown (also when there are none), 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector results
      sms-connector results --status failed --status rejected --since 1h
      sms-connector results --campaign diwali --follow
      sms-connector results --campaign diwali --receipts
      sms-connector results --message-id m1 --since 24h --json
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    if receipts and follow:
        raise UsageError("--receipts shows what is known by now, and --follow what comes: give one of them")
    options = _ShownResults(selection, since, last, receipts, as_json)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_results(loaded.settings, options, follow=follow))


@dataclass(frozen=True, slots=True)
class _ShownResults:
    """What is to be shown. See the options of the command."""

    selection: Selection
    since: datetime | None
    last: int
    receipts: bool
    as_json: bool


async def _results(settings: Settings, options: _ShownResults, *, follow: bool) -> None:
    async with open_reader(settings, note) as reader:
        ends = await _show_last(reader, settings, options)
        if follow:
            async for records in reader.follow(ends):
                for record in records:
                    if (result := options.selection.read(record.value)) is not None:
                        show(result, as_json=options.as_json)


async def _show_last(reader: TopicReader, settings: Settings, options: _ShownResults) -> dict[Any, int]:
    """Print the last results there are; returns where the topic ended."""
    selection, since, last = options.selection, options.since, options.last
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
    if options.receipts:
        await _add_receipts(reader, settings, newest)
    for _, _, result in sorted(newest, key=lambda it: it[:2]):
        show(result, as_json=options.as_json)
    note(
        f"{len(newest)} of {found} shown; searched {counted(reader.scanned, 'result')} in "
        f"{counted(len(partitions), 'partition')} of "
        f"{settings.topics.results}, {'since ' + since.isoformat(timespec='seconds') if since else 'at their ends'}"
    )
    return ends


async def _add_receipts(
    reader: TopicReader, settings: Settings, newest: Sequence[tuple[int, int, dict[str, Any]]]
) -> None:
    """Give each of these results the receipts of its message."""
    if not await receipt_partitions(reader, settings):
        raise ConnectorError(
            f"no topic {settings.topics.receipts}, or this user is not authorized to see it; "
            "receipts are switched on by the setting `receive.url`: docs/receipts.md"
        )
    sources = {index: source for index, (_, _, it) in enumerate(newest) if (source := source_of(it)) is not None}
    # A receipt may be written before the result of its message, never before its request.
    since = moment(min((at for at, _, _ in newest), default=0) - EARLIER_MS)
    found = await find_receipts(reader, settings, set(sources.values()), since) if newest else {}
    for index, (_, _, result) in enumerate(newest):
        receipts = found.get(sources[index], ()) if index in sources else ()
        result["receipts"] = [msgspec.to_builtins(receipt) for _, receipt in receipts]


def source_of(result: Mapping[str, Any]) -> Source | None:
    """Whose result it is; None where it does not say so as we do."""
    try:
        return msgspec.convert(result.get("source"), Source)
    except msgspec.ValidationError:
        return None


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
    if "receipts" in result:
        words.append(_reported(result["receipts"]))
    say("  ".join(words))


def _reported(receipts: Sequence[Mapping[str, Any]]) -> str:
    """`delivered` and when, or what else is known."""
    word = outcome(str(it["status"]) for it in receipts)
    if word is None:
        return "no receipt"
    last = next(it for it in reversed(receipts) if it["status"] == word)
    code = f" code={last['code']}" if last.get("code") else ""
    return f"{word} {str(last.get('at') or last['received_at'])[:19]}{code}"
