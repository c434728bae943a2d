"""What a provider echoes of what it was sent, hidden before anything else sees it.

Every word of a provider that leaves this room (`id`, `code`, `reason`) goes through an `Echo`. It knows the secrets of
the definition, the credentials the request carried, and the numbers, texts and variables of its messages, and finds
them in whatever encoding they come back (`unescape`). It is made per reply and does nothing until there is a word to
look at: a batch that was accepted has none but ids, which are searched for secrets only.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import msgspec

from connector.masking import MASK, SECRET_CHARACTERS, mask_number, mask_phone
from connector.model import Batch, Message
from connector.response.marks import PART_DIGITS, MarkedTexts, Numbers, Span, digit_runs
from connector.response.unescape import encoded_runs, folded, unescaped
from connector.response.work import Work

TEXT_CHARACTERS: Final = 6
"""Texts and variables with fewer characters are not searched for: they would blot out half of every reason."""

COMMON_CHARACTERS: Final = 12
"""So long a part of a text or a secret is hidden like the whole: what a provider cut off is found as well."""

ID_SECRET_CHARACTERS: Final = 8
"""Shorter secrets hide an id only where they stand between its separators: ids are what receipts are matched by."""

ID_CHARACTERS: Final = 128
"""Longer ids are words: providers that answer a sentence where another one answers an id."""

NESTED: Final = 2
"""Encodings inside one another, beyond the outer one: a dump of a request, as base64, holds its `Basic` in base64."""

BATCH_CHARACTERS: Final = 2_000_000
"""Texts of one batch that are indexed. 1,000 messages of ten parts have three quarters of it; 20 ms."""

REPLY_CHARACTERS: Final = 100_000
"""Words of one reply that are searched: 1,000 reasons of 100 characters."""

WITHHELD: Final = "withheld: too much text to search for numbers and secrets"

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_NO_DIGITS: Final = re.compile(r"[^0-9]+")
_SEPARATORS: Final = re.compile(r"[^0-9a-z]+")


class Redactor:
    """Hides the secrets of one definition. Made once per operation.

    Args:
        secrets: `${NAME}` → value; the name is written where the value stood.
        documented: codes that the definition itself names: never hidden.
    """

    def __init__(self, secrets: Mapping[str, str], documented: frozenset[str] = frozenset()) -> None:
        self._labels = {value: name for name, value in secrets.items()}
        self.documented = documented
        self.secrets = _secret_marks(self._labels)
        self._ids = _IdSearch(self._labels)
        self._credentials: tuple[str, ...] = ()
        self._with_credentials = (self.secrets, self._ids)

    def __call__(self, text: str) -> str:
        """Words of our own, which may name what a request held: without secrets and phone numbers."""
        return mask_phone(_hidden(text, (self.secrets,), Numbers((), spared=self.documented)))

    def echo(
        self,
        messages: Sequence[Message],
        credentials: tuple[str, ...] = (),
        work: Work | None = None,
        batch: Batch | None = None,
    ) -> Echo:
        """For one reply: `messages` are what its request held, `credentials` what was added to it when it was sent,
        `batch` has the references by which receipts will know them.

        Where the time of the reply is up, words are withheld; see `Work`.
        """
        if credentials != self._credentials:  # a token lasts for thousands of requests
            labels = self._labels | dict.fromkeys(credentials, MASK)
            self._with_credentials = (_secret_marks(labels), _IdSearch(labels))
            self._credentials = credentials
        secrets, ids = self._with_credentials
        return Echo(messages, secrets, ids, self.documented, work or Work(), batch)


class Echo:
    """Hides in the words of one reply what its request held. See `Redactor.echo`."""

    def __init__(  # noqa: PLR0917 what one reply's request held
        self,
        messages: Sequence[Message],
        secrets: MarkedTexts,
        ids: _IdSearch,
        documented: frozenset[str],
        work: Work,
        batch: Batch | None,
    ) -> None:
        self._messages = messages
        self._batch = batch
        self._work = work
        self._secrets = secrets
        self._ids = ids
        self._documented = documented
        self._known: tuple[MarkedTexts, Numbers] | None = None
        self._left = REPLY_CHARACTERS
        self._seen: dict[str, str] = {}

    def word(self, text: str) -> str:
        """A code. Those the definition names are nobody's secret, whatever else they may be equal to."""
        return text if text in self._documented else self._hidden(text)

    def text(self, text: str) -> str:
        """A reason. Words may also name numbers of others."""
        return mask_phone(self._hidden(text))

    def _hidden(self, text: str) -> str:
        hidden = self._seen.get(text)  # most messages that are refused are refused in the same words
        if hidden is None:
            hidden = self._seen[text] = self._search(text)
        return hidden

    def identity(self, text: str) -> str:
        """An id of the provider: only secrets are hidden in it. What is no id by its look is words."""
        if len(text) > ID_CHARACTERS or _is_words(text):
            return self.text(text)
        if not self._ids.may_hold_secret(text):
            return text
        return _hidden(text, (self._secrets,), Numbers(()))

    def clean(self, ids: Sequence[str]) -> bool:
        """Whether these are ids by their look, and no secret stands in any of them."""
        if max(map(len, ids)) > ID_CHARACTERS:
            return False
        text = "\t".join(ids)
        return not _is_words(text) and not self._ids.may_hold_secret(text)

    def _search(self, text: str) -> str:
        self._left -= len(text)
        if self._left < 0 or self._work.late:
            return WITHHELD
        if self._known is None:
            batch = self._batch
            references = [] if batch is None or batch.references is None else batch.references.all(batch.id)
            self._known = _marks_of(self._messages, references, self._documented, self._work)
            if self._known is None:
                self._left = 0
                return WITHHELD
        marks, numbers = self._known
        return _hidden(text, (self._secrets, marks), numbers)


def _is_words(text: str) -> bool:
    """Whether it has characters that no id has. Asked for a thousand ids at once: a regex takes ten times as long."""
    for character in ' \n<>&"{}':  # noqa: SIM110  a generator takes twice as long
        if character in text:
            return True
    return False


class _IdSearch:
    """Whether an id may hold a secret: asked for each accepted message, so the forms are made beforehand."""

    def __init__(self, secrets: Iterable[str]) -> None:
        long = [it for it in secrets if len(it) >= ID_SECRET_CHARACTERS]
        self._forms = tuple(dict.fromkeys(form for secret in long for form in _forms(secret)))
        self._short = frozenset(folded(it) for it in secrets if SECRET_CHARACTERS <= len(it) < ID_SECRET_CHARACTERS)

    def may_hold_secret(self, text: str) -> bool:
        if "%" in text or "\\" in text or not text.isascii():  # escapes, and letters that only look alike
            return True
        lower = text.lower()
        for form in self._forms:  # a generator takes as long again
            if form in lower:
                return True
        for short in self._short:
            if short in lower:
                return not self._short.isdisjoint(_SEPARATORS.split(lower))
        return False


def _forms(secret: str) -> Iterable[str]:
    """A secret as an id may hold it, in lower case: as it is, escaped, in hexadecimal, and in base64 at any place."""
    yield secret.lower()
    yield quote(secret, safe="").lower()
    yield html.escape(secret).lower()
    data = secret.encode("utf-8", "replace")
    yield data.hex()
    for before in range(3):  # what stands before it decides which bits share a character
        encoded = base64.b64encode(bytes(before) + data).decode().rstrip("=").lower()
        inner = encoded[(before * 8 + 5) // 6 : -1]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def _secret_marks(labels: Mapping[str, str]) -> MarkedTexts:
    return MarkedTexts(labels, shortest=SECRET_CHARACTERS, common=COMMON_CHARACTERS)


def _marks_of(
    messages: Sequence[Message], references: Sequence[str], documented: frozenset[str], work: Work
) -> tuple[MarkedTexts, Numbers] | None:
    """What stands in these messages, and refers to them; None where it is too much to index."""
    labels: dict[str, str] = dict.fromkeys(references, MASK)
    codes: set[str] = set()
    left = BATCH_CHARACTERS - sum(map(len, references))
    for message in messages:
        for text in _texts_of(message):
            if text in labels:
                continue
            left -= len(text)
            if left < 0 or work.late:
                return None
            labels[text] = MASK
            codes.update(digit_runs(text))
    plain = {unescaped(text): MASK for text in labels} if any(not it.isascii() for it in labels) else _NOTHING
    marks = MarkedTexts({**labels, **plain}, shortest=TEXT_CHARACTERS, common=COMMON_CHARACTERS)
    return marks, Numbers([message.to for message in messages], codes, documented)


def _texts_of(message: Message) -> Iterable[str]:
    """Body, variables and custom values of a message, as texts."""
    if message.body is not None:
        yield message.body
    waiting: list[Any] = [message.template_variables, message.custom]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, msgspec.Raw):
            yield bytes(value).decode("utf-8", "replace")
        elif value is not None and not isinstance(value, bool):
            yield str(value)


def _hidden(text: str, marks: Sequence[MarkedTexts], numbers: Numbers) -> str:
    """`text` with everything hidden that is found in it, in the text with its escapes undone, or in an encoded run."""
    text = _replaced(text, _spans(text, marks, numbers))
    plain = unescaped(text)
    if plain != text and (spans := _spans(plain, marks, numbers)):
        text = _replaced(plain, spans)
    spans = []
    for run in encoded_runs(text):
        if any(_says(unescaped(reading), marks, numbers, NESTED) for reading in run.readings):
            spans.append(Span(run.start, run.end, MASK))
    return _replaced(text, spans)


def _says(text: str, marks: Sequence[MarkedTexts], numbers: Numbers, levels: int) -> bool:
    """Whether a mark stands in `text` or, so many levels deep, in what is encoded in it once more."""
    if _spans(text, marks, numbers):
        return True
    return levels > 0 and any(
        _says(unescaped(reading), marks, numbers, levels - 1) for run in encoded_runs(text) for reading in run.readings
    )


def _spans(text: str, marks: Sequence[MarkedTexts], numbers: Numbers) -> list[Span]:
    search = folded(text)
    spans = [span for each in marks for span in each.spans(search)]
    spans += [Span(start, end, mask_number(text[start:end])) for start, end in numbers.spans(search)]
    return spans


def _replaced(text: str, spans: list[Span]) -> str:
    if not spans:
        return text
    parts, at = [], 0
    for start, end, label in sorted(spans, key=lambda it: (it.start, -it.end)):
        if start >= at:
            parts += [text[at:start], label]
        at = max(at, end)
    return "".join([*parts, text[at:]])


def hide_number(text: str, number: str) -> str:
    """`text`, an id, without this recipient's number, however its digits are separated."""
    digits = number.lstrip("+")
    if digits[-PART_DIGITS:] not in _NO_DIGITS.sub("", text):
        return text
    numbers = Numbers([number])
    return _replaced(text, _spans(text, (), numbers))


def redact(text: str, secrets: Mapping[str, str]) -> str:
    """`text` with each secret as `${NAME}` and each phone number reduced to its last two digits."""
    return Redactor(secrets)(text)
