"""`sms-connector reply`: what would this reply mean for these messages?"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
import orjson

from connector.cli import completing
from connector.cli.inputs import REPLY_BYTES, read_input
from connector.cli.output import note, say
from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import Definition
from connector.errors import UsageError
from connector.model import Outcome, Reply
from connector.workbench.answering import Answered, answer
from connector.workbench.events import read_events


@click.command()
@click.argument("definition", metavar="FILE", shell_complete=completing.definitions)
@click.option(
    "--event",
    "events",
    required=True,
    metavar="FILE",
    shell_complete=completing.files,
    help="Message events of the request; - for stdin.",
)
@click.option("--status", type=click.IntRange(100, 999), default=200, show_default=True, help="HTTP status.")
@click.option(
    "--body",
    metavar="FILE",
    shell_complete=completing.files,
    help="The reply's body as it came; - for stdin. Default: empty.",
)
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Of the reply. Repeatable.")
@click.option("--operation", "name", help="Of the definition; default: the first that fits the events.")
@click.option("--why", is_flag=True, help="Say of each rule that was asked why it did not hold.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per message.")
def reply(
    *,
    definition: str,
    events: str,
    status: int,
    body: str | None,
    headers: tuple[str, ...],
    name: str | None,
    why: bool,
    as_json: bool,
) -> None:
    """Show what a provider's reply means for each message, and the rule that decided.

    FILE is a definition or the name of one in the catalogue. Nothing is sent and no secret is needed.

    Exit codes: 0 shown, 1 an event is invalid, 2 usage, 78 configuration: the definition is wrong.

    \b
    Examples:
      sms-connector reply providers/acme.yaml --event events.jsonl --body reply.json
      curl … | sms-connector reply providers/acme.yaml --event events.jsonl --status 503 --body -
      sms-connector reply providers/acme.yaml --event events.jsonl --status 429 --header 'Retry-After: 30'
      sms-connector reply providers/acme.yaml --event events.jsonl --body reply.json --why
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    if events == body == "-":
        raise UsageError("--event - and --body -: only one of them can be standard input")
    loaded = load(definition, environment=Environment.placeholders())
    content = _bytes("--body", body) if body is not None else b""
    given = Reply(status, dict(_header(header) for header in headers), content, len(content) > loaded.http.reply_bytes)
    found = list(read_events(_bytes("--event", events), "stdin" if events == "-" else events))
    answered = answer(loaded, found, given, now=time.time(), name=name, secrets=_secrets(loaded))
    if as_json:
        click.echo(as_lines(answered))
    else:
        say(as_text(answered, given))
    for each in answered.considered if why else ():
        entry = "" if each.entry is None else f", entry {each.entry}"
        note(f"  {each.rule}{entry}: {'it held' if each.held else each.why}")


def _secrets(definition: Definition) -> dict[str, str]:
    """The definition's secrets as far as this environment has them: a captured reply may echo them."""
    return {
        name: os.environ.get(name.removeprefix("${").removesuffix("}"), value)
        for name, value in definition.secrets.items()
    }


# ---- input ----------------------------------------------------------------------------------------------------------


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"--header {text}: write 'NAME: VALUE', such as 'Retry-After: 30'")
    return name.strip().lower(), value.strip()


def _bytes(option: str, file: str) -> bytes:
    return read_input(option, file, REPLY_BYTES)


# ---- output ---------------------------------------------------------------------------------------------------------


def as_lines(answered: Answered) -> str:
    """For programs: one object per message, absent fields left out."""
    documents: list[dict[str, Any]] = []
    for message, outcome in answered.outcomes:
        said = {name: value for name, value in msgspec.structs.asdict(outcome).items() if value not in (None, "")}
        documents.append({"message_id": message.message_id, "operation": answered.operation, **said})
    documents += [{"message_id": name, "not_sent": why} for name, why in answered.absent]
    return b"\n".join(orjson.dumps(document) for document in documents).decode()


def as_text(answered: Answered, given: Reply) -> str:
    """For people."""
    head = f"{answered.operation}: HTTP {given.status}, {len(given.body):,} bytes, {len(answered.outcomes)} messages"
    decided = f"one rule for all: {answered.rule}" if answered.rule else "message by message"
    lines = [f"{head}; {decided}"]
    names = [message.message_id for message, _ in answered.outcomes] + [name for name, _ in answered.absent]
    width = max(map(len, names), default=0)
    for message, outcome in answered.outcomes:
        lines.append(f"  {message.message_id:{width}}  {outcome.then:9}  {_details(outcome)}  [{outcome.rule}]")
    lines += [f"  {name:{width}}  not sent   {why}" for name, why in answered.absent]
    lines += [
        f"  warning: {path} failed on this reply ({count}×), so it did not hold"
        for path, count in answered.faults.items()
    ]
    return "\n".join(lines)


def _details(outcome: Outcome) -> str:
    until = datetime.fromtimestamp(outcome.until, UTC).isoformat(timespec="seconds") if outcome.until else None
    after = f"{outcome.after:g} s" if outcome.after is not None else None
    said = {
        "id": outcome.provider_message_id,
        "batch": outcome.provider_batch_id,
        "code": outcome.code,
        "after": after,
        "until": until,
        "reason": outcome.reason,
    }
    return ", ".join(f"{name} {value}" for name, value in said.items() if value is not None) or "-"
