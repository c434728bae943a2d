"""A record of the suppressions topic: one phone number must not be texted, or may be again.

The key is the number's digits, as in `919812345678`, or `919812345678|SENDER` where only one sender must not text it.
The topic is compacted: the newest record of a key counts. Other systems may write it: a value of `{}` suppresses, and
other usual spellings of a number count as well, also in the quotes that a serializer of JSON puts around them.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from connector.errors import ConnectorError
from connector.untrusted import READ_ERRORS

DIGITS = re.compile(rb"[1-9][0-9]{4,18}\Z")
"""As in the `to` of a message, without the plus sign."""

FLOAT = re.compile(r"[0-9]{7}\.0+\Z")
"""A spreadsheet's number: without its point it would be another phone."""

SENDER_BYTES = 128
SEPARATOR = b"|"


class SuppressionState(StrEnum):
    """What the newest record of a key says."""

    SUPPRESSED = "suppressed"
    LIFTED = "lifted"


class Suppression(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a phone number must not be texted, or may be again. Unknown fields are ignored."""

    state: Annotated[SuppressionState, Meta(description="`lifted` ends it; so does a record without a value.")] = (
        SuppressionState.SUPPRESSED
    )
    since: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="When the person, or whoever, said so (RFC 3339).")
    ] = None
    by: Annotated[
        Annotated[str, Meta(max_length=64)] | None,
        Meta(
            description="What said so: `reply` (STOP or START), `blocked` (the provider refuses it), `command`, "
            "`import`; other systems use words of their own.",
        ),
    ] = None
    who: Annotated[Annotated[str, Meta(max_length=256)] | None, Meta(description="The person who ran the command.")] = (
        None
    )
    reason: Annotated[Annotated[str, Meta(max_length=1024)] | None, Meta(description="Why, in words.")] = None
    provider: Annotated[str | None, Meta(description="Whose callback said so.")] = None
    campaign_id: Annotated[str | None, Meta(description="Of the message that was answered, where it is known.")] = None
    message_id: Annotated[str | None, Meta(description="Of the message that was answered, where it is known.")] = None


class Phone(NamedTuple):
    """Whom a key names.

    Attributes:
        number: the digits as a number.
        sender: in its normal form; None: every sender.
    """

    number: int
    sender: str | None


class KeyFormatError(ConnectorError):
    """A key is no phone number, or its sender is none."""


def key_of(phone: str, sender: str | None = None) -> bytes:
    """The key of a phone number, in any usual spelling: `+91 98123-45678`.

    Raises:
        KeyFormatError: it is no international number, or the sender is empty or too long.
    """
    key = _digits(phone)
    if sender is None:
        return key
    return key + SEPARATOR + _sender(sender).encode()


def key_of_phone(phone: Phone) -> bytes:
    """Its key."""
    digits = str(phone.number).encode()
    return digits if phone.sender is None else digits + SEPARATOR + phone.sender.encode()


def phone_of(key: bytes | None) -> Phone:
    """Whom a record is about.

    Raises:
        KeyFormatError: nobody can know.
    """
    if key is not None and DIGITS.match(key) is not None:  # nearly all of them, and there are millions
        return Phone(int(key), None)
    try:
        plain = (key or b"").strip()
        text = msgspec.json.decode(plain, type=str) if plain.startswith(b'"') else plain.decode()
    except READ_ERRORS as error:
        raise KeyFormatError("the key is no phone number: neither UTF-8 nor a JSON text") from error
    phone, separator, sender = text.partition("|")
    number = int(_digits(phone))
    if not separator:
        return Phone(number, None)
    return Phone(number, _sender(sender))


def _digits(phone: str) -> bytes:
    """Of a number in any usual spelling."""
    text = phone.strip()
    digits = re.sub(r"[\s().\-/]", "", text.removeprefix("+"))
    if not text.startswith("+"):
        digits = digits.removeprefix("00")
    key = digits.encode("utf-8", "replace")
    if DIGITS.match(key) is None or FLOAT.search(text) is not None:
        raise KeyFormatError("no international phone number: write it with its calling code, as in +919812345678")
    return key


def _sender(sender: str) -> str:
    """In its normal form, which is kept in memory."""
    plain = normal_sender(sender)
    if not plain or len(plain.encode("utf-8", "replace")) > SENDER_BYTES or "|" in plain:
        raise KeyFormatError(f"no sender: 1 to {SENDER_BYTES} bytes, without `|`")
    return plain


def normal_sender(sender: str) -> str:
    """What spellings of one sender have in common: `+1 (555) 0100` is `15550100`, and `Acme` is `acme`."""
    plain = re.sub(r"[\s().\-/+]", "", sender)
    return plain if plain.isdecimal() and plain.isascii() else sender.strip().casefold()


class _State(msgspec.Struct):
    state: str = SuppressionState.SUPPRESSED.value


_decoder = msgspec.json.Decoder(_State)


def suppresses(value: bytes | None) -> bool:
    """Whether a record's value suppresses. One that cannot be read does: somebody had a reason to write it."""
    if not value:
        return False
    try:
        return _decoder.decode(value).state != SuppressionState.LIFTED.value
    except READ_ERRORS:
        return True


def read_suppression(value: bytes) -> Suppression:
    """What a record says; of one that cannot be read, that."""
    try:
        return msgspec.json.decode(value, type=Suppression)
    except READ_ERRORS:
        return Suppression(reason="the record cannot be read, so it suppresses")


def encode(record: Suppression) -> bytes:
    """The value."""
    return msgspec.json.encode(record)
