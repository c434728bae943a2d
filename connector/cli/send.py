"""`sms-connector send`: events into the messages topic, and what became of them."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from aiokafka import ConsumerRecord

from connector.cli import completing
from connector.cli.campaign_input import require_provider
from connector.cli.event_input import Prepared, from_csv, from_json_lines, prepare
from connector.cli.moments import SECONDS
from connector.cli.options import settings_options
from connector.cli.output import counted, note, print_json, print_table, progress
from connector.cli.results import show
from connector.errors import Problem, UsageError
from connector.formats.source_format import TRANSLATED
from connector.kafka.produce import Outgoing, RecordPlace, open_producer, produce
from connector.kafka.reader import TopicReader, ends_of, open_reader
from connector.operating.chosen_records import decode
from connector.settings import Loaded, Settings

SHOWN_PROBLEMS = 20
SHOWN_RESULTS = 20
IDS = 1_000


@dataclass(slots=True)
class Sent:
    """What was produced and what came back.

    Attributes:
        waiting: places of events without a result yet.
        statuses: of the results.
        others: results that are not `accepted`, some of them.
    """

    ids: list[str]
    waiting: set[RecordPlace] = field(default_factory=set)
    count: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    others: list[dict[str, Any]] = field(default_factory=list)

    def produced(self, places: Iterable[RecordPlace]) -> None:
        before = len(self.waiting)
        self.waiting.update(places)
        self.count += len(self.waiting) - before

    def take(self, record: ConsumerRecord) -> None:
        """A record of the results topic: perhaps of one of ours."""
        result = decode(record.value) or {}
        source = result.get("source") or {}
        place = RecordPlace(source.get("topic", ""), source.get("partition", -1), source.get("offset", -1))
        if place not in self.waiting:
            return
        self.waiting.discard(place)
        status = str(result.get("status"))
        self.statuses[status] += 1
        if status != "accepted" and len(self.others) < SHOWN_RESULTS:
            self.others.append(result)

    @property
    def all_accepted(self) -> bool:
        return self.statuses["accepted"] == self.count


@click.command()
@click.argument("file", required=False, metavar="[FILE]", shell_complete=completing.files)
@click.option("--to", metavar="NUMBER", help="One message to this number, instead of a file.")
@click.option("--provider", metavar="NAME", shell_complete=completing.providers, help="For events that name none.")
@click.option("--campaign", metavar="ID", shell_complete=completing.campaigns, help="For events that name none.")
@click.option("--body", metavar="TEXT", help="For events without.")
@click.option("--template", metavar="ID", help="For events without.")
@click.option("--variable", "variables", multiple=True, metavar="NAME=VALUE", help="Of the template. Repeatable.")
@click.option("--custom", multiple=True, metavar="NAME=VALUE", help="A custom value. Repeatable.")
@click.option("--message-id", metavar="ID", help="Of the one message; default: a new one.")
@click.option("--topic", shell_complete=completing.sources, help="One of topics.sources; default: the first.")
@click.option("--wait", is_flag=True, help="Follow the results and print a summary.")
@click.option("--timeout", type=SECONDS, default="5m", show_default=True, help="With --wait: how long.")
@click.option("--dry-run", is_flag=True, help="Print the events; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@settings_options
def send(
    loaded: Loaded,
    *,
    file: str | None,
    topic: str | None,
    wait: bool,
    timeout: float,
    dry_run: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Put events into the messages topic: from FILE (.csv, else JSON lines; - for standard input) or flags.

    Flags fill in what an event of the file leaves out; an event without message_id gets one. Every event is looked at
    before the first is sent: one that the connector would not take stops all.

    CSV has a header line with the names of the fields; custom.NAME and template_variables.NAME are columns as well.

    Exit codes: 0 sent (with --wait: and all accepted), 1 not all accepted in time, 2 usage, or a bad event.

    \b
    Examples:
      sms-connector send --to +919812345678 --provider plivo --body "Hello" --wait
      sms-connector send contacts.csv --provider plivo --campaign diwali --body "Happy Diwali" --wait
      sms-connector send events.jsonl --dry-run
      generate-events | sms-connector send - --json
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    settings = loaded.settings
    topics = settings.topics.source_names
    if topic is not None and topic not in topics:
        raise UsageError(f"--topic {topic}: not one of topics.sources ({', '.join(topics)})")
    events = _read(file, **flags)
    require_provider(settings, {event.provider for event in events})
    _tell_expired(events)
    if dry_run:
        for event in events:
            click.echo(event.value.decode())
        return 0
    sent = asyncio.run(_send(settings, topic or topics[0], events, timeout if wait else None))
    return _tell(sent, topic or topics[0], waited=wait, as_json=as_json)


def _tell_expired(events: list[Prepared]) -> None:
    now = datetime.now(UTC)
    if expired := sum(event.expires_at is not None and event.expires_at <= now for event in events):
        note(f"{counted(expired, 'event')} with an expires_at that has passed: they end `expired`, unsent")


def _read(
    file: str | None,
    *,
    to: str | None,
    provider: str | None,
    campaign: str | None,
    body: str | None,
    template: str | None,
    variables: tuple[str, ...],
    custom: tuple[str, ...],
    message_id: str | None,
) -> list[Prepared]:
    """Every event.

    Raises:
        UsageError: with every bad one.
    """
    if (file is None) == (to is None):
        raise UsageError("send: name a FILE (- for standard input), or --to NUMBER")
    if file is not None and message_id is not None:
        raise UsageError("--message-id: every event of a file has its own")
    given: dict[str, Any] = {"provider": provider, "campaign_id": campaign, "body": body, "template_id": template}
    given |= {"custom": _pairs("--custom", custom), "template_variables": _pairs("--variable", variables)}
    defaults = {name: value for name, value in given.items() if value}
    found: Iterator[Prepared | Problem]
    if file is None:
        own = {"to": to} | ({"message_id": message_id} if message_id else {})
        found = iter([prepare(own, defaults, "--to")])
    else:
        found = _read_file(file, defaults)
    events, problems = [], []
    for it in found:
        if isinstance(it, Problem):
            problems.append(it)
        else:
            events.append(it)
    if problems:
        shown = "\n".join(map(str, problems[:SHOWN_PROBLEMS]))
        more = f"\n… and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
        raise UsageError(f"nothing was sent: {counted(len(problems), 'bad event')}\n{shown}{more}")
    if not events:
        raise UsageError(f"{file}: no events in it")
    return events


def _read_file(file: str, defaults: dict[str, Any]) -> Iterator[Prepared | Problem]:
    if file == "-":
        yield from from_json_lines(sys.stdin.buffer, defaults, "standard input")
        return
    path = Path(file)
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as lines:
                yield from from_csv(lines, defaults, file)
        else:
            with path.open("rb") as raw:
                yield from from_json_lines(raw, defaults, file)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8; save it as UTF-8") from error


def _pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{option} {text}: write NAME=VALUE")
        pairs[name] = value
    return pairs


async def _send(settings: Settings, topic: str, events: list[Prepared], patience: float | None) -> Sent:
    """Produce; with `patience` (seconds) also wait for the results."""
    sent = Sent([event.message_id for event in events[:IDS]])
    if patience is None:  # a service that may only write needs no more
        await _write(settings, topic, events, sent)
        return sent
    async with open_reader(settings, note) as reader:
        # Before the first event: its result may be there before the last event is sent.
        ends = ends_of(await reader.bounds(await reader.partitions([settings.topics.results])))
        await _write(settings, topic, events, sent)
        await _follow(reader, ends, sent, time.monotonic() + patience)
    return sent


async def _write(settings: Settings, topic: str, events: list[Prepared], sent: Sent) -> None:
    """Produce all; returns when they are acknowledged."""
    with progress("sent", len(events)) as bar:
        async with open_producer(settings) as client:

            def acknowledged(places: Iterable[RecordPlace]) -> None:
                sent.produced(places)
                bar(sent.count)

            # A source of another format takes them as they are, by this header.
            headers = () if settings.topics.source(topic).plain else (TRANSLATED,)
            await produce(client, (Outgoing(topic, event.key, event.value, headers) for event in events), acknowledged)


async def _follow(reader: TopicReader, starts: dict[Any, int], sent: Sent, until: float) -> None:
    with progress("results", sent.count) as bar:
        async for records in reader.follow(starts):
            for record in records:
                sent.take(record)
            bar(sent.count - len(sent.waiting))
            if not sent.waiting or time.monotonic() >= until:
                return


def _tell(sent: Sent, topic: str, *, waited: bool, as_json: bool) -> int:
    if as_json:
        document: dict[str, Any] = {"sent": sent.count, "topic": topic, "message_ids": sent.ids}
        if waited:
            document |= {"results": dict(sent.statuses), "missing": len(sent.waiting), "others": sent.others}
        print_json(document)
    elif waited:
        rows = [*sent.statuses.most_common(), *([("no result yet", len(sent.waiting))] if sent.waiting else [])]
        print_table(("status", "messages"), rows, right=("messages",))
        for result in sent.others:
            show(result, as_json=False)
    else:
        click.echo(f"{sent.count} sent to {topic}")
        if len(sent.ids) == 1:
            click.echo(f"message_id {sent.ids[0]}")
    if waited and sent.waiting:
        note(f"{len(sent.waiting)} without a result in time: `sms-connector lag` says what holds them")
    return 0 if not waited or sent.all_accepted else 1
