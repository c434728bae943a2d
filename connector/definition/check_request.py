"""Checks of what is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connector.config_text.source import List, Map, Place, PlacedValue, Value, children
from connector.definition.addresses import is_public, literal
from connector.definition.check_encoding import written_content_type
from connector.definition.expression import OF_MESSAGES, FilterCall, Head, called
from connector.definition.findings import Findings
from connector.definition.system import SYSTEM_NAMES
from connector.definition.tree import (
    QUERY,
    BasicAuth,
    Constant,
    Login,
    Node,
    OAuth2,
    Object,
    ObjectMember,
    Operation,
    SigV4,
    Text,
)
from connector.definition.walk import in_record, in_records, node_at, uses, where

# ---- what must be there --------------------------------------------------------------------------------------------


def has_method(operation: Operation, source: Map, report: Findings) -> None:
    """The method has no default."""
    if "method" not in source.members:
        report.error(source.place, "the key `method` is missing", "write method: POST")


def has_url(operation: Operation, source: Map, report: Findings) -> None:
    """The URL has no default."""
    if "url" not in source.members:
        report.error(source.place, "the key `url` is missing", "write url: https://…")


def method_takes_parameters(operation: Operation, source: Map, report: Findings) -> None:
    """A GET has no body. Parts have a boundary, which is ours."""
    named = written_content_type(operation)
    if operation.kind == "multipart" and operation.method != "GET" and named is not None:
        place = where(source, ("headers", named[0]))
        report.error(place, "the client writes the Content-Type of multipart, which names the boundary", "leave it out")
    if operation.method == "GET" and operation.kind not in ("none", "pairs"):
        place = where(source, ("parameters", operation.kind))
        report.error(place, f"a GET has no {operation.kind} body", "write method: POST, or `pairs` for the query")


def recipient(operation: Operation, source: Map, report: Findings) -> None:
    """`$$To` is mandatory."""
    if not any(use.expression.sends("To") for use in uses(operation)):
        place = where(source, ("parameters",))
        report.error(place, "`$$To` is missing", "put it where the provider expects the phone number")


_CUTS: Final = frozenset({"last", "truncate", "replace"})


def whole_number(operation: Operation, source: Map, report: Findings) -> None:
    """A number without its country code, or with a part of it replaced, is the number of somebody else."""
    for use in uses(operation):
        expression = use.expression
        if expression.head != Head("name", "To") or not expression.sends("To"):
            continue
        for call in expression.filters:
            if call.filter.name in _CUTS and not _marks_only(call):
                report.warn(
                    where(source, use.path),
                    f"`{call.filter.name}` may leave another country's number as one of strangers: nothing says whose "
                    "country code is gone",
                    "write $${To|national(91)}, which refuses numbers of other countries",
                )
                break


def _marks_only(call: FilterCall) -> bool:
    """`replace('+', '00')`: no digit of the number goes."""
    sought = call.arguments[0] if call.arguments else None
    return call.filter.name == "replace" and isinstance(sought, str) and not re.search("[0-9]", sought)


def content(operation: Operation, source: Map, report: Findings) -> None:
    """`$$Body` or `$$TemplateID` is mandatory, in whatever form; what only tells of the body (`gsm`, `md5`) sends none.

    `content` names a custom value in their place: a text that whoever writes the events has encoded.
    """
    named = operation.content
    if named in SYSTEM_NAMES:
        remedy = f"leave it out: $${named} is looked for anyway, in whatever form it is sent"
        report.error(where(source, ("content",)), f"`{named}` is no custom value", remedy)
        return
    wanted = [named] if named is not None else ["Body", "TemplateID"]
    if any(use.expression.sends(name) for use in uses(operation) for name in wanted):
        return
    if named is not None:
        remedy = f"put $${named} where the provider expects the text"
        report.error(where(source, ("content",)), f"no request sends `$${named}`", remedy)
        return
    place = where(source, ("parameters",))
    report.error(
        place,
        "neither `$$Body` nor `$$TemplateID` is there",
        "put one where the provider expects it; `content: NAME` says that $$NAME brings the text",
    )


# ---- URL and headers -----------------------------------------------------------------------------------------------

_absolute = re.compile(r"(https?)://([^/?#]*)([/?#].*)?", re.DOTALL)
_LABEL: Final = "[A-Za-z0-9_-]{1,63}"
_host = re.compile(rf"({_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\])(?::([0-9]{{1,5}}))?").fullmatch
_loopback = re.compile(r"(localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?").fullmatch
_outside_url = re.compile(r"[^\x21-\x7e]").search


def url(operation: Operation, source: Map, report: Findings) -> None:
    """Scheme and host are constant; what is written is a URL as it is sent."""
    if "url" not in source.members:
        return
    place = where(source, ("url",))
    parts = operation.url.parts if isinstance(operation.url, Text) else (str(operation.url.value),)
    first = parts[0] if isinstance(parts[0], str) else ""
    shown = report.environment.showing and "${" in first  # whatever the reference brings
    if not shown and not origin(first, place, report, changes=len(parts) > 1 or not isinstance(parts[0], str)):
        return
    texts = [part for part in parts if isinstance(part, str)]
    if any("#" in text for text in texts):
        report.error(
            place, "a URL that is sent has no #fragment", "write %23 for a # that belongs to the path or query"
        )
    if any(_outside_url(text) for text in texts):
        report.error(place, "a character that cannot stand in a URL", "percent-encode it: %20 for a space")


def origin(first: str, place: Place, report: Findings, *, changes: bool) -> bool:
    """Check scheme and host; `changes`: a replacement follows `first`."""
    match = _absolute.fullmatch(first)
    if changes and (match is None or match[3] is None):
        report.error(
            place, "a replacement stands in scheme or host", "only what follows the host may change per message"
        )
    elif match is None:
        report.error(place, "not an absolute URL", "write https://host/path")
    elif "@" in match[2]:
        report.error(place, "credentials stand in the URL", "write them under `auth: {basic: …}`")
    elif (host := _host(match[2])) is None:
        report.error(place, f"`{match[2]}` is no host", "write https://host/path")
    elif host[2] is not None and not 1 <= int(host[2]) <= 65535:
        report.error(place, f"{host[2]} is no port", "write one from 1 to 65535, or leave it out")
    else:
        if match[1] == "http" and not _loopback(match[2]):
            remedy = "write https, if the provider has it"
            report.warn(place, "http sends phone numbers, texts and credentials unencrypted", remedy)
        return True
    return False


def token_url(operation: Operation, source: Map, report: Findings) -> None:
    """The token endpoint is a URL as it is sent, too."""
    auth = operation.auth
    if not isinstance(auth, OAuth2) or (report.environment.showing and "${" in auth.url):
        return
    place = where(source, ("auth", "oauth2", "url"))
    if _outside_url(auth.url) or "#" in auth.url:
        report.error(place, "a character that cannot stand in a URL", "percent-encode it: %20 for a space")
    else:
        origin(auth.url, place, report, changes=False)


def public_hosts(operation: Operation, source: Map, report: Findings) -> None:
    """Hosts written as addresses are public ones, wherever a URL stands; for definitions without `private_hosts`."""
    urls: list[tuple[Text | Constant, tuple[str, ...]]] = []
    if "url" in source.members:
        urls.append((operation.url, ("url",)))
    if isinstance(operation.auth, OAuth2):
        urls.append((Constant(operation.auth.url), ("auth", "oauth2", "url")))
    if isinstance(operation.auth, Login):
        urls += [(request.url, ("auth", "login", "request", "url")) for request in operation.auth.requests]
    for address, path in urls:
        text = address.parts[0] if isinstance(address, Text) else address.value
        match = _absolute.match(text) if isinstance(text, str) else None
        if match is None:
            continue
        host = match[2].rpartition("@")[2]
        host = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
        try:
            found = literal(host)
        except ValueError:
            report.error(where(source, path), f"`{host}` is no address", "write a name, or an address as 203.0.113.7")
            continue
        if found is not None and not is_public(found):
            remedy = "if that is intended set http.private_hosts: true"
            report.error(where(source, path), f"`{host}` is not a public address", remedy)


is_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
has_control = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
FORBIDDEN_HEADERS: Final = {"host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade"}


def headers(operation: Operation, source: Map, report: Findings) -> None:
    """Names and constant values that HTTP can carry; no header that the client writes itself."""
    seen: set[str] = set()
    for member in operation.headers.members:
        if not isinstance(member, ObjectMember) or not isinstance(member.key, str):
            place = where(source, ("headers",))
            report.error(place, "a replacement stands in a header's name", "names are constant")
            continue
        place, name = where(source, ("headers", member.key)), member.key.lower()
        if not is_token(member.key):
            report.error(place, f"`{member.key}` is no name of a header", "letters, digits and -")
        if name in FORBIDDEN_HEADERS:
            report.error(place, f"the client writes `{member.key}` itself", "leave it out")
        if name in seen:
            report.error(place, f"the header `{member.key}` stands here twice", "case does not count; keep one")
        if name == "authorization" and isinstance(operation.auth, BasicAuth | OAuth2 | SigV4):
            report.error(place, "`auth` writes this header as well", "keep one of them")
        if isinstance(member.value, Constant) and has_control(str(member.value.value)):
            report.error(place, "a line break or control character in a header", "one line of text")
        seen.add(name)


# ---- batching ------------------------------------------------------------------------------------------------------


def batching_keys(operation: Operation, source: Map, report: Findings) -> None:
    """Every key names something, no key stands inside another, and the recipient stands in one of them."""
    batching = operation.batching
    if batching is None:
        return
    place = where(source, ("batching", "key"))
    sound = True
    for key in batching.keys:
        if node_at(operation, key) is None:
            sound = False
            in_query = key[:1] == (QUERY,)
            names = ", ".join(_names(operation.query if in_query else operation.body)) or "nothing"
            said = f"?{'.'.join(key[1:])}" if in_query else ".".join(key) or "."
            held = f"it holds: {names}" if in_query else f"they hold: {names}"
            report.error(place, f"`{said}` names nothing in the {'query' if in_query else 'parameters'}", held)
        if any(other != key and key[: len(other)] == other for other in batching.keys):
            sound = False
            report.error(place, f"`{'.'.join(key)}` stands inside another key", "name only one of them")
    if 0 < sum(key[:1] == (QUERY,) for key in batching.keys) < len(batching.keys) and operation.method != "GET":
        report.error(place, "records stand in the query and in the body", "name keys of one of them")
    if len(set(batching.keys)) < len(batching.keys):
        report.error(place, "a key is named twice", "name it once")
    if sound and not in_records(operation, "To") and any("To" in use.expression.names for use in uses(operation)):
        report.error(place, "`$$To` does not stand in a batching key", "name the key that holds the phone number")


def _names(body: Node | None) -> list[str]:
    if not isinstance(body, Object):
        return ["."] if body is not None else []
    return [m.key for m in body.members if isinstance(m, ObjectMember) and isinstance(m.key, str)]


def outside_records(operation: Operation, source: Map, report: Findings) -> None:
    """What differs per message cannot stand outside the records: no two messages could share a batch."""
    if operation.batching is None or not in_records(operation, "To"):
        return
    for use in uses(operation):
        if in_record(operation, use):
            continue
        single = sorted(f"`{called(name)}`" for name in use.expression.calls & OF_MESSAGES)
        single += [f"`$${name}`" for name in ("MessageID", "To") if name in use.expression.names]
        for name in single:
            report.error(
                where(source, use.path),
                f"{name} stands outside the batching key",
                "move it into the record, name its key as well, or leave out `batching`",
            )


# ---- secrets -------------------------------------------------------------------------------------------------------

secret_name = re.compile(
    r"(.*[-_. ])?(api|auth|access|license)?[-_]?key|.*(secret|passw(or)?d|passphrase|token|authorization)|pwd|pass",
    re.IGNORECASE,
).fullmatch
_SHORTEST: Final = 6  # shorter ones are switches, not secrets


def inline_secrets(operation: Operation, source: Map, report: Findings) -> None:
    """A secret typed into the file ends in the repository."""
    for name in ("auth", "headers", "query", "parameters"):
        if name in source.members:
            for key, value in _scalars(source.members[name]):
                if key not in ("url", "client_id") and secret_name(key) and _typed(value) and not _is_path(value):
                    remedy = f"write ${{{re.sub('[^A-Za-z0-9]+', '_', key).upper()}}} and set it in the environment"
                    report.warn(value.place, f"`{key}` looks like a secret typed into the file", remedy)


def _typed(value: Value) -> bool:
    text = value.data
    if not isinstance(text, str) or text.startswith("WSSE "):  # a scheme whose secret stands in another header
        return False
    return len(text) >= _SHORTEST and "${" not in text and "$$" not in text


_is_path_of_login = re.compile(r"(.*\.)?auth\.login\.(token|expires)\b.*").fullmatch


def _is_path(value: Value) -> bool:
    """Where a secret stands in the reply to a login, which is none itself."""
    return _is_path_of_login(value.place.path) is not None


def _scalars(source: PlacedValue) -> Iterator[tuple[str, Value]]:
    """Keys and scalar values at every depth."""
    if isinstance(source, Map):
        for key, value in source.members.items():
            if isinstance(value, Value):
                yield key, value
    if isinstance(source, Map | List):
        for child in children(source):
            yield from _scalars(child)
