"""A definition after loading: what request, response and delivery compile from.

Everything is frozen and resolved: `extends` merged, operations inheriting what they leave out, `${NAME}` replaced by
its value (or by `${NAME}` itself where a definition is loaded for showing), replacements parsed. Nothing here does any
work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from connector.config_text.source import Map
from connector.definition.expression import Expression
from connector.definition.receipt_tree import Receipts
from connector.errors import Problem

# ---- values ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant JSON value. `text` keeps a number's own spelling (`1.10`) for encoders that write text."""

    value: str | int | float | bool | None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """A whole string that is one replacement: keeps the JSON type of its value."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Text:
    """Longer text with replacements inside: always text."""

    parts: tuple[str | Expression, ...]


@dataclass(frozen=True, slots=True)
class ObjectMember:
    """One key and its value. A key may hold replacements (`$$To: {...}` makes a map keyed by phone)."""

    key: str | Replacement | Text
    value: Node


@dataclass(frozen=True, slots=True)
class Spread:
    """`"...": $$TemplateVariables`: the members of a map stand here."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Object:
    members: tuple[ObjectMember | Spread, ...]


@dataclass(frozen=True, slots=True)
class Array:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """`{$json: …}`, `{$form: …}`, `{$xml: …}`, `{$base64: …}`: encoded, stands as text. Key paths pass through it."""

    encoding: Literal["json", "form", "xml", "base64"]
    node: Node


Node = Constant | Replacement | Text | Object | Array | Encoded


# ---- authentication -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NoAuth:
    pass


@dataclass(frozen=True, slots=True)
class BasicAuth:
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OAuth2:
    """Client credentials (RFC 6749, 4.4), or with `username` those of a user (4.3): a preset of `Login`.

    `pairs` are extra parameters of the token request, `headers` extra headers.
    """

    url: str
    client_id: str
    secret: str = field(repr=False)
    pairs: Mapping[str, str] = field(default_factory=dict, repr=False)
    send: Literal["body", "basic", "json"] = "body"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SigV4:
    """AWS Signature Version 4; credentials come from the environment as botocore finds them."""

    service: str
    region: str


@dataclass(frozen=True, slots=True)
class Additions:
    """What is added to a request when it is sent: computed from its parts, for each attempt.

    The expressions are those of `signing.SIGNING`: their names are those of `values`, and of what a login brought.

    Attributes:
        values: name → template, in any order.
        secret: names of `values` that hold a secret or are made of one.
        headers, query, pairs: flat. `pairs` are fields of a form.
        json: members of a JSON object that is the body.
        kind: of the body of the request it is added to.
    """

    values: Mapping[str, Constant | Replacement | Text] = field(default_factory=dict, repr=False)
    secret: frozenset[str] = frozenset()
    headers: Object = Object(())
    query: Object = Object(())
    pairs: Object = Object(())
    json: Object = Object(())
    kind: Literal["none", "pairs", "multipart", "json", "xml", "text"] = "none"


@dataclass(frozen=True, slots=True)
class Sign:
    """Requests are signed: what is added to each."""

    additions: Additions


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """A request for a token. Its templates are of `signing.SIGNING`, without the parts of a request.

    Attributes:
        values, secret: as of `Additions`.
        kind, body: `pairs` (flat), `json`, `text` or `none`.
        sign: added to the request once it stands.
    """

    method: Literal["GET", "POST"]
    url: Text | Constant
    query: Object = Object(())
    headers: Object = Object(())
    kind: Literal["none", "pairs", "json", "text"] = "none"
    body: Node | None = None
    values: Mapping[str, Constant | Replacement | Text] = field(default_factory=dict, repr=False)
    secret: frozenset[str] = frozenset()
    sign: Additions | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A token is fetched by a request, kept, and renewed.

    Attributes:
        requests: tried in turn while they are refused (400, 401, 403); the one that worked last comes first.
        use: what is added to each request of messages; it may name what the login brought.
        token: name → JMESPath over the decoded reply.
        text: regular expression over the reply; its named groups are names.
        header: name of a header in lower case → the same over its value.
        decode: how the reply is read for `token` and `expires`.
        expires: JMESPath of the seconds a token lives, or of the time it ends.
        lives: seconds it lives where the reply does not say.
        renew: replies that say that a token is worth nothing any more, and that nothing was taken.
        rfc6749: the reply is that of OAuth 2.0: `expires_in` is a length of time, and only bearer tokens are taken.
        preset: the key of `auth` that it was written with, for messages.
    """

    requests: tuple[LoginRequest, ...]
    use: Additions
    token: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    header: Mapping[str, str] = field(default_factory=dict)
    decode: tuple[Literal["json", "xml", "none"], ...] = ("json",)
    expires: str | None = None
    lives: float | None = None
    renew: tuple[Rule, ...] = ()
    rfc6749: bool = False
    preset: str = "login"


Auth = NoAuth | BasicAuth | OAuth2 | SigV4 | Sign | Login


# ---- pairs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListNames:
    """What stands behind a name for an element of a list: its number between two texts. `first` None: no number."""

    before: str
    first: int | None = None
    after: str = ""


@dataclass(frozen=True, slots=True)
class MapNames:
    """What stands behind a name for a member of a map: its key between two texts."""

    before: str
    after: str = ""


@dataclass(frozen=True, slots=True)
class Nesting:
    """How the names of pairs say structures: `Messages[0][To]`, if nothing is said."""

    lists: ListNames = ListNames("[", 0, "]")
    maps: MapNames = MapNames("[", "]")


# ---- batching, reply, limits ----------------------------------------------------------------------------------------


QUERY: Final = "?"
"""The first segment of a path into the query (`?to` in the file)."""

Method = Literal["GET", "POST", "PUT", "PATCH"]


@dataclass(frozen=True, slots=True)
class Batching:
    """How messages share a request.

    Attributes:
        keys: paths into the body (or query, for GET pairs) where each message renders its own value; `()` is the whole
            body (`.` in the file). A segment of digits is an index into an array. After QUERY the path leads into the
            query.
        min_records, max_records: 1 to 1,000.
        join: text between merged strings.
        wait: seconds a window may stay open; None for the setting.
        max_bytes: bound on the encoded body, or on the URL for a query; None for no bound.
    """

    keys: tuple[tuple[str, ...], ...]
    min_records: int = 1
    max_records: int = 1
    join: str = ","
    wait: float | None = None
    max_bytes: int | None = None


SUCCESS: Final = ((200, 299),)
"""What `accept` means by `status` where a rule of a request names none: no failure of HTTP accepts a message."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of `response.rules` or of an entry source's `rules`. All conditions that are present must hold.

    Attributes:
        path: where it stands, for messages (`response.rules[0]`).
        status: `((200, 200), (500, 599))`: inclusive ranges; SUCCESS of a request's rule that accepts and names none.
        header: name in lower case to regular expression.
        text: regular expression searched in the reply's text; its named groups are the document for the fields below.
        when: JMESPath source.
        then: an outcome, or `entries`.
        count: JMESPath source of a number that must be the number of messages in the request, else all are `unknown`.
        id, code, reason, after, until: JMESPath sources (or time texts for `until`), None where absent.
    """

    path: str
    then: str
    status: tuple[tuple[int, int], ...] = ()
    header: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    when: str | None = None
    count: str | None = None
    id: str | None = None
    code: str | None = None
    reason: str | None = None
    after: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """How an entry finds its message.

    Attributes:
        kind: `expressions` (all pairs must agree), `rest`, `index`, or `others`: no entry at all, but the messages that
            the reply does not name.
        pairs: message expression and JMESPath source of the reply's value, which goes through the same filters.
    """

    kind: Literal["expressions", "rest", "index", "others"]
    pairs: tuple[tuple[Expression, str], ...] = ()


@dataclass(frozen=True, slots=True)
class IdRange:
    """Ids that follow one another: JMESPath sources of the first and of either the last or how many there are."""

    first: str
    last: str | None = None
    count: str | None = None


@dataclass(frozen=True, slots=True)
class EntrySource:
    """Where the entries of a reply stand and what they mean.

    Exactly one of `each` and `text`; neither where the whole document is the entry (`range`), or where there is none
    (`match: others`).

    Attributes:
        range: the ids an entry stands for, one message each; only with `match: index`.
        count: JMESPath source of a number in the document: how many entries there are (of a range: ids; with `others`:
            messages that are left), else what this source says is `unknown`.
    """

    path: str
    match: Match
    each: str | None = None
    text: str | None = None
    range: IdRange | None = None
    count: str | None = None
    rules: tuple[Rule, ...] = ()
    then: str | None = None
    id: str | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Response:
    decode: tuple[Literal["json", "xml", "none"], ...] = ("json",)
    rules: tuple[Rule, ...] = ()
    entries: tuple[EntrySource, ...] = ()
    charset: str | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """`300/5s`: at most `amount` in any window of `seconds`."""

    amount: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    requests: tuple[Rate, ...] = ()
    records: tuple[Rate, ...] = ()
    concurrency: int = 8


@dataclass(frozen=True, slots=True)
class Hours:
    """Send window, in the zone's local time, minutes after midnight; `end` < `start` passes midnight."""

    start: int
    end: int
    zone: str


@dataclass(frozen=True, slots=True)
class Http:
    """Transport options. Times in seconds, sizes in bytes; `total` None is the setting `timeouts.http_total`.

    Attributes:
        tls: stands for what the files of TLS hold, so that a definition whose certificate was renewed is another one.
    """

    connect: float = 10.0
    total: float | None = None
    reply_bytes: int = 4 * 1024 * 1024
    verify: bool = True
    ca: str | None = None
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    private_hosts: bool = False
    tls: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Retry:
    """Attempts for what was refused with `retry`, or is uncertain under `resend`. Times in seconds."""

    attempts: int = 5
    base: float = 1.0
    cap: float = 60.0


# ---- the whole ------------------------------------------------------------------------------------------------------

UNKNOWN_RUN = 20


@dataclass(frozen=True, slots=True)
class Operation:
    """One way to call the provider.

    Attributes:
        when: JMESPath over the message that chooses; None fits every message.
        content: the custom value that brings the text; None where `$$Body` or `$$TemplateID` does.
        apart: by what receipts tell the messages of a request apart; none where they need not.
        nesting: how names of pairs, in the query as well, say structures.
    """

    name: str
    path: str
    method: Method
    url: Text | Constant
    query: Object
    headers: Object
    auth: Auth
    kind: Literal["none", "pairs", "multipart", "json", "xml", "text"]
    body: Node | None
    batching: Batching | None
    response: Response | None
    when: str | None = None
    content: str | None = None
    apart: tuple[Expression, ...] = ()
    nesting: Nesting = Nesting()
    idempotent: float | None = None
    on_uncertain: Literal["resend", "report"] = "resend"


@dataclass(frozen=True, slots=True)
class Definition:
    """One provider, loaded.

    Attributes:
        name: what events say in `provider`.
        file: where it was read.
        operations: at least one, in order of preference.
        account: definitions with the same account share limits and breaker; None is its own.
        failover: names of other definitions.
        secrets: `${NAME}` → value, for redaction of anything a provider echoes. Not all of them are secret (a region
            is one of them), and some are short.
        about: free data for the provider table.
        receipts: how the provider reports; None where it is not asked.
        unknown_run: messages in a row that may end `unknown` before the provider is paused; None for any number.
        warnings: what loads, but looks like a slip.
        source: what the file says, with the place of everything: for what is found later.
        digest: of what the file says, merged, with `${NAME}` for every value from outside: 8 hexadecimal digits. Equal
            for workers that have the same definition, whatever their secrets.
    """

    name: str
    file: str
    operations: tuple[Operation, ...]
    limits: Limits = Limits()
    retry: Retry = Retry()
    http: Http = Http()
    account: str | None = None
    hours: Hours | None = None
    failover: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    about: Mapping[str, Any] = field(default_factory=dict)
    receipts: Receipts | None = None
    unknown_run: int | None = UNKNOWN_RUN
    warnings: tuple[Problem, ...] = field(default=(), repr=False, compare=False)
    source: Map | None = field(default=None, repr=False, compare=False)
    digest: str = field(default="", repr=False, compare=False)
