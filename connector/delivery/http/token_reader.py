"""The reply to a login: what it brought, and for how long. Nothing of a reply is shown that may be a secret."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from connector.clock import Clock
from connector.definition.tree import Login
from connector.errors import DefinitionError, Phase, RequestError
from connector.model import Reply
from connector.response.document import decode, decode_text
from connector.response.fields import Scope
from connector.response.work import TooMuchWorkError

DEFAULT_SECONDS = 600.0
"""Lifetime of a token whose reply does not tell: short, as renewing is cheap."""

LONGEST_SECONDS = 86_400.0
"""A token is renewed once a day at least, whatever its reply says."""

TOKEN_CHARACTERS = 16 * 1024
"""Longer tokens are refused: no server takes such a header."""

INSTANT: Final = 1e9
"""From here on a number is no length of time but an instant: seconds, or from 1e12 milliseconds, since 1970."""

# RFC 6749, 5.2 and 4.1.2.1: the only words of an error reply that are shown. Others may be the secret that was sent.
ERROR_CODES = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"),
        *("invalid_scope", "access_denied", "server_error", "temporarily_unavailable"),
    }
)

TOKEN_TYPES = frozenset({"mac", "dpop", "pop", "jwt", "n_a", "basic"})

NO_HEADER = re.compile(r"[^\x21-\x7e]")

NO_TEXT = re.compile(r"[\x00-\x1f\x7f]")


class TokenReader:
    """Reads what a login brought out of its reply. Nothing of a reply is shown that may be a secret."""

    def __init__(self, login: Login, clock: Clock) -> None:
        scope = Scope()
        self._login = login
        self._clock = clock
        self._scope = scope
        place = f"auth.{login.preset}"
        self._paths = {name: scope.path(source, f"{place}.token") for name, source in login.token.items()}
        self._expires = scope.path(login.expires, f"{place}.expires")
        self._text = scope.regex(login.text, f"{place}.text") if login.text is not None else None
        self._headers = {name: scope.regex(source, f"{place}.header") for name, source in login.header.items()}
        if scope.problems:
            raise DefinitionError(scope.problems)

    def read(self, reply: Reply) -> tuple[Mapping[str, str], float]:
        """The values of a reply, and the seconds they live.

        Raises:
            RequestError: it has none that can be used.
        """
        self._scope.work.begin()
        document, decoded = self._document(reply)
        values = self._values(reply, document)
        if not 200 <= reply.status <= 299 or any(not isinstance(value, str) or not value for value in values.values()):
            told = f"token endpoint answered {reply.status} without a token"
            raise _refused(f"{told}{self._why(reply, document, decoded=decoded)}")
        if self._login.rfc6749:
            _check_type(document)
        for value in values.values():
            self._check(value)
        return values, self._seconds(document)

    def _values(self, reply: Reply, document: Any) -> dict[str, Any]:
        values: dict[str, Any] = {
            name: _token_text(None if path is None or document is None else path(document), strict=self._login.rfc6749)
            for name, path in self._paths.items()
        }
        for name, pattern in self._headers.items():
            values |= _named(pattern, reply.headers.get(name, ""))
        if self._text is not None:
            values |= _named(self._text, decode_text(reply.body)[0])
        return values

    def _document(self, reply: Reply) -> tuple[Any, bool]:
        """What the body says, and whether it could be read."""
        if self._login.decode == ("json",):
            found, read = _json(reply.body)
            return (found if isinstance(found, dict) else {}) if self._login.rfc6749 else found, read
        if self._login.decode == ("none",):
            return None, True
        try:
            return decode(reply.body, self._login.decode, self._scope.work, keep_repeated=False), True
        except (ValueError, TooMuchWorkError):
            return None, False

    def _check(self, token: str) -> None:
        if len(token) > TOKEN_CHARACTERS:
            raise _refused(
                f"token endpoint gave a token of {len(token)} characters, at most {TOKEN_CHARACTERS} fit a header"
            )
        stray = (NO_HEADER if self._login.rfc6749 else NO_TEXT).search(token)
        if stray is not None:
            raise _refused(f"token endpoint gave a token that holds {_called(stray[0])}, which no header may")

    def _why(self, reply: Reply, document: Any, *, decoded: bool) -> str:
        code = document.get("error") if isinstance(document, dict) else None
        if isinstance(code, str) and code in ERROR_CODES:
            return f" ({code})"
        if 300 <= reply.status <= 399:
            key = "auth.oauth2.url" if self._login.preset == "oauth2" else f"auth.{self._login.preset}.request.url"
            return f" (redirects are not followed: write its final address in {key})"
        if reply.truncated:
            return " (it is too long)"
        words = " or ".join(kind.upper() for kind in self._login.decode)
        return "" if decoded else f" (the reply is not {words})"

    def _seconds(self, document: Any) -> float:
        """How long a token lives, which some servers write as text, and others as nonsense."""
        usual = self._login.lives or DEFAULT_SECONDS
        value = None if self._expires is None or document is None else self._expires(document)
        seconds = _number(value)
        if not self._login.rfc6749:
            if math.isnan(seconds) and isinstance(value, str):
                seconds = _instant(value)
            if seconds >= INSTANT and not math.isinf(seconds):
                seconds = (seconds / 1000 if seconds >= INSTANT * 1000 else seconds) - self._clock.wall()
        longest = max(LONGEST_SECONDS, self._login.lives or 0.0)
        return min(seconds, longest) if seconds > 0 else usual


def _named(pattern: Any, text: str) -> dict[str, str | None]:
    found = pattern.search(text)
    return dict.fromkeys(pattern.names) if found is None else found.groupdict()


def _token_text(value: Any, *, strict: bool) -> Any:
    """A token as text. RFC 6749 knows texts only; elsewhere some are numbers."""
    return str(value) if not strict and type(value) is int else value


def _check_type(document: Any) -> None:
    kind = document.get("token_type")
    if kind not in (None, "") and (not isinstance(kind, str) or kind.strip().lower() != "bearer"):
        named = isinstance(kind, str) and kind.strip().lower() in TOKEN_TYPES
        told = f"of the type `{kind}`" if named else "that is no bearer token"
        raise _refused(f"token endpoint gave a token {told}; only bearer tokens can be sent")


def _refused(told: str) -> RequestError:
    return RequestError(Phase.AUTH, told, uncertain=False)


def _called(character: str) -> str:
    if character in "\r\n":
        return "a line break"
    if character in " \t":
        return "a blank"
    return "a control character" if character < " " or character == "\x7f" else "a character beyond ASCII"


def _json(body: bytes) -> tuple[Any, bool]:
    """JSON, whatever its encoding and byte order mark; and whether it is any."""
    try:
        text = body.decode(json.detect_encoding(body), "replace")
        return json.loads(text, parse_int=_int), True
    except (ValueError, RecursionError):
        return None, False


def _int(text: str) -> int | float:
    return int(text) if len(text) <= 18 else float(text)  # more than 4,300 digits are an error to Python


def _number(value: Any) -> float:
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _instant(text: str) -> float:
    """Seconds since 1970 of a time as ISO 8601 or RFC 1123 write it; nan for another text."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            instant = read(text)
        except (ValueError, TypeError, IndexError):
            continue
        return (instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)).timestamp()
    return math.nan
