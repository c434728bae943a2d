"""The keys of the language: the one list that loading, the JSON Schema and the reference are made from."""

from __future__ import annotations

import re
from typing import Final, get_args

from connector.definition.jmes import OverMessage
from connector.definition.nesting import NestingShape
from connector.definition.receipts import ReceiptsShape
from connector.definition.replies import ResponseShape
from connector.definition.shape import (
    Choice,
    Flag,
    Free,
    Kinds,
    ListOf,
    MapKey,
    MapOf,
    Plain,
    Record,
    Size,
    Whole,
    WholeOrOff,
    duration,
)
from connector.definition.signing import LoginShape, SignShape
from connector.definition.tree import Method
from connector.definition.words import FieldMap, HoursText, Json, KeyPaths, Rates, RecordBounds, Template, TextBody, Xml

_text = Plain()
NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
NAME_HINT: Final = "write letters, digits, `.`, `_` and `-`"
is_name = re.compile(NAME).fullmatch

_name = Plain(NAME, NAME_HINT)
_url = Plain(r"(https?://|\$\{).+", "write https://…")

_BEARER: Final = (
    "a token that stays is a header: `headers: {Authorization: 'Bearer ${TOKEN}'}`; one that is fetched and renewed is "
    "`auth: {oauth2: …}` or `auth: {login: …}`"
)
_IN_A_HEADER: Final = "write it where it goes: `headers: {X-Api-Key: '${KEY}'}`, or among the parameters"

AUTH: Final = Kinds(
    MapKey(
        "basic",
        Record(
            MapKey("username", _text, "User name.", "${SMS_USER}", required=True),
            MapKey("password", _text, "Password.", "${SMS_PASSWORD}", required=True),
        ),
        "HTTP Basic authentication.",
    ),
    MapKey(
        "oauth2",
        Record(
            MapKey("url", _url, "Token endpoint.", "https://sms.example.com/token", required=True),
            MapKey("client_id", _text, "Client id.", "${SMS_ID}", required=True),
            MapKey("secret", _text, "Client secret.", "${SMS_SECRET}", required=True),
            MapKey("pairs", MapOf(_text), "Extra parameters of the token request.", {"scope": "sms"}),
            MapKey(
                "send",
                Choice("body", "basic", "json"),
                "Where id and secret travel: in a form, as Basic, in JSON.",
                "basic",
            ),
            MapKey("headers", MapOf(_text), "Extra headers of the token request.", {"X-Tenant": "acme"}),
            MapKey("username", _text, "With `password`: the grant of a user (RFC 6749, 4.3).", "${SMS_USER}"),
            MapKey("password", _text, "The user's password.", "${SMS_PASSWORD}"),
        ),
        "OAuth 2.0 client credentials (RFC 6749, 4.4); the token is fetched, kept and renewed.",
    ),
    MapKey(
        "sigv4",
        Record(
            MapKey("service", _text, "Signing name of the service.", "mobiletargeting", required=True),
            MapKey("region", _text, "Region.", "${AWS_REGION}", required=True),
        ),
        "AWS Signature Version 4; credentials are found as botocore finds them.",
    ),
    MapKey("sign", SignShape(), "Requests are signed: what is computed from each, and where it goes."),
    MapKey("login", LoginShape(), "A token is fetched by a request of its own, kept and renewed."),
    words=("none",),
    instead=dict.fromkeys(("bearer", "token", "jwt"), _BEARER)
    | dict.fromkeys(("api_key", "apikey", "key", "header", "headers"), _IN_A_HEADER),
)

PARAMETERS: Final = Kinds(
    MapKey(
        "pairs", FieldMap(), "Key-value pairs: the query of a GET, a form in a POST.", {"to": "$$To", "text": "$$Body"}
    ),
    MapKey("multipart", FieldMap(), "The same as parts of multipart/form-data.", {"to": "$$To", "text": "$$Body"}),
    MapKey(
        "json",
        Json(),
        "A JSON body: a structure, or a payload pasted as text (`json: |`), comments and all.",
        {"msgs": [{"to": "$$To", "text": "$$Body"}]},
    ),
    MapKey(
        "xml",
        Xml(),
        "An XML body: one root element; attributes are `@name`.",
        {"sms": {"@to": "$$To", "text": "$$Body"}},
    ),
    MapKey("text", TextBody(), "A body of plain text with replacements, or one document as text.", "$$To;$$Body"),
)

BATCHING: Final = Record(
    MapKey(
        "key",
        KeyPaths(),
        "Where records stand in the parameters: a dotted path, a list of them, `.` for everything; `?to` in the query.",
        "msgs",
        required=True,
    ),
    MapKey("records", RecordBounds(), "Most records of a batch, 1 to 1,000, or {min, max}.", 500, required=True),
    MapKey(
        "join",
        Plain(r"(?s).{0,10}", "write at most 10 characters"),
        "Between strings that are merged; default `,`.",
        ",",
    ),
    MapKey("wait", duration(0, 300, "up to 5m"), "How long a window may stay open; default: the setting.", "2s"),
    MapKey(
        "bytes",
        Size(100, 64 * 1024**2, "100 to 64MiB"),
        "Bound on the body, or on the URL where records stand in it (default 7,500).",
        "6MB",
    ),
)

_OPERATION = (
    MapKey("method", Choice(*get_args(Method)), "HTTP method: GET, POST, PUT or PATCH.", "POST"),
    MapKey("url", Template(), "Endpoint; replacements may stand after the host.", "https://sms.example.com/send"),
    MapKey("query", FieldMap(), "Query parameters.", {"dlr": 1}),
    MapKey("headers", FieldMap(flat=True), "HTTP headers.", {"authkey": "${SMS_AUTHKEY}"}),
    MapKey("auth", AUTH, "How requests are authenticated; default none.", "none"),
    MapKey(
        "parameters",
        PARAMETERS,
        "What is sent: exactly one of pairs, multipart, json, xml, text.",
        {"json": {"to": "$$To", "text": "$$Body"}},
    ),
    MapKey("nesting", NestingShape(), "How the names of pairs say lists and maps.", {"lists": "repeat"}),
    MapKey(
        "batching",
        BATCHING,
        "How messages share a request; without it every message is one.",
        {"key": "msgs", "records": 1000},
    ),
    MapKey(
        "content",
        Plain("[A-Za-z_][A-Za-z0-9_]*", "write the name of a custom value, without $$"),
        "Custom value that brings the text, encoded by who writes the events, where no `$$Body` stands.",
        "hextext",
    ),
    MapKey("response", ResponseShape(), "What replies mean; without it every 2xx is `accept`."),
    MapKey(
        "idempotent",
        duration(1, 30 * 86400, "1s to 30d"),
        "How long the provider suppresses a repeated request.",
        "12h",
    ),
    MapKey(
        "on_uncertain",
        Choice("resend", "report"),
        "A request that may have been taken: send again, or report `unknown`; default resend.",
        "report",
    ),
)

LIMITS: Final = Record(
    MapKey("requests", Rates(), "Requests in a time, over all workers.", "300/5s"),
    MapKey("records", Rates(), "Messages in a time, over all workers.", "50/s"),
    MapKey("concurrency", Whole(1, 1000), "Requests at the same time, over all workers; default 8.", 50),
)

RETRY: Final = Record(
    MapKey(
        "attempts",
        Whole(1, 100),
        "Requests a message may be in, and one more after an outage; default 5.",
        5,
    ),
    MapKey("base", duration(0.01, 3600, "10ms to 1h"), "First delay, doubled each time; default 1s.", "1s"),
    MapKey("cap", duration(0.01, 86400, "10ms to 24h"), "Longest delay; default 60s.", "60s"),
)

HTTP: Final = Record(
    MapKey("connect", duration(0.1, 120, "100ms to 2m"), "Time for DNS, TCP and TLS; default 10s.", "10s"),
    MapKey("total", duration(0.1, 600, "100ms to 10m"), "Time for the whole request; default: the setting.", "30s"),
    MapKey("reply", Size(1024, 16 * 1024**2, "1KiB to 16MiB"), "Largest reply that is read; default 4MiB.", "4MiB"),
    MapKey("verify", Flag(), "Verify the server's certificate; default true.", True),
    MapKey("ca", _text, "File with authorities to trust beside the system's.", "/etc/ssl/provider.pem"),
    MapKey("certificate", _text, "File with the client certificate (mTLS).", "/run/secrets/client.pem"),
    MapKey("key", _text, "File with its key.", "/run/secrets/client.key"),
    MapKey("proxy", _url, "HTTP proxy; HTTP_PROXY and its like are not read.", "http://proxy.internal:3128"),
    MapKey("private_hosts", Flag(), "Allow hosts in private address ranges; default false.", True),
)

_WHOLE = (
    MapKey("limits", LIMITS, "What the provider allows, over all workers.", {"requests": "10/s", "concurrency": 4}),
    MapKey("retry", RETRY, "How often and how soon a refused message is sent again.", {"attempts": 3, "base": "5s"}),
    MapKey(
        "unknown_run",
        WholeOrOff(1, 100_000),
        "Messages in a row that may end `unknown` before the provider is paused, or `off`; default 20.",
        50,
    ),
    MapKey("http", HTTP, "Transport.", {"total": "20s"}),
    MapKey("account", _name, "Definitions with the same account share limits and breaker.", "acme"),
    MapKey("hours", HoursText(), "When it may be sent to.", "09:00-21:00 Asia/Kolkata"),
    MapKey("failover", ListOf(_name, or_one=True), "Definitions that take over while this one is down.", ["other"]),
    MapKey("receipts", ReceiptsShape(), "How the provider reports what became of messages.", {"extends": "clevertap"}),
)

OPERATION: Final = Record(
    MapKey("name", _name, "Name of the operation.", "bulk"),
    MapKey(
        "when",
        OverMessage(),
        "JMESPath over the message; the first operation that fits takes it.",
        "custom.route == 'bulk'",
    ),
    *_OPERATION,
    elsewhere={key.name: "it belongs to the whole definition: move it to the top level" for key in _WHOLE},
)

ABOUT: Final = Record(
    MapKey("title", Free(), "What it is, in a line.", "Example SMS API v2"),
    MapKey("source", Free(), "Where the facts come from.", "developer.example.com/api"),
    MapKey("unverified", Free(), "What has not been confirmed.", ["429"]),
    MapKey("limits", Free(), "What the provider allows, in words."),
    MapKey("notes", Free(), "What a reader should know."),
    MapKey("env", Free(), "The variables it needs, and what each is."),
)

DEFINITION: Final = Record(
    MapKey("name", _name, "What events say in `provider`; default: the file's name.", "acme"),
    MapKey("about", ABOUT, "For the table of providers."),
    MapKey("extends", Plain(), "Another definition this one changes (JSON Merge Patch, RFC 7386).", "plivo"),
    *_OPERATION,
    MapKey("operations", ListOf(OPERATION), "Several ways to call the provider; each inherits the top level."),
    *_WHOLE,
    elsewhere={
        **dict.fromkeys(("when",), "it belongs to an operation: write it under `operations`"),
        **dict.fromkeys(("json", "pairs", "multipart", "xml", "text", "body"), "write it under `parameters`"),
        **dict.fromkeys(("records", "key"), "write it under `batching`"),
        **dict.fromkeys(("rules", "entries"), "write it under `response`"),
        **dict.fromkeys(("requests", "concurrency"), "write it under `limits`"),
    },
)
