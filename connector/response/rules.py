"""A rule, compiled: when it holds, and the outcome it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from connector.definition.tree import Rule
from connector.model import Outcome, Then
from connector.response.content import Content
from connector.response.counted import Total
from connector.response.document import TEXT_LIMIT
from connector.response.fields import Give, Scope, Texts, Wait, outcome_of
from connector.response.reply_values import to_text

# What a rule that does not hold answers, where one that holds answers the document its fields are read from.
NO: Final = object()


class CompiledRule:
    """One rule.

    Attributes:
        path: where it stands in the definition.
        then: an outcome, or `entries`.
        names_status: whether it says for which statuses it is meant.
        total: how many messages the reply must count; None where it need not.
        weight: steps that asking it may take, but for what grows with the reply.
    """

    def __init__(self, rule: Rule, scope: Scope, fallback: Texts | None = None) -> None:
        before = scope.weight
        self.path = rule.path
        self.then = rule.then
        self._status = rule.status
        self.names_status = bool(rule.status)
        self._headers = [
            (name.lower(), scope.regex(pattern, f"{rule.path}.header.{name}")) for name, pattern in rule.header
        ]
        self._text = scope.regex(rule.text, f"{rule.path}.text") if rule.text is not None else None
        self._when = scope.condition(rule.when, f"{rule.path}.when")
        self._texts = Texts(rule, scope, rule.path, fallback)
        self._wait = Wait(rule, scope)
        self.total = Total(rule.count, scope, rule.path) if rule.count is not None else None
        self.weight = scope.weight - before + 1

    def fits_head(self, content: Content) -> bool:
        """Whether status and headers of the reply are as the rule wants them."""
        reply = content.reply
        for low, high in self._status:  # a loop: asked per reply, where a generator takes three times as long
            if low <= reply.status <= high:
                break
        else:
            if self._status:
                return False
        for name, pattern in self._headers:
            value = reply.headers.get(name)
            if value is None or pattern.search(value[:TEXT_LIMIT]) is None:
                return False
        return True

    def _named_in_headers(self, content: Content) -> dict[str, Any]:
        """The named groups of the headers' expressions, which have been found: an id may stand in `Location`."""
        groups: dict[str, Any] = {}
        for name, pattern in self._headers:
            if pattern.names and (found := pattern.search(content.reply.headers[name][:TEXT_LIMIT])) is not None:
                groups |= found.groupdict()
        return groups

    def decides(self, content: Content) -> Any:
        """The document for the rule's fields when it holds for the reply, else NO."""
        if not self.fits_head(content):
            return NO
        groups: dict[str, Any] = self._named_in_headers(content) if self._headers else {}
        if self._text is not None:
            found = self._text.search(content.text)
            if found is None or (content.text_is_cut and found.end() >= len(content.text)):
                return NO  # what was cut off may say something else: `OK 12` of `OK 12345`
            groups |= found.groupdict()
        if groups:  # without named groups the document stays what was decoded
            return groups if self._when is None or self._when(groups) else NO
        document, undecodable = content.opened
        if self._when is None:
            return document
        return document if undecodable is None and self._when(document) else NO

    def whole(self, document: Any, content: Content, *, batched: bool) -> Outcome:
        """The outcome for all messages of the request."""
        after, until = self._wait.read(self.then, document, content)
        identity = self._texts.identity(document, content)
        return Outcome(
            then=cast(Then, self.then),
            code=self._texts.coded(document, content),
            reason=self._texts.reasoned(document, content),
            provider_message_id=None if batched else identity,
            provider_batch_id=identity if batched else None,
            after=after,
            until=until,
            rule=self.path,
        )

    def identity(self, document: Any, content: Content) -> str | None:
        """The rule's `id`, out of the document it holds with."""
        return self._texts.identity(document, content)

    def judges(self) -> Callable[[Any], Any]:
        """A function of an entry: the document for the rule's fields when it holds for it, else NO.

        Status and headers are not asked again: `fits_head` answers for all entries of a reply.
        """
        when, text = self._when, self._text
        if text is None:
            if when is None:
                return lambda entry: entry
            return lambda entry: entry if when(entry) else NO

        def judge_text(entry: Any) -> Any:
            found = text.search((to_text(entry) or "")[:TEXT_LIMIT])
            if found is None:
                return NO
            document = found.groupdict() or entry
            return document if when is None or when(document) else NO

        return judge_text

    def gives(self) -> Give:
        """How the document of an entry becomes its outcome."""
        return outcome_of(self.then, self._texts, self._wait, self.path)
