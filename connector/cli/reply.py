"""`sms-connector reply`: what would this reply mean for these messages?"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
import orjson

from connector.cli.inputs import REPLY_BYTES, read_input
from connector.cli.render import NamedEvent, plan_requests, read_events
from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import Definition, Operation
from connector.errors import UsageError
from connector.model import Message, Outcome, Reply
from connector.response.reply_reader import compile_response


@dataclass(slots=True)
class Answered:
    """What a reply means.

    Attributes:
        operation: the one that was asked.
        outcomes: of the messages in the request, in its order.
        rule: what decided for all of them; None when it was looked at message by message.
        absent: events that are not in the request, by id or place, and why.
        faults: path of an expression → how often it failed, and therefore did not hold.
    """

    operation: str
    outcomes: list[tuple[Message, Outcome]]
    rule: str | None
    absent: list[tuple[str, str]] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)


@click.command()
@click.argument("definition", metavar="FILE")
@click.option("--event", "events", required=True, metavar="FILE", help="Message events of the request; - for stdin.")
@click.option("--status", type=click.IntRange(100, 999), default=200, show_default=True, help="HTTP status.")
@click.option("--body", metavar="FILE", help="The reply's body as it came; - for stdin. Default: empty.")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Of the reply. Repeatable.")
@click.option("--operation", "name", help="Of the definition; default: the first that fits the events.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per message.")
def reply(
    *,
    definition: str,
    events: str,
    status: int,
    body: str | None,
    headers: tuple[str, ...],
    name: str | None,
    as_json: bool,
) -> None:
    """Show what a provider's reply means for each message, and the rule that decided.

    FILE is a definition or the name of one in the catalogue. Nothing is sent and no secret is needed.

    Exit codes: 0 shown, 1 an event is invalid, 2 usage, 78 configuration: the definition is wrong.

    \b
    Examples:
      sms-connector reply providers/acme.yaml --event events.jsonl --body reply.json
      curl … | sms-connector reply acme --event events.jsonl --status 503 --header 'Retry-After: 30' --body -
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    if events == body == "-":
        raise UsageError("--event - and --body -: only one of them can be standard input")
    loaded = load(definition, environment=Environment.placeholders())
    content = _bytes("--body", body) if body is not None else b""
    given = Reply(status, dict(_header(header) for header in headers), content, len(content) > loaded.http.reply_bytes)
    found = list(read_events(_bytes("--event", events), "stdin" if events == "-" else events))
    answered = answer(loaded, found, given, name=name)
    click.echo(as_lines(answered) if as_json else as_text(answered, given))


def answer(definition: Definition, events: Sequence[NamedEvent], given: Reply, *, name: str | None = None) -> Answered:
    """What `given` means for the first request that `events` become.

    Raises UsageError when they become none.
    """
    if name is not None:
        definition = replace(definition, operations=(_operation(definition, name),))
    now = time.time()
    plan = plan_requests(definition, events, now)
    if not plan.requests:
        raise UsageError(f"no request to reply to: {'; '.join(f'{event.name}: {why}' for event, why in plan.invalid)}")
    first, *others = plan.requests
    messages = [event.message for event in first.events if event.message is not None]
    operation = _operation(definition, first.operation)
    reader = compile_response(operation, _secrets(definition))
    reading = reader.read(given, messages, first.batch, now)
    return Answered(
        operation.name,
        list(zip(messages, reading.outcomes, strict=True)),
        reading.whole.rule if reading.whole is not None else None,
        [(_id(event), f"invalid: {why}") for event, why in plan.invalid]
        + [(_id(event), f"in another request ({sent.operation})") for sent in others for event in sent.events],
        dict(reader.faults),
    )


def _secrets(definition: Definition) -> dict[str, str]:
    """The definition's secrets as far as this environment has them: a captured reply may echo them."""
    return {
        name: os.environ.get(name.removeprefix("${").removesuffix("}"), value)
        for name, value in definition.secrets.items()
    }


def _operation(definition: Definition, name: str) -> Operation:
    for operation in definition.operations:
        if operation.name == name:
            return operation
    names = ", ".join(operation.name for operation in definition.operations)
    raise UsageError(f"--operation {name}: {definition.name} has {names}")


def _id(event: NamedEvent) -> str:
    return event.message.message_id if event.message is not None else event.name


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
