"""`auth: {sign: …}` and `auth: {login: …}`: what is added to a request when it is sent, and where tokens come from.

Both are the same few words: named `values`, and where they go. Their expressions are those of replacements, over the
request as a whole and not over its messages: other calls, more filters, and the names that stand in `values`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from connector.config_text.source import List, Map, PlacedValue, Value
from connector.definition.check_request import secret_name
from connector.definition.expression import Expression
from connector.definition.expression_text import Vocabulary
from connector.definition.findings import Findings
from connector.definition.jmes import JmesPath
from connector.definition.patterns import compile_pattern
from connector.definition.payload import read_scalar
from connector.definition.replies import RuleShape, path_of
from connector.definition.shape import Choice, ListOf, MapKey, MapOf, Read, Record, Schema, Shape, duration, shown
from connector.definition.signing_filters import SIGNING_FILTERS
from connector.definition.tree import (
    Additions,
    Array,
    Constant,
    Encoded,
    Login,
    LoginRequest,
    Node,
    Object,
    ObjectMember,
    Replacement,
    Rule,
    Sign,
    Text,
)
from connector.definition.words import FieldMap, Json, RegexText, Template

PARTS: Final = frozenset(
    {
        *("method", "url", "origin", "host", "hostname", "port", "path", "target", "query"),
        *("fields", "params", "headers", "body"),
    }
)
"""Calls that give a part of the request."""

SECTIONS: Final = ("headers", "query", "pairs", "json")
"""Where something may be added."""

VALUES: Final = 100
"""Of one place: each may be made of others, one inside another."""

CALLS: Final = PARTS | {"now", "nonce", "batch_id"}

SIGNING: Final = Vocabulary(
    CALLS, SIGNING_FILTERS, {}, "write the name of one of `values`, $${'text'} or a call like $${body()|sha256}"
)

Written = Constant | Replacement | Text

_reference = re.compile(r"(?<!\$)\$\{").search
_is_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}").fullmatch


class Values(Shape):
    """`values`: names and templates. Gives name → template, and which of them hold a secret by their own text."""

    def read(self, source: PlacedValue, report: Findings) -> tuple[dict[str, Written], set[str]] | None:
        if not isinstance(source, Map):
            report.error(source.place, "a map belongs here", "write `name: value` under it")
            return None
        values: dict[str, Written] = {}
        secret: set[str] = set()
        if len(source.members) > VALUES:
            report.error(source.place, f"more than {VALUES} values", "say it in fewer steps")
            return None
        for name, value in source.members.items():
            if not _is_name(name):
                report.error(source.keys[name], f"`{shown(name)}` is no name of a value", "write letters, digits and _")
            if not isinstance(value, Value) or value.data is None:
                report.error(value.place, "a text belongs here", "write a text with $${…} in it")
                continue
            node = read_scalar(value, report)  # None: an optional reference that is not set
            values[name] = Constant("") if node is None else node
            if _reference(value.text) or secret_name(name):
                secret.add(name)
        return values, secret

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}


_VALUES = MapKey(
    "values",
    Values(),
    "Values with names, in any order: each may use the others, by `$$name`.",
    {"secret": "${ACME_SECRET}", "signature": "$${body()|hmac(secret)}"},
)


class AdditionsShape(Shape):
    """What is added to a request: `values`, and where they go."""

    def __init__(self) -> None:
        self.record = Record(
            _VALUES,
            MapKey("headers", FieldMap(flat=True), "Headers that are added.", {"X-Signature": "$$signature"}),
            MapKey("query", FieldMap(flat=True), "Parameters that are added to the query.", {"sign": "$$signature"}),
            MapKey("pairs", FieldMap(flat=True), "Fields that are added to a form.", {"sign": "$$signature"}),
            MapKey(
                "json", FieldMap(), "Members that are added to the JSON object of the body.", {"sign": "$$signature"}
            ),
        )

    def read(self, source: PlacedValue, report: Findings) -> Additions | None:
        with report.speaking(SIGNING):
            read = self.record.read(source, report)
        if read is None:
            return None
        if not read.broken and not any(read.get(name) and read[name].members for name in SECTIONS):
            report.error(source.place, "nothing is added to requests", "write `headers`, `query`, `pairs` or `json`")
        return _additions(read)

    def schema(self) -> Schema:
        return self.record.schema()


def _additions(read: Read) -> Additions:
    values, secret = read.get("values") or ({}, set())
    headers, query, pairs, json = (read.get(name) or Object(()) for name in SECTIONS)
    return Additions(values, _grown(values, secret), headers, query, pairs, json)


def _grown(values: Mapping[str, Written], secret: set[str]) -> frozenset[str]:
    """The names that hold a secret or are made of one."""
    grown = set(secret)
    while more := {name for name, node in values.items() if name not in grown and names_in(node) & grown}:
        grown |= more
    return frozenset(grown)


class SignShape(Shape):
    """`sign`."""

    def __init__(self) -> None:
        self.record = AdditionsShape().record

    def read(self, source: PlacedValue, report: Findings) -> Sign | None:
        additions = AdditionsShape().read(source, report)
        return None if additions is None else Sign(additions)

    def schema(self) -> Schema:
        return self.record.schema()


# ---- login ----------------------------------------------------------------------------------------------------------


class LoginRequestShape(Shape):
    """`login.request`."""

    def __init__(self) -> None:
        self.record = Record(
            MapKey("method", Choice("GET", "POST"), "HTTP method; default POST.", "POST"),
            MapKey("url", Template(), "Where tokens come from.", "https://sms.example.com/login", required=True),
            MapKey("query", FieldMap(flat=True), "Query parameters.", {"user": "${SMS_USER}"}),
            MapKey("headers", FieldMap(flat=True), "HTTP headers.", {"X-Client": "${SMS_CLIENT}"}),
            _VALUES,
            MapKey("pairs", FieldMap(flat=True), "A form.", {"user": "${SMS_USER}", "password": "${SMS_PASSWORD}"}),
            MapKey("json", Json(), "A JSON body.", {"user": "${SMS_USER}", "password": "${SMS_PASSWORD}"}),
            MapKey("text", Template(), "A body of plain text.", "${SMS_USER};${SMS_PASSWORD}"),
            MapKey("sign", AdditionsShape(), "As `auth: {sign: …}`: this request is signed as well."),
        )

    def read(self, source: PlacedValue, report: Findings) -> LoginRequest | None:
        with report.speaking(SIGNING):
            read = self.record.read(source, report)
        if read is None:
            return None
        bodies = [name for name in ("pairs", "json", "text") if name in read]
        if len(bodies) > 1:
            report.error(
                source.place, f"{' and '.join(bodies)} stand here", "a request has one body: write one of them"
            )
        if bodies and read.get("method") == "GET":
            report.error(source.place, "a GET has no body", "write method: POST, or `query`")
        values, secret = read.get("values") or ({}, set())
        kind: Any = bodies[0] if bodies else "none"
        sign: Additions | None = read.get("sign")
        return LoginRequest(
            method=read.get("method") or "POST",
            url=read.get("url") or Constant(""),
            query=read.get("query") or Object(()),
            headers=read.get("headers") or Object(()),
            kind=kind,
            body=read.get(kind),
            values=values,
            secret=_grown(values, secret),
            sign=None if sign is None else replace(sign, kind=kind),
        )

    def schema(self) -> Schema:
        return self.record.schema()


class TokenPaths(Shape):
    """A JMESPath expression, which names a `token`; or names and expressions."""

    def read(self, source: PlacedValue, report: Findings) -> dict[str, str] | None:
        if not isinstance(source, Map):
            path = JmesPath().read(source, report)
            return None if path is None else {"token": path}
        for name in source.members:
            if not _is_name(name):
                report.error(source.keys[name], f"`{shown(name)}` is no name of a value", "write letters, digits and _")
        read = MapOf(JmesPath()).read(source, report) or {}
        return {name: path for name, path in read.items() if path is not None}

    def schema(self) -> Schema:
        return {"anyOf": [{"type": "string"}, MapOf(JmesPath()).schema()]}


class Expires(JmesPath):
    """A duration, which gives seconds, or a JMESPath expression."""

    _lasting: Final = duration(1, 30 * 86400, "1s to 30d")

    def read(self, source: PlacedValue, report: Findings) -> Any:
        if isinstance(source, Value) and re.fullmatch(r"[0-9.]+[A-Za-z]+", source.text):
            return self._lasting.read(source, report)
        return super().read(source, report)


class RenewShape(Shape):
    """`renew`: conditions of rules; one of them holds."""

    def __init__(self) -> None:
        rule = RuleShape(of_entry=False)
        self._rule = rule
        self.record = Record(*(rule.record.keys[name] for name in ("status", "header", "text", "when")))

    def read(self, source: PlacedValue, report: Findings) -> tuple[Rule, ...] | None:
        items = source.items if isinstance(source, List) else (source,)
        rules = []
        for item in items:
            before = report.faults
            read = self.record.read(item, report)
            if read is None or report.faults > before or not isinstance(item, Map):
                continue
            if not item.members:
                report.error(
                    item.place, "a condition that says nothing would hold of every reply", "write `status: 401`"
                )
                continue
            self._rule.refuse_empty(item, report)
            header = {name.lower(): pattern or "" for name, pattern in (read.pop("header", None) or {}).items()}
            status = read.pop("status", None) or ()
            path = path_of(item.place, report)
            rules.append(Rule(path, "renew", status=status, header=tuple(header.items()), **read))
        return tuple(rules)

    def schema(self) -> Schema:
        one = self.record.schema()
        return {"anyOf": [one, {"type": "array", "items": one}]}


RENEWING: Final = (Rule("auth.login.renew", "renew", status=((401, 401), (403, 403))),)
"""Where a login does not say."""


class LoginShape(Shape):
    """`login`."""

    def __init__(self) -> None:
        self.record = Record(
            MapKey("request", LoginRequestShape(), "The request that brings a token.", required=True),
            MapKey(
                "token",
                TokenPaths(),
                "Where the reply holds it: JMESPath, for `$$token`; or names and JMESPath, for several values.",
                {"key": "user_key", "session": "session_key"},
            ),
            MapKey(
                "text",
                RegexText(),
                "A regular expression over the reply; its named groups are values.",
                "^(?P<key>[^;]+);(?P<session>.+)$",
            ),
            MapKey(
                "header",
                MapOf(RegexText()),
                "Headers of the reply and regular expressions; their named groups are values.",
                {"X-Auth-Token": "(?P<token>.+)"},
            ),
            MapKey(
                "decode",
                ListOf(Choice("json", "xml", "none"), or_one=True),
                "How the reply is read; default json.",
                "xml",
            ),
            MapKey(
                "expires",
                Expires(),
                "How long it lives: a duration, or where the reply says so (seconds, or a time); default 10m.",
                "data.expires_in",
            ),
            MapKey(
                "use",
                AdditionsShape(),
                "What is added to requests: the keys of `sign`, and what the login brought by its names.",
                {"headers": {"Authorization": "Bearer $$token"}},
                required=True,
            ),
            MapKey(
                "renew",
                RenewShape(),
                "Replies that ask for a new token, by `status`, `header`, `text`, `when`; default status 401 and 403.",
                [{"status": 401}, {"when": "code == 'expired'"}],
            ),
        )

    def read(self, source: PlacedValue, report: Findings) -> Login | None:
        read = self.record.read(source, report)
        if read is None:
            return None
        if not read.broken & {"token", "text", "header"} and not (
            read.get("token") or read.get("text") or read.get("header")
        ):
            report.error(source.place, "nothing says where the token is", "write `token: path`, `text` or `header`")
        expires = read.get("expires")
        header = {name.lower(): pattern or "" for name, pattern in (read.get("header") or {}).items()}
        return Login(
            requests=(read.get("request") or LoginRequest("POST", Constant("")),),
            use=read.get("use") or Additions(),
            token=read.get("token") or {},
            text=read.get("text"),
            header=header,
            decode=tuple(each for each in read.get("decode") or () if each) or ("json",),
            expires=expires if isinstance(expires, str) else None,
            lives=expires if isinstance(expires, float) else None,
            renew=RENEWING if read.get("renew") is None else read["renew"],
        )

    def schema(self) -> Schema:
        return self.record.schema()


# ---- what stands in a template --------------------------------------------------------------------------------------


def expressions_of(node: Node) -> list[Expression]:
    """The expressions of a template, or of a structure of templates."""
    match node:
        case Replacement():
            return [node.expression]
        case Text():
            return [part for part in node.parts if isinstance(part, Expression)]
        case Object():
            found = []
            for member in node.members:
                if isinstance(member, ObjectMember):
                    if not isinstance(member.key, str):
                        found += expressions_of(member.key)
                    found += expressions_of(member.value)
                else:
                    found.append(member.expression)
            return found
        case Array():
            return [each for item in node.items for each in expressions_of(item)]
        case Encoded():
            return expressions_of(node.node)
    return []


def names_in(node: Node) -> frozenset[str]:
    """The names that its expressions read."""
    return frozenset().union(*(expression.names for expression in expressions_of(node)))


def calls_in(node: Node) -> frozenset[str]:
    """The calls that its expressions use."""
    return frozenset().union(*(expression.calls for expression in expressions_of(node)))


def login_names(login: Login) -> tuple[str, ...]:
    """What it brings, by name."""
    sources = [*login.header.values(), *([login.text] if login.text is not None else [])]
    return (*login.token, *(name for source in sources for name in compile_pattern(source).names))
