"""`sms-connector receipts summary`: what became of a campaign's messages on their way to the phones."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from connector.cli import completing
from connector.cli.known_receipts import FINALS, receipt_partitions
from connector.cli.moments import MOMENT, moment
from connector.cli.options import settings_options
from connector.cli.output import note, print_json, print_table
from connector.cli.results import source_of
from connector.errors import ConnectorError
from connector.kafka.reader import TopicReader, ends_of, open_reader
from connector.model import Status
from connector.operating.chosen_records import Selection
from connector.receipts.receipt_records import place, read_receipt, written_state
from connector.receipts.tally import DeliverySummary, DeliveryTally
from connector.settings import Loaded, Settings
from connector.untrusted import UnreadableError

HOURS = 24


@click.command()
@click.option("--campaign", metavar="ID", shell_complete=completing.campaigns, help="Of this campaign.")
@click.option(
    "--provider",
    "providers",
    multiple=True,
    metavar="NAME",
    shell_complete=completing.providers,
    help="Repeatable.",
)
@click.option("--since", type=MOMENT, help=f"Accepted since then (2d, or a time); default: {HOURS}h.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@settings_options
def summary(
    loaded: Loaded, *, campaign: str | None, providers: tuple[str, ...], since: datetime | None, as_json: bool
) -> None:
    """Count what became of accepted messages: delivered, undelivered by code, silent; and how long delivery took.

    The results are read from --since on, and all receipts since then; what was searched is said on standard error. A
    million messages take some 20 MB while they are counted.

    Exit codes: 0 shown, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector receipts summary --campaign diwali --since 2d
      sms-connector receipts summary --provider plivo --since 1h --json
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    begin = since or datetime.now(UTC) - timedelta(hours=HOURS)
    selection = Selection((Status.ACCEPTED.value,), providers, campaign)
    counted = asyncio.run(_count(loaded.settings, selection, begin))
    _show(counted, as_json=as_json)


async def _count(settings: Settings, selection: Selection, since: datetime) -> DeliverySummary:
    tally = DeliveryTally()
    async with open_reader(settings, note) as reader:
        await _accepted(reader, settings, selection, since, tally)
        results = reader.scanned
        await _reported(reader, settings, since, tally)
        note(
            f"searched {results} results and {reader.scanned - results} receipts since "
            f"{since.isoformat(timespec='seconds')}"
        )
    return tally.summary()


async def _accepted(
    reader: TopicReader, settings: Settings, selection: Selection, since: datetime, tally: DeliveryTally
) -> None:
    partitions = await reader.partitions([settings.topics.results])
    starts = await reader.offsets_at(partitions, since)
    async for record in reader.scan(starts, ends_of(await reader.bounds(partitions))):
        if (result := selection.read(record.value)) is not None and (source := source_of(result)) is not None:
            tally.accept(place(source), moment(record.timestamp))


async def _reported(reader: TopicReader, settings: Settings, since: datetime, tally: DeliveryTally) -> None:
    partitions = await receipt_partitions(reader, settings)
    if not partitions:
        raise ConnectorError(
            f"no topic {settings.topics.receipts}, or this user is not authorized to see it; "
            "receipts are switched on by the setting `receive.url`: docs/receipts.md"
        )
    starts = await reader.offsets_at(partitions, since)
    async for record in reader.scan(starts, ends_of(await reader.bounds(partitions))):
        written = written_state(record.headers)
        if written is None or not tally.note(*written) or written[1].value not in FINALS:
            continue
        try:
            tally.detail(written[0], read_receipt(record.value))
        except UnreadableError:
            continue


def _show(counted: DeliverySummary, *, as_json: bool) -> None:
    if as_json:
        print_json(document(counted))
        return
    rows = [("accepted", counted.accepted, "")]
    rows += [(word, number, share(number, counted.accepted)) for word, number in by_number(counted)]
    print_table(("", "messages", "share"), rows, right=("messages", "share"))
    if counted.codes:
        click.echo()
        codes = [(status, code, number) for status, code, number in counted.codes]
        print_table(("not delivered", "code", "receipts"), codes, right=("receipts",))
    if counted.seconds is not None:
        half, most = counted.seconds
        click.echo(f"\ntime to delivery: half within {_span(half)}, 95 % within {_span(most)}")
    if counted.contradicted:
        click.echo(f"{counted.contradicted} messages have receipts that contradict each other")


def document(counted: DeliverySummary) -> dict[str, Any]:
    """As JSON-able data."""
    return {
        "accepted": counted.accepted,
        **counted.reported,
        "silent": counted.silent,
        "codes": [{"status": status, "code": code, "receipts": number} for status, code, number in counted.codes],
        "contradicted": counted.contradicted,
        "seconds": None if counted.seconds is None else {"p50": counted.seconds[0], "p95": counted.seconds[1]},
    }


def by_number(counted: DeliverySummary) -> list[tuple[str, int]]:
    """What is said of them, the most frequent first; `silent` last."""
    words = sorted(counted.reported.items(), key=lambda it: -it[1])
    return [*words, ("silent", counted.silent)]


def share(number: int, of: int) -> str:
    """In per cent, with one digit behind the point."""
    return f"{100 * number / of:.1f} %" if of else ""


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
