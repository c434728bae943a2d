"""`sms-connector run`: one worker."""

from __future__ import annotations

import os
from pathlib import Path

import click
import structlog

from connector import logs
from connector.cli.fit import misfits
from connector.cli.options import config_option, load, set_option
from connector.errors import DefinitionError, Problem, SettingsError

log = structlog.get_logger(__name__)


@click.command()
@config_option
@set_option
def run(config: Path | None, overrides: tuple[str, ...]) -> int:
    """Consume message events, send them to their providers, write one result per message.

    Start more of it to scale: workers of one group share the partitions. SIGTERM finishes what is in flight and leaves.

    Exit codes: 0 stopped, 1 crash, 2 usage, 70 a deadline passed, 71 no progress (watchdog), 78 configuration: do not
    restart on 78, a person has to mend it.

    \b
    Examples:
      sms-connector run --config connector.yaml
      sms-connector run --set delivery=dry-run --set start_from=latest
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    from connector.console.server import Console, listen
    from connector.definition.environment import Environment
    from connector.definition.load import load_all
    from connector.stream.process import run_worker

    settings = load(config, overrides).settings
    logs.configure(settings.log)
    if not settings.providers:
        remedy = "name definition files, a folder of them, or catalogue names: `providers: [definitions/]`"
        raise SettingsError([Problem("no provider is configured", remedy, path="providers")])
    definitions = load_all(settings.providers, Environment(os.environ))
    for definition in definitions.values():
        logs.SECRETS.add(definition.secrets.values())
        for warning in definition.warnings:
            log.warning("definition", warning=str(warning))
    if problems := misfits(definitions.values(), settings):
        raise DefinitionError(problems)
    place = listen(settings.console)
    return run_worker(settings, definitions, attendants=[Console(place)] if place is not None else [])
