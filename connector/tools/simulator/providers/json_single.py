"""A provider that takes one JSON message per request and wants an OAuth2 bearer token."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Annotated, Final

from msgspec import Meta

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.clevertap_callbacks import CleverTapCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import Knobs
from connector.tools.simulator.receipts.fate import SentMessage

REFUSED = {
    Magic.INVALID: (422, "invalid-number"),
    Magic.BLOCKED: (422, "blocked"),
    Magic.THROTTLED: (429, "busy"),
    Magic.TEMPORARY: (503, "temporary"),
    Magic.PERMANENT: (422, "refused"),
    Magic.CREDIT: (402, "credit"),
}
MAX_TOKENS = 10_000  # a client that asks for a token per message must not fill the memory


class JsonSingleOptions(Knobs, frozen=True, kw_only=True):
    """The client's credentials, how many seconds a token lives, and the 5xx that `/token` alone answers, if any.

    With `token_turns` every other answer of `/token` is one of `WRONG`.
    """

    client_id: str = "demo-client"
    client_secret: str = "demo-secret"  # noqa: S105  public on purpose: it opens nothing but this fake
    expires_in: Annotated[int, Meta(ge=1)] = 3600
    token_error: Annotated[int, Meta(ge=500, le=599)] | None = None
    token_turns: bool = False


WRONG: Final[tuple[Callable[[str], Answer], ...]] = (
    lambda _token: Answer(200, b"\x00\xff{]", media="application/octet-stream"),
    lambda token: Answer(200, b'{"access_token":"%s","expires_in":%s}' % (token.encode(), b"9" * 401)),
    lambda _token: Answer(401, {"error": "invalid_client"}),
    lambda _token: Answer(200, b"[" * 100_000),
    lambda token: Answer(200, b'{"access_token":"%s","expires_in":-1e400}' % token.encode()),
    lambda _token: Answer(200, {"access_token": {"deep": [1e300]}}),
    lambda token: Answer(200, {"access_token": f"{token}\r\nX-Injected: 1"}),
    lambda _token: Answer(200, {"access_token": "", "expires_in": "soon"}),
)
"""Answers of a token endpoint that does not work. Where they hold a token it is a good one."""


class JsonSingle(Fake):
    """POST /token (RFC 6749, 4.4; credentials in the body or as HTTP Basic), then POST /send with the bearer token.

    `{"to", "uid", …}` → 202 `{"id", "uid", "status": "queued"}`; refusals are 4xx `{"error": {"code", "message"}}`.
    `POST /_control/single/revoke` makes every token invalid at once.
    """

    name = "single"
    about = "single JSON message, OAuth2 client credentials"
    paths = ("/send", "/token")
    options = JsonSingleOptions
    reports = CleverTapCallbacks

    def __init__(self, *args: object, **names: object) -> None:
        super().__init__(*args, **names)  # type: ignore[arg-type]
        self._tokens: dict[str, float] = {}
        self._turn = 0

    @route("POST", "/token")
    def token(self, call: Call) -> Answer:
        form = call.form
        given = call.basic or (form.get("client_id", ""), form.get("client_secret", ""))
        headers = {"Cache-Control": "no-store"}
        if self.knobs.token_error is not None:
            return Answer(self.knobs.token_error, {"error": "temporarily_unavailable"}, headers=headers)
        if form.get("grant_type") != "client_credentials":
            return Answer(400, {"error": "unsupported_grant_type"}, headers=headers)
        if given != (self.knobs.client_id, self.knobs.client_secret):
            return Answer(401, {"error": "invalid_client"}, headers=headers)
        now = self.now()
        if len(self._tokens) >= MAX_TOKENS:
            self._tokens = {token: until for token, until in self._tokens.items() if until > now}
            if len(self._tokens) >= MAX_TOKENS:
                self._tokens.clear()
        token = secrets.token_urlsafe(24)
        self._tokens[token] = now + self.knobs.expires_in
        self._turn += 1
        if self.knobs.token_turns and self._turn % 2:
            return WRONG[self._turn // 2 % len(WRONG)](token)
        document = {"access_token": token, "token_type": "Bearer", "expires_in": self.knobs.expires_in}
        return Answer(200, document, headers=headers, values={"token request": sorted(form.keys() - {"client_secret"})})

    @route("POST", "/send")
    def send(self, call: Call) -> Answer:
        if self._tokens.get(call.bearer or "", 0.0) <= self.now():
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return Answer(401, _error("token", "missing, unknown, expired or revoked token"), headers=challenge)
        try:
            message = call.json()
        except ValueError as error:
            raise RefusedCall(Answer(400, _error("body", f"not JSON: {error}"))) from error
        if not isinstance(message, dict) or not isinstance(message.get("to"), str) or not message["to"]:
            raise RefusedCall(Answer(400, _error("to", "expected a phone number")))
        record: LogEntry = {"to": message["to"], "ref": message.get("uid"), "text": message.get("variables")}
        values = {key: value for key, value in message.items() if key not in {"to", "uid", "variables"}}
        outcome = magic(message["to"])
        if outcome in REFUSED:
            status, code = REFUSED[outcome]
            record["code"] = code
            return Answer(status, _error(code, "refused"), refused=[record], values=values)
        record["id"] = f"s{self.number():x}"
        document = {"id": record["id"], "uid": message.get("uid"), "status": "queued"}
        sent = SentMessage(message["to"], record["id"], self.now(), ref=message.get("mid", message.get("uid")))
        return Answer(202, document, taken=[record], values=values, sent=[sent])

    def action(self, name: str) -> bool:
        if name != "revoke":
            return False
        self._tokens.clear()
        return True


def _error(code: str, message: str) -> dict[str, dict[str, str]]:
    return {"error": {"code": code, "message": message}}
