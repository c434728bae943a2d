"""OAuth 2.0 (RFC 6749) as a login: client credentials, or the grant of a user."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote_plus

from connector.definition.expression_text import split
from connector.definition.signing import RENEWING, SIGNING
from connector.definition.tree import (
    Additions,
    BasicAuth,
    Constant,
    Login,
    LoginRequest,
    OAuth2,
    Object,
    ObjectMember,
    Text,
)
from connector.request.auth import basic


def as_login(auth: OAuth2) -> Login:
    """The login that `oauth2` is short for."""
    bearer = Text(split("Bearer $$token", SIGNING))
    return Login(
        requests=tuple(_requests(auth)),
        use=Additions(headers=Object((ObjectMember("Authorization", bearer),))),
        token={"token": "access_token"},
        expires="expires_in",
        renew=RENEWING,
        rfc6749=True,
        preset="oauth2",
    )


def _requests(auth: OAuth2) -> list[LoginRequest]:
    """One; with `send: basic` one for each way to write the credentials."""
    pairs = {"grant_type": "client_credentials"}
    if auth.username is not None:
        pairs = {"grant_type": "password", "username": auth.username, "password": auth.password or ""}
    pairs |= auth.pairs
    if auth.send != "basic":
        pairs |= {"client_id": auth.client_id, "client_secret": auth.secret}
        return [_request(auth, pairs, {})]
    return [_request(auth, pairs, {"Authorization": authorization}) for authorization in _authorizations(auth)]


def _request(auth: OAuth2, pairs: dict[str, str], headers: dict[str, str]) -> LoginRequest:
    kind: Literal["json", "pairs"] = "json" if auth.send == "json" else "pairs"
    return LoginRequest(
        "POST", Constant(auth.url), headers=_fields({**auth.headers, **headers}), kind=kind, body=_fields(pairs)
    )


def _fields(values: dict[str, str]) -> Object:
    return Object(tuple(ObjectMember(name, Constant(value)) for name, value in values.items()))


def _authorizations(auth: OAuth2) -> list[str]:
    """Ways to write id and secret as Basic credentials: form-encoded as RFC 6749, 2.3.1 wants it, and as they are, as
    many servers take it. They differ where one of them holds more than letters, digits, `-`, `.`, `_` and `~`.
    """
    encoded = basic(BasicAuth(quote_plus(auth.client_id), quote_plus(auth.secret)))
    return list(dict.fromkeys((encoded, basic(BasicAuth(auth.client_id, auth.secret)))))
