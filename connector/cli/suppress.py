"""`sms-connector suppress`: who must not be texted."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from connector.cli.options import settings_options
from connector.cli.output import note, print_table
from connector.cli.suppression_entries import entries, keys_of, missing
from connector.cli.suppression_file import FileKeys, look, seekable
from connector.errors import ConfigurationError, Problem, UsageError
from connector.kafka.admin import describe_topics, open_admin
from connector.kafka.produce import Outgoing, RecordPlace, open_producer, produce
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
)
from connector.suppressions.snapshot import SnapshotError

TOLD_EVERY = 100_000

COLUMNS = ("to", "sender", "since", "by", "who", "reason")
AT_ONCE = 1_000
"""Entries of one table; a longer list is several of them."""

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
@click.option("--from-line", type=click.IntRange(min=1), help="Go on with this line of FILE, where one was stopped.")
@sender_option
@reason_option
@settings_options
def import_(
    loaded: Loaded, file: Path, *, is_snapshot: bool, from_line: int | None, sender: str | None, reason: str | None
) -> None:
    """Suppress every number of FILE, one a line (`-`: standard input). `NUMBER,SENDER` suppresses it for one sender.

    Empty lines, and lines that begin with `#`, are left out. Where a line is wrong, all wrong ones are told and nothing
    is written. FILE is read twice; of ten million numbers a hundred megabytes are held. One that is stopped says with
    which line to go on; to begin again changes nothing either.

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
        if from_line is not None:
            raise UsageError("--from-line: a snapshot has no lines; to begin again changes nothing")
        try:
            count = sum(1 for _ in snapshot.entries(file))
            _write(loaded.settings, map(key_of_phone, snapshot.entries(file)), count, value)
        except SnapshotError as error:
            raise ConfigurationError([Problem(str(error), path=str(file))]) from error
        note(f"{count} suppressed")
        return
    with seekable(file) as lines:
        looked = look(lines, sender)
        if looked.repeated:
            note(f"{looked.repeated} lines have a number that another line has as well")
        lines.seek(0)
        keys = FileKeys(lines, sender, from_line or 1)
        try:
            _write(loaded.settings, keys, looked.numbers, value, keys.acknowledged)
        except BaseException:
            if keys.done >= (from_line or 1):
                note(f"written up to line {keys.done}; go on with --from-line {keys.done + 1}")
            raise
    note(f"{looked.numbers - looked.repeated} suppressed")


@suppress.command("list")
@click.option("--numbers", "shown", is_flag=True, help="Show numbers in full; else all but their last digits are dots.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per entry.")
@settings_options
def list_(loaded: Loaded, *, shown: bool, as_json: bool) -> None:
    """Show who must not be texted, since when and why; whoever came last first.

    Exit codes: 0 shown, 1 Kafka cannot be used, 2 usage, 78 configuration: there is no such topic.

    \b
    Examples:
      sms-connector suppress list
      sms-connector suppress list --numbers --json
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    number = asyncio.run(_show(entries(loaded.settings), str if shown else mask_number, as_json=as_json))
    note(f"{number} suppressed")


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
    found = asyncio.run(_show(entries(loaded.settings, wanted), str, as_json=as_json))
    note("must not be texted" if found else "may be texted")
    return EXIT_SUPPRESSED if found else 0


@suppress.command()
@click.argument("number")
@click.option("--yes", is_flag=True, help="Do it; without it, only say how many keys there are.")
@settings_options
def forget(loaded: Loaded, number: str, *, yes: bool) -> None:
    """Erase NUMBER from the list: under every key it is there, for all and for single senders.

    `remove` keeps a record that says that it may be texted; this leaves none, once Kafka has compacted the topic.
    Nothing keeps the number from being texted afterwards.

    Exit codes: 0 done, or said; 1 Kafka cannot be used, 2 usage, 78 configuration: there is no such topic.

    \b
    Examples:
      sms-connector suppress forget +919812345678
      sms-connector suppress forget +919812345678 --yes
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    (key,) = _keys([number], None)
    keys = asyncio.run(keys_of(loaded.settings, phone_of(key).number))
    if yes and keys:
        _write(loaded.settings, keys, len(keys), None)
    done = "forgotten" if yes else "would be forgotten: add --yes"
    note(f"{len(keys)} keys of this number {done}" if keys else "the list has no record of this number")


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


def _write(
    settings: Settings,
    keys: Iterable[bytes],
    count: int,
    value: bytes | None,
    acknowledged: Callable[[int], None] = lambda _: None,
) -> None:
    asyncio.run(_produce(settings, keys, count, value, acknowledged))


async def _produce(
    settings: Settings, keys: Iterable[bytes], count: int, value: bytes | None, acknowledged: Callable[[int], None]
) -> None:
    topic = settings.topics.suppressions
    async with open_admin(settings) as admin:
        found = (await describe_topics(admin, [topic])).get(topic)
    if found is None:  # a producer would wait for it, or make it
        raise missing(topic)
    if not settings.suppressions.enabled:
        note("suppressions.enabled is false in these settings: workers with them do not look at the list")
    told = 0

    def written(places: Sequence[RecordPlace]) -> None:
        nonlocal told
        acknowledged(len(places))
        before, told = told, told + len(places)
        if told // TOLD_EVERY > before // TOLD_EVERY:
            note(f"{told} of {count} written")

    async with open_producer(settings) as producer:
        await produce(producer, (Outgoing(topic, key, value, partition=0) for key in keys), written)


async def _show(found: AsyncIterator[tuple[Phone, Suppression]], shown: Callable[[str], str], *, as_json: bool) -> int:
    """Print them as they come, so that none of millions is held; how many there were."""
    count, block = 0, list[tuple[str, str | None, Suppression]]()
    tell = _tell_json if as_json else _tell
    async for phone, record in found:
        count += 1
        block.append((shown(f"+{phone.number}"), phone.sender, record))
        if len(block) == AT_ONCE:
            tell(block)
            block.clear()
    if block or not (count or as_json):
        tell(block)
    return count


def _tell(block: Iterable[tuple[str, str | None, Suppression]]) -> None:
    print_table(
        COLUMNS,
        [
            (
                number,
                sender,
                None if record.since is None else record.since.isoformat(timespec="seconds"),
                record.by,
                record.who,
                record.reason,
            )
            for number, sender, record in block
        ],
    )


def _tell_json(block: Iterable[tuple[str, str | None, Suppression]]) -> None:
    """One object a line; written together, as each write is a call of the system."""
    encode_json = msgspec.json.encode
    lines = []
    for number, sender, record in block:
        head = encode_json({"to": number} if sender is None else {"to": number, "sender": sender})
        said = encode_json(record)
        lines.append(head if said == b"{}" else head[:-1] + b"," + said[1:])
    click.echo(b"\n".join(lines))
