"""`sms-connector provider`: stop sending to a provider while workers run, and go on."""

from __future__ import annotations

import click

from connector.cli import completing, control_topic
from connector.cli.options import reason_option, settings_options
from connector.cli.output import print_rows
from connector.errors import UsageError
from connector.model import ProviderState
from connector.settings import Loaded, Settings
from connector.settings.names import did_you_mean
from connector.stream.control.table import provider_record


@click.group()
def provider() -> None:
    """Pause and resume providers. Every worker obeys before its next request; it holds until it is undone."""


@provider.command()
@click.argument("name", shell_complete=completing.providers)
@reason_option
@settings_options
def pause(loaded: Loaded, name: str, reason: str) -> None:
    """Send nothing more to NAME. Its messages wait; they still expire.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector provider pause acme --reason "sender id under review"
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    _set(loaded.settings, name, reason, paused=True)


@provider.command()
@click.argument("name", shell_complete=completing.providers)
@reason_option
@settings_options
def resume(loaded: Loaded, name: str, reason: str) -> None:
    """Send to NAME again. Messages that waited long are back within `park_max`.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector provider resume acme
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    _set(loaded.settings, name, reason, paused=False)


@provider.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per provider.")
@settings_options
def list_(loaded: Loaded, *, as_json: bool) -> None:
    """Show the configured providers and those that are paused.

    Exit codes: 0 done, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector provider list
      sms-connector provider list --json
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    paused = control_topic.read(loaded.settings).paused
    names = sorted({*control_topic.definitions(loaded.settings), *paused})
    rows = [(name, "paused" if name in paused else "running") for name in names]
    print_rows(("provider", "state"), rows, as_json=as_json)


def _set(settings: Settings, name: str, reason: str, *, paused: bool) -> None:
    known = control_topic.definitions(settings)
    if known and name not in known:  # a slip here would stop nothing, unnoticed
        hints = [*filter(None, [did_you_mean(name, known)]), f"known: {', '.join(sorted(known))}"]
        raise UsageError(f"no provider is called {name!r}; {' '.join(hints)}")
    record = provider_record(name, ProviderState(paused=paused))
    what = "provider.pause" if paused else "provider.resume"
    control_topic.write(settings, record, what=what, target=name, reason=reason)
    click.echo(f"{name}  {'paused' if paused else 'running'}")
