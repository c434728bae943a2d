"""`sms-connector suppress`: who must not be texted."""

from __future__ import annotations

import asyncio
import getpass
import io
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec

from connector.cli.options import settings_options
from connector.cli.output import note, print_json, print_table
from connector.errors import ConfigurationError, Problem, TopicError, UsageError
from connector.kafka.admin import describe_topics, open_admin
from connector.kafka.produce import Outgoing, RecordPlace, open_producer, produce
from connector.kafka.reader import ends_of, open_reader
from connector.masking import mask_number
from connector.settings import Loaded, Settings
from connector.suppressions import snapshot
from connector.suppressions.record import (
    KeyFormatError,
    Phone,
    Suppression,
    SuppressionState,
    encode,
    key_of,
    key_of_phone,
    phone_of,
    read_suppression,
    suppresses,
)
from connector.suppressions.snapshot import SnapshotError

TOLD_LINES = 20
"""Wrong lines of a file that are told one by one."""
TOLD_EVERY = 100_000

EXIT_SUPPRESSED = 3
"""A script must not take a Kafka that is away for an answer."""

sender_option = click.option(
    "--sender", help="Only this sender must not text it; as in the setting suppressions.sender."
)
reason_option = click.option("--reason", help="Why, in words; it is kept in the record.")


@click.group()
def suppress() -> None:
    """Say who must not be texted. Every worker with `suppressions.enabled` obeys before its next request."""


@suppress.command()
@click.argument("numbers", nargs=-1, required=True)
@sender_option
@reason_option
@settings_options
def add(loaded: Loaded, numbers: tuple[str, ...], sender: str | None, reason: str | None) -> None:
    """Suppress NUMBERS: their messages end `suppressed`, unsent.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration: there is no such topic.

    \b
    Examples:
      sms-connector suppress add +919812345678 --reason "asked us on the phone"
      sms-connector suppress add +919812345678 +919812345679 --sender ACME
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    keys = _keys(numbers, sender)
    _write(loaded.settings, keys, len(keys), _record(SuppressionState.SUPPRESSED, "command", reason))
    note(f"{len(numbers)} suppressed")


@suppress.command()
@click.argument("numbers", nargs=-1, required=True)
@sender_option
@reason_option
@settings_options
def remove(loaded: Loaded, numbers: tuple[str, ...], sender: str | None, reason: str | None) -> None:
    """Let NUMBERS be texted again. An entry for one sender is lifted with --sender only, and one for all without it.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration: there is no such topic.

    \b
    Examples:
      sms-connector suppress remove +919812345678 --reason "signed up again"
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    keys = _keys(numbers, sender)
    _write(loaded.settings, keys, len(keys), _record(SuppressionState.LIFTED, "command", reason))
    note(f"{len(numbers)} lifted")


@suppress.command("import")
@click.argument("file", type=click.Path(allow_dash=True, dir_okay=False, exists=True, path_type=Path))
@click.option("--snapshot", "is_snapshot", is_flag=True, help="FILE is a worker's snapshot: what a lost topic had.")
@sender_option
@reason_option
@settings_options
def import_(loaded: Loaded, file: Path, *, is_snapshot: bool, sender: str | None, reason: str | None) -> None:
    """Suppress every number of FILE, one a line (`-`: standard input). `NUMBER,SENDER` suppresses it for one sender.

    Empty lines, and lines that begin with `#`, are left out. Where a line is wrong, all wrong ones are told and nothing
    is written. FILE is read twice, and never held in memory.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration: a line is wrong, or there is no such topic.

    \b
    Examples:
      sms-connector suppress import opted-out.txt --reason "from the old system"
      sms-connector suppress import --snapshot /var/lib/sms-connector/suppressions.snapshot
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    value = _record(SuppressionState.SUPPRESSED, "import", reason)
    if is_snapshot:
        if sender is not None:
            raise UsageError("--snapshot: its entries have their own senders; leave --sender out")
        try:
            count = sum(1 for _ in snapshot.entries(file))
            _write(loaded.settings, map(key_of_phone, snapshot.entries(file)), count, value)
        except SnapshotError as error:
            raise ConfigurationError([Problem(str(error), path=str(file))]) from error
    else:
        with _seekable(file) as lines:
            count = _check_lines(lines, sender)
            lines.seek(0)
            _write(loaded.settings, (key for _, _, key in _lines(lines, sender)), count, value)
    note(f"{count} suppressed")


@contextmanager
def _seekable(file: Path) -> Iterator[TextIO]:
    """It can be read twice, also where it comes from another program."""
    if str(file) != "-":
        with file.open(encoding="utf-8-sig", errors="replace") as lines:
            yield lines
        return
    with tempfile.TemporaryFile("w+b") as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.seek(0)
        yield io.TextIOWrapper(kept, encoding="utf-8-sig", errors="replace")


def _lines(lines: Iterable[str], sender: str | None) -> Iterator[tuple[int, str, bytes | KeyFormatError]]:
    """Number, phone as written, and key of each line that has one; or what is wrong with it."""
    for number, text in enumerate(lines, 1):
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        phone, _, own = line.partition(",")
        try:
            yield number, phone, key_of(phone, own.strip() or sender)
        except KeyFormatError as error:
            yield number, phone, error


def _check_lines(lines: Iterable[str], sender: str | None) -> int:
    """How many there are. Raises ConfigurationError where one is wrong."""
    problems, count, wrong = list[Problem](), 0, 0
    for number, phone, key in _lines(lines, sender):
        count += 1
        if isinstance(key, KeyFormatError):
            wrong += 1
            if wrong <= TOLD_LINES:
                problems.append(Problem(str(key), path=f"line {number}: {mask_number(phone)[:32]}"))
    if wrong > TOLD_LINES:
        problems.append(Problem(f"{wrong - TOLD_LINES} further lines are wrong"))
    if problems:
        raise ConfigurationError(problems)
    return count


@suppress.command("list")
@click.option("--numbers", "shown", is_flag=True, help="Show numbers in full; else all but their last digits are dots.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per entry.")
@settings_options
def list_(loaded: Loaded, *, shown: bool, as_json: bool) -> None:
    """Show who must not be texted, since when and why.

    Exit codes: 0 shown, 1 Kafka cannot be used, 2 usage, 78 configuration: there is no such topic.

    \b
    Examples:
      sms-connector suppress list
      sms-connector suppress list --numbers --json
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    entries = asyncio.run(_entries(loaded.settings, None))
    rows = [
        ((str if shown else mask_number)(f"+{phone.number}"), phone.sender, record) for phone, record in entries.items()
    ]
    _show(rows, as_json=as_json)
    note(f"{len(rows)} suppressed")


@suppress.command()
@click.argument("number")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per entry.")
@settings_options
def check(loaded: Loaded, number: str, *, as_json: bool) -> int:
    """Say whether NUMBER must not be texted, by which entries.

    Exit codes: 0 it may be texted, 1 Kafka cannot be used, 2 usage, 3 it must not be texted, 78 configuration: there is
    no such topic.

    \b
    Examples:
      sms-connector suppress check +919812345678
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    (key,) = _keys([number], None)
    wanted = phone_of(key).number
    entries = asyncio.run(_entries(loaded.settings, wanted))
    _show([(f"+{phone.number}", phone.sender, record) for phone, record in entries.items()], as_json=as_json)
    note("must not be texted" if entries else "may be texted")
    return EXIT_SUPPRESSED if entries else 0


def _keys(numbers: Iterable[str], sender: str | None) -> list[bytes]:
    keys, problems = [], []
    for number in numbers:
        try:
            keys.append(key_of(number, sender))
        except KeyFormatError as error:
            problems.append(f"{mask_number(number)[:32]}: {error}")
    if problems:
        raise UsageError("\n".join(problems))
    return keys


def _record(state: SuppressionState, by: str, reason: str | None) -> bytes:
    return encode(Suppression(state=state, since=datetime.now(UTC), by=by, who=_person(), reason=reason))


def _person() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user that the system does not know by name
        return None


def _write(settings: Settings, keys: Iterable[bytes | KeyFormatError], count: int, value: bytes) -> None:
    asyncio.run(_produce(settings, keys, count, value))


async def _produce(settings: Settings, keys: Iterable[bytes | KeyFormatError], count: int, value: bytes) -> None:
    topic = settings.topics.suppressions
    async with open_admin(settings) as admin:
        found = (await describe_topics(admin, [topic])).get(topic)
    if found is None:  # a producer would wait for it, or make it
        raise _missing(topic)
    if not settings.suppressions.enabled:
        note("suppressions.enabled is false in these settings: workers with them do not look at the list")
    told = 0

    def acknowledged(places: Sequence[RecordPlace]) -> None:
        nonlocal told
        before, told = told, told + len(places)
        if told // TOLD_EVERY > before // TOLD_EVERY:
            note(f"{told} of {count} written")

    async with open_producer(settings) as producer:
        outgoing = (Outgoing(topic, key, value, partition=0) for key in keys if isinstance(key, bytes))
        await produce(producer, outgoing, acknowledged)


async def _entries(settings: Settings, wanted: int | None) -> dict[Phone, Suppression]:
    """Who is suppressed now, of all numbers or of one; in the order in which it was said."""
    found: dict[Phone, Suppression] = {}
    topic = settings.topics.suppressions
    async with open_reader(settings, note) as reader:
        partitions = await reader.partitions([topic], optional=True)
        if not partitions:
            raise _missing(topic)
        bounds = await reader.bounds(partitions)
        starts = {tp: it.begin for tp, it in bounds.items()}
        async for record in reader.scan(starts, ends_of(bounds)):
            try:
                phone = phone_of(record.key)
            except KeyFormatError:
                note(f"{topic}/{record.partition}/{record.offset}: the key is no phone number; it suppresses nobody")
                continue
            if wanted is None or phone.number == wanted:
                found.pop(phone, None)
                if suppresses(record.value):
                    found[phone] = read_suppression(record.value)
    return found


def _show(rows: Iterable[tuple[str, str | None, Suppression]], *, as_json: bool) -> None:
    if as_json:
        for phone, sender, record in rows:
            document: dict[str, Any] = {"to": phone} | ({} if sender is None else {"sender": sender})
            print_json(document | msgspec.to_builtins(record))
        return
    print_table(("to", "sender", "since", "by", "who", "reason"), _columns(rows))


def _columns(rows: Iterable[tuple[str, str | None, Suppression]]) -> Iterator[tuple[str | None, ...]]:
    for phone, sender, record in rows:
        since = None if record.since is None else record.since.isoformat(timespec="seconds")
        yield phone, sender, since, record.by, record.who, record.reason


def _missing(topic: str) -> TopicError:
    remedy = (
        "set suppressions.enabled and run `sms-connector topics create`, or correct the name in `topics.suppressions`"
    )
    return TopicError([Problem("is not on the cluster, or may not be seen", remedy, path=topic)])
