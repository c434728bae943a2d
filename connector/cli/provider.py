"""`sms-connector provider`: stop sending to a provider while workers run, and go on."""

from __future__ import annotations

import click

from connector.cli import control
from connector.cli.options import settings_options
from connector.errors import UsageError
from connector.model import ProviderState
from connector.settings import Loaded, Settings
from connector.stream.control import provider_record


@click.group()
def provider() -> None:
    """Pause and resume providers. Every worker obeys before its next request; it holds until it is undone."""


@provider.command()
@click.argument("name")
@settings_options
def pause(loaded: Loaded, name: str) -> None:
    """Send nothing more to NAME. Its messages wait; they still expire."""
    _set(loaded.settings, name, paused=True)


@provider.command()
@click.argument("name")
@settings_options
def resume(loaded: Loaded, name: str) -> None:
    """Send to NAME again. Messages that waited long are back within `park_max`."""
    _set(loaded.settings, name, paused=False)


@provider.command("list")
@settings_options
def list_(loaded: Loaded) -> None:
    """Show the configured providers and those that are paused."""
    paused = control.read(loaded.settings).paused
    for name in sorted({*control.definitions(loaded.settings), *paused}):
        click.echo(f"{name}  {'paused' if name in paused else 'running'}")


def _set(settings: Settings, name: str, *, paused: bool) -> None:
    known = control.definitions(settings)
    if known and name not in known:  # a slip here would stop nothing, unnoticed
        raise UsageError(f"no provider is called {name!r}; known: {', '.join(sorted(known))}")
    control.write(settings, [provider_record(name, ProviderState(paused=paused))])
    click.echo(f"{name}  {'paused' if paused else 'running'}")
