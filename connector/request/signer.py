"""What is added to a request when it is sent: signatures, tokens, time stamps, nonces. Computed for each attempt.

What is added takes part in what is signed: `headers()`, `query()`, `body()` and their like hold what the request has
and what is added to it, but for what needs them itself: a signature over the query stands in no query that it signs.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote_plus

import msgspec
import orjson
from yarl import URL

from connector.definition.expression import MISSING
from connector.definition.octets import Octets
from connector.definition.signing import PARTS, SECTIONS, calls_in, names_in
from connector.definition.signing_filters import NameValues, Pair
from connector.definition.tree import Additions, Constant, Node, Object, ObjectMember, Operation
from connector.errors import DefinitionError, MessageError, Phase, Problem, RequestError
from connector.model import Request
from connector.request.certainty import may_fail
from connector.request.templates import PartOf, Templates, Turn, plain
from connector.request.textual import header_text

_AFFECTED: Final[Mapping[str, frozenset[str]]] = {
    "headers": frozenset({"headers"}),
    "query": frozenset({"query", "params", "url", "target"}),
    "pairs": frozenset({"fields", "params", "body"}),
    "json": frozenset({"fields", "params", "body"}),
}

HIDDEN_CHARACTERS: Final = 8
"""What is shorter is no signature and no key; hidden it would blot out words."""

_NOTHING: Final[Mapping[str, str]] = {}


class Signed(NamedTuple):
    """A request with what was added to it.

    Attributes:
        hidden: what was made of secrets: nobody may see it.
    """

    request: Request
    hidden: tuple[str, ...]


class Clockwork(NamedTuple):
    """What differs from one attempt to the next.

    Attributes:
        now: seconds since the epoch.
        nonce: 32 hexadecimal digits, new each time.
    """

    now: float
    nonce: Callable[[], str] = lambda: secrets.token_hex(16)


class _Member(NamedTuple):
    """One header, parameter or field that is added; `late`: it needs what it would stand in."""

    section: str
    name: str
    build: PartOf
    late: bool


class Signer:
    """Adds what an operation's `auth` says.

    Args:
        additions: what is added.
        names: what a login brings.
        place: where it stands in the definition, for errors.

    Raises:
        DefinitionError: what is written fails for any request.
    """

    def __init__(self, additions: Additions, *, names: Sequence[str] = (), place: str = "auth.sign") -> None:
        templates = Templates(additions.secret | frozenset(names))
        self._place = place
        self._kind = additions.kind
        self._values = {name: templates.compile(node) for name, node in additions.values.items()}
        late = late_members(additions)
        self.may_fail = may_fail(additions)
        """Whether it may fail for some messages."""
        self._members = [
            _Member(section, name, _build_of(section, node, templates), (section, name) in late)
            for section, name, node in members_of(additions)
        ]
        self.stable = any("batch_id" in calls_in(node) for node in nodes_of(additions))
        """Whether the id of the batch is asked for."""
        self.fixed = all(not calls_in(node) for node in nodes_of(additions)) and all(
            member.section == "headers" for member in self._members
        )
        """Whether nothing but headers is added, which are the same for every request."""

    def sign(
        self, request: Request, clockwork: Clockwork, given: Mapping[str, str] = _NOTHING, *, masked: bool = False
    ) -> Signed:
        """`request` with what is added to it.

        Args:
            request: as rendered.
            clockwork: time and nonce of this attempt.
            given: what a login brought.
            masked: signatures are shown as a mask.

        Raises:
            RequestError: phase `auth`, not uncertain: what is written cannot be computed for this request.
        """
        try:
            return self._signed(request, clockwork, given, masked=masked)
        except MessageError as error:
            raise RequestError(Phase.AUTH, f"{self._place}: {error.reason}", uncertain=False) from None
        except UnicodeEncodeError:
            told = "bytes that are no text cannot be added as one: write `hex`, `base64` or `urlencode`"
            raise RequestError(Phase.AUTH, f"{self._place}: {told}", uncertain=False) from None

    def headers(self, given: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """What is added to each request, where that is `fixed`; raises RequestError as `sign` does."""
        return self.sign(Request("POST", ""), Clockwork(0.0), given).request.headers

    def trial(self, request: Request) -> None:
        """Sign a request to see whether that works; raises DefinitionError where it does not."""
        try:
            self.check(request)
        except MessageError as error:
            raise DefinitionError([Problem(error.reason, path=self._place)]) from None

    def check(self, request: Request) -> None:
        """Sign a request, but for what needs a secret; raises MessageError where that fails."""
        self._signed(request, Clockwork(0.0, lambda: "0" * 32), _NOTHING, masked=True)

    def _signed(self, request: Request, clockwork: Clockwork, given: Mapping[str, str], *, masked: bool) -> Signed:
        parts = _Parts(request, self._kind, clockwork, self._members, keep="*" if masked else "")
        size = len(request.url) + len(request.body or b"")
        turn = Turn(self._values, parts.calls, given, masked=masked, size=size)
        url, body = parts.url(turn), parts.body(turn)
        headers = (*request.headers, *parts.added(turn, "headers"))
        late = [
            (member.section, member.name, value)
            for member in self._members
            if member.late and (value := member.build(turn)) is not MISSING
        ]
        headers = (*headers, *((name, header_text(value)) for section, name, value in late if section == "headers"))
        url = _with_query(url, [(n, v) for section, n, v in late if section == "query"], parts.keep)
        body = _with_fields(
            body, [(n, v) for section, n, v in late if section in ("pairs", "json")], self._kind, parts.keep
        )
        made = msgspec.structs.replace(request, url=url, headers=headers, body=body)
        return Signed(made, tuple([text for text in turn.hidden if len(text) >= HIDDEN_CHARACTERS]))


def _build_of(section: str, node: Node, templates: Templates) -> PartOf:
    if section != "json":
        return templates.text(node)
    build = templates.compile(node)

    def value(turn: Turn) -> Any:
        return plain(build(turn))

    return value


# ---- what takes part in what ----------------------------------------------------------------------------------------


def members_of(additions: Additions) -> Iterator[tuple[str, str, Node]]:
    """Section, name and template of everything that is added, in the order of the definition."""
    for section in SECTIONS:
        fields: Object = getattr(additions, section)
        for member in fields.members:
            if isinstance(member, ObjectMember) and isinstance(member.key, str):
                yield section, member.key, member.value


def nodes_of(additions: Additions) -> Iterator[Node]:
    """Every template."""
    yield from additions.values.values()
    for _, _, node in members_of(additions):
        yield node


def late_members(additions: Additions) -> set[tuple[str, str]]:
    """Section and name of what needs a part of the request that it would itself stand in: it is added last."""
    asked = {(section, name): _calls_of(node, additions) for section, name, node in members_of(additions)}
    holding = {call: [member for member in asked if call in _AFFECTED[member[0]]] for call in PARTS}

    def needs_itself(member: tuple[str, str]) -> bool:
        waiting, seen = list(asked[member]), set[str]()
        while waiting:
            call = waiting.pop()
            if call in seen:
                continue
            seen.add(call)
            if member in holding.get(call, ()):
                return True
            waiting += [more for other in holding.get(call, ()) for more in asked[other]]
        return False

    return {member for member in asked if needs_itself(member)}


def _calls_of(node: Node, additions: Additions) -> frozenset[str]:
    """The calls of a template and of all values that it reads."""
    waiting, seen, calls = [*names_in(node)], set[str](), set(calls_in(node))
    while waiting:
        name = waiting.pop()
        value = additions.values.get(name)
        if name not in seen and value is not None:
            seen.add(name)
            calls |= calls_in(value)
            waiting += names_in(value)
    return frozenset(calls)


# ---- the parts of a request -----------------------------------------------------------------------------------------


class _Parts:
    """The parts of one request as expressions read them, with what is added early."""

    def __init__(
        self, request: Request, kind: str, clockwork: Clockwork, members: Sequence[_Member], *, keep: str
    ) -> None:
        self._request = request
        self._kind = kind
        self._members = members
        self._added: dict[str, list[Pair]] = {}
        self._url: URL | None = None
        self.keep = keep
        self.calls: dict[str, PartOf] = {
            "method": lambda turn: request.method,
            "url": self.url,
            "origin": lambda turn: f"{self._parsed.scheme}://{self._parsed.host_port_subcomponent}",
            "host": lambda turn: self._parsed.host_port_subcomponent,
            "hostname": lambda turn: self._parsed.host_subcomponent,
            "port": lambda turn: self._parsed.port,
            "path": lambda turn: self._path,
            "target": self._target,
            "query": self._query,
            "fields": self._fields,
            "params": lambda turn: NameValues([*turn.part("query"), *turn.part("fields")]),
            "headers": self._headers,
            "body": lambda turn: Octets(self.body(turn) or b""),
            "now": lambda turn: clockwork.now,
            "nonce": lambda turn: clockwork.nonce(),
            "batch_id": lambda turn: request.batch_id,
        }

    def added(self, turn: Turn, section: str) -> list[Pair]:
        """What is added early to a section."""
        if section not in self._added:
            self._added[section] = [
                (member.name, header_text(value) if section == "headers" else value)
                for member in self._members
                if member.section == section and not member.late and (value := member.build(turn)) is not MISSING
            ]
        return self._added[section]

    def url(self, turn: Turn) -> str:
        """With what is added early to the query."""
        return _with_query(self._request.url, self.added(turn, "query"), self.keep)

    def body(self, turn: Turn) -> bytes | None:
        """With what is added early to the body."""
        fields = [*self.added(turn, "pairs"), *self.added(turn, "json")]
        return _with_fields(self._request.body, fields, self._kind, self.keep)

    @property
    def _parsed(self) -> URL:
        if self._url is None:
            self._url = URL(self._request.url, encoded=True)
        return self._url

    @property
    def _path(self) -> str:
        return self._parsed.raw_path or "/"

    def _target(self, turn: Turn) -> str:
        query = turn.part("query").sent
        return f"{self._path}?{query}" if query else self._path

    def _query(self, turn: Turn) -> NameValues:
        sent = self.url(turn).partition("?")[2]
        return NameValues(_decoded(sent), sent)

    def _headers(self, turn: Turn) -> NameValues:
        host = ("host", str(self._parsed.host_port_subcomponent))
        named = [*self._request.headers, *self.added(turn, "headers")]
        return NameValues([host, *((name.lower(), value.strip()) for name, value in named)])

    def _fields(self, turn: Turn) -> NameValues:
        body = self.body(turn) or b""
        if self._kind == "pairs":
            sent = body.decode("latin-1")
            return NameValues(_decoded(sent), sent)
        if self._kind != "json":
            return NameValues(())
        try:
            document = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except msgspec.DecodeError:
            return NameValues(())
        return NameValues([(name, _field(bytes(raw))) for name, raw in document.items()])


def _field(raw: bytes) -> str:
    """A member of a JSON object as text: a text as it is, nothing for null, everything else as it is spelt."""
    if raw.startswith(b'"'):
        return str(orjson.loads(raw))
    return "" if raw == b"null" else raw.decode()


def _decoded(sent: str) -> list[Pair]:
    """Names and values of a query or form. Bytes that are no UTF-8 stay what they are."""
    pairs = []
    for piece in sent.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            pairs.append((unquote_plus(name, errors="surrogateescape"), unquote_plus(value, errors="surrogateescape")))
    return pairs


def _with_query(url: str, pairs: Sequence[tuple[str, Any]], keep: str) -> str:
    if not pairs:
        return url
    return f"{url}{'' if url[-1] in '?&' else '&' if '?' in url else '?'}{_form(pairs, keep)}"


def _form(pairs: Sequence[tuple[str, Any]], keep: str) -> str:
    return "&".join(
        [f"{quote(name, safe='')}={quote(value, safe=keep, errors='surrogateescape')}" for name, value in pairs]
    )


_empty_object: Final = re.compile(rb"\{\s*\}").fullmatch


def _with_fields(body: bytes | None, fields: Sequence[tuple[str, Any]], kind: str, keep: str) -> bytes | None:
    """A body with fields at its end: of a form, or of the JSON object it is. Nothing in it is written anew."""
    if not fields:
        return body
    body = body or b""
    if kind == "json":
        bare = body.strip() or b"{}"
        if not (bare.startswith(b"{") and bare.endswith(b"}")):
            raise MessageError("the body is no JSON object, so that nothing can be added to it")
        try:
            members = orjson.dumps(dict(fields))[1:]
        except orjson.JSONEncodeError:
            raise MessageError("a value cannot be written as JSON") from None
        return b"{" + members if _empty_object(bare) else bare[:-1] + b"," + members
    form = _form(fields, keep).encode()
    return body + b"&" + form if body else form


# ---- operations -----------------------------------------------------------------------------------------------------


def sample(operation: Operation) -> Request:
    """A request like those of an operation, to try what is added to them."""
    parts = operation.url.value if isinstance(operation.url, Constant) else operation.url.parts[0]
    url = str(parts) if isinstance(parts, str) and "://" in parts else "https://sms.example.com/"
    form = operation.kind == "pairs"
    body = b"{}" if operation.kind == "json" else b"a=b" if form and operation.method != "GET" else None
    kind = {"json": "application/json", "pairs": "application/x-www-form-urlencoded"}.get(operation.kind)
    return Request(operation.method, url, (("Content-Type", kind),) if kind and body else (), body, "0" * 32)
