"""`sms-connector run`: one worker."""

from __future__ import annotations

import os
from pathlib import Path

import click

from connector import logs
from connector.cli.options import config_option, load, set_option
from connector.errors import Problem, SettingsError


@click.command()
@config_option
@set_option
def run(config: Path | None, overrides: tuple[str, ...]) -> int:
    """Consume message events, send them to their providers, write one result per message.

    Start more of it to scale: workers of one group share the partitions. SIGTERM finishes what is in flight and leaves.
    Definitions are loaded again when their files change, and on SIGHUP; one that is wrong is told about and not used.

    Exit codes: 0 stopped, 1 crash, 2 usage, 70 a deadline passed, 71 no progress (watchdog), 78 configuration: do not
    restart on 78, a person has to mend it.

    \b
    Examples:
      sms-connector run --config connector.yaml
      sms-connector run --set delivery=dry-run --set start_from=latest
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    from connector.cli.definitions import ConfiguredDefinitions
    from connector.console.server import Console, listen
    from connector.definition.environment import Environment
    from connector.stream.process import run_worker

    settings = load(config, overrides).settings
    logs.configure(settings.log)
    if not settings.providers:
        remedy = "name definition files, a folder of them, or catalogue names: `providers: [definitions/]`"
        raise SettingsError([Problem("no provider is configured", remedy, path="providers")])
    source = ConfiguredDefinitions(settings, Environment(os.environ))
    definitions = source.load()
    place = listen(settings.console)
    return run_worker(settings, definitions, source=source, attendants=[Console(place)] if place is not None else [])
