"""One reply and the request it answers, opened as far as the rules ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from connector.model import Batch, Message, Reply
from connector.response.charset import as_utf8
from connector.response.document import decode, decode_text
from connector.response.redact import Redactor
from connector.response.reply_values import bounded, reset_after, retry_after, short_text, to_text
from connector.response.work import CHARSET_BYTES_A_STEP, TooMuchWorkError, Work

# Characters of a reason that are looked at before it is bounded: a whole page in place of a sentence costs no more.
REASON_READ: Final = 4096

_BLANKS: Final = 100  # before an XML declaration, at most


class Content:
    """A reply, decoded on first use and at most once.

    Attributes:
        reply: as it came.
        now: when, seconds since the epoch.
        messages: what the request held, in its order.
    """

    def __init__(
        self,
        reply: Reply,
        messages: Sequence[Message],
        now: float,
        *,
        decoders: Sequence[str],
        keep_repeated: bool,
        redact: Redactor,
        work: Work,
        charset: str | None = None,
        batch: Batch | None = None,
    ) -> None:
        self.reply = reply
        self.now = now
        self.messages = messages
        self._decoders = decoders
        self._keep_repeated = keep_repeated
        self._echo = redact.echo(messages, reply.credentials, work, batch)
        self._work = work
        self._charset = charset
        self._opened: tuple[Any, str | None] | None = None

    @property
    def opened(self) -> tuple[Any, str | None]:
        """`document` and `undecodable`. By hand: a `cached_property` takes a lock before Python 3.12."""
        if self._opened is None:
            self._opened = self._decoded()
        return self._opened

    @property
    def document(self) -> Any:
        """What the body says; None where it cannot be decoded."""
        return self.opened[0]

    @property
    def undecodable(self) -> str | None:
        """Why the body cannot be decoded; None where it can."""
        return self.opened[1]

    @property
    def text(self) -> str:
        """The body as text, bounded."""
        return self._text[0]

    @property
    def text_is_cut(self) -> bool:
        """True when `text` is not the whole body."""
        return self._text[1] or self.reply.truncated

    @cached_property
    def retry_after(self) -> float | None:
        """Seconds the reply asks to wait: by Retry-After, or where a 429 has none by when its limit begins anew."""
        headers = self.reply.headers
        seconds = retry_after(headers.get("retry-after"), headers.get("date"), self.now)
        return reset_after(headers, self.now) if seconds is None and self.reply.status == 429 else seconds

    def identity(self, value: Any) -> str | None:
        """The provider's id of a message or a batch, bounded, without secrets."""
        text = short_text(value)
        return None if text is None else self._echo.identity(text)

    def tidy(self, ids: Sequence[str]) -> bool:
        """Whether these ids may stand in results as they are."""
        return self._echo.clean(ids)

    def code(self, value: Any) -> str | None:
        """The provider's code for a result, bounded, without what the request held."""
        text = to_text(value)
        return None if text is None else bounded(self._echo.word(text[:REASON_READ]))

    def reason(self, value: Any) -> str | None:
        """The provider's words for a result, bounded, without what the request held: hidden before they are cut."""
        text = to_text(value)
        return None if text is None else bounded(self._echo.text(text[:REASON_READ]))

    @cached_property
    def _recoded(self) -> bytes:
        reply = self.reply
        self._work.spend(len(reply.body) // CHARSET_BYTES_A_STEP)
        return as_utf8(reply.body, reply.headers.get("content-type"), self._charset, cut=reply.truncated)

    @property
    def _body(self) -> bytes:
        """The body in UTF-8, where that can be told."""
        reply = self.reply
        if self._charset is None and reply.body.isascii() and not reply.body[:_BLANKS].lstrip().startswith(b"<?xml"):
            return reply.body
        return self._recoded

    def _decoded(self) -> tuple[Any, str | None]:
        if self._decoders == ("none",):
            return None, None
        if self.reply.truncated:  # what was cut off may still parse (`123` of `12345`), and then says something else
            return None, "the reply is longer than the limit and was cut off"
        try:
            document = decode(self._body, self._decoders, self._work, keep_repeated=self._keep_repeated)
        except ValueError as error:
            return None, f"the reply cannot be decoded: {error}"
        except TooMuchWorkError:
            self._work.begin()  # nothing was done yet, and what the status says is still to be read
            return None, "the reply holds more values than a reply is read for"
        return document, None

    @cached_property
    def _text(self) -> tuple[str, bool]:
        return decode_text(self._body)
