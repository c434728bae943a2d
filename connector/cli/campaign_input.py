"""Campaigns as people type them: read strictly, since what nobody understands here would be sent all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

import click
import msgspec

from connector.cli.event_input import repeated_key
from connector.cli.output import note
from connector.config_text.environment import Environment
from connector.definition.load import load_all
from connector.errors import ConfigurationError, ConnectorError, DefinitionError, Problem, UsageError
from connector.kafka.reader import ends_of, open_reader
from connector.model import Campaign
from connector.operating.chosen_records import decode
from connector.settings import Settings
from connector.settings.names import did_you_mean
from connector.stream.control.table import read_campaign
from connector.untrusted import READ_ERRORS, UnreadableError

LAST_EVENTS = 2_000
"""Of each partition, in which a campaign is looked for that nobody has set."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

new_option = click.option(
    "--new", is_flag=True, help="Also where neither a record nor the last events name such a campaign."
)


def campaign_of(text: bytes, file: str, now: datetime) -> Campaign:
    """The campaign that a text says.

    Raises:
        ConfigurationError: with every problem: keys that no campaign has, values that do not fit, an end in the past.
    """
    see = "see schemas/campaign.schema.json"
    if not text.strip():
        raise ConfigurationError([Problem("it is empty", 'write {"provider": "…", …}', file)])
    try:
        names = _fields(text)
    except READ_ERRORS:
        why = (
            "it begins with a byte order mark" if text.startswith(b"\xef\xbb\xbf") else "it is no JSON object in UTF-8"
        )
        raise ConfigurationError([Problem(why, see, file)]) from None
    known = Campaign.__struct_fields__
    problems = [
        Problem("no campaign has such a key", did_you_mean(name, known) or f"known: {', '.join(known)}", file, name)
        for name in names
        if name not in known
    ]
    if (twice := repeated_key(text)) is not None:
        problems.append(Problem("stands there twice", "keep one of them", file, twice))
    found = None
    try:
        found = read_campaign(text)
    except UnreadableError as error:
        problems.append(Problem(f"is no campaign: {error}", see, file))
    if found is not None and found.expires_at is not None and found.expires_at <= now:
        passed = found.expires_at.astimezone(UTC).isoformat(timespec="seconds")
        message = f"{passed} has passed: every message of it would end `expired`"
        problems.append(Problem(message, "write a time to come, or leave it out", file, "expires_at"))
    if problems:
        raise ConfigurationError(problems)
    assert found is not None
    return found


def require_known(settings: Settings, campaign_id: str, known: Iterable[str], *, new: bool) -> None:
    """A slip in a name would stop nothing, unnoticed. `known` have a record; with `new` anything is meant.

    Raises:
        UsageError: nobody knows such a campaign.
    """
    names = set(known)
    if new or campaign_id in names:
        return
    try:
        names |= asyncio.run(_of_events(settings))
    except ConnectorError as error:
        note(f"the last events could not be searched for it: {error}")
    if campaign_id not in names:
        hint = did_you_mean(campaign_id, names) or "`sms-connector campaign list` shows those that have a record"
        raise UsageError(
            f"no campaign is called {campaign_id!r}: none has such a record, and none of the last events names it; "
            f"{hint}. Say --new if it is meant"
        )


async def _of_events(settings: Settings) -> set[str]:
    """The campaigns that the last events name."""
    found: set[str] = set()
    async with open_reader(settings, note) as reader:
        partitions = await reader.partitions(settings.topics.source_names, optional=True)
        bounds = await reader.bounds(partitions)
        starts = {tp: max(it.begin, it.end - LAST_EVENTS) for tp, it in bounds.items()}
        async for record in reader.scan(starts, ends_of(bounds)):
            name = (decode(record.value) or {}).get("campaign_id")
            if isinstance(name, str):
                found.add(name)
    return found


def require_provider(settings: Settings, names: Iterable[str | None]) -> None:
    """Where these settings have definitions, events for a provider without one would wait, then end `invalid`.

    Raises:
        UsageError: one of the names is none of theirs.
    """
    wanted = {name for name in names if name is not None}
    if not wanted or not settings.providers:
        return
    try:
        known = load_all(settings.providers, Environment.placeholders())
    except DefinitionError:
        note("the definitions are wrong, so providers are not looked at; see `sms-connector check`")
        return
    if unknown := sorted(wanted - known.keys()):
        told = [f"{name!r}{f' ({hint})' if (hint := did_you_mean(name, known)) else ''}" for name in unknown[:10]]
        raise UsageError(f"no provider is called {', '.join(told)}; known: {', '.join(sorted(known))}")
