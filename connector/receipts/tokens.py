"""What stands in a request and comes back with its receipts: it says which message it is, and that we wrote it.

A token is signed and not encrypted; no number and no text stands in it. It is never looked up: nothing can race with it
or forget it. Each kind has a label of its own under the signature, which covers the definition's name and the topic's:
a token of one provider, kind or topic proves nothing for another.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

from connector.errors import MessageError
from connector.model import Source
from connector.receipts.callback import BatchToken, MessageToken, Token

DAY: Final = 86_400.0
SHORT_LENGTH: Final = 18
BATCH_LENGTH: Final = 39
TOKEN_LENGTH: Final = 1_100  # characters of the longest one there can be: ids of 128 and 256 characters of UTF-8
SHORT_DAYS: Final = 32  # days a short token counts before it begins anew

_MESSAGE_UUID, _MESSAGE, _BATCH = 1, 2, 3  # kinds, in the upper three bits of the first byte
_KEY_IDS: Final = 32
_MAC: Final = 10
_SHORT_MAC: Final = 6
_LONG_LABEL, _SHORT_LABEL, _BATCH_LABEL, _URL_LABEL = (
    b"sms-receipt",
    b"sms-receipt-18",
    b"sms-batch",
    b"sms-receipt-url",
)
_uuid = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_written = re.compile(r"[A-Za-z0-9_-]+").fullmatch

# Bits of a short token, from the left.
_SHORT_BITS: Final = (("key", 2), ("day", 5), ("topic", 5), ("partition", 12), ("offset", 36))


class ForeignTokenError(ValueError):
    """It is no token of ours, or not for what it was used for. Says which; never what it was."""


class _Key:
    """One secret, with the keys that are made of it."""

    __slots__ = ("_begun", "id", "mac")

    def __init__(self, secret: str) -> None:
        self.mac = blake2b(secret.encode(), digest_size=32, person=b"sms-key").digest()
        self.id = blake2b(secret.encode(), digest_size=1, person=b"sms-key-id").digest()[0] % _KEY_IDS
        self._begun: dict[tuple[bytes, str, str], blake2b] = {}

    def begun(self, label: bytes, names: tuple[str, str], size: int) -> blake2b:
        """A signature that has taken in all but the body: to copy it takes a third of making it."""
        known = self._begun.get((label, *names))
        if known is None:
            taken = f"{names[0]}\0{names[1]}\0".encode()
            known = self._begun[label, *names] = blake2b(taken, digest_size=size, key=self.mac, person=label)
        return known.copy()


class Tokens:
    """Makes and reads the tokens of all definitions.

    Args:
        keys: secrets; the first signs, all verify.
        topics: source topics that messages come from. A token says by a hint which one it is of, and its signature
            proves it, so they may be written in another order later.
    """

    def __init__(self, keys: Sequence[str], topics: Sequence[str]) -> None:
        self._keys = [_Key(secret) for secret in keys]
        self._topics = list(topics)
        self._positions = {topic: position for position, topic in enumerate(topics)}

    def message(self, definition: str, source: Source, message_id: str, campaign_id: str | None, now: float) -> str:
        """The token of a message; 64 characters or so for a UUID and a campaign of eleven letters."""
        return self._long(definition, source, message_id, campaign_id, int(now // DAY))

    def short(self, definition: str, source: Source, now: float) -> str:
        """The same in 18 characters: only where the message stands. Raises MessageError where that has no room."""
        key = self._keys[0]
        body = _pack(
            key=key.id % 4,
            day=int(now // DAY) % SHORT_DAYS,
            topic=self._hint(source.topic) % 32,
            partition=source.partition,
            offset=source.offset,
        )
        mac = _mac(key, _SHORT_LABEL, (definition, source.topic), body.to_bytes(8, "big"), _SHORT_MAC)
        packed = (body << (8 * _SHORT_MAC) | int.from_bytes(mac, "big")) << 4
        return urlsafe_b64encode(packed.to_bytes(14, "big")).decode()[:SHORT_LENGTH]

    def batch(self, definition: str, batch_id: str, now: float) -> str:
        """The token of a request; 39 characters."""
        key = self._keys[0]
        body = bytes([_BATCH << 5 | key.id]) + int(now // DAY).to_bytes(2, "big") + bytes.fromhex(batch_id)
        return _text(body + _mac(key, _BATCH_LABEL, (definition, ""), body, _MAC))

    def read(self, definition: str, text: str) -> Token:
        """What a token says. Raises ForeignTokenError."""
        if not self._keys:
            raise ForeignTokenError("there are no keys to check references with")
        if not _written(text) or len(text) > TOKEN_LENGTH:
            raise ForeignTokenError("the reference is not written as ours are")
        if len(text) == SHORT_LENGTH:
            return self._read_short(definition, text)
        raw = _bytes(text)
        if len(raw) <= _MAC + 3:
            raise ForeignTokenError("the reference is too short to be ours")
        body, mac = raw[:-_MAC], raw[-_MAC:]
        kind, key_id = body[0] >> 5, body[0] % _KEY_IDS
        keys = [key for key in self._keys if key.id == key_id]
        if kind == _BATCH:
            if len(body) != 19 or _signed(keys, _BATCH_LABEL, (definition, ("",)), body, mac) is None:
                raise ForeignTokenError("the reference of a request is not signed by us for this provider")
            return BatchToken(body[3:].hex(), int.from_bytes(body[1:3], "big"))
        if kind not in (_MESSAGE_UUID, _MESSAGE):
            raise ForeignTokenError("the reference is of no kind that is known")
        topic = _signed(keys, _LONG_LABEL, (definition, self._likely(body[3], 256)), body, mac)
        if topic is None:
            raise ForeignTokenError("the reference is not signed by us for this provider and topic")
        return _unpacked(body, topic)

    # ---- making and checking --------------------------------------------------------------------------------------

    def _long(self, definition: str, source: Source, message_id: str, campaign_id: str | None, day: int) -> str:
        key = self._keys[0]
        canonical = len(message_id) == 36 and _uuid(message_id)
        kind = _MESSAGE_UUID if canonical else _MESSAGE
        body = bytearray([kind << 5 | key.id])
        body += day.to_bytes(2, "big")
        body.append(self._hint(source.topic) % 256)
        _put_number(body, source.partition)
        _put_number(body, source.offset)
        if canonical:
            body += bytes.fromhex(message_id.replace("-", ""))
        else:
            _put_text(body, message_id)
        if campaign_id is not None:
            _put_text(body, campaign_id)
        return _text(bytes(body) + _mac(key, _LONG_LABEL, (definition, source.topic), bytes(body), _MAC))

    def _read_short(self, definition: str, text: str) -> MessageToken:
        packed = int.from_bytes(urlsafe_b64decode(text + "A="), "big") >> 4
        body, mac = packed >> (8 * _SHORT_MAC), packed & ((1 << (8 * _SHORT_MAC)) - 1)
        fields = _unpack(body)
        keys = [key for key in self._keys if key.id % 4 == fields["key"]]
        names = (definition, self._likely(fields["topic"], 32))
        signature = mac.to_bytes(_SHORT_MAC, "big")
        topic = _signed(keys, _SHORT_LABEL, names, body.to_bytes(8, "big"), signature)
        if topic is None:
            raise ForeignTokenError("the reference is not signed by us for this provider and topic")
        return MessageToken(Source(topic, fields["partition"], fields["offset"]), fields["day"])

    def _hint(self, topic: str) -> int:
        return self._positions.get(topic, 0)

    def _likely(self, hint: int, modulus: int) -> list[str]:
        """The topics, those that the hint is of first."""
        return sorted(self._topics, key=lambda topic: self._positions[topic] % modulus != hint)


class UrlSecrets:
    """The secrets of URLs that are registered by hand: they have keys of their own, which rarely change.

    Args:
        keys: secrets; the first is printed, all are taken.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [_Key(secret) for secret in keys]

    def of(self, definition: str) -> str:
        """What stands in a definition's URL; 22 characters."""
        return _text(_mac(self._keys[0], _URL_LABEL, (definition, ""), b"", 16))

    def right(self, definition: str, text: str) -> bool:
        """Whether `text` is a secret of the definition's URL."""
        given = text.encode("utf-8", "replace")
        found = False
        for key in self._keys:  # all of them, so that time tells nothing
            found |= compare_digest(_text(_mac(key, _URL_LABEL, (definition, ""), b"", 16)).encode(), given)
        return found


def age_days(token: Token, now: float) -> int:
    """Whole days since a token was made; negative where the clock that made it is ahead.

    Of a short token within SHORT_DAYS, of which those just before today's are old ones.
    """
    today = int(now // DAY)
    if isinstance(token, MessageToken) and token.message_id is None:
        age = (today - token.day) % SHORT_DAYS
        return age if age < SHORT_DAYS - 1 else -1
    return today - token.day


def too_late(token: Token, now: float, kept: float) -> bool:
    """Whether its message was sent longer ago than receipts are kept (`kept` seconds), by days: a
    token of the last day that counts is taken until that day ends. One of a day that has not begun is no proof either,
    but for a clock that is ahead by hours.
    """
    age = age_days(token, now)
    return age < -1 or age > -(-kept // DAY)


def _mac(key: _Key, label: bytes, names: tuple[str, str], body: bytes, size: int) -> bytes:
    """The signature of `body` for a kind of token (`label`), a definition and a topic (`names`)."""
    mac = key.begun(label, names, size)
    mac.update(body)
    return mac.digest()


def _signed(
    keys: Sequence[_Key], label: bytes, names: tuple[str, Sequence[str]], body: bytes, mac: bytes
) -> str | None:
    """The topic, of those in `names`, for which a signature is right; None where there is none."""
    definition, topics = names
    for topic in topics:
        for key in keys:
            if compare_digest(_mac(key, label, (definition, topic), body, len(mac)), mac):
                return topic
    return None


# ---- how it is written ----------------------------------------------------------------------------------------------


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """What `_text` wrote; nothing else is taken, so a token has one spelling."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise ForeignTokenError("the reference is not written as ours are") from None
    if _text(raw) != text:
        raise ForeignTokenError("the reference is not written as ours are")
    return raw


def _put_number(body: bytearray, number: int) -> None:
    """Seven bits a byte, the lowest first."""
    while number > 127:
        body.append(number & 127 | 128)
        number >>= 7
    body.append(number)


def _put_text(body: bytearray, text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    _put_number(body, len(raw))
    body += raw


class _Body:
    """The fields of a token whose signature is right."""

    def __init__(self, raw: bytes, position: int) -> None:
        self.raw = raw
        self.position = position

    def number(self) -> int:
        number = shift = 0
        while True:
            byte = self.raw[self.position]
            self.position += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def take(self, length: int) -> bytes:
        taken = self.raw[self.position : self.position + length]
        self.position += length
        return taken

    def text(self) -> str:
        return self.take(self.number()).decode("utf-8", "surrogatepass")

    @property
    def ended(self) -> bool:
        return self.position >= len(self.raw)


def _unpacked(raw: bytes, topic: str) -> MessageToken:
    body = _Body(raw, 4)
    source = Source(topic, body.number(), body.number())
    if raw[0] >> 5 == _MESSAGE_UUID:
        digits = body.take(16).hex()
        message_id = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    else:
        message_id = body.text()
    campaign = None if body.ended else body.text()
    return MessageToken(source, int.from_bytes(raw[1:3], "big"), message_id, campaign)


def _pack(**fields: int) -> int:
    packed = 0
    for name, bits in _SHORT_BITS:
        if fields[name] >> bits:
            raise MessageError(f"its {name} in Kafka is too large for a short receipt reference")
        packed = packed << bits | fields[name]
    return packed


def _unpack(packed: int) -> dict[str, int]:
    fields = {}
    for name, bits in reversed(_SHORT_BITS):
        fields[name] = packed & ((1 << bits) - 1)
        packed >>= bits
    return fields
