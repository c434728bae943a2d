"""From a definition's `response` to a Reader: one outcome per message out of whatever a provider answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from connector.definition.tree import Operation, Response
from connector.errors import DefinitionError
from connector.model import Batch, Message, Outcome, Reply
from connector.response.builtin import built_in, by_status_alone
from connector.response.content import Content
from connector.response.credentials import typed_credentials
from connector.response.documented import documented_codes
from connector.response.entries import Entries
from connector.response.fields import Scope
from connector.response.path import called
from connector.response.redact import Redactor
from connector.response.rules import NO, CompiledRule
from connector.response.work import TooMuchWorkError

_NO_SECRETS: Final[Mapping[str, str]] = MappingProxyType({})


class ReplyReading(msgspec.Struct, frozen=True, gc=False):
    """What a reply meant.

    Attributes:
        outcomes: one per message, in the request's order.
        whole: the outcome when one rule decided for all, else None. Only here, and only for more than one message, may
            `then` be `split`.
    """

    outcomes: Sequence[Outcome]
    whole: Outcome | None


class ReplyReader:
    """Reads the replies of one operation. Made by `compile_response`.

    Attributes:
        faults: path of an expression → how often it failed on a reply (and was no match). Only grows.
    """

    def __init__(self, operation: Operation, scope: Scope, secrets: Mapping[str, str]) -> None:
        response = operation.response or Response(decode=("none",))
        self.faults: Counter[str] = scope.faults
        self._described = operation.response is not None
        self._batched = operation.batching is not None
        self._redact = Redactor({**typed_credentials(operation), **secrets}, documented_codes(response))
        self._charset = response.charset
        self._decoders = tuple(response.decode)
        # A map of results that names a recipient twice says two things about one message.
        # And whom the reply does not name may have stood under a key that it writes twice.
        self._keep_repeated = any(
            source.match.kind == "others" or (source.each is not None and "items" in called(source.each))
            for source in response.entries
        )
        self._work = scope.work
        self._rules = [CompiledRule(rule, scope) for rule in response.rules]
        self._entries = Entries(response.entries, scope)

    def read(self, reply: Reply, messages: Sequence[Message], batch: Batch, now: float) -> ReplyReading:
        """What `reply` means for each of `messages`, the request's in record order.

        `batch` is the one they were rendered with; `now` is seconds since the epoch. Never raises for anything a
        provider can send.
        """
        content = Content(
            reply,
            messages,
            now,
            decoders=self._decoders,
            keep_repeated=self._keep_repeated,
            redact=self._redact,
            work=self._work,
            charset=self._charset,
            batch=batch,
        )
        self._work.begin()
        try:
            return self._read(content, batch)
        except TooMuchWorkError as error:
            self.faults["work"] += 1
            unknown = Outcome("unknown", reason=str(error), rule="built-in reader")
            return ReplyReading([unknown] * len(messages), unknown)
        except Exception as error:  # the last line: a reply that ends a lane would come again after each restart
            self.faults["reader"] += 1
            reason = f"the reply could not be read: {type(error).__name__}"
            unknown = Outcome("unknown", reason=reason, rule="built-in reader")
            return ReplyReading([unknown] * len(messages), unknown)

    def _read(self, content: Content, batch: Batch) -> ReplyReading:
        if content.reply.fault is not None:  # a rule would read what is not there
            return self._for_all(by_status_alone(content, content.reply.fault), content)
        for rule in self._rules:
            self._work.spend(rule.weight)
            document = rule.decides(content)
            if document is not NO:
                break
        else:
            return self._for_all(built_in(content, described=self._described), content)
        if rule.total is not None and (doubt := rule.total.doubt(document, len(content.messages))) is not None:
            return self._for_all(self._miscounted(rule, document, content, doubt), content)
        if rule.then != "entries":
            return self._for_all(rule.whole(document, content, batched=self._batched), content)
        identity = rule.identity(document, content)
        if self._batched:
            return ReplyReading(self._entries.read(content, batch, identity, meant=rule.names_status), None)
        outcomes = self._entries.read(content, batch, None, meant=rule.names_status)
        if identity is not None:
            outcomes = [
                msgspec.structs.replace(outcome, provider_message_id=outcome.provider_message_id or identity)
                for outcome in outcomes
            ]
        return ReplyReading(outcomes, None)

    def _miscounted(self, rule: CompiledRule, document: Any, content: Content, doubt: str) -> Outcome:
        identity = rule.identity(document, content) if self._batched else None
        return Outcome("unknown", reason=doubt, provider_batch_id=identity, rule=rule.path)

    def _for_all(self, outcome: Outcome, content: Content) -> ReplyReading:
        count = len(content.messages)
        if outcome.then == "split" and count <= 1:  # there is nothing left to bisect
            outcome = msgspec.structs.replace(outcome, then="reject")
        return ReplyReading([outcome] * count, outcome)


def compile_response(operation: Operation, secrets: Mapping[str, str] = _NO_SECRETS) -> ReplyReader:
    """The reader of an operation's replies. `secrets` (a definition's) are masked in codes and reasons.

    Raises DefinitionError with every problem: expressions, patterns, times and zones that cannot be compiled.
    """
    scope = Scope()
    reader = ReplyReader(operation, scope, secrets)
    if scope.problems:
        raise DefinitionError(scope.problems)
    return reader
