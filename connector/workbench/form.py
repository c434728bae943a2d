"""CleverTap's form "Generic SMS" as a view of a definition's text: its fields are read out of it and written back.

Fields keep the form's names. What the form does not know (rules, limits, filters, other bodies) stays in the text as it
stands; `beyond` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec
from ruamel.yaml.scalarstring import LiteralScalarString

from connector.config_text.source import Map, PlacedValue, Value, plain
from connector.definition.check_request import secret_name
from connector.errors import DefinitionError, Problem
from connector.tools.importing.draft import json_text, scalars
from connector.tools.importing.http_call import tree
from connector.tools.importing.literal import variable
from connector.workbench.text_edits import read_map, with_key

REPORTS: Final = {"extends": "clevertap"}
"""How a provider reports that was told to call CleverTap."""

OF_FORM: Final = ("name", "about", "method", "url", "auth", "headers", "parameters", "batching", "receipts")


class Pair(msgspec.Struct, frozen=True):
    """A key and a value."""

    key: str
    value: str = ""


class Authentication(msgspec.Struct, frozen=True, omit_defaults=True):
    """`other` is written in the text, and not changed by the form. Auth 2.0 is `oauth2`."""

    kind: Literal["none", "basic", "oauth2", "other"] = "none"
    username: str = ""
    password: str = ""
    client_url: str = ""
    client_id: str = ""
    secret_key: str = ""
    pairs: tuple[Pair, ...] = ()


class Parameters(msgspec.Struct, frozen=True, omit_defaults=True):
    """Key-value pairs or a JSON payload; `other` (XML, text, multipart) is not changed by the form."""

    kind: Literal["none", "pairs", "json", "other"] = "none"
    pairs: tuple[Pair, ...] = ()
    json: str = ""


class BatchFields(msgspec.Struct, frozen=True):
    """Key name, and number of records per batch (1 to 1,000)."""

    key: str
    records: int


class FormFields(msgspec.Struct, frozen=True, omit_defaults=True):
    """The form.

    Attributes:
        provider: what events call it.
        nickname: what people call it.
        method, endpoint, authentication, headers, parameters, batching: as in the form.
        reports: the provider calls the callback URL.
        beyond: keys of the text that the form does not show, or not wholly.
    """

    provider: str = ""
    nickname: str = ""
    method: str = "POST"
    endpoint: str = ""
    authentication: Authentication = Authentication()
    headers: tuple[Pair, ...] = ()
    parameters: Parameters = Parameters()
    batching: BatchFields | None = None
    reports: bool = False
    beyond: tuple[str, ...] = ()


def read_fields(text: str, name: str) -> FormFields:
    """The form that a text says. Raises DefinitionError where it is no YAML."""
    source = read_map(text, name)
    if source is None:
        return FormFields(provider=name)
    members = source.members
    beyond = [key for key in members if key not in OF_FORM]
    about = members.get("about")
    fields = FormFields(
        provider=_text(members.get("name")) or name,
        nickname=_text(about.members.get("title")) if isinstance(about, Map) else "",
        method=_text(members.get("method")) or "POST",
        endpoint=_text(members.get("url")),
        authentication=_authentication(members.get("auth")),
        headers=_pairs(members.get("headers"), "headers", beyond),
        parameters=_parameters(members.get("parameters")),
        batching=_batching(members.get("batching"), beyond),
        reports="receipts" in members,
    )
    if fields.authentication.kind == "other":
        beyond.append("auth")
    if fields.parameters.kind == "other":
        beyond.append("parameters")
    if "receipts" in members and plain(members["receipts"]) != REPORTS:
        beyond.append("receipts")
    return msgspec.structs.replace(fields, beyond=tuple(beyond))


def write_fields(text: str, fields: FormFields, name: str) -> tuple[str, tuple[str, ...]]:
    """The text with what differs in the form, and the variables that stand for secrets which were typed.

    Only the keys of fields that differ are written anew. Raises DefinitionError.
    """
    typed = _Typed(fields.provider or name)
    for key, value in _changes(read_fields(text, name), fields, text, typed).items():
        text = with_key(text, key, None if value is None else scalars(_filled(value)))
    return text, tuple(typed.secrets.values())


class _Typed:
    """What was typed: secrets are named in a definition and stand in the environment.

    Attributes:
        secrets: value → the name of its variable.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self.secrets: dict[str, str] = {}

    def secret(self, key: str, value: str) -> str:
        """As `${NAME}`, unless it is one already."""
        if not value or "${" in value or "$$" in value:
            return value
        return f"${{{self.secrets.setdefault(value, variable(self._provider, key))}}}"

    def named(self, pairs: tuple[Pair, ...]) -> dict[str, str]:
        """Keys and values, of which those are secret that are called so."""
        given = {pair.key: self.secret(pair.key, pair.value) if secret_name(pair.key) else pair.value for pair in pairs}
        if len(given) < len(pairs):
            raise DefinitionError([Problem("a key stands here twice", "a key that repeats is written in YAML")])
        return given


def _changes(before: FormFields, fields: FormFields, text: str, typed: _Typed) -> dict[str, Any]:
    """The keys of the language that differ, and what they are to say; None for one that is taken away."""
    batching = fields.batching
    of_fields: tuple[tuple[str, str, Callable[[], Any]], ...] = (
        ("provider", "name", lambda: fields.provider),
        ("nickname", "about", lambda: {**_about(text), "title": fields.nickname or None}),
        ("method", "method", lambda: fields.method),
        ("endpoint", "url", lambda: fields.endpoint),
        ("authentication", "auth", lambda: _auth(fields.authentication, typed)),
        ("headers", "headers", lambda: typed.named(fields.headers)),
        ("parameters", "parameters", lambda: _body(fields.parameters, typed)),
        ("batching", "batching", lambda: batching and {"key": batching.key, "records": batching.records}),
        ("reports", "receipts", lambda: dict(REPORTS) if fields.reports else None),
    )
    left = {field for field in ("authentication", "parameters") if getattr(fields, field).kind == "other"}
    return {
        key: value()
        for field, key, value in of_fields
        if field not in left
        and (getattr(before, field) != getattr(fields, field) or (field == "method" and not text.strip()))
    }


# ---- from the text --------------------------------------------------------------------------------------------------


def _text(value: PlacedValue | None) -> str:
    return value.text if isinstance(value, Value) and value.data is not None else ""


def _pairs(source: PlacedValue | None, key: str, beyond: list[str]) -> tuple[Pair, ...]:
    if source is None:
        return ()
    if not isinstance(source, Map) or not all(isinstance(value, Value) for value in source.members.values()):
        beyond.append(key)
        return ()
    return tuple(Pair(name, _text(value)) for name, value in source.members.items())


def _authentication(source: PlacedValue | None) -> Authentication:
    if source is None or (isinstance(source, Value) and source.data in (None, "none")):
        return Authentication()
    members = source.members if isinstance(source, Map) else {}
    basic, oauth = members.get("basic"), members.get("oauth2")
    if isinstance(basic, Map):
        return Authentication(
            "basic", username=_text(basic.members.get("username")), password=_text(basic.members.get("password"))
        )
    if isinstance(oauth, Map) and not oauth.members.keys() - {"url", "client_id", "secret", "pairs"}:
        beyond: list[str] = []
        pairs = _pairs(oauth.members.get("pairs"), "auth", beyond)
        if not beyond:
            return Authentication(
                "oauth2",
                client_url=_text(oauth.members.get("url")),
                client_id=_text(oauth.members.get("client_id")),
                secret_key=_text(oauth.members.get("secret")),
                pairs=pairs,
            )
    return Authentication("other")


def _parameters(source: PlacedValue | None) -> Parameters:
    if source is None or (isinstance(source, Value) and source.data is None):
        return Parameters()
    members = source.members if isinstance(source, Map) else {}
    if len(members) == 1:
        ((kind, value),) = members.items()
        if kind == "json":
            return Parameters("json", json=_text(value) if isinstance(value, Value) else json_text(tree(value)))
        if kind == "pairs":
            beyond: list[str] = []
            pairs = _pairs(value, kind, beyond)
            if not beyond:
                return Parameters("pairs", pairs=pairs)
    return Parameters("other")


def _batching(source: PlacedValue | None, beyond: list[str]) -> BatchFields | None:
    if source is None:
        return None
    members = source.members if isinstance(source, Map) else {}
    key, records = members.get("key"), members.get("records")
    if isinstance(records, Value) and isinstance(records.data, int) and isinstance(key, Value):
        if members.keys() - {"key", "records"}:
            beyond.append("batching")
        return BatchFields(_text(key), records.data)
    beyond.append("batching")
    return None


def _about(text: str) -> dict[str, Any]:
    source = read_map(text)
    about = None if source is None else source.members.get("about")
    return plain(about) if isinstance(about, Map) else {}


# ---- to the text ----------------------------------------------------------------------------------------------------


def _auth(given: Authentication, typed: _Typed) -> dict[str, Any] | None:
    match given.kind:
        case "basic":
            password = typed.secret("password", given.password)
            return {"basic": {"username": given.username, "password": password}}
        case "oauth2":
            oauth = {
                "url": given.client_url,
                "client_id": given.client_id,
                "secret": typed.secret("secret", given.secret_key),
                "pairs": typed.named(given.pairs),
            }
            return {"oauth2": oauth}
    return None


def _body(given: Parameters, typed: _Typed) -> dict[str, Any] | None:
    match given.kind:
        case "json":
            return {"json": LiteralScalarString(given.json.replace("\r\n", "\n").strip("\n") + "\n")}
        case "pairs":
            return {"pairs": typed.named(given.pairs)}
    return None


def _filled(value: Any) -> Any:
    """A structure without what is empty in it."""
    if isinstance(value, Mapping):
        return {key: _filled(item) for key, item in value.items() if item not in (None, {})}
    return value
