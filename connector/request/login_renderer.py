"""A request for a token, as `auth: {login: {request: …}}` describes it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import orjson

from connector.definition.expression import MISSING
from connector.definition.tree import LoginRequest, Object
from connector.errors import DefinitionError, MessageError, Phase, Problem, RequestError
from connector.model import Request
from connector.request.signer import Clockwork, Signed, Signer
from connector.request.templates import PartOf, Templates, Turn, plain
from connector.request.textual import header_text

CONTENT_TYPES = {
    "pairs": "application/x-www-form-urlencoded",
    "json": "application/json",
    "text": "text/plain; charset=utf-8",
}


class LoginRenderer:
    """Makes the request for a token.

    Args:
        place: where it stands in the definition, for errors.

    Raises:
        DefinitionError: what is written fails.
    """

    def __init__(self, login: LoginRequest, place: str) -> None:
        templates = Templates(login.secret)
        self._place = place
        self._method = login.method
        self._kind = login.kind
        self._values = {name: templates.compile(node) for name, node in login.values.items()}
        self._url = templates.text(login.url)
        self._query = _fields(login.query, templates)
        self._headers = _fields(login.headers, templates)
        self._body: PartOf | None = None
        if login.kind == "text":
            self._body = templates.text(login.body) if login.body is not None else None
        elif login.body is not None:
            self._body = templates.compile(login.body)
        self._signer = None
        if login.sign is not None:
            self._signer = Signer(login.sign, place=f"{place}.sign")

    def render(self, clockwork: Clockwork, *, masked: bool = False) -> Signed:
        """The request now.

        Raises:
            RequestError: phase `auth`, not uncertain: it cannot be computed.
        """
        try:
            made = self._rendered(clockwork, masked=masked)
        except MessageError as error:
            raise RequestError(Phase.AUTH, f"{self._place}: {error.reason}", uncertain=False) from None
        if self._signer is None:
            return made
        signed = self._signer.sign(made.request, clockwork, masked=masked)
        return Signed(signed.request, (*made.hidden, *signed.hidden))

    def trial(self) -> None:
        """See whether it can be made; raises DefinitionError where it cannot."""
        try:
            self.render(Clockwork(0.0, lambda: "0" * 32), masked=True)
        except RequestError as error:
            raise DefinitionError([Problem(error.reason.removeprefix(f"{self._place}: "), path=self._place)]) from None

    def _rendered(self, clockwork: Clockwork, *, masked: bool) -> Signed:
        calls: dict[str, PartOf] = {"now": lambda turn: clockwork.now, "nonce": lambda turn: clockwork.nonce()}
        turn = Turn(self._values, {**calls, "batch_id": calls["nonce"]}, {}, masked=masked)
        url = self._url(turn)
        query = urlencode(_present(self._query, turn))
        if query:
            url = f"{url}{'&' if '?' in url else '?'}{query}"
        headers = [(name, header_text(value)) for name, value in _present(self._headers, turn)]
        body = None if self._body is None else self._encoded(self._body(turn))
        if body is not None and not any(name.lower() == "content-type" for name, _ in headers):
            headers.insert(0, ("Content-Type", CONTENT_TYPES[self._kind]))
        return Signed(Request(self._method, url, tuple(headers), body), tuple(turn.hidden))

    def _encoded(self, value: Any) -> bytes:
        if self._kind == "pairs":
            return urlencode(value).encode()
        if self._kind == "json":
            return orjson.dumps(plain(value))
        return str(value).encode()


def _fields(node: Object, templates: Templates) -> PartOf:
    return templates.compile(node)


def _present(build: PartOf, turn: Turn) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in build(turn).items() if value is not MISSING]
