"""Which results, or dead letters, a command is about: the options."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from connector.cli import completing
from connector.model import Status
from connector.operating.chosen_records import Selection


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options; the command gets them as its argument `selection`."""

    @click.option(
        "--status",
        "statuses",
        multiple=True,
        metavar="STATUS",
        type=click.Choice([it.value for it in Status]),
        help=f"One of {', '.join(Status)}. Repeatable.",
    )
    @click.option(
        "--provider",
        "providers",
        multiple=True,
        metavar="NAME",
        shell_complete=completing.providers,
        help="Repeatable.",
    )
    @click.option("--campaign", metavar="ID", shell_complete=completing.campaigns, help="Of this campaign.")
    @click.option("--message-id", metavar="ID", help="Of this message.")
    @click.option("--reason", metavar="TEXT", help="Whose reason contains this.")
    @functools.wraps(command)
    def wrapped(
        *args: Any,
        statuses: tuple[str, ...],
        providers: tuple[str, ...],
        campaign: str | None,
        message_id: str | None,
        reason: str | None,
        **kwargs: Any,
    ) -> Any:
        selection = Selection(statuses, providers, campaign, message_id, reason)
        return command(*args, selection=selection, **kwargs)

    return wrapped
