"""From a definition's `receipts` to a ReceiptReader: what a callback proves, holds and means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from connector.config_text.source import Place
from connector.definition.arguments import MISSING
from connector.definition.expression import Expression
from connector.definition.receipt_tree import Receipts
from connector.definition.tree import Definition
from connector.errors import DefinitionError
from connector.receipts import sns
from connector.receipts.callback import (
    Callback,
    CallbackAnswer,
    Inbound,
    Kind,
    Meaning,
    MessageToken,
    NeedsCertificate,
    Reading,
    ReceiptEntry,
    Refused,
    State,
    Token,
    Unmatched,
    Verified,
    Why,
)
from connector.receipts.correlation import Correlation, correlation
from connector.receipts.documents import Documents, written
from connector.receipts.inbound_reader import (
    PLAIN_RULES,
    AnswerWriter,
    InboundReader,
    InboundRules,
    MomentOf,
    never,
    nothing,
    whole_number,
)
from connector.receipts.signatures import MismatchError
from connector.receipts.tokens import ForeignTokenError, too_late
from connector.receipts.verification import CallbackVerification, ReceiptKeys, route
from connector.response.document import parse_json
from connector.response.fields import Scope
from connector.response.path import Get
from connector.response.reply_values import scalar_key, short_text, to_text
from connector.response.work import TooMuchWorkError

__all__ = ["ReceiptBounds", "ReceiptKeys", "ReceiptReader", "UnreadableEntry", "compile_receipts", "route"]

CONTENT_TYPE: Final = 200  # characters


@dataclass(frozen=True, slots=True)
class ReceiptBounds:
    """What is read of one callback: so many entries, which have so many bytes with what stands around each of them.
    `keep`: seconds that a message may have receipts.
    """

    entries: int = 1_000
    keep: float = 5 * 86_400.0
    bytes: int = 8 * 1024**2


@dataclass(frozen=True, slots=True)
class UnreadableEntry:
    """An entry that says nothing that can be understood, and why, without content."""

    reason: str


NAMELESS: Final = "nothing in it names a message"
PROVIDERS_OWN: Final = ("id", "batch")
"""What of `match` is the provider's: bounded as in results."""


class ReceiptReader:
    """Reads the callbacks of one definition. Made by `compile_receipts`.

    Attributes:
        name: of the definition.
        faults: path of an expression → how often it failed (and said nothing). Only grows.
        certificates: of SNS: what `NeedsCertificate` names is added here.
    """

    def __init__(
        self,
        name: str,
        receipts: Receipts,
        scope: Scope,
        correlation: Correlation | None,
        *,
        keys: ReceiptKeys,
        public_url: str,
        bounds: ReceiptBounds,
        rules: InboundRules,
    ) -> None:
        self.name = name
        self.faults: Counter[str] = scope.faults
        self._receipts = receipts
        self._correlation = correlation
        self._keys = keys
        self._public_url = public_url.rstrip("/")
        self._bounds = bounds
        self._blocked = rules.blocked
        self._work = scope.work
        self._verification = CallbackVerification(name, receipts, keys, self._public_url)
        self.certificates = self._verification.certificates
        self._documents = Documents(receipts, scope, bounds.entries)
        self._ignore = [
            scope.condition(when, f"receipts.ignore[{index}]") or never for index, when in enumerate(receipts.ignore)
        ]
        self._inbound = [
            InboundReader(source, scope, f"receipts.{key}[{index}]", None if key == "clicks" else rules.intents)
            for key, sources in (("replies", receipts.replies), ("clicks", receipts.clicks))
            for index, source in enumerate(sources)
        ]
        match = receipts.match
        self._token = scope.path(match.token, "receipts.match.token")
        self._pairs = [
            (
                key,
                _normaliser(expression),
                scope.path(path, f"receipts.match.{key}") or nothing,
            )
            for key, expression, path in match.pairs
        ]
        self._rules = [
            (scope.condition(rule.when, f"receipts.rules[{index}].when") or never, State(rule.then))
            for index, rule in enumerate(receipts.rules)
        ]
        self._states = {word: State(state) for word, state in receipts.states.items()}
        self._texts: dict[str, Get] = {
            name: scope.path(getattr(receipts, name), f"receipts.{name}") or nothing
            for name in ("state", "id", "to", "code", "reason", "sequence", "parts")
        }
        self._at = MomentOf(receipts.at, scope, "receipts.at")
        self._answer = AnswerWriter(receipts.answer, scope, "receipts.reply")

    def url(self) -> str:
        """What is registered with the provider by hand: it holds a secret."""
        return f"{self._public_url}/r/{self.name}/{self._keys.url_secrets.of(self.name)}"

    def verify(self, callback: Callback) -> Verified | Refused | NeedsCertificate:
        """Whether a callback is the provider's. Raises nothing."""
        return self._verification.check(callback)

    def read(self, callback: Callback, verified: Verified) -> Reading:
        """Everything in a callback whose sender is proved. Raises nothing: what cannot be read is `unmatched`."""
        self._work.begin()
        self._read = 0
        if not verified.query:
            callback = replace(callback, query="")
        reading = Reading([], [], [], self._answer.to(callback))
        try:
            if verified.by == "sns" and (special := self._subscription(callback)) is not None:
                return special
            return self._sorted(reading, self._documents.read(callback), callback, verified)
        except TooMuchWorkError:
            reason = "reading it takes more work than a callback is given"
        except ValueError as error:
            reason = str(error) or "it cannot be decoded"
        except Exception as error:
            self.faults["reader"] += 1
            reason = f"it could not be read ({type(error).__name__})"
        unmatched = whole_callback(self.name, callback, Why.UNREADABLE, reason, verified.token)
        # What people said until then counts all the same: nobody may have to find an opt-out there.
        return Reading([], reading.inbound, [unmatched], reading.answer)

    def read_again(self, kept: Unmatched) -> Reading:
        """What belonged to no message, read by the definition as it is now. Raises nothing."""
        now = Verified(self._verification.kept, kept.token)
        body, query = (b"", kept.document.decode("utf-8", "replace")) if kept.in_query else (kept.document, "")
        headers = {} if kept.content_type is None else {"content-type": kept.content_type}
        callback = Callback("GET" if kept.in_query else "POST", "", query, headers, body, kept.arrived)
        if kept.whole:
            return self.read(callback, now)
        self._work.begin()
        self._read = 0
        try:
            document = parse_json(kept.document, self._work)
            if not isinstance(document, dict):
                raise ValueError("it is no entry")  # noqa: TRY004 one kind of fault
            return self._sorted(
                Reading([], [], [], CallbackAnswer()), [document], callback, now, at=(kept.index, kept.count)
            )
        except (TooMuchWorkError, ValueError) as error:
            reason = str(error) or "it cannot be decoded"
        except Exception as error:
            self.faults["reader"] += 1
            reason = f"it could not be read ({type(error).__name__})"
        again = msgspec.structs.replace(kept, why=Why.UNREADABLE, reason=reason)
        return Reading([], [], [again], CallbackAnswer())

    def meaning(self, document: bytes) -> Meaning | UnreadableEntry:
        """What an entry's document says by the definition as it is now. Raises nothing."""
        self._work.begin()
        try:
            return self._meaning(parse_json(document, self._work))
        except TooMuchWorkError:
            return UnreadableEntry("reading it takes more work than an entry is given")
        except ValueError:
            return UnreadableEntry("it is no JSON")
        except Exception as error:
            self.faults["reader"] += 1
            return UnreadableEntry(f"it could not be read ({type(error).__name__})")

    # ---- the parts of a callback ----------------------------------------------------------------------------------

    def _subscription(self, callback: Callback) -> Reading | None:
        """What an envelope of SNS is that brings no event."""
        try:
            read = sns.envelope(callback.body)
        except MismatchError as error:
            raise ValueError(str(error)) from None
        if read["Type"] == "Notification":
            return None
        url = sns.handshake(read)
        return Reading([], [], [], self._answer.to(callback), ignored=1, handshake=url)

    def _sorted(
        self,
        reading: Reading,
        documents: list[dict[str, Any]],
        callback: Callback,
        verified: Verified,
        at: tuple[int, int] | None = None,
    ) -> Reading:
        """What each document is, into `reading`; `at`: the how manyth of how many the one document was."""
        answer = self._answer
        ignored = 0
        for index, document in enumerate(documents):
            if any(ignores(document) for ignores in self._ignore):
                ignored += 1
                continue
            source = next((each for each in self._inbound if each.holds(document)), None)
            if source is not None:
                answer = source.answer or answer
                token, _ = self._token_of(document, verified)
                if verified.by == "token":
                    # It was made for the receipts of one message, and may be anywhere by now; this is about any phone.
                    reason = "a reply is proved by the registered URL's secret or by a signature, not by a reference"
                    raw = written(document)
                    at_ = at or (index, len(documents))
                    reading.unmatched.append(
                        Unmatched(self.name, callback.now, Why.UNVERIFIED, reason, raw, *at_, token=verified.token)
                    )
                else:
                    reading.inbound.append(source.inbound(document, self.name, callback.now, token, verified.by))
                continue
            self._receipt(document, *(at or (index, len(documents))), callback, verified, reading)
        said = reading.answer if answer is self._answer else answer.to(callback)
        return Reading(reading.entries, reading.inbound, reading.unmatched, said, ignored)

    def _receipt(  # noqa: PLR0917 one entry with all that is known of it
        self, document: dict[str, Any], index: int, count: int, callback: Callback, verified: Verified, reading: Reading
    ) -> None:
        raw = written(document)
        self._read += len(raw)
        if self._read > self._bounds.bytes:
            raise ValueError("its entries repeat too much of what stands around them")

        def unmatched(why: Why, reason: str) -> None:
            token = verified.token
            reading.unmatched.append(Unmatched(self.name, callback.now, why, reason, raw, index, count, token=token))

        meaning = self._meaning(document)
        if isinstance(meaning, UnreadableEntry):
            unmatched(Why.UNREADABLE, meaning.reason)
            return
        token, foreign = self._token_of(document, verified)
        if token is not None and too_late(token, callback.now, self._bounds.keep):
            unmatched(Why.TOO_LATE, "its message was sent longer ago than receipts are kept")
            return
        match: dict[str, str] = {}
        keys: list[bytes] = []
        if not isinstance(token, MessageToken):
            match = self._match(document)
            keys = [] if self._correlation is None else self._correlation.of_entry(token, match)
            if not keys:
                unmatched(Why.FOREIGN if foreign else Why.UNKNOWN, foreign or NAMELESS)
                return
        reading.entries.append(ReceiptEntry(self.name, callback.now, index, count, raw, token, match, tuple(keys)))
        if self._blocked and meaning.state is State.BLOCKED:
            reading.inbound.extend(self._blocks(document, meaning, callback.now, token, verified.by))

    def _blocks(
        self, document: Any, meaning: Meaning, arrived: float, token: Token | None, by: str
    ) -> Iterable[Inbound]:
        """The phone that a receipt calls blocked. Who has the reference of one message proves nothing of any phone: its
        own is that of its event.
        """
        phone = None if by == "token" else short_text(self._texts["to"](document))
        if phone is not None or isinstance(token, MessageToken):
            yield Inbound(Kind.BLOCKED, self.name, arrived, by, phone, id=meaning.id, at=meaning.at, token=token)

    def _token_of(self, document: Any, verified: Verified) -> tuple[Token | None, str | None]:
        """Whose an entry is by a token; None, and why, where its reference is none of ours."""
        if self._token is None:
            return verified.token, None
        text = self._token(document)
        if text is None or text == "":
            return verified.token, None
        if not isinstance(text, str):
            return verified.token, "the reference is no text"
        try:
            return self._keys.tokens.read(self.name, text), None
        except ForeignTokenError as error:
            return verified.token, str(error)

    def _match(self, document: Any) -> dict[str, str]:
        """What the message is looked up by; the key is missing where the entry does not say it."""
        found = {}
        for key, normalise, get in self._pairs:
            value = scalar_key(get(document))
            value = short_text(value) if key in PROVIDERS_OWN else value
            value = None if value is None else normalise(value)
            if value is not None and value is not MISSING:
                found[key] = str(value)
        return found

    def _meaning(self, document: Any) -> Meaning | UnreadableEntry:
        texts = {name: get(document) for name, get in self._texts.items()}
        word = to_text(texts["state"])
        code = short_text(texts["code"])
        state = next((then for holds, then in self._rules if holds(document)), None)
        if state is None and word is not None:
            state = self._states.get(word) or self._states.get("*")
            if state is None:  # kept, counted and never guessed
                state, code = State.UNKNOWN, short_text(word)
        if state is None:
            return UnreadableEntry("it says no state")
        return Meaning(
            state,
            short_text(texts["id"]),
            code,
            short_text(texts["reason"]),
            self._at(document),
            whole_number(texts["sequence"]),
            whole_number(texts["parts"]),
        )


def whole_callback(name: str, callback: Callback, why: Why, reason: str, token: Token | None) -> Unmatched:
    """A callback that could not be divided into entries, as it came."""
    in_query = not callback.body
    document = callback.query.encode("utf-8", "replace") if in_query else callback.body
    kind = callback.headers.get("content-type")
    # A header may hold bytes of any kind, which a record of ours must not.
    kind = None if kind is None else kind.encode("utf-8", "replace").decode()[:CONTENT_TYPE]
    return Unmatched(
        name, callback.now, why, reason, document, whole=True, token=token, content_type=kind, in_query=in_query
    )


def _normaliser(expression: Expression | None) -> Callable[[Any], Any]:
    return (lambda value: value) if expression is None else expression.normalise()


def compile_receipts(
    definition: Definition,
    keys: ReceiptKeys,
    *,
    public_url: str,
    bounds: ReceiptBounds | None = None,
    rules: InboundRules = PLAIN_RULES,
) -> ReceiptReader:
    """The reader of a definition's callbacks. Raises DefinitionError; only for a definition that has `receipts`."""
    receipts = definition.receipts
    if receipts is None:
        place = Place(definition.file)
        raise DefinitionError([place.problem("`receipts` is missing", "write how the provider reports")])
    scope = Scope()
    reader = ReceiptReader(
        definition.name,
        receipts,
        scope,
        correlation(definition, keys.index),
        keys=keys,
        public_url=public_url,
        bounds=bounds or ReceiptBounds(),
        rules=rules,
    )
    if scope.problems:
        raise DefinitionError(scope.problems)
    return reader
