"""The base of a provider's callbacks: what it tells, how it writes it, what it takes for an acknowledgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import orjson

from connector.tools.simulator.receipts.fate import CourseStep, NetworkState, News, NewsKind, SentMessage
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class WrittenCallback:
    """One HTTP request to the receiver; `url` as it is signed."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class CallbackAttempt:
    """One attempt at telling something, as a reporter is asked to write it.

    Attributes:
        news: of one kind, no more of them than go together.
        url: where to.
        knobs: in force.
        now: when it is sent, seconds since the epoch.
        nonce: another one for each attempt.
        secret: what to sign with.
        forged: by somebody who does not know the secret; `secret` is a wrong one then.
    """

    news: tuple[News, ...]
    url: str
    knobs: ReceiptKnobs
    now: float
    nonce: str
    secret: str
    forged: bool = False


class AnswerVerdict(StrEnum):
    """What the provider makes of an answer."""

    TAKEN = "taken"
    DISCARDED = "discarded"  # it never comes again
    AGAIN = "again"


class Failure(StrEnum):
    """Why there is no acknowledgement, in the words of Twilio's retry policy."""

    CONNECT = "ct"
    READ = "rt"
    CLIENT = "4xx"
    SERVER = "5xx"


ALL: Final = frozenset(Failure)


@dataclass(frozen=True, slots=True)
class Repetition:
    """When a callback that was not acknowledged comes again.

    Attributes:
        waits: seconds before the second attempt, the third, …
        then: seconds before each later one; None: there is none.
        until: no attempt later than so many seconds after the first.
        on: the failures that are repeated.
        timeout, connect: seconds to wait for the answer in all, and for the connection; documented ones, or 15.
    """

    waits: tuple[float, ...] = ()
    then: float | None = None
    until: float | None = None
    on: frozenset[Failure] = ALL
    timeout: float = 15.0
    connect: float | None = None

    def wait(self, attempts: int, failure: Failure) -> float | None:
        """Seconds before the next attempt after `attempts` of them; None: it is given up."""
        if failure not in self.on:
            return None
        waits = list(self.waits[:attempts])
        if self.then is not None:
            waits += [self.then] * (attempts - len(waits))
        if len(waits) < attempts or (self.until is not None and sum(waits) > self.until):
            return None
        return waits[-1]


NEVER: Final = Repetition()


class Reporter:
    """How one provider reports. Subclasses say what differs.

    Attributes:
        words: the states it tells, and what it calls them.
        bunch: so many receipts fit into one callback.
        clicks, replies: whether it tells those.
        policy: when it repeats.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {}
    bunch: ClassVar[int] = 1
    clicks: ClassVar[bool] = False
    replies: ClassVar[bool] = False
    policy: ClassVar[Repetition] = NEVER

    def __init__(self, account: str, secret: str) -> None:
        self.account = account
        self.secret = secret

    def signs(self, knobs: ReceiptKnobs) -> bool:
        """Whether its callbacks carry what only it can make."""
        del knobs
        return False

    def tells(self, step: CourseStep, sent: SentMessage, knobs: ReceiptKnobs) -> bool:
        """Whether it reports this step of this message at all."""
        del knobs
        if step.kind is NewsKind.RECEIPT:
            return step.state in self.words and (sent.wants is None or step.state in sent.wants)
        return self.replies if step.kind is NewsKind.REPLY else self.clicks

    def url(self, sent: SentMessage, kind: NewsKind, knobs: ReceiptKnobs) -> str | None:
        """Where to; None: nowhere."""
        if kind is NewsKind.REPLY:
            return knobs.inbound or knobs.url
        return sent.url if sent.url and _callable(sent.url) else knobs.url

    def together(self, knobs: ReceiptKnobs) -> int:
        """So many receipts go into one callback at most."""
        del knobs
        return self.bunch

    def retry(self, url: str) -> Repetition:
        """When a callback to `url` comes again."""
        del url
        return self.policy

    def ready(self, knobs: ReceiptKnobs) -> bool:
        """Whether the receiver has done what it must before anything is sent to it."""
        del knobs
        return True

    def probe(self, url: str, knobs: ReceiptKnobs, now: float) -> WrittenCallback | None:
        """What is sent once when `url` is registered."""
        del url, knobs, now
        return None

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        """The request of one attempt. Raises ValueError, RuntimeError where it cannot be made."""
        raise NotImplementedError

    def verdict(self, status: int, body: bytes) -> AnswerVerdict:
        """What it makes of the receiver's answer."""
        del body
        return AnswerVerdict.TAKEN if 200 <= status < 300 else AnswerVerdict.AGAIN


def _callable(url: str) -> bool:
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
    except ValueError:
        return False
    return scheme.lower() in {"http", "https"} and bool(host)


def json_post(url: str, document: Any, headers: Mapping[str, str] | None = None) -> WrittenCallback:
    """A POST of JSON."""
    return WrittenCallback("POST", url, {"Content-Type": JSON, **(headers or {})}, orjson.dumps(document))


def form(url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> WrittenCallback:
    """A POST of a form."""
    return WrittenCallback("POST", url, {"Content-Type": FORM, **(headers or {})}, urlencode(fields).encode())


def with_query(url: str, fields: Mapping[str, str]) -> str:
    """The URL with more query parameters behind its own."""
    scheme, host, path, query, fragment = urlsplit(url)
    return urlunsplit((scheme, host, path, "&".join(filter(None, (query, urlencode(fields)))), fragment))
