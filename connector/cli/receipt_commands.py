"""`sms-connector receipts`: what became of messages, as their providers report it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import click
import structlog

from connector import logs
from connector.cli.lazy_group import LazyGroup
from connector.cli.options import config_option, load, set_option
from connector.errors import Problem, SettingsError

log = structlog.get_logger(__name__)


COMMANDS = {
    "run": ("connector.cli.receipt_commands:run", "Turn receipts into states of messages, each written once."),
    "summary": ("connector.cli.receipt_summary:summary", "Count what became of accepted messages."),
    "replay": ("connector.cli.receipt_replay:replay", "Read what belonged to no message once more."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def receipts() -> None:
    """What became of messages, as their providers report it."""


@click.command()
@click.option(
    "--child", type=(int, click.Path(path_type=Path)), hidden=True, help="Number and socket, from the parent."
)
@config_option
@set_option
def run(config: Path | None, overrides: tuple[str, ...], child: tuple[int, Path] | None) -> int:
    """Turn the receipts that `receive` has written into states of messages, each written once.

    Start more of it to scale: they share the partitions. States are kept on disk (`receipts.folder`) as a view of
    topics.receipts, and made anew from it where the disk is lost. SIGTERM writes what is being written and leaves.
    Definitions are loaded again when their files change, and on SIGHUP.

    Exit codes: 0 stopped, 1 crash, 2 usage, 70 a deadline passed, 71 no progress (watchdog), 78 configuration: do not
    restart on 78, a person has to mend it.

    \b
    Examples:
      sms-connector receipts run --config connector.yaml
      sms-connector receipts run --set receipts.folder=/var/lib/sms-receipts
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    from connector.cli.definitions import ConfiguredDefinitions
    from connector.config_text.environment import Environment
    from connector.health.join_pages import JoinHealth
    from connector.health.server import listen, listen_unix
    from connector.stream.receipts.join_process import run_receipts
    from connector.stream.shutdown.stop_signals import StopSignals

    signals = StopSignals()
    signals.install()
    loaded = load(config, overrides)
    settings = loaded.settings
    logs.configure(settings.log)
    for warning in loaded.warnings:
        log.warning("a setting has another name now", what=str(warning))
    if child is not None:
        structlog.contextvars.bind_contextvars(worker=child[0])
    if not settings.providers:
        remedy = "name definition files, a folder of them, or catalogue names: `providers: [definitions/]`"
        raise SettingsError([Problem("no provider is configured", remedy, path="providers")])
    source = ConfiguredDefinitions(settings, Environment(os.environ))
    definitions = source.load()
    place = listen_unix(child[1]) if child is not None else listen(settings.health)
    with place or contextlib.nullcontext():
        attendants = [] if place is None else [JoinHealth(place)]
        return run_receipts(settings, definitions, signals=signals, source=source, attendants=attendants)
