"""Receipts as records of our topics: where each goes, and how it is written and read.

An entry's document is the record's value, so that people and other programs can read it; whose it is and where it came
from stands in one header. Which partition a message's receipts have follows from its source alone, whatever token or
provider's id led there: one owner knows all its states.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from connector.model import Source
from connector.receipts.callback import BatchToken, Inbound, Meaning, MessageToken, ReceiptEntry, State, Unmatched, Why
from connector.receipts.phones import key_of
from connector.receipts.states import Step, is_final
from connector.untrusted import BoundedReader, UnreadableError

VERSION: Final = 1
ENTRY: Final = "entry"
UNMATCHED: Final = "unmatched"
SOURCE: Final = "source"
STATE: Final = "state"
HEADER_BYTES: Final = 8 * 1024
RECEIPT_BYTES: Final = 64 * 1024
PLACE_BYTES: Final = 249 + 1 + 10 + 1 + 19

Fields = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]
"""Key, value and headers of a record."""

_Partition = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_Offset = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Instant = Annotated[float, Meta(ge=0, le=253_402_300_799.0)]
_Count = Annotated[int, Meta(ge=0, le=10_000_000)]


class ReceiptPlace(msgspec.Struct, frozen=True, gc=False):
    """Of an event, or of an entry, in Kafka."""

    topic: Annotated[str, Meta(min_length=1, max_length=249)]
    partition: _Partition
    offset: _Offset


class EntryHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """The header `entry`, as JSON.

    Attributes:
        source: of the message.
        day: of its token, days since the epoch.
        arrived: when the callback came, seconds since the epoch.
        index, count: the how manyth of how many of its callback.
    """

    v: Annotated[int, Meta(ge=0, le=9_999)]
    provider: Annotated[str, Meta(max_length=256)]
    arrived: _Instant
    source: ReceiptPlace
    day: Annotated[int, Meta(ge=0, le=10_000_000)]
    message_id: Annotated[str, Meta(max_length=256)] | None = None
    campaign_id: Annotated[str, Meta(max_length=256)] | None = None
    index: _Count = 0
    count: _Count = 1


class UnmatchedHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """The header `unmatched`, as JSON.

    Attributes:
        arrived: when the callback came, seconds since the epoch.
        why, reason: the kind, and in words without content.
        index, count: the how manyth of how many of its callback.
        whole: the value is the body of the callback as it came, or its query where `in_query` says so.
        content_type: of the whole body.
        source, day, message_id, campaign_id: of the token in the URL, where it named a message.
        batch_id: of the token, where it named a request.
        inbound: the value is that of a record of `topics.inbound`.
    """

    v: Annotated[int, Meta(ge=0, le=9_999)]
    provider: Annotated[str, Meta(max_length=256)]
    arrived: _Instant
    why: Why
    reason: Annotated[str, Meta(max_length=2_000)]
    index: _Count = 0
    count: _Count = 1
    whole: bool = False
    in_query: bool = False
    content_type: Annotated[str, Meta(max_length=1_000)] | None = None
    source: ReceiptPlace | None = None
    day: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    message_id: Annotated[str, Meta(max_length=256)] | None = None
    campaign_id: Annotated[str, Meta(max_length=256)] | None = None
    batch_id: Annotated[str, Meta(max_length=64)] | None = None
    inbound: bool = False


class InboundRecord(msgspec.Struct, frozen=True, omit_defaults=True, rename={"sender": "from", "recipient": "to"}):
    """The value of a record of `topics.inbound`: what a person did, at least once.

    Attributes:
        kind: `reply`, `opt-out`, `opt-in`, `help`, `click`; `blocked`: a receipt said so, where that is asked for.
        provider: name of the definition.
        received_at: when the callback came.
        verified_by: what proved it: `url` (the secret), `hmac`, `sns`, `twilio`, …; `none` where the definition asks
            for nothing. Only what is proved changes the list of who must not be texted.
        sender: the phone.
        recipient: the number or name that was answered.
        text: of a reply, up to 2,000 characters.
        id: the provider's.
        at: when, by the provider's clock; None where it does not say.
        parts: of the text, where the provider says so.
        url, short_url: that was opened.
        source, message_id, campaign_id: of the message that it answers, where the provider names it.
        again: where it was kept meanwhile because nothing said whose it is: it is no repetition.
    """

    kind: str
    provider: str
    received_at: datetime
    verified_by: str = ""
    sender: str | None = None
    recipient: str | None = None
    text: str | None = None
    id: str | None = None
    at: datetime | None = None
    parts: int | None = None
    url: str | None = None
    short_url: str | None = None
    source: ReceiptPlace | None = None
    message_id: str | None = None
    campaign_id: str | None = None
    again: str | None = None


class ReceiptRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value of a record of `topics.receipts`: a state of a message, written once.

    Attributes:
        source: the message's identity: its event.
        provider: name of the definition.
        status: the state.
        final: nothing is expected after it.
        received_at: when the callback came.
        sequence: 1, 2, …: how many states are written of the message, with this one.
        entry: what it was read from: its record in `topics.receipts_matched`.
        contradicts: another final state was written before.
        message_id, campaign_id: None where the provider returned a short token, which has no room for them.
        provider_message_id, code, reason: the provider's own words.
        at: when it happened, by the provider's clock; None where it does not say.
        parts: of the message, where the provider says so.
    """

    source: ReceiptPlace
    provider: str
    status: str
    final: bool
    received_at: datetime
    sequence: int
    entry: ReceiptPlace
    contradicts: bool = False
    message_id: str | None = None
    campaign_id: str | None = None
    provider_message_id: str | None = None
    code: str | None = None
    reason: str | None = None
    at: datetime | None = None
    parts: int | None = None


_encode = msgspec.json.Encoder().encode
_read_receipt: BoundedReader[ReceiptRecord] = BoundedReader(ReceiptRecord, most=RECEIPT_BYTES)
_read_inbound: BoundedReader[InboundRecord] = BoundedReader(InboundRecord, most=RECEIPT_BYTES)
_read_unmatched: BoundedReader[UnmatchedHeader] = BoundedReader(UnmatchedHeader, most=HEADER_BYTES)
_read_header: BoundedReader[EntryHeader] = BoundedReader(EntryHeader, most=HEADER_BYTES)


def place(source: Source) -> bytes:
    """A message's identity as bytes: `topic/partition/offset`."""
    return f"{source.topic}/{source.partition}/{source.offset}".encode()


def partition(key: bytes, count: int) -> int:
    """Which of `count` partitions a key has. Ours, and not that of a client: it must be the same for ever."""
    return int.from_bytes(blake2b(key, digest_size=4, person=b"sms-receipts").digest(), "big") % count


def entry_record(entry: ReceiptEntry, token: MessageToken) -> Fields:
    """An entry of a message that is known. Its partition is that of `place(token.source)`."""
    source = token.source
    header = EntryHeader(
        VERSION,
        entry.provider,
        entry.arrived,
        ReceiptPlace(source.topic, source.partition, source.offset),
        token.day,
        token.message_id,
        token.campaign_id,
        entry.index,
        entry.count,
    )
    return place(source), entry.document, [(ENTRY, _encode(header))]


def read_entry(value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> ReceiptEntry:
    """What `entry_record` wrote; others may write there too.

    Raises:
        UnreadableError: it is none of ours, or of another version.
    """
    found = [raw for name, raw in headers if name == ENTRY]
    if len(found) != 1 or value is None:
        raise UnreadableError("no header `entry`, or no value")
    header = _read_header(found[0])
    if header.v != VERSION:
        raise UnreadableError(f"format version {header.v}; this one knows {VERSION}")
    source = Source(header.source.topic, header.source.partition, header.source.offset)
    token = MessageToken(source, header.day, header.message_id, header.campaign_id)
    return ReceiptEntry(header.provider, header.arrived, header.index, header.count, value, token)


def unmatched_record(unmatched: Unmatched) -> Fields:
    """What belongs to no message: its document as it is, the reason and whose it may be in a header."""
    token = unmatched.token
    message = token if isinstance(token, MessageToken) else None
    header = UnmatchedHeader(
        VERSION,
        unmatched.provider,
        unmatched.arrived,
        unmatched.why,
        unmatched.reason,
        unmatched.index,
        unmatched.count,
        unmatched.whole,
        unmatched.in_query,
        unmatched.content_type,
        source=None if message is None else _receipt_place(message.source),
        day=0 if token is None else token.day,
        message_id=None if message is None else message.message_id,
        campaign_id=None if message is None else message.campaign_id,
        batch_id=token.batch_id if isinstance(token, BatchToken) else None,
        inbound=unmatched.inbound,
    )
    return None, unmatched.document, [(UNMATCHED, _encode(header))]


def read_unmatched(value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> Unmatched:
    """What `unmatched_record` wrote; others may write there too.

    Raises:
        UnreadableError: it is none of ours, or of another version.
    """
    found = [raw for name, raw in headers if name == UNMATCHED]
    if len(found) != 1 or value is None:
        raise UnreadableError("no header `unmatched`, or no value")
    header = _read_unmatched(found[0])
    if header.v != VERSION:
        raise UnreadableError(f"format version {header.v}; this one knows {VERSION}")
    token: MessageToken | BatchToken | None = None
    if header.source is not None:
        source = Source(header.source.topic, header.source.partition, header.source.offset)
        token = MessageToken(source, header.day, header.message_id, header.campaign_id)
    elif header.batch_id is not None:
        token = BatchToken(header.batch_id, header.day)
    return Unmatched(
        header.provider,
        header.arrived,
        header.why,
        header.reason,
        value,
        header.index,
        header.count,
        header.whole,
        token,
        header.content_type,
        header.in_query,
        header.inbound,
    )


def inbound_record(inbound: Inbound) -> Fields:
    """A reply, an opt-out or a click. Its key is the phone, in digits, so that what one person did stays in order;
    where it is not known, the message that was answered, so that what comes twice stays together.
    """
    token = inbound.token if isinstance(inbound.token, MessageToken) else None
    value = InboundRecord(
        kind=inbound.kind.value,
        provider=inbound.provider,
        received_at=_time(inbound.arrived),
        verified_by=inbound.by,
        sender=inbound.sender,
        recipient=inbound.recipient,
        text=inbound.text,
        id=inbound.id,
        at=None if inbound.at is None else _time(inbound.at),
        parts=inbound.parts,
        url=inbound.url,
        short_url=inbound.short_url,
        source=None if token is None else _receipt_place(token.source),
        message_id=None if token is None else token.message_id,
        campaign_id=None if token is None else token.campaign_id,
    )
    if inbound.sender:
        key: bytes | None = key_of(inbound.sender)
    elif token is not None:
        key = place(token.source)
    else:
        key = (inbound.id or "").encode("utf-8", "replace") or None
    return key, _encode(value), []


def nobodys_record(said: InboundRecord, value: bytes, reason: str) -> Fields:
    """A reply that changes the list of who must not be texted, and says nothing of whose it is."""
    return unmatched_record(
        Unmatched(said.provider, said.received_at.timestamp(), Why.NO_PHONE, reason, value, inbound=True)
    )


def inbound_again(kept: Unmatched, origin: str) -> Fields:
    """What `nobodys_record` kept at `origin`, to be heard once more. Raises UnreadableError: others wrote it."""
    said = msgspec.structs.replace(_read_inbound(kept.document), again=origin)
    source = said.source
    key = origin if source is None else f"{source.topic}/{source.partition}/{source.offset}"
    return key.encode(), _encode(said), []


def receipt_record(entry: ReceiptEntry, meaning: Meaning, step: Step, source: ReceiptPlace) -> Fields:
    """A state of a message, as `step` says. `source`: the record that holds the entry.

    Source and state stand in headers as well: whoever makes the states anew reads nothing else.
    """
    token = entry.token
    assert isinstance(token, MessageToken)
    event = token.source
    value = ReceiptRecord(
        source=ReceiptPlace(event.topic, event.partition, event.offset),
        provider=entry.provider,
        status=meaning.state.value,
        final=is_final(meaning.state),
        received_at=_time(entry.arrived),
        sequence=step.seen.bit_count(),
        entry=source,
        contradicts=step.contradicts,
        message_id=token.message_id,
        campaign_id=token.campaign_id,
        provider_message_id=meaning.id,
        code=meaning.code,
        reason=meaning.reason,
        at=None if meaning.at is None or meaning.at <= 0 else _time(meaning.at),
        parts=meaning.parts,
    )
    identity = place(event)
    key = identity if token.message_id is None else token.message_id.encode("utf-8", "replace")
    return key, _encode(value), [(SOURCE, identity), (STATE, meaning.state.value.encode())]


def read_inbound(value: bytes | None) -> InboundRecord:
    """The value of a record of `topics.inbound`. Raises UnreadableError."""
    return _read_inbound(value)


def read_receipt(value: bytes | None) -> ReceiptRecord:
    """The value of a record of `topics.receipts`. Raises UnreadableError."""
    return _read_receipt(value)


def written_state(headers: Iterable[tuple[str, bytes | None]]) -> tuple[bytes, State] | None:
    """Whose state a record of `topics.receipts` holds, and which; None where it is none of ours."""
    found = {name: value for name, value in headers if name in _STATE_HEADERS}
    source, state = found.get(SOURCE), found.get(STATE)
    if source is None or state is None or not 0 < len(source) <= PLACE_BYTES:
        return None
    known = _STATES.get(state)
    return None if known is None else (source, known)


_STATE_HEADERS: Final = frozenset({SOURCE, STATE})
_STATES: Final = {state.value.encode(): state for state in State}


def _receipt_place(source: Source) -> ReceiptPlace:
    return ReceiptPlace(source.topic, source.partition, source.offset)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
