"""What a rule or an entry source says beside its conditions: id, code, reason, and how long to wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from connector.definition.patterns import PatternError, compile_pattern
from connector.definition.tree import Rule
from connector.errors import Problem
from connector.model import Outcome, Then
from connector.response.content import Content
from connector.response.path import Get, PathError, compile_condition, compile_path, weight
from connector.response.regex import Regex
from connector.response.reply_values import constant_after, constant_until, read_after, read_until
from connector.response.work import Work

# These send the message again, so a Retry-After that came with the reply counts.
AGAIN: Final = frozenset({"retry", "throttle", "pause", "defer", "uncertain"})

# From the content and the provider's id of the batch to: from an entry's document to its outcome.
Give = Callable[[Content, str | None], Callable[[Any], Outcome]]


class Scope:
    """What compiling a response shares.

    Attributes:
        faults: path of an expression → how often it failed on a reply.
        problems: everything wrong in the definition.
        work: the account that reading a reply is paid out of.
        weight: nodes of all expressions so far: the difference is what a part of the definition may cost.
    """

    def __init__(self) -> None:
        self.work = Work()
        self.weight = 0
        self.faults: Counter[str] = Counter()
        self.problems: list[Problem] = []

    def problem(self, message: str, remedy: str, place: str) -> None:
        self.problems.append(Problem(message, remedy, path=place))

    def path(self, source: str | None, place: str) -> Get | None:
        """A JMESPath expression compiled; None where there is none or it is wrong."""
        if source is None:
            return None
        try:
            self.weight += weight(source)
            return compile_path(source, self.faults, name=place, work=self.work)
        except PathError as error:
            self.problem(error.message, error.remedy, place)
            return None

    def condition(self, source: str | None, place: str) -> Callable[[Any], bool] | None:
        """A JMESPath condition compiled; None where there is none or it is wrong."""
        if source is None:
            return None
        try:
            self.weight += weight(source)
            return compile_condition(source, self.faults, name=place, work=self.work)
        except PathError as error:
            self.problem(error.message, error.remedy, place)
            return None

    def regex(self, source: str, place: str) -> Regex:
        """A regular expression compiled; one that is wrong never matches."""
        try:
            return Regex(compile_pattern(source), self.work)
        except PatternError as error:
            self.problem(f"the regular expression `{source}` {error.message}", error.remedy, place)
            return Regex(compile_pattern(r"[^\x00-\x{10ffff}]"), self.work)


class _HasTexts(Protocol):
    @property
    def id(self) -> str | None: ...
    @property
    def code(self) -> str | None: ...
    @property
    def reason(self) -> str | None: ...


class Texts:
    """`id`, `code` and `reason` of a rule or an entry source, compiled; what is absent is taken from `other`."""

    __slots__ = ("code", "id", "reason")

    def __init__(self, source: _HasTexts, scope: Scope, path: str, other: Texts | None = None) -> None:
        self.id: Get | None = scope.path(source.id, f"{path}.id")
        self.code: Get | None = scope.path(source.code, f"{path}.code")
        self.reason: Get | None = scope.path(source.reason, f"{path}.reason")
        if other is not None:
            self.id = self.id or other.id
            self.code = self.code or other.code
            self.reason = self.reason or other.reason

    def identity(self, document: Any, content: Content) -> str | None:
        """The id, as text."""
        return content.identity(self.id(document)) if self.id is not None else None

    def coded(self, document: Any, content: Content) -> str | None:
        """The code, as text for a result."""
        return content.code(self.code(document)) if self.code is not None else None

    def reasoned(self, document: Any, content: Content) -> str | None:
        """The reason, as text for a result."""
        return content.reason(self.reason(document)) if self.reason is not None else None


class Wait:
    """`after` and `until` of a rule."""

    __slots__ = ("_after", "_constant_after", "_next", "_until")

    def __init__(self, rule: Rule | None, scope: Scope) -> None:
        self._after = self._until = self._constant_after = self._next = None
        if rule is None:
            return
        if rule.after is not None:
            self._constant_after = constant_after(rule.after)
            if self._constant_after is None:
                self._after = scope.path(rule.after, f"{rule.path}.after")
        if rule.until is not None:
            try:
                self._next = constant_until(rule.until)
            except ValueError as error:
                scope.problem(str(error), 'write a time and a zone, like "09:00 Asia/Kolkata"', f"{rule.path}.until")
                return
            if self._next is None:
                self._until = scope.path(rule.until, f"{rule.path}.until")

    def read(self, then: str, document: Any, content: Content) -> tuple[float | None, float | None]:
        """Seconds to wait and the instant to wait for, each None where nothing asks for it."""
        if then not in AGAIN:
            return None, None
        after = self._constant_after
        if self._after is not None:
            after = read_after(self._after(document), content.now)
        if after is None:
            after = content.retry_after
        if self._next is not None:
            return after, self._next(content.now)
        if self._until is not None:
            return after, read_until(self._until(document), content.now)
        if then == "defer":
            return after, read_until(content.now + after if after is not None else None, content.now)
        return after, None


NO_WAIT: Final = Wait(None, Scope())


def outcome_of(then: str, texts: Texts, wait: Wait, path: str) -> Give:
    """How one entry becomes an outcome. Accepted entries with nothing but an id are nearly all there are: they have a
    way of their own.
    """
    word = cast(Then, then)
    identity = texts.id

    def full(content: Content, batch: str | None) -> Callable[[Any], Outcome]:
        def give(document: Any) -> Outcome:
            after, until = wait.read(then, document, content)
            return Outcome(
                word,
                texts.coded(document, content),
                texts.reasoned(document, content),
                texts.identity(document, content),
                batch,
                after,
                until,
                path,
            )

        return give

    def short(content: Content, batch: str | None) -> Callable[[Any], Outcome]:
        if identity is None:
            same = Outcome(word, None, None, None, batch, None, None, path)
            return lambda document: same
        named = content.identity
        return lambda document: Outcome(word, None, None, named(identity(document)), batch, None, None, path)

    return full if then in AGAIN or texts.code is not None or texts.reason is not None else short
