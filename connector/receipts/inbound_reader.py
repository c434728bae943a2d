"""Replies, clicks and answers of a definition, compiled: the parts of a `ReceiptReader` that are no receipts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from connector.definition.receipt_tree import At, InboundSource, ReceiptAnswer
from connector.receipts.callback import Callback, CallbackAnswer, Inbound, Kind, Token
from connector.receipts.intents import Intents
from connector.receipts.phones import international
from connector.receipts.times import moments
from connector.response.document import parse_json
from connector.response.fields import Scope
from connector.response.path import Get
from connector.response.reply_values import short_text, to_text
from connector.response.work import TooMuchWorkError
from connector.settings.way_back import InboundSettings

TEXT: Final = 2_000  # characters of a reply
SEQUENCE_DIGITS: Final = 15


@dataclass(frozen=True, slots=True)
class InboundRules:
    """What is made of replies.

    Attributes:
        intents: tells opt-outs from other replies.
        blocked: a receipt that says `blocked` is one of them too: `Kind.BLOCKED`.
    """

    intents: Intents
    blocked: bool = False


PLAIN_RULES: Final = InboundRules(Intents(InboundSettings()))
"""Those of the default settings."""


def nothing(_: Any) -> None:
    """What an expression says that is not there."""


class MomentOf:
    """When a document says that it happened."""

    def __init__(self, at: At | None, scope: Scope, place: str) -> None:
        self._get = scope.path(at.value, f"{place}.value") if at is not None else None
        self._read = moments(at) if at is not None else None

    def __call__(self, document: Any) -> float | None:
        return None if self._get is None or self._read is None else self._read(self._get(document))


class AnswerWriter:
    """One answer, compiled."""

    def __init__(self, answer: ReceiptAnswer, scope: Scope, place: str) -> None:
        self._fixed = CallbackAnswer(answer.status, answer.body.encode(), answer.type, tuple(answer.headers.items()))
        self._work = scope.work
        self._echo = {name: scope.path(path, f"{place}.echo.{name}") or nothing for name, path in answer.echo.items()}

    def to(self, callback: Callback) -> CallbackAnswer:
        """Raises nothing: what is not there is echoed as null."""
        if not self._echo:
            return self._fixed
        try:
            document = parse_json(callback.body, self._work)
            body = orjson.dumps({name: get(document) for name, get in self._echo.items()})
        except (ValueError, TypeError, TooMuchWorkError):
            body = orjson.dumps(dict.fromkeys(self._echo))
        return replace(self._fixed, body=body)


class InboundReader:
    """One entry of `replies` or `clicks`, compiled. `intents`: None for clicks."""

    def __init__(self, source: InboundSource, scope: Scope, place: str, intents: Intents | None) -> None:
        self.holds = scope.condition(source.when, f"{place}.when") or never
        self._texts: dict[str, Get] = {
            name: scope.path(getattr(source, name), f"{place}.{name}") or nothing
            for name in ("sender", "recipient", "text", "id", "parts", "intent", "url", "short_url")
        }
        self._at = MomentOf(source.at, scope, f"{place}.at")
        self._country = source.country
        self._intents = intents
        self.answer = None if source.answer is None else AnswerWriter(source.answer, scope, f"{place}.reply")

    def inbound(self, document: Any, provider: str, arrived: float, token: Token | None, by: str) -> Inbound:
        said = {name: get(document) for name, get in self._texts.items()}
        text = to_text(said["text"])
        sender = short_text(said["sender"])
        return Inbound(
            kind=Kind.CLICK if self._intents is None else self._intents.of(text, to_text(said["intent"])),
            provider=provider,
            arrived=arrived,
            by=by,
            sender=sender if sender is None or self._country is None else international(sender, self._country),
            recipient=short_text(said["recipient"]),
            text=None if text is None else text[:TEXT],
            id=short_text(said["id"]),
            at=self._at(document),
            parts=whole_number(said["parts"]),
            url=short_text(said["url"]),
            short_url=short_text(said["short_url"]),
            token=token,
        )


def never(_: Any) -> bool:
    """What a condition says that could not be compiled."""
    return False


def whole_number(value: Any) -> int | None:
    """A count that is written as a number or as digits; None for everything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= SEQUENCE_DIGITS:
        return int(value)
    return value if type(value) is int and 0 <= value < 10**SEQUENCE_DIGITS else None
