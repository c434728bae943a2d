"""From what the keys hold to the tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from connector.definition.shape import Read
from connector.definition.tree import (
    QUERY,
    UNKNOWN_RUN,
    Auth,
    BasicAuth,
    Batching,
    Constant,
    Http,
    Limits,
    Login,
    Nesting,
    NoAuth,
    OAuth2,
    Object,
    Operation,
    Retry,
    Sign,
    SigV4,
)

URL_BYTES: Final = 7500  # the longest URL that common servers and proxies take is 8,000 and some bytes


def build_operation(read: Read, name: str, path: str) -> Operation:
    """An operation from its merged keys; what is broken is replaced by something harmless."""
    kind: Any
    kind, body = read.get("parameters") or ("none", None)
    method: Any = read.get("method") or "POST"
    kind = kind if body is not None else "none"
    return Operation(
        name=name,
        path=path,
        method=method,
        url=read.get("url") or Constant(""),
        query=read.get("query") or Object(()),
        headers=read.get("headers") or Object(()),
        auth=_of_kind(_auth(read.get("auth")), "none" if method == "GET" else kind),
        kind=kind,
        body=body,
        nesting=read.get("nesting") or Nesting(),
        batching=_batching(read.get("batching"), in_url=method == "GET"),
        response=read.get("response"),
        when=read.get("when"),
        content=read.get("content"),
        idempotent=read.get("idempotent"),
        on_uncertain=read.get("on_uncertain") or "resend",
    )


def build_limits(read: Mapping[str, Any] | None) -> Limits:
    """`limits`."""
    return Limits(**_present(read))


def build_retry(read: Mapping[str, Any] | None) -> Retry:
    """`retry`."""
    return Retry(**_present(read))


def build_unknown_run(read: int | None) -> int | None:
    """`unknown_run`."""
    return UNKNOWN_RUN if read is None else read or None


def build_http(read: Mapping[str, Any] | None) -> Http:
    """`http`."""
    return Http(**{"reply_bytes" if key == "reply" else key: value for key, value in _present(read).items()})


def _present(read: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (read or {}).items() if value is not None}


def _auth(read: tuple[str, Any] | None) -> Auth:
    kind, values = read or ("none", None)
    if not values:
        return NoAuth()
    if isinstance(values, Sign | Login):
        return values
    texts = {key: "" if value is None else value for key, value in values.items()}
    if kind == "basic":
        return BasicAuth(texts.get("username", ""), texts.get("password", ""))
    if kind == "sigv4":
        return SigV4(texts.get("service", ""), texts.get("region", ""))
    pairs = {key: value for key, value in (values.get("pairs") or {}).items() if value is not None}
    return OAuth2(
        url=texts.get("url", ""),
        client_id=texts.get("client_id", ""),
        secret=texts.get("secret", ""),
        pairs=pairs,
        send=values.get("send") or "body",
        headers={key: value for key, value in (values.get("headers") or {}).items() if value is not None},
        username=values.get("username"),
        password=values.get("password"),
    )


def _of_kind(auth: Auth, kind: Any) -> Auth:
    """What is added to requests, of the kind of body they have."""
    match auth:
        case Sign():
            return replace(auth, additions=replace(auth.additions, kind=kind))
        case Login():
            return replace(auth, use=replace(auth.use, kind=kind))
    return auth


def _batching(read: Mapping[str, Any] | None, *, in_url: bool) -> Batching | None:
    if read is None:
        return None
    keys = read.get("key") or ()
    in_url = in_url or any(key[:1] == (QUERY,) for key in keys)
    low, high = read.get("records") or (1, 1)
    join = read.get("join")
    return Batching(
        keys=keys,
        min_records=low,
        max_records=high,
        join="," if join is None else join,
        wait=read.get("wait"),
        max_bytes=read.get("bytes") or (URL_BYTES if in_url else None),
    )
