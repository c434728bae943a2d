"""A group of commands that imports one when it is needed, so that `--help` imports none."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from connector.cli.quick_imports import quick_imports


class LazyGroup(click.Group):
    """Knows its commands by name.

    Args:
        lazy: command → module:attribute, and one line for the list of commands.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return None
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        with quick_imports():
            command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in self._lazy.items()])
