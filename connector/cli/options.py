"""Options that commands share: where the settings come from."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from connector.errors import UsageError
from connector.logs import SECRETS
from connector.settings import Loaded, load_settings
from connector.settings.names import FILE_VARIABLE

DEFAULT_FILE = Path("connector.yaml")


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--config` and `--set` to a command; it gets the settings as its argument `loaded`."""

    @click.option(
        "-c",
        "--config",
        "file",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar=FILE_VARIABLE,
        help="Settings file; default: connector.yaml in this folder, where there is one.",
    )
    @click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="NAME=VALUE",
        help="A setting, such as group=test; wins over all.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, file: Path | None, assignments: tuple[str, ...], **kwargs: Any) -> Any:
        return command(*args, loaded=load(file, assignments), **kwargs)

    return wrapped


def load(file: Path | None, assignments: tuple[str, ...] = (), **overrides: Any) -> Loaded:
    """Settings of this process: `file` or `connector.yaml`, the environment, `--set`, and options as `overrides`.

    From then on no log line shows the secrets in them.

    Raises:
        UsageError: an assignment is not NAME=VALUE.
        SettingsError: with every problem at once.
    """
    given = dict(overrides)
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set {assignment}: write NAME=VALUE, such as --set group=test")
        given[name] = value
    if file is None and DEFAULT_FILE.exists():
        file = DEFAULT_FILE
    loaded = load_settings(file=file, environ=os.environ, overrides=given)
    SECRETS.add(loaded.settings.secrets())
    return loaded
