"""`sms-connector render`: the exact requests that events would become, without sending anything."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import click
import orjson

from connector.cli import completing
from connector.cli.inputs import EVENTS_BYTES, read_input
from connector.cli.output import note
from connector.config_text.environment import Environment
from connector.definition.arguments import MISSING
from connector.definition.load import load
from connector.definition.system import MESSAGE_ID, overridden
from connector.definition.tree import Auth, Constant, Definition, Login, OAuth2, Sign, SigV4
from connector.definition.walk import reads
from connector.errors import UsageError
from connector.masking import MASK
from connector.model import Message
from connector.request.show import curl, legible, show
from connector.settings.names import did_you_mean
from connector.settings.way_back import URL
from connector.workbench.events import NamedEvent, label, read_events
from connector.workbench.planning import RenderPlan, plan_requests, references


def _is_url(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and URL.fullmatch(value) is None:
        raise UsageError(f"--{str(option.name).replace('_', '-')}: write https://sms.example.com")
    return value and value.rstrip("/")


@click.command()
@click.argument("definition", metavar="FILE", shell_complete=completing.definitions)
@click.option(
    "-e",
    "--event",
    "files",
    multiple=True,
    required=True,
    metavar="EVENTS",
    shell_complete=completing.files,
    help="File of events; - is standard input.",
)
@click.option("--curl", "as_curl", is_flag=True, help="As curl commands.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.option("--time", "at", metavar="ISO", help="Render as if it were this time (RFC 3339); default: now.")
@click.option(
    "--receive-url",
    metavar="URL",
    callback=_is_url,
    help="Render as if this were the setting receive.url. References in callback URLs are made up.",
)
def render(
    definition: str,
    *,
    files: tuple[str, ...],
    as_curl: bool,
    as_json: bool,
    at: str | None,
    receive_url: str | None,
) -> None:
    """Show the exact requests that events become under a definition: a file, or a name of the catalogue.

    An event file holds one JSON object, an array of them, or one per line. Events are grouped into requests as the
    connector groups them: by operation, campaign and everything that stands outside the records. Secrets print as
    ${NAME}. Nothing is sent.

    Exit codes: 0 shown, 1 an event is invalid, 2 usage, 78 configuration: the definition is wrong.

    \b
    Examples:
      sms-connector render providers/acme.yaml --event event.json
      sms-connector render plivo --event events.jsonl --curl
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    if as_curl and as_json:
        raise UsageError("--curl and --json: choose one")
    loaded = load(definition, environment=Environment.placeholders())
    plan = plan_requests(loaded, list(_events(files)), _instant(at), receive_url)
    for line in _overridden(plan, loaded):
        note(line)
    if as_json:
        click.echo(orjson.dumps(_document(plan, loaded), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n\n".join(_texts(plan, loaded, as_curl=as_curl)))
    if plan.invalid:
        raise click.exceptions.Exit(1)


# ---- events ---------------------------------------------------------------------------------------------------------


def _events(files: Iterable[str]) -> Iterator[NamedEvent]:
    for file in files:
        data = read_input("--event", file, EVENTS_BYTES)
        found = list(read_events(data, "stdin" if file == "-" else file))
        if not found:
            raise UsageError(f"--event {file}: it holds no event")
        for field in dict.fromkeys(field for event in found for field in event.unknown):
            hint = did_you_mean(field, Message.__struct_fields__)
            note(f"{file}: no message has a field {field!r}{f', {hint}' if hint else ''}; it is ignored")
        yield from found


def _overridden(plan: RenderPlan, definition: Definition) -> Iterator[str]:
    """The events whose `custom.MessageID` is sent, as it is in this release only."""
    reading = {operation.name for operation in definition.operations if reads(operation, MESSAGE_ID)}
    for sent in plan.requests:
        for event in sent.events if sent.operation in reading else ():
            if event.message is not None and overridden(event.message) is not MISSING:
                yield f"{event.name}: custom.MessageID is sent as $$MessageID; the next release sends message_id"


def _instant(at: str | None) -> float:
    if at is None:
        return time.time()
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        raise UsageError(f"--time {at}: write it like 2026-01-31T09:00:00Z") from None
    if instant.tzinfo is None:  # this machine's is not that of whoever reads the requests
        raise UsageError(f"--time {at}: it has no zone; add Z or an offset, as in 2026-01-31T09:00:00+05:30")
    return instant.timestamp()


# ---- output ---------------------------------------------------------------------------------------------------------


def _texts(plan: RenderPlan, definition: Definition, *, as_curl: bool) -> Iterator[str]:
    count = len(plan.requests)
    for number, sent in enumerate(plan.requests, 1):
        ids = ", ".join(_id(event) for event in sent.events[:5])
        more = f" and {len(sent.events) - 5} more" if len(sent.events) > 5 else ""
        head = f"# {number}/{count} {definition.name}.{sent.operation}, {len(sent.events)} messages: {ids}{more}"
        lines = [head.replace("1 messages", "1 message") if len(sent.events) == 1 else head, *_notes(sent.auth)]
        write = curl if as_curl else show
        yield "\n".join([*lines, write(sent.request, references(definition, sent.events))])
    if plan.invalid:
        yield "\n".join(["# invalid", *(f"# {_id(event)}: {reason}" for event, reason in plan.invalid)])


def _notes(auth: Auth) -> Iterator[str]:
    """What is added when it is sent."""
    if isinstance(auth, OAuth2):
        yield f"# when it is sent, a header `Authorization: Bearer …` is added, with a token from {auth.url}"
    elif isinstance(auth, SigV4):
        yield f"# when it is sent, it is signed for AWS ({auth.service}, {auth.region})"
    elif isinstance(auth, Sign):
        yield f"# signed when it is sent, for each attempt: {MASK} stands for what is made of secrets"
    elif isinstance(auth, Login):
        url = auth.requests[0].url
        where = url.value if isinstance(url, Constant) else url.parts[0]
        yield f"# when it is sent, {MASK} is what a login at {where} brings, or is made of it"


def _id(event: NamedEvent) -> str:
    """On one line: what follows a `#` in a shell command must stay there."""
    text = label(event)
    return text if text.isprintable() else repr(text)


def _document(plan: RenderPlan, definition: Definition) -> dict[str, Any]:
    requests = []
    for sent in plan.requests:
        request = legible(sent.request, references(definition, sent.events))
        body = None if request.body is None else request.body.decode(errors="backslashreplace")
        requests.append(
            {
                "operation": sent.operation,
                "method": request.method,
                "url": request.url,
                "headers": request.headers,
                "body": body,
                "batch_id": sent.batch.id,
                "messages": [_id(event) for event in sent.events],
            }
        )
    invalid = [{"message": _id(event), "reason": reason} for event, reason in plan.invalid]
    return {"requests": requests, "invalid": invalid}
