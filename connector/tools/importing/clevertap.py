"""The form this language replaces (CleverTap's "Generic SMS"), field by field, as a definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

from ruamel.yaml.scalarstring import LiteralScalarString

from connector.config_text.environment import Environment
from connector.config_text.source import Place, PlacedValue, Value
from connector.config_text.yaml_text import YamlSyntaxError, read_yaml
from connector.definition.check_request import secret_name
from connector.definition.findings import Findings
from connector.definition.shape import Choice, Kinds, MapKey, MapOf, Record, Shape, Whole, scalar_text
from connector.errors import DefinitionError
from connector.tools.importing.draft import Draft, json_text, scalars
from connector.tools.importing.http_call import tree
from connector.tools.importing.known import known_providers
from connector.tools.importing.literal import plain_name, variable
from connector.tools.importing.usual_names import USER

MESSAGE_ID: Final = "$$MessageID"


@dataclass(slots=True)
class Form:
    """What was typed into the form.

    Attributes:
        method: GET or POST.
        endpoint: HTTP API endpoint.
        basic: user name and password.
        oauth2: client URL, client ID, secret key, and key-value pairs.
        headers, pairs: keys and values, replacements included.
        json: the payload as it was pasted.
        batching: key name and number of records per batch.
    """

    method: Literal["GET", "POST"]
    endpoint: str
    basic: tuple[str, str] | None = None
    oauth2: tuple[str, str, str, Mapping[str, str]] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    pairs: Mapping[str, str] = field(default_factory=dict)
    json: str | None = None
    batching: tuple[str, int] | None = None


class AsTyped(Shape):
    """A text with replacements, untouched."""

    def read(self, source: PlacedValue, report: Findings) -> str | None:
        return scalar_text(source, report)

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


class Payload(AsTyped):
    """A JSON payload: pasted as text, or written as a structure."""

    def read(self, source: PlacedValue, report: Findings) -> str | None:
        return super().read(source, report) if isinstance(source, Value) else json_text(tree(source))


_typed = AsTyped()
FORM: Final = Record(
    MapKey("method", Choice("GET", "POST"), "GET or POST.", required=True),
    MapKey("endpoint", _typed, "The HTTP API endpoint.", required=True),
    MapKey(
        "authentication",
        Kinds(
            MapKey(
                "basic",
                Record(
                    MapKey("username", _typed, "User name.", required=True),
                    MapKey("password", _typed, "Password.", required=True),
                ),
                "Basic authentication.",
            ),
            MapKey(
                "oauth2",
                Record(
                    MapKey("client_url", _typed, "Client URL.", required=True),
                    MapKey("client_id", _typed, "Client ID.", required=True),
                    MapKey("secret_key", _typed, "Secret key.", required=True),
                    MapKey("pairs", MapOf(_typed), "Key-value pairs."),
                ),
                "Auth 2.0.",
            ),
            words=("none",),
        ),
        "No authentication, basic, or Auth 2.0.",
    ),
    MapKey("headers", MapOf(_typed), "HTTP headers."),
    MapKey(
        "parameters",
        Kinds(
            MapKey("pairs", MapOf(_typed), "Key-value pairs."),
            MapKey("json", Payload(), "The JSON payload."),
            words=("none",),
        ),
        "Key-value pairs, or JSON.",
    ),
    MapKey(
        "batching",
        Record(
            MapKey("key", _typed, "Key name.", required=True),
            MapKey("records", Whole(1, 1000), "Number of records per batch.", required=True),
        ),
        "Batching.",
    ),
)


RECEIPTS: Final = (
    "$$MessageID comes back from the provider as `meta`: with `receipts: {}` here and `receive.url` in the settings "
    "its calls become receipts and replies (docs/receipts.md)"
)


def read_form(text: str, file: str) -> Form:
    """A form written as YAML. Raises DefinitionError with every problem."""
    report = Findings(Environment.placeholders(), file)
    try:
        source = read_yaml(text, file, report.errors)
    except YamlSyntaxError as error:
        raise DefinitionError([error.problem]) from None
    values = FORM.read(source, report) if source is not None else None
    if report.errors:
        raise DefinitionError(report.errors)
    if values is None:
        raise DefinitionError([Place(file).problem("the form is empty", "write `method:` and `endpoint:`")])
    return _form(values)


def _form(values: Mapping[str, Any]) -> Form:
    kind: str
    data: Any
    sent: str
    given: Any
    kind, data = values.get("authentication") or ("none", None)
    sent, given = values.get("parameters") or ("none", None)
    batching = values.get("batching")
    form = Form(values["method"], values["endpoint"], headers=values.get("headers") or {})
    if kind == "basic":
        form.basic = data["username"], data["password"]
    elif kind == "oauth2":
        form.oauth2 = data["client_url"], data["client_id"], data["secret_key"], data.get("pairs") or {}
    if sent == "pairs":
        form.pairs = given
    elif sent == "json":
        form.json = given
    if batching:
        form.batching = batching["key"], batching["records"]
    return form


def _endpoint(endpoint: str) -> tuple[str, dict[str, str]]:
    """The address and its query: what is secret in it must not stay in the file."""
    address, mark, query = endpoint.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    if not mark or len(dict(pairs)) < len(query.split("&")):  # a name twice, or words without a value
        return endpoint, {}
    return address, dict(pairs)


def _names_message(form: Form) -> bool:
    """Whether the provider was told what to call the message, as CleverTap's callbacks need it."""
    texts = (form.endpoint, form.json or "", *form.headers.values(), *form.pairs.values())
    return any(MESSAGE_ID in text for text in texts)


def from_form(form: Form, name: str) -> Draft:
    """The definition that does what the form did. What is secret is named in it, and stands in the environment."""
    draft = Draft(name, {})
    secrets: dict[str, str] = {}

    def secret(key: str, value: str) -> str:
        """A typed secret as `${NAME}`."""
        if "${" in value or "$$" in value or not value:
            return value
        reference = variable(name, key)
        while secrets.setdefault(reference, value) != value:
            reference += "_2"
        return f"${{{reference}}}"

    def fields(pairs: Mapping[str, str]) -> dict[str, Any]:
        return {key: secret(key, value) if secret_name(key) else value for key, value in pairs.items()}

    draft.keys["method"] = form.method
    draft.keys["url"], query = _endpoint(form.endpoint)
    draft.keys["query"] = {
        key: secret(key, value) if secret_name(key) or plain_name(key) in USER else value
        for key, value in query.items()
    }
    draft.known = known_providers(form.endpoint)
    if form.basic is not None:
        user, password = form.basic
        draft.keys["auth"] = {"basic": {"username": secret("user", user), "password": secret("password", password)}}
    if form.oauth2 is not None:
        url, client, key, pairs = form.oauth2
        oauth: dict[str, Any] = {"url": url, "client_id": secret("client id", client), "secret": secret("secret", key)}
        draft.keys["auth"] = {"oauth2": {**oauth, **({"pairs": fields(pairs)} if pairs else {})}}
    draft.keys["headers"] = fields(form.headers)
    if form.json is not None:
        # Pasted as it was, comments and all.
        draft.keys["parameters"] = {"json": LiteralScalarString(form.json.replace("\r\n", "\n").strip("\n") + "\n")}
    elif form.pairs:
        draft.keys["parameters"] = {"pairs": fields(form.pairs)}
    if form.batching is not None:
        draft.keys["batching"] = {"key": form.batching[0], "records": form.batching[1]}
    if _names_message(form):
        draft.open.append(RECEIPTS)
    draft.keys = scalars(draft.keys)
    draft.secrets = tuple(secrets)
    return draft
