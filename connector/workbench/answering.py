"""What a provider's reply means for the messages of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from connector.definition.tree import Definition, Operation
from connector.errors import UsageError
from connector.model import Message, Outcome, Reply
from connector.response.considered import Considered, consider
from connector.response.reply_reader import compile_response
from connector.workbench.events import NamedEvent, label
from connector.workbench.planning import plan_requests


@dataclass(slots=True)
class Answered:
    """What a reply means.

    Attributes:
        operation: the one that was asked.
        outcomes: of the messages in the request, in its order.
        rule: what decided for all of them; None when it was looked at message by message.
        absent: events that are not in the request, by id or place, and why.
        faults: path of an expression → how often it failed, and therefore did not hold.
        considered: the rules that were asked, and why each did not hold.
    """

    operation: str
    outcomes: list[tuple[Message, Outcome]]
    rule: str | None
    absent: list[tuple[str, str]] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    considered: list[Considered] = field(default_factory=list)


def answer(
    definition: Definition,
    events: Sequence[NamedEvent],
    given: Reply,
    *,
    now: float,
    name: str | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Answered:
    """What `given` means for the first request that `events` become.

    Args:
        definition: loaded to be shown.
        events: of which the first request is made.
        given: the reply.
        now: seconds since the epoch.
        name: of the operation that was asked; by default the first that fits the events.
        secrets: `${NAME}` → value, which the reply may echo; by default those of the definition.

    Raises UsageError when the events become no request.
    """
    if name is not None:
        definition = replace(definition, operations=(_operation(definition, name),))
    plan = plan_requests(definition, events, now)
    if not plan.requests:
        raise UsageError(f"no request to reply to: {'; '.join(f'{event.name}: {why}' for event, why in plan.invalid)}")
    first, *others = plan.requests
    messages = [event.message for event in first.events if event.message is not None]
    operation = _operation(definition, first.operation)
    secrets = definition.secrets if secrets is None else secrets
    reader = compile_response(operation, secrets)
    reading = reader.read(given, messages, first.batch, now)
    return Answered(
        operation.name,
        list(zip(messages, reading.outcomes, strict=True)),
        reading.whole.rule if reading.whole is not None else None,
        [(label(event), f"invalid: {why}") for event, why in plan.invalid]
        + [(label(event), f"in another request ({sent.operation})") for sent in others for event in sent.events],
        dict(reader.faults),
        consider(operation, given, messages, batch=first.batch, now=now, secrets=secrets),
    )


def _operation(definition: Definition, name: str) -> Operation:
    for operation in definition.operations:
        if operation.name == name:
            return operation
    names = ", ".join(operation.name for operation in definition.operations)
    raise UsageError(f"--operation {name}: {definition.name} has {names}")
