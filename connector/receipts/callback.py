"""The words of receipts: a callback, what proves it, and what stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import msgspec

from connector.model import Source


class State(StrEnum):
    """What became of a message on its way to the phone. The last five are final."""

    PENDING = "pending"
    SENT = "sent"  # the carrier took it
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    BLOCKED = "blocked"  # opted out, barred: never again
    UNKNOWN = "unknown"  # the provider will not say more


class Kind(StrEnum):
    """What a person did, or what a provider says of one."""

    REPLY = "reply"
    OPT_OUT = "opt-out"
    OPT_IN = "opt-in"
    HELP = "help"
    CLICK = "click"
    BLOCKED = "blocked"  # a receipt said so, where that is to put the phone on the list


class Why(StrEnum):
    """Why an entry, or a whole request, belongs to no message."""

    UNREADABLE = "unreadable"  # neither JSON nor what else it should be; no state where one belongs
    UNKNOWN = "unknown"  # nothing in it names a message
    FOREIGN = "foreign"  # its reference is none of ours, or was altered
    TOO_LATE = "too late"  # its message was sent longer ago than receipts are kept
    UNVERIFIED = "unverified"
    AMBIGUOUS = "ambiguous"  # it may belong to two messages
    NO_PHONE = "no phone"  # somebody opted out, and nothing says who


@dataclass(frozen=True, slots=True)
class Callback:
    """One HTTP request of a provider, as it came.

    Attributes:
        method: upper case.
        path: as it was called, percent-encoded, without the query: `/m/twilio/TOKEN`.
        query: without `?`, as it came.
        headers: names in lower case; repeated ones joined with commas.
        body: without transfer coding.
        now: when it came, seconds since the epoch.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    now: float


@dataclass(frozen=True, slots=True)
class MessageToken:
    """What one of our tokens says about a message.

    Attributes:
        source: the message's identity.
        message_id, campaign_id: None in a short token, which has no room for them.
        day: days since the epoch when it was made.
    """

    source: Source
    day: int
    message_id: str | None = None
    campaign_id: str | None = None


@dataclass(frozen=True, slots=True)
class BatchToken:
    """What one of our tokens says about a request: our `batch_id` of it (32 hexadecimal digits)."""

    batch_id: str
    day: int


Token = MessageToken | BatchToken


@dataclass(frozen=True, slots=True)
class Verified:
    """A callback whose sender is proved.

    Attributes:
        by: the scheme that proved it: `token`, `url`, `hmac`, `sns`, …; `none` where nothing had to.
        token: the one in the URL.
        query: whether what proved it covers the query too: otherwise anybody may have written that.
    """

    by: str
    token: Token | None = None
    query: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """A callback whose sender is not proved, and why, without secrets.

    Attributes:
        what: that did not hold: the secret or token in the URL, or what `verify` asks for.
        token: the one in the URL, which is ours, though the rest proves nothing.
    """

    reason: str
    what: Literal["url", "signature"] = "signature"
    token: Token | None = None


@dataclass(frozen=True, slots=True)
class NeedsCertificate:
    """It cannot be said before the certificate at `url` is there (`Certificates.add`), and then be asked again.

    The URL is one that may be asked: HTTPS, of the notification service itself.
    """

    url: str


class Meaning(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the document of an entry says.

    Attributes:
        state: in our words.
        id: the provider's id of the message.
        code, reason: the provider's words, bounded.
        at: seconds since the epoch by the provider's clock; None where it does not say.
        sequence: the provider's own number of this report.
        parts: parts of the message, where it says so.
    """

    state: State
    id: str | None = None
    code: str | None = None
    reason: str | None = None
    at: float | None = None
    sequence: int | None = None
    parts: int | None = None


class ReceiptEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One report about one message, out of a callback.

    Attributes:
        provider: name of the definition.
        arrived: when, seconds since the epoch.
        index, count: the how manyth of how many entries of its callback, from 0.
        document: all that it can be read from, as JSON: query, form, what stands around it, itself.
        token: whose it is; None where it has to be looked up (`match`).
        match: left side of the definition's `match` → the entry's value, where there is no token.
        keys: what its message is looked up by in the index, one after the other, where no token names it.
    """

    provider: str
    arrived: float
    index: int
    count: int
    document: bytes
    token: MessageToken | BatchToken | None = None
    match: dict[str, str] = {}
    keys: tuple[bytes, ...] = ()


class Inbound(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person did: a reply, an opt-out, a click. Times in seconds since the epoch.

    Attributes:
        by: what proved who says so, as in `Verified`.
        sender, recipient: the phone, and the number or name that was answered.
        token: of the message it answers, where the provider says so.
    """

    kind: Kind
    provider: str
    arrived: float
    by: str
    sender: str | None = None
    recipient: str | None = None
    text: str | None = None
    id: str | None = None
    at: float | None = None
    parts: int | None = None
    url: str | None = None
    short_url: str | None = None
    token: MessageToken | BatchToken | None = None


class Unmatched(msgspec.Struct, frozen=True, omit_defaults=True):
    """What belongs to no message: an entry's document, or the whole body where it could not be divided.

    Attributes:
        why, reason: the kind, and in words without content.
        whole: True when `document` is the body as it came, or the query (`in_query`).
        token: whose it is, where the URL says so: the document does not.
        content_type: of the whole body; its charset decides how it is read.
        in_query: the whole of it stood in the query.
        inbound: `document` is the value of a record of `topics.inbound`.
    """

    provider: str
    arrived: float
    why: Why
    reason: str
    document: bytes
    index: int = 0
    count: int = 1
    whole: bool = False
    token: MessageToken | BatchToken | None = None
    content_type: str | None = None
    in_query: bool = False
    inbound: bool = False


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What the provider is answered once everything is written."""

    status: int = 200
    body: bytes = b"ok"
    type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything in one callback. All lists may be empty: a probe, or what the definition ignores.

    Attributes:
        ignored: entries that are no receipts, by the definition.
        handshake: a URL that must be asked once (GET) before anything is delivered: SNS, of a topic that is ours.
        answer: what to answer when all is written.
    """

    entries: list[ReceiptEntry]
    inbound: list[Inbound]
    unmatched: list[Unmatched]
    answer: CallbackAnswer
    ignored: int = 0
    handshake: str | None = None
