"""Options that commands share: where the settings come from."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from connector.errors import UsageError
from connector.logs import SECRETS
from connector.settings import Loaded, load_settings
from connector.settings.names import FILE_VARIABLE, leaves

DEFAULT_FILE = Path("connector.yaml")


def _complete_setting(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Names of settings, with the sign behind which their value goes."""
    return [f"{leaf.name}=" for leaf in leaves() if leaf.name.startswith(incomplete)]


config_option = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar=FILE_VARIABLE,
    help="Settings file; default: connector.yaml in this folder, where there is one.",
)
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=_complete_setting,
    help="A setting, such as group=test; wins over file and environment.",
)


reason_option = click.option(
    "--reason", default="", metavar="TEXT", help="Why, for the others: stands in the control and audit topics."
)


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Both options; the command gets the settings as its argument `loaded`."""

    @config_option
    @set_option
    @functools.wraps(command)
    def wrapped(*args: Any, config: Path | None, overrides: tuple[str, ...], **kwargs: Any) -> Any:
        loaded = load(config, overrides)
        for warning in loaded.warnings:
            click.echo(f"warning: {warning}", err=True)
        return command(*args, loaded=loaded, **kwargs)

    return wrapped


def load(config: Path | None, overrides: Sequence[str] = ()) -> Loaded:
    """Settings of this process: `config` or else `connector.yaml`, the environment, and `--set NAME=VALUE`.

    From then on no log line shows the secrets in them.

    Raises:
        UsageError: an override is not NAME=VALUE.
        SettingsError: with every problem at once.
    """
    given = {}
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals:
            raise UsageError(f"--set {override}: write NAME=VALUE, such as --set group=test")
        given[name] = value
    if config is None and DEFAULT_FILE.exists():
        config = DEFAULT_FILE
    loaded = load_settings(file=config, environ=os.environ, overrides=given)
    SECRETS.add(loaded.settings.secrets())
    return loaded
