"""What a request holds so that its receipts say which message they are about: tokens, and callback URLs with one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from connector.errors import MessageError
from connector.model import Message, References, Source
from connector.receipts.tokens import BATCH_LENGTH, Tokens


@dataclass(frozen=True, slots=True)
class ReferenceSigner:
    """Signs for one definition.

    Attributes:
        definition: its name, which the signatures cover.
        url: the public URL of the receiver.
    """

    tokens: Tokens = field(repr=False)
    definition: str
    url: str

    def of(self, messages: Sequence[Message], sources: Sequence[Source], now: float) -> References:
        """The references of the messages of one request; `sources` is where they stand in Kafka."""
        return SentReferences(self, messages, sources, now)

    @property
    def prefix(self) -> str:
        """Of its callback URLs: a token follows."""
        return f"{self.url}/m/{self.definition}/"

    @property
    def batch_url_length(self) -> int:
        """Characters of the URL of a request with several messages."""
        return len(self.prefix) + BATCH_LENGTH


class SentReferences:
    """The references of one request, each made once: a reply may be matched by them as well.

    Args:
        messages: of the request. They live as long as it is under way, and so does this.
        sources: where they stand in Kafka.
        now: when the request was made: what is repeated holds the same references.
    """

    __slots__ = ("_long", "_messages", "_now", "_short", "_signer", "_sources")

    def __init__(
        self, signer: ReferenceSigner, messages: Sequence[Message], sources: Sequence[Source], now: float
    ) -> None:
        self._signer = signer
        self._messages = messages
        self._sources = {id(message): it for message, it in zip(messages, sources, strict=True)}
        self._now = now
        self._long: dict[int, str] = {}
        self._short: dict[int, str] = {}

    def token(self, message: Message) -> str:
        known = self._long.get(id(message))
        if known is None:
            signer = self._signer
            known = self._long[id(message)] = signer.tokens.message(
                signer.definition, self._sources[id(message)], message.message_id, message.campaign_id, self._now
            )
        return known

    def short_token(self, message: Message) -> str:
        known = self._short.get(id(message))
        if known is None:
            signer = self._signer
            known = self._short[id(message)] = signer.tokens.short(
                signer.definition, self._sources[id(message)], self._now
            )
        return known

    def url(self, message: Message) -> str:
        return self._signer.prefix + self.token(message)

    def batch_token(self, batch_id: str) -> str:
        return self._signer.tokens.batch(self._signer.definition, batch_id, self._now)

    def batch_url(self, batch_id: str) -> str:
        return self._signer.prefix + self.batch_token(batch_id)

    def all(self, batch_id: str) -> list[str]:
        found = [self.batch_token(batch_id)]
        for message in self._messages:
            found.append(self.token(message))
            with suppress(MessageError):  # no room for a short one: then it was not sent
                found.append(self.short_token(message))
        return found
