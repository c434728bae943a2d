"""`sms-connector providers`: the shipped definitions, and what each needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict

import click

from connector.cli import completing
from connector.cli.output import print_json, print_table, say
from connector.definition.files import find
from connector.workbench.catalogue import Summary, names, summarise


@click.group()
def providers() -> None:
    """The shipped provider definitions."""


@providers.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per provider.")
def list_(*, as_json: bool) -> None:
    """List the shipped definitions.

    Exit codes: 0 listed, 2 usage.

    \b
    Examples:
      sms-connector providers list
      sms-connector providers list --json
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    summaries = [summarise(name) for name in names()]
    if as_json:
        for summary in summaries:
            print_json(asdict(summary))
        return
    rows = [(it.name, " / ".join(way.batch for way in it.ways), it.title) for it in summaries]
    print_table(("provider", "in a request", "title"), rows)


@providers.command()
@click.argument("name", metavar="NAME", shell_complete=completing.catalogue)
@click.option("--file", "as_file", is_flag=True, help="The definition itself, as it is shipped.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def show(name: str, *, as_file: bool, as_json: bool) -> None:
    """Show what a definition needs (variables, custom values), how it sends, and its quirks.

    Exit codes: 0 shown, 2 usage, 78 configuration: there is none of that name.

    \b
    Examples:
      sms-connector providers show plivo
      sms-connector providers show plivo --file
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    if as_file:
        click.echo(find(name, []).read_text("utf-8"), nl=False)
        return
    summary = summarise(name)
    if as_json:
        print_json(asdict(summary))
    else:
        say("\n".join(_lines(summary)))


def _lines(summary: Summary) -> Iterator[str]:
    yield f"{summary.name}: {summary.title}"
    yield f"  source: {summary.source}"
    yield f"  limits: {summary.limits}"
    yield "  environment:"
    for name, text in summary.env.items():
        yield f"    {name:<26} {text}{'' if os.environ.get(name) or text.startswith('optional') else '  (not set)'}"
    if summary.custom:
        yield f"  custom values an event or its campaign must bring: {', '.join(summary.custom)}"
    if summary.optional:
        yield f"  custom values it may bring: {', '.join(summary.optional)}"
    for way in summary.ways:
        yield f"  {way.name}: {way.method} {way.encoding} {way.address}"
        yield f"    messages in a request: {way.batch}"
        if way.batch != "1":
            yield f"    in common: {way.key}"
            yield f"    told apart by: {way.correlation}"
        yield f"    repeated requests suppressed: {way.idempotency}"
        for word, codes in way.again.items():
            yield f"    {word}: {', '.join(codes)}"
    yield from _listed("quirks", summary.notes)
    yield from _listed("not verified", summary.unverified)


def _listed(title: str, lines: tuple[str, ...]) -> Iterator[str]:
    if lines:
        yield f"  {title}:"
        yield from (f"    - {line}" for line in lines)
