"""Who posts: the ways that a definition names, any of which is enough, and what stands in the URL."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from connector.definition.receipt_tree import Receipts
from connector.definition.receipt_tree import Verification as Way
from connector.receipts import sns
from connector.receipts.callback import Callback, NeedsCertificate, Refused, Token, Verified
from connector.receipts.correlation import IndexKeys
from connector.receipts.signatures import CHECKS, MismatchError, SignedCallback, covers_query
from connector.receipts.tokens import ForeignTokenError, Tokens, UrlSecrets

_path = re.compile(
    r"/(?P<kind>[rm])/(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,63})(?:/(?P<credential>[A-Za-z0-9_-]{1,1200}))?/?"
).fullmatch


@dataclass(frozen=True, slots=True)
class ReceiptKeys:
    """What our own references and URLs, and keys of the index, are made with; the same for all definitions."""

    tokens: Tokens
    url_secrets: UrlSecrets
    index: IndexKeys = field(default_factory=lambda: IndexKeys(()))


@dataclass(frozen=True, slots=True)
class RoutedPath:
    """What the path of a callback says.

    Attributes:
        definition: its name.
        kind: `r` of a URL that was registered, `m` of one that was sent with a request.
        credential: the secret or the token; empty where there is none.
    """

    definition: str
    kind: Literal["r", "m"]
    credential: str


def route(path: str, prefix: str = "") -> RoutedPath | None:
    """The parts of a callback's path; None where it is none of ours. `prefix`: the path of `receive.url`."""
    if not path.startswith(prefix):
        return None
    found = _path(unquote(path[len(prefix) :]))
    if found is None:
        return None
    return RoutedPath(found["name"], "r" if found["kind"] == "r" else "m", found["credential"] or "")


class CallbackVerification:
    """The ways of one definition.

    Attributes:
        certificates: of SNS; the caller adds to them what `NeedsCertificate` names.
        kept: what has proved a callback that is read once more: it was checked when it came, where anything is.
    """

    def __init__(self, name: str, receipts: Receipts, keys: ReceiptKeys, public_url: str) -> None:
        self._name = name
        self._ways = receipts.verify
        self._keys = keys
        scheme, _, rest = public_url.partition("://")
        host, slash, prefix = rest.partition("/")
        self._origin = f"{scheme}://{host}"
        self._prefix = slash + prefix
        self.certificates = sns.Certificates()
        self.kept = "none" if any(way.kind == "none" for way in receipts.verify) else "kept"

    def check(self, callback: Callback) -> Verified | Refused | NeedsCertificate:
        """Whether a callback is the provider's. Raises nothing."""
        routed = route(callback.path, self._prefix)
        if routed is None or routed.definition != self._name:
            return Refused("the path is none of this provider's", "url")
        token: Token | None = None
        if routed.credential:
            try:
                token = self._token(routed)
            except ForeignTokenError as error:
                return Refused(str(error), "url")
        reasons = []
        signed = SignedCallback(callback, self._origin)
        for way in self._ways:
            if way.kind == "url":
                if routed.credential:
                    return Verified("url" if token is None else "token", token)
                reasons.append("the URL holds neither secret nor token")
                continue
            try:
                missing = self._prove(way, signed)
            except MismatchError as error:
                reasons.append(f"{way.kind}: {error}")
            except Exception as error:
                reasons.append(f"{way.kind}: it cannot be checked ({type(error).__name__})")
            else:
                return missing or Verified(way.kind, token, query=covers_query(way.kind, way.options))
        only_url = all(way.kind == "url" for way in self._ways)
        return Refused("; ".join(reasons), "url" if only_url else "signature", token)

    def _prove(self, way: Way, signed: SignedCallback) -> NeedsCertificate | None:
        """One way of the definition. Raises MismatchError where it proves nothing."""
        if way.kind == "sns":
            callback = signed.callback
            found = sns.check(callback.body, way.options["topics"], self.certificates, callback.now)
            return found if isinstance(found, NeedsCertificate) else None
        if way.kind != "none":
            CHECKS[way.kind](signed, way.options)
        return None

    def _token(self, routed: RoutedPath) -> Token | None:
        """The token of a `/m/` path; None of an `/r/` path, whose secret is right. Raises ForeignTokenError."""
        if routed.kind == "m":
            return self._keys.tokens.read(self._name, routed.credential)
        if not self._keys.url_secrets.right(self._name, routed.credential):
            raise ForeignTokenError("the secret in the URL is wrong")
        return None
