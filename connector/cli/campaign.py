"""`sms-connector campaign`: what campaigns supply to their messages, and whether they are sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import IO

import click
import msgspec

from connector.cli import completing, control_topic
from connector.cli.campaign_input import campaign_of, new_option, require_known
from connector.cli.options import reason_option, settings_options
from connector.cli.output import print_rows
from connector.errors import ConfigurationError, Problem, UsageError
from connector.model import Campaign, CampaignState
from connector.settings import Loaded, Settings
from connector.settings.names import did_you_mean
from connector.stream.control.table import ControlTable, campaign_record
from connector.workbench.requirements import check, providers_of

DEEDS = {CampaignState.RUNNING: "resume", CampaignState.PAUSED: "pause", CampaignState.CANCELLED: "cancel"}
"""What leads to a state."""


campaign_argument = click.argument("campaign_id", shell_complete=completing.campaigns)


@click.group()
def campaign() -> None:
    """Set, show and steer campaigns. Every worker obeys before its next request; it holds until it is changed."""


@campaign.command()
@campaign_argument
@click.argument("file", type=click.File("rb"), default="-")
@click.option(
    "--from-events",
    "of_events",
    multiple=True,
    metavar="NAME",
    help="A value that every event brings itself, although it stands outside the records. May be repeated.",
)
@click.option("--total", type=click.IntRange(0), help="How many messages it is going to have, for its progress.")
@reason_option
@settings_options
def put(
    loaded: Loaded,
    campaign_id: str,
    file: IO[bytes],
    *,
    of_events: tuple[str, ...],
    total: int | None,
    reason: str,
) -> None:
    """Set campaign CAMPAIGN_ID to the JSON object in FILE (standard input by default).

    It is held against the definition of its provider: values that stand outside the records are shared by a whole
    request, so the campaign should supply them. Those that are missing are named.

    Exit codes: 0 set, 1 Kafka cannot be used, 2 usage, 78 configuration: a value is missing, or the campaign is wrong.

    \b
    Examples:
      echo '{"provider": "msg91", "template_id": "42", "custom": {"hid": "77"}}' | sms-connector campaign put diwali
      sms-connector campaign put diwali diwali.json --from-events uid --total 250000
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    value = campaign_of(file.read(), file.name, datetime.now(UTC))
    if total is not None:
        value = msgspec.structs.replace(value, total=total)
    problems = check(value, control_topic.definitions(loaded.settings), of_events)
    if problems:
        raise ConfigurationError([_at(campaign_id, problem) for problem in problems])
    record = campaign_record(campaign_id, value)
    control_topic.read(loaded.settings).check_room(*record)
    control_topic.write(loaded.settings, record, what="campaign.put", target=campaign_id, reason=reason)
    click.echo(f"{campaign_id}  {value.state}")


@campaign.command()
@campaign_argument
@settings_options
def get(loaded: Loaded, campaign_id: str) -> None:
    """Show campaign CAMPAIGN_ID as JSON.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector campaign get diwali
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    table = control_topic.read(loaded.settings)
    _require_record(table, campaign_id)
    click.echo(msgspec.json.format(msgspec.json.encode(table.campaigns[campaign_id])).decode())


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
    rows = [(name, str(found.state), ", ".join(providers_of(found)) or None) for name, found in campaigns]
    print_rows(("campaign", "state", "provider"), rows, as_json=as_json)


@campaign.command()
@campaign_argument
@reason_option
@settings_options
def delete(loaded: Loaded, campaign_id: str, reason: str) -> None:
    """Forget campaign CAMPAIGN_ID. Events that still name it are sent with what they bring themselves.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector campaign delete diwali
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    _require_record(control_topic.read(loaded.settings), campaign_id)
    record = campaign_record(campaign_id, None)
    control_topic.write(loaded.settings, record, what="campaign.delete", target=campaign_id, reason=reason)
    click.echo(f"{campaign_id}  deleted")


@campaign.command()
@campaign_argument
@new_option
@reason_option
@settings_options
def pause(loaded: Loaded, campaign_id: str, *, new: bool, reason: str) -> None:
    """Send nothing more of CAMPAIGN_ID. Its messages wait; they still expire.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector campaign pause diwali
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    _set(loaded.settings, campaign_id, CampaignState.PAUSED, reason, new=new)


@campaign.command()
@campaign_argument
@reason_option
@settings_options
def resume(loaded: Loaded, campaign_id: str, reason: str) -> None:
    """Send CAMPAIGN_ID again. Its messages are back within `park_max`.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector campaign resume diwali
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    _set(loaded.settings, campaign_id, CampaignState.RUNNING, reason)


@campaign.command()
@campaign_argument
@new_option
@reason_option
@settings_options
def cancel(loaded: Loaded, campaign_id: str, *, new: bool, reason: str) -> None:
    """End every message of CAMPAIGN_ID that is not sent yet as `cancelled`, also those that come.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector campaign cancel diwali
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    _set(loaded.settings, campaign_id, CampaignState.CANCELLED, reason, new=new)


def _at(campaign_id: str, problem: Problem) -> Problem:
    return Problem(problem.message, problem.remedy, file=f"campaign {campaign_id}", path=problem.path)


def _require_record(table: ControlTable, campaign_id: str) -> None:
    if campaign_id not in table.campaigns:
        hint = did_you_mean(campaign_id, table.campaigns) or "`sms-connector campaign list` shows those there are"
        raise UsageError(f"no campaign is called {campaign_id!r}; {hint}")


def _set(settings: Settings, campaign_id: str, state: CampaignState, reason: str, *, new: bool = False) -> None:
    table = control_topic.read(settings)
    if state is CampaignState.RUNNING:
        _require_record(table, campaign_id)
    else:
        require_known(settings, campaign_id, table.campaigns, new=new)
    found = table.campaigns.get(campaign_id) or Campaign()
    if found.state is CampaignState.CANCELLED and state is not CampaignState.CANCELLED:
        raise UsageError(f"{campaign_id} is cancelled for good; `campaign put` starts it anew")
    record = campaign_record(campaign_id, msgspec.structs.replace(found, state=state))
    control_topic.write(settings, record, what=f"campaign.{DEEDS[state]}", target=campaign_id, reason=reason)
    click.echo(f"{campaign_id}  {state}")
