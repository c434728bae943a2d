"""What a shell offers behind an option or command: files, catalogue names, configured providers, campaigns, settings.

A shell asks at each Tab and shows whatever is printed: nothing here may fail, talk or take long. What is not known is
not offered. Kafka is asked only where the user has said so (`completion SHELL --ask-kafka`), for a moment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from connector.settings import Settings

ASK_KAFKA = "_SMS_CONNECTOR_ASK_KAFKA"
"""Set by the script of a shell that may ask Kafka."""
KAFKA_SECONDS = 3.0
OFFERED = 500
"""More choose nothing."""
HEAD_BYTES = 4096
"""Of a definition, in which its `name` is looked for."""

Items = list[CompletionItem]
_named = re.compile(rb"^[\"']?name[\"']?:[ \t]*[\"']?([\w.-]+)", re.MULTILINE).search


def _quiet(find: Callable[[click.Context, str], Iterable[CompletionItem]]) -> Callable[..., Items]:
    """As click calls it. A fault offers nothing: the command itself will say what is wrong."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> Items:
        try:
            return list(find(ctx, incomplete))[:OFFERED]
        except (Exception, SystemExit):
            return []

    return complete


@_quiet
def files(_: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """Any file, as the shell finds them."""
    yield CompletionItem(incomplete, type="file")


@_quiet
def definitions(_: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """Names of the catalogue, and files. A shell lists files only where nothing else is offered."""
    found = [] if "/" in incomplete else list(_starting(_catalogue(), incomplete))
    yield from found
    if found:
        yield from _starting(sorted(it.name for it in Path().glob("*.y*ml")), incomplete)
    else:
        yield CompletionItem(incomplete, type="file")


@_quiet
def catalogue(_: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """Names of the catalogue."""
    yield from _starting(_catalogue(), incomplete)


@_quiet
def providers(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """Providers of the settings."""
    yield from _starting(sorted(_configured(_settings(ctx))), incomplete)


@_quiet
def campaigns(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """Campaigns of the control topic, where Kafka may be asked."""
    if not os.environ.get(ASK_KAFKA):
        return
    from connector.cli import control_topic

    known = control_topic.read(_settings(ctx), timeout=KAFKA_SECONDS).campaigns
    yield from _starting(sorted(known), incomplete)


@_quiet
def sources(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """Source topics of the settings."""
    yield from _starting(_settings(ctx).topics.source_names, incomplete)


def _starting(names: Iterable[str], incomplete: str) -> Iterator[CompletionItem]:
    return (CompletionItem(name) for name in names if name.startswith(incomplete) and name.isprintable())


def _catalogue() -> list[str]:
    from connector.definition.files import CATALOGUE

    return sorted(file.stem for file in CATALOGUE.glob("*.yaml"))


def _settings(ctx: click.Context) -> Settings:
    """Those of the command line so far."""
    from connector.cli.options import load

    given: dict[str, Any] = ctx.params
    config = given.get("config")
    return load(None if config is None else Path(config), given.get("overrides") or ()).settings


def _configured(settings: Settings) -> Iterator[str]:
    """Their names, without the work of loading them."""
    from connector.definition.load import definition_files

    for given in settings.providers:
        for file in definition_files(given):
            with file.open("rb") as stream:
                named = _named(stream.read(HEAD_BYTES))
            yield named[1].decode() if named is not None else file.stem
