"""`sms-connector run`: one worker, or several, and what else is to run beside them."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
from pathlib import Path

import click
import structlog

from connector import logs
from connector.cli.options import config_option, load, set_option
from connector.cli.quick_imports import quick_imports
from connector.errors import Problem, SettingsError, UsageError

log = structlog.get_logger(__name__)


@click.command()
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes: one per core.")
@click.option(
    "--with",
    "beside",
    metavar="receive,receipts",
    default="",
    help="Take callbacks, and make states of receipts, beside the workers: for small set-ups.",
)
@click.option(
    "--child", type=(int, click.Path(path_type=Path)), hidden=True, help="Number and socket, from the parent."
)
@config_option
@set_option
def run(
    config: Path | None, overrides: tuple[str, ...], workers: int, beside: str, child: tuple[int, Path] | None
) -> int:
    """Consume message events, send them to their providers, write one result per message.

    Start more of it to scale: workers of one group share the partitions. SIGTERM finishes what is in flight and leaves.
    --workers N keeps N of them running on this machine: one that ends is started again, after a pause that grows,
    unless its exit code says that a person has to mend something (2, 78); one port answers for all.
    --with receive,receipts runs `receive` and `receipts run` in the same way, in processes of their own.
    Definitions are loaded again when their files change, and on SIGHUP; one that is wrong is told about and not used.

    Exit codes: 0 stopped, 1 crash, 2 usage, 70 a deadline passed, 71 no progress (watchdog), 78 configuration: do not
    restart on 78, a person has to mend it.

    \b
    Examples:
      sms-connector run --config connector.yaml
      sms-connector run --workers 4
      sms-connector run --with receive,receipts
      sms-connector run --set delivery=dry-run --set start_from=latest
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    from connector.stream.shutdown.stop_signals import StopSignals

    signals = StopSignals()
    signals.install()
    with quick_imports():
        from connector.cli.definitions import ConfiguredDefinitions
        from connector.config_text.environment import Environment
        from connector.health.server import HealthServer, listen, listen_unix

        if workers > 1 or beside:
            from connector.cli.workers import supervise
        else:
            from connector.stream.process import run_worker

        gc.freeze()  # what was imported stays: no collection walks it any more
    loaded = load(config, overrides)
    settings = loaded.settings
    logs.configure(settings.log)
    for warning in loaded.warnings:
        log.warning("a setting has another name now", what=str(warning))
    if not settings.providers:
        remedy = "name definition files, a folder of them, or catalogue names: `providers: [definitions/]`"
        raise SettingsError([Problem("no provider is configured", remedy, path="providers")])
    source = ConfiguredDefinitions(settings, Environment(os.environ))
    definitions = source.load()
    if child is not None:
        structlog.contextvars.bind_contextvars(worker=child[0])
        place: socket.socket | None = listen_unix(child[1])
    else:
        place = listen(settings.health)
    with place or contextlib.nullcontext():
        if workers > 1 or beside:
            options = _arguments(config, overrides)
            return supervise(settings, workers, options, place, signals, beside=_beside(beside))
        attendants = [] if place is None else [HealthServer(place)]
        return run_worker(settings, definitions, signals=signals, source=source, attendants=attendants)


def _beside(names: str) -> list[str]:
    """What `--with` names. Raises UsageError."""
    from connector.cli.workers import BESIDE

    found = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := sorted(set(found) - set(BESIDE)):
        raise UsageError(f"--with {', '.join(unknown)}: write receive, receipts, or both with a comma between them")
    return list(dict.fromkeys(found))


def _arguments(config: Path | None, overrides: tuple[str, ...]) -> list[str]:
    """The options of this command line, for a child."""
    arguments = [] if config is None else ["--config", str(config)]
    return arguments + [part for override in overrides for part in ("--set", override)]
