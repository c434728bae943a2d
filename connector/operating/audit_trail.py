"""Who did what, when and why: one record before a deed, one after it, in `topics.audit`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from connector.masking import mask_phone
from connector.untrusted import BoundedReader, UnreadableError

REASON_CHARACTERS = 200
TEXT_CHARACTERS = 256
MOST_BYTES = 16 * 1024

AuditVia = Literal["console", "cli", "api"]


class DeedState(StrEnum):
    """How far a deed has come."""

    ASKED = "asked"  # it is going to be done: whoever sees no more does not know whether it was
    DONE = "done"
    FAILED = "failed"


class AuditRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody did. Never a number, a text or a secret."""

    at: Annotated[datetime, Meta(tz=True, description="When, RFC 3339.")]
    who: Annotated[str, Meta(description="The person: name of a token, user of a proxy, or of the command line.")]
    via: Annotated[AuditVia, Meta(description="Through what.")]
    what: Annotated[str, Meta(description="The deed, such as `provider.pause`.", examples=["provider.pause"])]
    target: Annotated[str, Meta(description="What it was done to: a provider, a campaign.")]
    state: Annotated[DeedState, Meta(description="`asked` before it, `done` or `failed` after it.")]
    request: Annotated[str, Meta(description="The same in both records of one deed.")]
    role: Annotated[str, Meta(description="The person's role.")] = ""
    reason: Annotated[str, Meta(description="Why, in the person's words.")] = ""
    before: Annotated[
        str, Meta(description="What it followed: the offset of a control record, the digest of a text.")
    ] = ""
    after: Annotated[str, Meta(description="What it wrote: likewise, or the id of a test message.")] = ""
    error: Annotated[str, Meta(description="Why it failed.")] = ""


_read = BoundedReader(AuditRecord, most=MOST_BYTES)
_encode = msgspec.json.Encoder().encode
_TEXTS = ("who", "what", "target", "request", "role", "before", "after", "error")


def plain_reason(text: str) -> str:
    """What a person typed, in one line, bounded and without phone numbers."""
    return mask_phone(" ".join(text.split()))[:REASON_CHARACTERS]


def encode_audit(record: AuditRecord) -> bytes:
    """The record's value; its key is the deed's target. Bounded, whatever people typed: else nobody could read it."""
    bounded = {name: getattr(record, name)[:TEXT_CHARACTERS] for name in _TEXTS}
    return _encode(msgspec.structs.replace(record, **bounded | {"reason": plain_reason(record.reason)}))


def read_audit(value: bytes | None) -> AuditRecord | None:
    """What a record says; None where it is none of ours."""
    try:
        return _read(value)
    except UnreadableError:
        return None
