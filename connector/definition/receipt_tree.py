"""What `receipts` of a definition says, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connector.definition.expression import Expression, Head


@dataclass(frozen=True, slots=True)
class Verification:
    """One way to prove who posts: its kind, and what the definition says about it (secrets among it)."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Unpack:
    """A text inside of a document that is one itself: where it stands, and how it is written."""

    encoding: Literal["json", "base64"]
    path: str


@dataclass(frozen=True, slots=True)
class ReceiptMatch:
    """Whose an entry is.

    Attributes:
        by: `url`: a reference in the URL; `field`: one in the entry, else that; `lookup`: neither has to be there.
        token: JMESPath of the one in the entry.
        pairs: an expression over the message, or `id` or `batch`, and where the entry has its value: what it is looked
            up by where no reference names its message.
    """

    by: Literal["url", "field", "lookup"] = "url"
    token: str | None = None
    pairs: tuple[tuple[str, Expression | None, str], ...] = ()

    @property
    def apart(self) -> tuple[Expression, ...]:
        """What of a message itself receipts name: two messages of a request must differ in it."""
        return tuple([each for _, each, _ in self.pairs if each is not None and each.head != Head("call", "batch_id")])


@dataclass(frozen=True, slots=True)
class At:
    """Where the time of a report stands; a format of strptime needs no zone only where it holds one itself."""

    value: str
    format: str = "iso"
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class StateRule:
    when: str
    then: str


@dataclass(frozen=True, slots=True)
class ReceiptAnswer:
    """What the provider is answered.

    Attributes:
        echo: name → where its value stands in the callback's JSON; they are the members of a JSON body then.
    """

    status: int = 200
    body: str = "ok"
    type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    echo: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InboundSource:
    """Entries that are replies or clicks: JMESPath sources, None where the provider does not say.

    Attributes:
        country: calling code of the phones, where the provider leaves it out.
    """

    when: str
    sender: str | None = None
    recipient: str | None = None
    text: str | None = None
    id: str | None = None
    at: At | None = None
    country: str | None = None
    parts: str | None = None
    intent: str | None = None
    url: str | None = None
    short_url: str | None = None
    answer: ReceiptAnswer | None = None


@dataclass(frozen=True, slots=True)
class Receipts:
    """How the provider reports.

    Attributes:
        verify: any of these proves who posts; `url`: the secret or the token of the URL.
        states: the provider's word → our state; `*` any other word.
        to: where the phone stands.
    """

    verify: tuple[Verification, ...] = (Verification("url"),)
    decode: str = "json"
    steps: tuple[Unpack, ...] = ()
    each: tuple[str, ...] = ()
    unpack: tuple[Unpack, ...] = ()
    match: ReceiptMatch = ReceiptMatch()
    state: str | None = None
    states: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[StateRule, ...] = ()
    code: str | None = None
    reason: str | None = None
    id: str | None = None
    to: str | None = None
    at: At | None = None
    sequence: str | None = None
    parts: str | None = None
    answer: ReceiptAnswer = ReceiptAnswer()
    replies: tuple[InboundSource, ...] = ()
    clicks: tuple[InboundSource, ...] = ()
    ignore: tuple[str, ...] = ()
