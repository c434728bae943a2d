"""Checks of what is added to requests when they are sent: names, circles, and places that cannot take it."""

from __future__ import annotations

from collections.abc import Mapping

from connector.config_text.source import Map, Place
from connector.definition.check_request import FORBIDDEN_HEADERS, has_control, is_token, origin
from connector.definition.findings import Findings
from connector.definition.shape import near, shown
from connector.definition.signing import PARTS, SECTIONS, Written, calls_in, expressions_of, login_names, names_in
from connector.definition.system import SYSTEM_NAMES
from connector.definition.tree import (
    Additions,
    Array,
    Constant,
    Encoded,
    Login,
    LoginRequest,
    Node,
    OAuth2,
    Object,
    ObjectMember,
    Operation,
    Sign,
    Text,
)
from connector.definition.walk import where

Path = tuple[str, ...]


def additions(operation: Operation, source: Map, report: Findings) -> None:
    """What is added to requests can be computed, and stands where there is room for it."""
    match operation.auth:
        case Sign(added):
            _check(added, ("auth", "sign"), operation, source, report)
        case OAuth2():
            _grant(operation.auth, source, report)
        case Login():
            login = operation.auth
            _check(login.use, ("auth", "login", "use"), operation, source, report)
            _unused(login, source, report)
            for request in login.requests:
                _request(request, ("auth", "login", "request"), source, report)


def _grant(auth: OAuth2, source: Map, report: Findings) -> None:
    path = ("auth", "oauth2")
    if (auth.username is None) != (auth.password is None):
        missing = "password" if auth.password is None else "username"
        report.error(where(source, path), f"the key `{missing}` is missing", "the grant of a user has both")
    for name, value in auth.headers.items():
        place = where(source, (*path, "headers", name))
        _header(ObjectMember(name, Constant(value)), place, report)
        if auth.send == "basic" and name.lower() == "authorization":
            report.error(place, "`send: basic` writes this header as well", "keep one of them")


def _check(added: Additions, path: Path, operation: Operation, source: Map, report: Findings) -> None:
    names = login_names(operation.auth) if isinstance(operation.auth, Login) else ()
    known = {*added.values, *names}
    for name in set(names) & set(added.values):
        report.error(where(source, (*path, "values", name)), f"the login brings `{name}` as well", "rename one of them")
    _templates(added, path, known, source, report)
    own = {
        "headers": (_keys(operation.headers, lower=True), "headers"),
        "query": (_keys(operation.query), "query"),
        "pairs": (_keys(operation.body) if operation.kind == "pairs" else set(), "parameters.pairs"),
        "json": (_keys(operation.body) if operation.kind == "json" else set(), "parameters.json"),
    }
    if operation.method == "GET":
        own["query"] = own["query"][0] | own["pairs"][0], "the query"
    _places(added, path, own, source, report)
    _room(added, path, operation.body, source, report)


def _templates(added: Additions, path: Path, known: set[str], source: Map, report: Findings) -> None:
    for name, node in added.values.items():
        _names(node, known, where(source, (*path, "values", name)), report)
    _circles(added.values, (*path, "values"), source, report)
    used = {name for node in added.values.values() for name in names_in(node)}
    for section in SECTIONS:
        fields: Object = getattr(added, section)
        for member in fields.members:
            key = member.key if isinstance(member, ObjectMember) and isinstance(member.key, str) else None
            if key is None:
                place = where(source, (*path, section))
                report.error(place, f"a replacement stands in a name of `{section}`", "names are constant")
                continue
            assert isinstance(member, ObjectMember)
            _names(member.value, known, where(source, (*path, section, key)), report)
            _plain(member.value, where(source, (*path, section, key)), report)
            used |= names_in(member.value)
    for name in added.values:
        if name not in used:
            report.warn(where(source, (*path, "values", name)), f"`{name}` is not used", "use it, or take it away")


def _names(node: Node, known: set[str], place: Place, report: Findings) -> None:
    """Every name is known."""
    for expression in expressions_of(node):
        for name in sorted(expression.names - known):
            if name in SYSTEM_NAMES:
                remedy = "a request is signed as a whole: its messages are in body(), fields() or query()"
            else:
                meant = near(name, known)
                remedy = f"did you mean `{meant[0]}`?" if meant else f"known: {', '.join(sorted(known)) or 'none'}"
            report.error(place, f"`$${shown(name)}` is no name of `values`", remedy)


def _plain(node: Node, place: Place, report: Findings) -> None:
    """A structure that is computed with the request: names are constant, and nothing is encoded inside another."""
    match node:
        case Encoded(encoding):
            report.error(place, f"`${encoding}` cannot stand here", "write the text that it would be")
        case Array(items):
            for item in items:
                _plain(item, place, report)
        case Object(members):
            for member in members:
                if isinstance(member, ObjectMember) and isinstance(member.key, str):
                    _plain(member.value, place, report)
                else:
                    report.error(place, "a replacement stands in a name", "names are constant")


def _circles(values: Mapping[str, Written], path: Path, source: Map, report: Findings) -> None:
    """No value is made of itself. Each circle is told once, where it begins."""
    told: set[str] = set()
    for start in values:
        if start in told:
            continue
        trail = _circle_from(start, values)
        if trail:
            told.update(trail)
            report.error(
                where(source, (*path, start)),
                f"values are made of one another: {' → '.join([*trail, start])}",
                "take one of them out of the circle",
            )


def _circle_from(start: str, values: Mapping[str, Written]) -> list[str]:
    """The names on a way from `start` back to it; none where there is no such way."""
    waiting: list[tuple[str, list[str]]] = [(start, [])]
    seen: set[str] = set()
    while waiting:
        name, before = waiting.pop()
        trail = [*before, name]
        for next_name in sorted(names_in(values[name]) & values.keys()):
            if next_name == start:
                return trail
            if next_name not in seen:
                seen.add(next_name)
                waiting.append((next_name, trail))
    return []


def _places(
    added: Additions, path: Path, own: Mapping[str, tuple[set[str], str]], source: Map, report: Findings
) -> None:
    """No header, parameter or field stands twice, and headers are headers."""
    for section in SECTIONS:
        fields: Object = getattr(added, section)
        taken, place_of_taken = own[section]
        seen: set[str] = set()
        for member in fields.members:
            if not isinstance(member, ObjectMember) or not isinstance(member.key, str):
                continue
            name = member.key.lower() if section == "headers" else member.key
            place = where(source, (*path, section, member.key))
            if name in taken:
                report.error(place, f"`{member.key}` stands in {place_of_taken} as well", "keep one of them")
            if not member.key:
                report.error(place, "a name is empty", "write the name the provider wants")
            if name in seen:
                report.error(place, f"the header `{member.key}` stands here twice", "case does not count; keep one")
            seen.add(name)
            if section == "headers":
                _header(member, place, report)


def _header(member: ObjectMember, place: Place, report: Findings) -> None:
    assert isinstance(member.key, str)
    if not is_token(member.key):
        report.error(place, f"`{member.key}` is no name of a header", "letters, digits and -")
    if member.key.lower() in FORBIDDEN_HEADERS:
        report.error(place, f"the client writes `{member.key}` itself", "leave it out")
    texts = member.value.parts if isinstance(member.value, Text) else (str(getattr(member.value, "value", "")),)
    if any(has_control(text) for text in texts if isinstance(text, str)):
        report.error(place, "a line break or control character in a header", "one line of text")


def _room(added: Additions, path: Path, body: Node | None, source: Map, report: Findings) -> None:
    """Fields can be added to a form and to a JSON object, and to nothing else."""
    if added.pairs.members and added.kind != "pairs":
        report.error(
            where(source, (*path, "pairs")), "fields are added to a form only", "use `headers`, `query` or `json`"
        )
    if added.json.members and (added.kind != "json" or not isinstance(body, Object)):
        place = where(source, (*path, "json"))
        report.error(place, "members are added to a JSON object only", "use `headers`, `query` or `pairs`")


def _keys(node: Node | None, *, lower: bool = False) -> set[str]:
    if not isinstance(node, Object):
        return set()
    keys = {m.key for m in node.members if isinstance(m, ObjectMember) and isinstance(m.key, str)}
    return {key.lower() for key in keys} if lower else keys


# ---- logins ---------------------------------------------------------------------------------------------------------


def _unused(login: Login, source: Map, report: Findings) -> None:
    """A login whose token goes nowhere."""
    names = login_names(login)
    used = {name for node in _nodes(login.use) for name in names_in(node)}
    if names and not used & set(names):
        report.error(
            where(source, ("auth", "login", "use")),
            "what the login brings is not used",
            f"write it where it goes: {', '.join(f'$${name}' for name in names)}",
        )


def _nodes(added: Additions) -> list[Node]:
    return [*added.values.values(), added.headers, added.query, added.pairs, added.json]


def _request(request: LoginRequest, path: Path, source: Map, report: Findings) -> None:
    _login_url(request, path, source, report)
    known = set(request.values)
    for name, node in request.values.items():
        place = where(source, (*path, "values", name))
        _names(node, known, place, report)
        _no_parts(node, place, report)
    _circles(request.values, (*path, "values"), source, report)
    parts: tuple[tuple[str, Node | None], ...] = (
        ("url", request.url),
        ("query", request.query),
        ("headers", request.headers),
        (request.kind, request.body),
    )
    for key, part in parts:
        if part is not None:
            _names(part, known, where(source, (*path, key)), report)
            _no_parts(part, where(source, (*path, key)), report)
            _plain(part, where(source, (*path, key)), report)
    for member in request.headers.members:
        if isinstance(member, ObjectMember) and isinstance(member.key, str):
            _header(member, where(source, (*path, "headers", member.key)), report)
    if request.sign is not None:
        signed = (*path, "sign")
        _templates(request.sign, signed, set(request.sign.values), source, report)
        own = {
            "headers": (_keys(request.headers, lower=True), "headers"),
            "query": (_keys(request.query), "query"),
            "pairs": (_keys(request.body), "pairs"),
            "json": (_keys(request.body), "json"),
        }
        _places(request.sign, signed, own, source, report)
        _room(request.sign, signed, request.body, source, report)


def _no_parts(node: Node, place: Place, report: Findings) -> None:
    """A request is not made of its own parts."""
    for call in sorted(calls_in(node) & PARTS):
        report.error(
            place, f"`{call}()` is a part of the request that is made here", "what is made of it stands in `sign`"
        )
    if "batch_id" in calls_in(node):
        report.error(place, "a login belongs to no batch", "write nonce()")


def _login_url(request: LoginRequest, path: Path, source: Map, report: Findings) -> None:
    place = where(source, (*path, "url"))
    first = request.url.parts[0] if isinstance(request.url, Text) else request.url.value
    text = first if isinstance(first, str) else ""
    if not (report.environment.showing and "${" in text):
        origin(text, place, report, changes=isinstance(request.url, Text))
