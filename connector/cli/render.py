"""`sms-connector render`: the exact requests that events would become, without sending anything."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import click
import msgspec
import orjson

from connector.cli.inputs import EVENTS_BYTES, read_input
from connector.cli.output import note
from connector.config_text.environment import Environment
from connector.definition.arguments import MISSING
from connector.definition.check_receipts import needed_references
from connector.definition.load import load
from connector.definition.signing import login_names
from connector.definition.system import MESSAGE_ID, overridden
from connector.definition.tree import Auth, Constant, Definition, Login, OAuth2, Sign, SigV4
from connector.definition.walk import reads
from connector.delivery.route import Route, compile_routes
from connector.delivery.sending.request_builder import Router
from connector.errors import MessageError, UsageError
from connector.masking import MASK
from connector.model import Batch, Message, Priority, ReferenceMaker, Request, Source
from connector.receipts.sent_references import ReferenceSigner
from connector.receipts.tokens import Tokens
from connector.request.show import curl, legible, show
from connector.request.signer import Clockwork, Signer
from connector.settings.way_back import URL
from connector.stream.intake.unreadable import fault

RECEIVER = "https://receiver.invalid"
TOPIC = "sms.messages"
"""Where events of files would stand."""


@dataclass(slots=True)
class NamedEvent:
    """One event of a file. `name` says which, for people; `fault` is why it is no message."""

    name: str
    message: Message | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class RenderedRequest:
    """One request, and the events in it."""

    operation: str
    auth: Auth
    request: Request
    batch: Batch
    events: tuple[NamedEvent, ...]


@dataclass(slots=True)
class RenderPlan:
    """What would be sent; and what could not be, with the reason."""

    requests: list[RenderedRequest] = field(default_factory=list)
    invalid: list[tuple[NamedEvent, str]] = field(default_factory=list)


def _is_url(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and URL.fullmatch(value) is None:
        raise UsageError(f"--{str(option.name).replace('_', '-')}: write https://sms.example.com")
    return value and value.rstrip("/")


@click.command()
@click.argument("definition", metavar="FILE")
@click.option(
    "-e",
    "--event",
    "files",
    multiple=True,
    required=True,
    metavar="EVENTS",
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
        yield from found


def read_events(data: bytes, name: str) -> Iterator[NamedEvent]:
    """The events of one file: an object, an array of objects, or lines of objects."""
    try:
        whole = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        lines = data.splitlines()
        yield from (_event(line, f"{name}:{number}") for number, line in enumerate(lines, 1) if line.strip())
        return
    if isinstance(whole, list):
        for index, raw in enumerate(msgspec.json.decode(data, type=list[msgspec.Raw])):
            yield _event(bytes(raw), f"{name}[{index}]")
    else:
        yield _event(data, name)


def _event(raw: bytes, name: str) -> NamedEvent:
    try:
        return NamedEvent(name, msgspec.json.decode(raw, type=Message))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return NamedEvent(name, fault=f"not a message: {fault(raw, error)}")


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
        return datetime.fromisoformat(at).astimezone().timestamp()
    except ValueError:
        raise UsageError(f"--time {at}: write it like 2026-01-31T09:00:00Z") from None


# ---- the plan -------------------------------------------------------------------------------------------------------


def plan_requests(
    definition: Definition, events: Sequence[NamedEvent], now: float, receive_url: str | None = None
) -> RenderPlan:
    """Group and render as a lane does when all events wait in their windows; ids of batches depend only on events.

    `receive_url`: with it, what receipts are known by is shown as well.
    """
    plan = RenderPlan()
    routes = compile_routes(definition)
    signer = _signer(definition.name, routes, receive_url)
    router = Router(definition.name, routes)
    windows: dict[Any, list[NamedEvent]] = {}

    def offer(event: NamedEvent, after: int = -1) -> None:
        if event.message is None:
            plan.invalid.append((event, event.fault))
            return
        try:
            key = router.key(event.message, event.message.priority is Priority.HIGH, after)
        except MessageError as error:
            plan.invalid.append((event, error.reason))
        else:
            windows.setdefault(key, []).append(event)

    for event in events:
        offer(event)
    while windows:
        key = next(iter(windows))
        waiting = windows.pop(key)
        route = routes[key.operation]
        while waiting:
            if len(waiting) < route.renderer.min_records:
                for event in waiting:
                    offer(event, key.operation)
                break
            waiting = _render(route, waiting, now, plan, signer)
    return plan


def _signer(name: str, routes: Sequence[Route], receive_url: str | None) -> ReferenceMaker | None:
    """Makes references as long as real ones, which prove nothing; None where they would be left out."""
    needed = any(True for route in routes for _ in needed_references(route.operation))
    if receive_url is None and not needed:
        return None
    return ReferenceSigner(Tokens([MASK], [TOPIC]), name, receive_url or RECEIVER)


def _render(
    route: Route, waiting: list[NamedEvent], now: float, plan: RenderPlan, signer: ReferenceMaker | None
) -> list[NamedEvent]:
    """Render one request of the first of `waiting`; gives those that wait on."""
    taken, later = waiting[: route.renderer.max_records], waiting[route.renderer.max_records :]
    messages = [event.message for event in taken if event.message is not None]
    batch = Batch(_batch_id(messages), now)
    if signer is not None:
        batch.references = signer.of(messages, [Source(TOPIC, 0, index) for index in range(len(messages))], now)
    rendered = route.renderer.render(messages, batch)
    plan.invalid += [(taken[index], error.reason) for index, error in rendered.invalid]
    if rendered.request is not None:
        sent = tuple(taken[index] for index in rendered.sent)
        request = _added(rendered.request, route.operation.auth, batch)
        plan.requests.append(RenderedRequest(route.operation.name, route.operation.auth, request, batch, sent))
    return [taken[index] for index in rendered.left] + later


def _added(request: Request, auth: Auth, batch: Batch) -> Request:
    """With what is added when it is sent; a mask stands for signatures and tokens."""
    clockwork = Clockwork(batch.now, lambda: hashlib.blake2b(batch.id.encode(), digest_size=16).hexdigest())
    match auth:
        case Sign(additions):
            return Signer(additions).sign(request, clockwork, masked=True).request
        case Login():
            names = login_names(auth)
            signer = Signer(auth.use, names=names, place="auth.login.use")
            return signer.sign(request, clockwork, dict.fromkeys(names, MASK), masked=True).request
    return request


def _batch_id(messages: Sequence[Message]) -> str:
    """The connector draws them at random; here the same events show the same request."""
    names = "\n".join(message.message_id for message in messages)
    return hashlib.blake2b(names.encode(errors="replace"), digest_size=16).hexdigest()


# ---- output ---------------------------------------------------------------------------------------------------------


def _texts(plan: RenderPlan, definition: Definition, *, as_curl: bool) -> Iterator[str]:
    count = len(plan.requests)
    for number, sent in enumerate(plan.requests, 1):
        ids = ", ".join(_id(event) for event in sent.events[:5])
        more = f" and {len(sent.events) - 5} more" if len(sent.events) > 5 else ""
        head = f"# {number}/{count} {definition.name}.{sent.operation}, {len(sent.events)} messages: {ids}{more}"
        lines = [head.replace("1 messages", "1 message") if len(sent.events) == 1 else head, *_notes(sent.auth)]
        write = curl if as_curl else show
        yield "\n".join([*lines, write(sent.request, _references(definition, sent.events))])
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
    text = event.message.message_id if event.message is not None else event.name
    return text if text.isprintable() else repr(text)


def _references(definition: Definition, events: Iterable[NamedEvent]) -> list[str]:
    """The definition's `${NAME}` that no event holds: a shell must never put a secret where a user wrote its name."""
    texts = [orjson.dumps(msgspec.to_builtins(event.message)).decode() for event in events]
    return [reference for reference in definition.secrets if not any(reference in text for text in texts)]


def _document(plan: RenderPlan, definition: Definition) -> dict[str, Any]:
    requests = []
    for sent in plan.requests:
        request = legible(sent.request, _references(definition, sent.events))
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
