"""What receipts are looked up by where they bring no reference of ours: made alike from a result and from an entry.

It is a keyed hash: whoever reads the index learns neither numbers nor what providers call messages, and cannot try
numbers one after the other. One that has a request's reference is looked up within that request (`request`), any other
one by all that `match` says (`whole`), where that names more than a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from connector.definition.arguments import MISSING
from connector.definition.expression import Expression, Head
from connector.definition.receipt_tree import ReceiptMatch
from connector.definition.tree import Definition
from connector.definition.walk import uses
from connector.model import Result, Status
from connector.receipts.callback import BatchToken
from connector.response.reply_values import short_text

HEADER: Final = "receipt"
"""The header of a result that receipts are looked up for: its keys, one after the other."""
KEY_BYTES: Final = 16
INDEXED: Final = frozenset({Status.ACCEPTED, Status.UNKNOWN})
"""Results whose messages may have receipts: one of an `unknown` resolves the doubt."""

_LABEL: Final = b"sms-index"
_REQUEST, _WHOLE = "request", "whole"
_BATCH_CALLS: Final = frozenset({"batch_receipt", "batch_receipt_url"})

Normalise = Callable[[Any], Any]


class IndexKeys:
    """Makes keys of values.

    Args:
        secrets: the first is what entries are looked up by first; results are found by all of them.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = [blake2b(it.encode(), digest_size=32, person=b"sms-index-key").digest() for it in secrets]

    def begun(self, definition: str, form: str, kinds: str) -> list[blake2b]:
        """For each secret, a hash that takes the values of a lookup, which are of these kinds."""
        taken = _written((definition, form, kinds))
        return [blake2b(taken, digest_size=KEY_BYTES, key=key, person=_LABEL) for key in self._keys]


@dataclass(frozen=True, slots=True)
class AskedMessage:
    """What a result says of its message.

    Attributes:
        id: the provider's.
    """

    to: str | None
    message_id: str | None
    id: str | None


class _Form:
    """One way to look up: what is the same for a whole request is taken first, so that a message costs little."""

    def __init__(self, begun: list[blake2b], common: Sequence[_Side], own: Sequence[_Side]) -> None:
        self._begun = begun
        self._common = common
        self._own = own

    @property
    def sides(self) -> Sequence[_Side]:
        return (*self._common, *self._own)

    def of_request(self, batch_id: str, provider_batch_id: str | None) -> list[blake2b] | None:
        """Hashes that have taken what the messages of a request have in common; None where that is not known."""
        common = [side.of_request(batch_id, provider_batch_id) for side in self._common]
        if None in common:
            return None
        taken = _written(common)
        begun = [it.copy() for it in self._begun]
        for it in begun:
            it.update(taken)
        return begun

    def of_message(self, begun: Sequence[blake2b], sent: AskedMessage) -> list[bytes]:
        """The keys of one of its messages; none where it has no value."""
        own = [side.of_message(sent) for side in self._own]
        if None in own:
            return []
        return _digests(begun, own)

    def of_entry(self, batch_id: str | None, match: Mapping[str, str]) -> list[bytes]:
        """The keys of what an entry says; none where something is missing."""
        values = [batch_id if side.name is None else match.get(side.name) for side in self.sides]
        if None in values:
            return []
        common = len(self._common)
        begun = [it.copy() for it in self._begun]
        for it in begun:
            it.update(_written(values[:common]))
        return _digests(begun, values[common:])


@dataclass(frozen=True, slots=True)
class _Side:
    """One value of a lookup.

    Attributes:
        name: as `match` has it; None for the request's own id, which its reference holds.
        kind: what of the result it is: to, message_id, id; batch_id or batch of the request.
        normalise: its filters.
    """

    name: str | None
    kind: str
    normalise: Normalise | None = None

    def of_request(self, batch_id: str, provider_batch_id: str | None) -> str | None:
        return self._text(batch_id if self.kind == "batch_id" else provider_batch_id)

    def of_message(self, sent: AskedMessage) -> str | None:
        kind = self.kind
        return self._text(sent.to if kind == "to" else sent.id if kind == "id" else sent.message_id)

    def _text(self, value: str | None) -> str | None:
        if not value:
            return None
        if self.normalise is None:
            return value
        normal = self.normalise(value)
        return None if normal is MISSING else str(normal)


class Correlation:
    """How the receipts of one definition are looked up. Made by `correlation`.

    Args:
        name: of the definition.
        asks: a request holds a reference of the whole request.
    """

    def __init__(self, name: str, match: ReceiptMatch, keys: IndexKeys, *, asks: bool) -> None:
        sides = [_side(key, expression) for key, expression, _ in match.pairs]
        common = [it for it in sides if it.kind in ("batch", "batch_id")]
        own = [it for it in sides if it.kind not in ("batch", "batch_id")]
        within = [it for it in own if it.kind != "id"]
        self._request: _Form | None = None
        self._whole: _Form | None = None
        self._asks = asks
        if within:
            of_request = (_Side(None, "batch_id"),)
            self._request = _Form(keys.begun(name, _REQUEST, _kinds(within)), of_request, within)
        if common or any(it.kind != "to" for it in own):  # a number alone names nobody's message
            self._whole = _Form(keys.begun(name, _WHOLE, _kinds((*common, *own))), common, own)

    def of_entry(self, token: BatchToken | None, match: Mapping[str, str]) -> list[bytes]:
        """What an entry is looked up by: a key for each secret; none where nothing in it names a message."""
        if token is not None and self._request is not None:
            found = self._request.of_entry(token.batch_id, match)
            if found:
                return found
        return [] if self._whole is None else self._whole.of_entry(None, match)

    def of_results(
        self, batch_id: str, provider_batch_id: str | None, size: int, messages: Sequence[AskedMessage]
    ) -> list[bytes]:
        """The header of each result of a request with `size` messages; empty where nothing will find it."""
        headers = [b""] * len(messages)
        # One that is alone in its request has a reference of its own there, which says more.
        for form in (self._request if self._asks and size > 1 else None, self._whole):
            begun = None if form is None else form.of_request(batch_id, provider_batch_id)
            if form is not None and begun is not None:
                headers = [
                    header + b"".join(form.of_message(begun, sent))
                    for header, sent in zip(headers, messages, strict=True)
                ]
        return headers

    def of_result(self, result: Result) -> bytes:
        """The header of one result, while it still says whom it was sent to."""
        if result.batch_id is None or result.status not in INDEXED:
            return b""
        sent = AskedMessage(result.to, result.message_id, result.provider_message_id)
        return self.of_results(result.batch_id, result.provider_batch_id, result.batch_size, (sent,))[0]


class Correlations(dict[str, Correlation]):
    """Of the definitions in use that need any, by name.

    Args:
        keys: None where no receipts are asked for.
    """

    def __init__(self, keys: IndexKeys | None) -> None:
        super().__init__()
        self._keys = keys

    def use(self, definition: Definition) -> None:
        """Results of this definition are written from now on."""
        found = None if self._keys is None else correlation(definition, self._keys)
        if found is None:
            self.pop(definition.name, None)
        else:
            self[definition.name] = found

    def headers(self, result: Result) -> list[tuple[str, bytes]]:
        """What is written beside a result, before anything in it is hidden."""
        known = self.get(result.provider or "")
        keys = b"" if known is None else known.of_result(result)
        return [(HEADER, keys)] if keys else []


def correlation(definition: Definition, keys: IndexKeys) -> Correlation | None:
    """How a definition's receipts are looked up; None where that never has to be done."""
    receipts = definition.receipts
    if receipts is None or not receipts.match.pairs:
        return None
    calls = {call for operation in definition.operations for use in uses(operation) for call in use.expression.calls}
    return Correlation(definition.name, receipts.match, keys, asks=bool(calls & _BATCH_CALLS))


def looks_up(definition: Definition) -> bool:
    """Whether receipts of a definition may have to be looked up."""
    return definition.receipts is not None and bool(definition.receipts.match.pairs)


def keys_in(header: bytes) -> list[bytes]:
    """The keys in a header, or in what follows the first one of an entry; none where it is none of ours."""
    if len(header) % KEY_BYTES:
        return []
    return [header[at : at + KEY_BYTES] for at in range(0, len(header), KEY_BYTES)]


def _kinds(sides: Sequence[_Side]) -> str:
    return " ".join([side.kind for side in sides])


def _side(key: str, expression: Expression | None) -> _Side:
    if expression is None:
        return _Side(key, key, short_text)
    kinds = {Head("name", "To"): "to", Head("call", "batch_id"): "batch_id"}
    return _Side(key, kinds.get(expression.head, "message_id"), expression.normalise())


def _written(values: Sequence[str | None]) -> bytes:
    """Values one after the other, so that no two lists of them are written alike."""
    return b"".join(
        [len(raw).to_bytes(4, "big") + raw for raw in [(it or "").encode("utf-8", "surrogatepass") for it in values]]
    )


def _digests(begun: Sequence[blake2b], values: Sequence[str | None]) -> list[bytes]:
    taken = _written(values)
    found = []
    for it in begun:
        hashed = it.copy()
        hashed.update(taken)
        found.append(hashed.digest())
    return found
