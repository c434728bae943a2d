"""The words everything else is written in: message, result, outcome, and what an HTTP attempt looks like.

Events are msgspec structs: they are decoded and encoded once per message, on the hot path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Protocol, final, overload

import msgspec
from msgspec import Meta

NUMBER = r"\+?[1-9][0-9]{4,18}"
"""A recipient: E.164, the plus sign may be left out."""


class Priority(StrEnum):
    """`high` goes first within its lane."""

    NORMAL = "normal"
    HIGH = "high"


class Message(msgspec.Struct, gc=False):
    """One SMS to one recipient, as a service produces it. What unknown fields mean says `events.unknown_fields`."""

    message_id: Annotated[
        str, Meta(min_length=1, max_length=128, description="Unique per message; comes back in the result.")
    ]
    to: Annotated[
        str,
        Meta(
            # Python's `$` also matches before a line break at the end; `\Z` does not. JSON Schema knows only `$`.
            pattern=rf"^{NUMBER}\Z",
            extra_json_schema={"pattern": f"^{NUMBER}$"},
            description="Recipient's phone number, E.164.",
            examples=["+919812345678"],
        ),
    ]
    provider: Annotated[str | None, Meta(description="Name of the provider definition. A campaign may supply it.")] = (
        None
    )
    campaign_id: Annotated[
        Annotated[str, Meta(max_length=256)] | None,
        Meta(description="Messages of one campaign share values and batches."),
    ] = None
    body: Annotated[str | None, Meta(description="The text. Either this or `template_id`.")] = None
    template_id: Annotated[str | None, Meta(description="Id of a template at the provider.")] = None
    template_variables: Annotated[
        dict[str, Any] | list[Any] | None, Meta(description="Values for the provider's template.")
    ] = None
    custom: Annotated[
        dict[str, Any] | None, Meta(description="Values for the definition's custom replacements, by name.")
    ] = None
    expires_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="Not sent after this instant (RFC 3339): it ends `expired`."),
    ] = None
    priority: Annotated[Priority, Meta(description="`high` goes first within its provider.")] = Priority.NORMAL
    send_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="Not sent before this instant (RFC 3339), at most as far ahead as its topic keeps events."),
    ] = None


class CampaignState(StrEnum):
    """Whether a campaign's messages are sent."""

    RUNNING = "running"
    PAUSED = "paused"  # they wait until it is resumed
    CANCELLED = "cancelled"  # they end `cancelled`


class ProviderRoute(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which messages without a provider one takes. The first route that fits decides."""

    use: Annotated[str, Meta(min_length=1, max_length=256, description="Name of the provider.")]
    prefix: Annotated[
        Annotated[
            str,
            Meta(pattern=r"^\+?[1-9][0-9]{0,14}\Z", extra_json_schema={"pattern": r"^\+?[1-9][0-9]{0,14}$"}),
        ]
        | None,
        Meta(description="How the number begins; without it any does.", examples=["+91"]),
    ] = None
    weight: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None,
        Meta(description="Its share of the messages, beside the others of this prefix that have one; 0 takes none."),
    ] = None


class Campaign(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a campaign supplies to its messages where they leave it out, and whether they are sent.

    The newest record with the key `campaign:ID` in the control topic. Unknown fields are ignored.
    """

    state: Annotated[CampaignState, Meta(description="Whether its messages are sent.")] = CampaignState.RUNNING
    provider: Annotated[str | None, Meta(description="Provider of its messages that name none.")] = None
    template_id: Annotated[str | None, Meta(description="For messages without one.")] = None
    body: Annotated[str | None, Meta(description="For messages without one.")] = None
    custom: Annotated[
        dict[str, Any] | None, Meta(description="Values for custom replacements; a message's own go before them.")
    ] = None
    expires_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="For messages without one (RFC 3339).")
    ] = None
    hours: Annotated[
        str | None,
        Meta(description="Messages are sent within these hours only.", examples=["09:00-21:00 Asia/Kolkata"]),
    ] = None
    priority: Annotated[Priority, Meta(description="`high` makes every message of it `high`.")] = Priority.NORMAL
    total: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="Messages it is going to have, as whoever makes it says. For its progress alone."),
    ] = None
    send_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="Not sent before this instant: for messages without one (RFC 3339)."),
    ] = None
    providers: Annotated[
        tuple[ProviderRoute, ...],
        Meta(max_length=100, description="In place of `provider`: by the number's prefix, or by weight."),
    ] = ()
    cap: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="Events of it that are sent at most; further ones wait until it is raised, or they expire."),
    ] = None


class ProviderState(msgspec.Struct, frozen=True):
    """Whether anything is sent to a provider: the newest record with the key `provider:NAME` in the control topic."""

    paused: Annotated[bool, Meta(description="Messages for it wait until it is resumed.")] = False


class Status(StrEnum):
    """What became of a message: final, one per message."""

    ACCEPTED = "accepted"  # the provider took it
    REJECTED = "rejected"  # refused for good by the provider
    FAILED = "failed"  # gave up after retries
    EXPIRED = "expired"  # not sent in time
    CANCELLED = "cancelled"
    INVALID = "invalid"  # never sent: the event itself is at fault
    UNKNOWN = "unknown"  # may have been sent; the outcome is not known
    DUPLICATE = "duplicate"  # `duplicate_of` names the earlier one
    SUPPRESSED = "suppressed"  # never sent: the number is in the suppressions topic


class Source(msgspec.Struct, frozen=True, gc=False):
    """Where the event stands in Kafka: the identity of its result."""

    topic: str
    partition: int
    offset: int


class Result(msgspec.Struct, omit_defaults=True, gc=False):
    """The final record of one message, written to the results topic. Absent fields are unknown or do not apply."""

    status: Annotated[Status, Meta(description="What became of the message.")]
    source: Annotated[Source, Meta(description="Where the event stands in Kafka: the identity of this result.")]
    completed_at: Annotated[datetime, Meta(tz=True, description="When the outcome was known (RFC 3339, UTC).")]
    message_id: Annotated[
        str | None, Meta(description="The event's message_id; absent where the event could not be read.")
    ] = None
    provider: str | None = None
    campaign_id: str | None = None
    to: Annotated[str | None, Meta(description="Recipient as in the event; masked or hashed under `results.to`.")] = (
        None
    )
    provider_message_id: Annotated[str | None, Meta(description="The provider's id of this message.")] = None
    provider_batch_id: Annotated[str | None, Meta(description="The provider's id of the whole request.")] = None
    code: Annotated[str | None, Meta(description="The provider's code, as text.")] = None
    reason: Annotated[str | None, Meta(description="Why, in words.")] = None
    http_status: int | None = None
    batch_id: Annotated[str | None, Meta(description="Our id of the request the message was last in.")] = None
    batch_size: Annotated[int, Meta(description="Messages in that request.")] = 0
    attempts: Annotated[int, Meta(description="Requests this message was in.")] = 0
    segments: Annotated[int | None, Meta(description="SMS parts of the body, by GSM 03.38 or UCS-2.")] = None
    received_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="When the connector read the event.")
    ] = None
    dry_run: Annotated[bool, Meta(description="True when `delivery: dry-run` kept it from being sent.")] = False
    duplicate_of: Annotated[Source | None, Meta(description="The earlier event with the same message_id.")] = None
    rule: Annotated[
        str | None,
        Meta(description="What decided: path of a rule of the definition, `built-in …` or `no reply`."),
    ] = None
    definition: Annotated[
        str | None, Meta(description="Digest of the definition that it was sent by: 8 hexadecimal digits.")
    ] = None


Then = Literal[
    "accept",  # the provider took it
    "reject",  # refused for good
    "retry",  # the provider says it did not take it: send again, counted
    "throttle",  # again, not counted; the lane slows
    "pause",  # again, not counted; the breaker opens (credentials, credit, account)
    "defer",  # again at a time, not counted
    "uncertain",  # it may have been taken: follows `on_uncertain`
    "unknown",  # it may have been taken: final, never sent again
    "split",  # only of a whole request: bisect it; of a single message it is `reject`
]


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What one attempt meant for one message. One object may stand for many messages of a request.

    A struct, because a batch reply makes one per entry: 0.1 µs, where a frozen dataclass takes 2 µs.

    Attributes:
        then: what to do now.
        code, reason: the provider's words, for the result.
        provider_message_id: the provider's id of this message.
        provider_batch_id: the provider's id of the whole request.
        after: seconds to wait at least (Retry-After), relative to the reply.
        until: wall time in seconds since the epoch before which it is not to be sent again (`defer`).
        rule: which rule decided, as a path into the definition (`response.rules[1]`) or `built-in ...`.
    """

    then: Then
    code: str | None = None
    reason: str | None = None
    provider_message_id: str | None = None
    provider_batch_id: str | None = None
    after: float | None = None
    until: float | None = None
    rule: str = ""


@final
class UniformOutcomes(Sequence[Outcome]):
    """Outcomes that differ in the provider's id alone, as nearly always in a batch: each is made when it is asked for.

    To be told by `type(…) is`: an abstract base class is asked by `isinstance` in 0.4 µs, several times per reply.

    Attributes:
        shared: what is the same for all; without an id.
        ids: the provider's, one per message.
    """

    __slots__ = ("ids", "shared")

    def __init__(self, shared: Outcome, ids: Sequence[str]) -> None:
        self.shared = shared
        self.ids = ids

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Outcome: ...
    @overload
    def __getitem__(self, index: slice) -> list[Outcome]: ...
    def __getitem__(self, index: int | slice) -> Outcome | list[Outcome]:
        if isinstance(index, slice):
            return [self._made(identity) for identity in self.ids[index]]
        return self._made(self.ids[index])

    def _made(self, identity: str) -> Outcome:
        return msgspec.structs.replace(self.shared, provider_message_id=identity)


class References(Protocol):
    """What stands for the messages of one request in it, and comes back with their receipts. Raises MessageError."""

    def token(self, message: Message) -> str:
        """Signed, and all that is known of the message."""

    def short_token(self, message: Message) -> str:
        """Signed, in 18 characters."""

    def url(self, message: Message) -> str:
        """The callback URL of a message."""

    def batch_token(self, batch_id: str) -> str:
        """Signed, of the request."""

    def batch_url(self, batch_id: str) -> str:
        """The callback URL of the request."""

    def all(self, batch_id: str) -> list[str]:
        """Every token that its request may hold: a provider that echoes one must not make it known."""


class ReferenceMaker(Protocol):
    """Makes the references of one provider's requests.

    Implemented by `ReferenceSigner` (connector/receipts/sent_references.py), put in place in
    `connector/stream/wiring/parts.py`.
    """

    def of(self, messages: Sequence[Message], sources: Sequence[Source], now: float) -> References:
        """Those of one request, whose messages stand in Kafka at `sources`."""


@dataclass(slots=True)
class Batch:
    """What belongs to a request and not to its messages.

    Attributes:
        id: our id of the request: 32 lower-case hexadecimal digits.
        now: when it was rendered, seconds since the epoch.
        count: messages in it; set by the renderer.
        seq: position of the record being rendered, from 1; moved by the renderer.
        references: what receipts will name its messages by; None where none are asked for.
    """

    id: str
    now: float
    count: int = 0
    seq: int = 0
    references: References | None = None


class Request(msgspec.Struct, frozen=True, gc=False):
    """An HTTP request, ready to send.

    Attributes:
        method: GET, POST, PUT or PATCH.
        url: absolute, fully encoded; must be sent as it is (no re-quoting).
        headers: in the order of the definition; includes Content-Type and static authorization.
        body: the encoded body, or None.
        batch_id: our id of the batch, where what is added when it is sent needs it: a repeated request keeps it.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    batch_id: str = ""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """An HTTP reply, read to its end or to the size limit.

    Attributes:
        status: HTTP status.
        headers: names in lower case; of repeated ones the last, of Retry-After all, with commas between them.
        body: at most the definition's reply limit, without content codings.
        truncated: True when the provider sent more than that.
        fault: why the reply could not be read though its status came (it broke off, two lengths, a coding that cannot
            be undone): then there is no body, and the status alone decides. None where it was read.
        credentials: what was added to the request while it was sent, such as an access token: never to be shown.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    truncated: bool = False
    fault: str | None = None
    credentials: tuple[str, ...] = ()
