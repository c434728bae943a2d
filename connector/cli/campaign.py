"""`sms-connector campaign`: what campaigns supply to their messages, and whether they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO

import click
import msgspec

from connector.cli import control_topic
from connector.cli.options import settings_options
from connector.cli.output import print_rows
from connector.definition.system import MESSAGE_ID
from connector.definition.tree import Definition
from connector.definition.walk import in_record, uses
from connector.errors import ConfigurationError, Problem, UsageError
from connector.model import Campaign, CampaignState
from connector.settings import Loaded, Settings
from connector.stream.control.table import campaign_record, read_campaign, schedule
from connector.untrusted import UnreadableError

# What `$$Name` of these reads in an event; what only an event can bring is not among them.
FIELDS = {"Body": "body", "TemplateID": "template_id"}
OF_EVENTS = frozenset({"To", "TemplateVariables", "CampaignID", MESSAGE_ID})


@click.group()
def campaign() -> None:
    """Set, show and steer campaigns. Every worker obeys before its next request; it holds until it is changed."""


@campaign.command()
@click.argument("campaign_id")
@click.argument("file", type=click.File("rb"), default="-")
@click.option(
    "--from-events",
    "of_events",
    multiple=True,
    metavar="NAME",
    help="A value that every event brings itself, although it stands outside the records. May be repeated.",
)
@settings_options
def put(loaded: Loaded, campaign_id: str, file: IO[bytes], of_events: tuple[str, ...]) -> None:
    """Set campaign CAMPAIGN_ID to the JSON object in FILE (standard input by default).

    It is held against the definition of its provider: values that stand outside the records are shared by a whole
    request, so the campaign should supply them. Those that are missing are named.

    Exit codes: 0 set, 1 Kafka cannot be used, 2 usage, 78 configuration: a value is missing, or the campaign is wrong.

    \b
    Examples:
      echo '{"provider": "msg91", "template_id": "42", "custom": {"hid": "77"}}' | sms-connector campaign put diwali
      sms-connector campaign put diwali diwali.json --from-events uid
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    value = _read(file)
    problems = check(value, control_topic.definitions(loaded.settings), of_events)
    if problems:
        raise ConfigurationError([_at(campaign_id, problem) for problem in problems])
    record = campaign_record(campaign_id, value)
    control_topic.read(loaded.settings).check_room(*record)
    control_topic.write(loaded.settings, [record])
    click.echo(f"{campaign_id}  {value.state}")


@campaign.command()
@click.argument("campaign_id")
@settings_options
def get(loaded: Loaded, campaign_id: str) -> None:
    """Show campaign CAMPAIGN_ID as JSON.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector campaign get diwali
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    found = _find(loaded.settings, campaign_id)
    if found is None:
        raise UsageError(f"no campaign is called {campaign_id!r}")
    click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())


@campaign.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per campaign.")
@settings_options
def list_(loaded: Loaded, *, as_json: bool) -> None:
    """Show every campaign with its state and provider.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector campaign list
      sms-connector campaign list --json
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    campaigns = sorted(control_topic.read(loaded.settings).campaigns.items())
    rows = [(name, str(found.state), ", ".join(_providers(found)) or None) for name, found in campaigns]
    print_rows(("campaign", "state", "provider"), rows, as_json=as_json)


@campaign.command()
@click.argument("campaign_id")
@settings_options
def delete(loaded: Loaded, campaign_id: str) -> None:
    """Forget campaign CAMPAIGN_ID. Events that still name it are sent with what they bring themselves.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector campaign delete diwali
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    control_topic.write(loaded.settings, [campaign_record(campaign_id, None)])
    click.echo(f"{campaign_id}  deleted")


@campaign.command()
@click.argument("campaign_id")
@settings_options
def pause(loaded: Loaded, campaign_id: str) -> None:
    """Send nothing more of CAMPAIGN_ID. Its messages wait; they still expire.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector campaign pause diwali
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    _set(loaded.settings, campaign_id, CampaignState.PAUSED)


@campaign.command()
@click.argument("campaign_id")
@settings_options
def resume(loaded: Loaded, campaign_id: str) -> None:
    """Send CAMPAIGN_ID again. Its messages are back within `park_max`.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector campaign resume diwali
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    _set(loaded.settings, campaign_id, CampaignState.RUNNING)


@campaign.command()
@click.argument("campaign_id")
@settings_options
def cancel(loaded: Loaded, campaign_id: str) -> None:
    """End every message of CAMPAIGN_ID that is not sent yet as `cancelled`, also those that come.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector campaign cancel diwali
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    _set(loaded.settings, campaign_id, CampaignState.CANCELLED)


def check(campaign: Campaign, definitions: Mapping[str, Definition], of_events: tuple[str, ...] = ()) -> list[Problem]:
    """What is wrong with a campaign, or missing in it.

    Args:
        campaign: as it is to be.
        definitions: by name; none where they are not at hand, which leaves their checks out.
        of_events: names that every event brings.
    """
    problems = []
    if campaign.hours is not None:
        try:
            schedule(campaign.hours)
        except ValueError as error:
            problems.append(Problem(str(error), path="hours"))
    if MESSAGE_ID in (campaign.custom or {}):
        remedy = "leave it out; if it is another value, call its replacement otherwise"
        problems.append(
            Problem("is each event's message_id: a campaign cannot set it", remedy, path="custom.MessageID")
        )
    if campaign.provider is not None and campaign.providers:
        remedy = "keep one of them: `provider` for all messages, `providers` by prefix or weight"
        problems.append(Problem("stands beside `provider`, which takes all messages", remedy, path="providers"))
    chosen = []
    for name in _providers(campaign) if definitions else ():
        if (definition := definitions.get(name)) is not None:
            chosen.append(definition)
            continue
        path, known = "providers" if campaign.provider is None else "provider", ", ".join(sorted(definitions))
        problems.append(Problem(f"no provider is called {name!r}", f"known: {known}", path=path))
    return problems + _unsupplied(campaign, chosen, of_events)


def _providers(campaign: Campaign) -> list[str]:
    """Names of those that may take its messages."""
    if campaign.provider is not None:
        return [campaign.provider]
    return list(dict.fromkeys(route.use for route in campaign.providers))


def _unsupplied(campaign: Campaign, definitions: list[Definition], of_events: tuple[str, ...]) -> list[Problem]:
    """What its providers read and nobody says, and what it says and none of them reads."""
    problems = []
    supplied = {*(campaign.custom or ()), *(name for name, field in FIELDS.items() if getattr(campaign, field))}
    for definition in definitions:
        for name, operation in missing(definition, {*supplied, *of_events}).items():
            path = FIELDS.get(name, f"custom.{name}")
            message = f"missing: {name} stands outside the records of operation {operation!r} of {definition.name!r}"
            problems.append(Problem(message, f"supply it, or say --from-events {name}", path=path))
    used = {
        name
        for definition in definitions
        for operation in definition.operations
        for use in uses(operation)
        for name in use.expression.names
    }
    for name in sorted((campaign.custom or {}).keys() - used - {MESSAGE_ID}) if definitions else ():
        names = ", ".join(sorted(used - OF_EVENTS - FIELDS.keys())) or "none"
        message = f"provider {' or '.join(repr(it.name) for it in definitions)} reads no such value"
        problems.append(Problem(message, f"it reads: {names}", path=f"custom.{name}"))
    return problems


def missing(definition: Definition, supplied: set[str]) -> dict[str, str]:
    """Names that a whole request shares and nothing supplies, with the first operation that needs them.

    A name without which an operation is not chosen (it stands in `when`) is not known to be needed: only the first
    operation that takes every message, or every operation where none does, is looked at.
    """
    always = [operation for operation in definition.operations if operation.when is None][:1]
    found: dict[str, str] = {}
    for operation in always or definition.operations:
        if operation.batching is None:  # each message is a request: nothing is shared
            continue
        for use in uses(operation):
            has_default = any(call.filter.name == "default" for call in use.expression.filters)
            if in_record(operation, use) or use.expression.optional or has_default:
                continue
            for name in sorted(use.expression.names - OF_EVENTS - supplied):
                found.setdefault(name, operation.name)
    return found


def _read(file: IO[bytes]) -> Campaign:
    try:
        return read_campaign(file.read())
    except UnreadableError as error:
        raise ConfigurationError(
            [Problem(f"is no campaign: {error}", "see schemas/campaign.schema.json", file=file.name)]
        ) from None


def _at(campaign_id: str, problem: Problem) -> Problem:
    return Problem(problem.message, problem.remedy, file=f"campaign {campaign_id}", path=problem.path)


def _find(settings: Settings, campaign_id: str) -> Campaign | None:
    return control_topic.read(settings).campaigns.get(campaign_id)


def _set(settings: Settings, campaign_id: str, state: CampaignState) -> None:
    found = _find(settings, campaign_id) or Campaign()
    if found.state is CampaignState.CANCELLED and state is not CampaignState.CANCELLED:
        raise UsageError(f"{campaign_id} is cancelled for good; `campaign put` starts it anew")
    control_topic.write(settings, [campaign_record(campaign_id, msgspec.structs.replace(found, state=state))])
    click.echo(f"{campaign_id}  {state}")
