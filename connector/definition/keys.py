"""The keys of the language: the one list that loading, the JSON Schema and the reference are made from."""

from __future__ import annotations

import re
from typing import Final

from connector.definition.jmes import OverMessage
from connector.definition.replies import ResponseShape
from connector.definition.shape import (
    Choice,
    Flag,
    Free,
    Key,
    Kinds,
    ListOf,
    MapOf,
    Plain,
    Record,
    Size,
    Whole,
    WholeOrOff,
    duration,
)
from connector.definition.words import Fields, HoursText, Json, KeyPaths, Rates, Records, Template, Xml

_text = Plain()
NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
NAME_HINT: Final = "write letters, digits, `.`, `_` and `-`"
is_name = re.compile(NAME).fullmatch

_name = Plain(NAME, NAME_HINT)
_url = Plain(r"(https?://|\$\{).+", "write https://…")

AUTH: Final = Kinds(
    Key(
        "basic",
        Record(
            Key("username", _text, "User name.", "${SMS_USER}", required=True),
            Key("password", _text, "Password.", "${SMS_PASSWORD}", required=True),
        ),
        "HTTP Basic authentication.",
    ),
    Key(
        "oauth2",
        Record(
            Key("url", _url, "Token endpoint.", "https://sms.example.com/token", required=True),
            Key("client_id", _text, "Client id.", "${SMS_ID}", required=True),
            Key("secret", _text, "Client secret.", "${SMS_SECRET}", required=True),
            Key("pairs", MapOf(_text), "Extra parameters of the token request.", {"scope": "sms"}),
            Key("send", Choice("body", "basic"), "Where id and secret travel; default body.", "basic"),
        ),
        "OAuth 2.0 client credentials (RFC 6749, 4.4); the token is fetched, kept and renewed.",
    ),
    Key(
        "sigv4",
        Record(
            Key("service", _text, "Signing name of the service.", "mobiletargeting", required=True),
            Key("region", _text, "Region.", "${AWS_REGION}", required=True),
        ),
        "AWS Signature Version 4; credentials are found as botocore finds them.",
    ),
    words=("none",),
)

PARAMETERS: Final = Kinds(
    Key("pairs", Fields(), "Key-value pairs: the query of a GET, a form in a POST.", {"to": "$$To", "text": "$$Body"}),
    Key(
        "json",
        Json(),
        "A JSON body: a structure, or a payload pasted as text (`json: |`), comments and all.",
        {"msgs": [{"to": "$$To", "text": "$$Body"}]},
    ),
    Key(
        "xml",
        Xml(),
        "An XML body: one root element; attributes are `@name`.",
        {"sms": {"@to": "$$To", "text": "$$Body"}},
    ),
    Key("text", Template(), "A body of plain text with replacements.", "$$To;$$Body"),
)

BATCHING: Final = Record(
    Key(
        "key",
        KeyPaths(),
        "Where records stand in the parameters: a dotted path, a list of them, `.` for everything.",
        "msgs",
        required=True,
    ),
    Key("records", Records(), "Most records of a batch, 1 to 1,000, or {min, max}.", 500, required=True),
    Key(
        "join",
        Plain(r"(?s).{0,10}", "write at most 10 characters"),
        "Between strings that are merged; default `,`.",
        ",",
    ),
    Key("wait", duration(0, 300, "up to 5m"), "How long a window may stay open; default: the setting.", "2s"),
    Key(
        "bytes",
        Size(100, 64 * 1024**2, "100 to 64MiB"),
        "Bound on the body, or on the URL of a GET (default 7,500).",
        "6MB",
    ),
)

_OPERATION = (
    Key("method", Choice("GET", "POST"), "HTTP method.", "POST"),
    Key("url", Template(), "Endpoint; replacements may stand after the host.", "https://sms.example.com/send"),
    Key("query", Fields(), "Query parameters.", {"dlr": 1}),
    Key("headers", Fields(flat=True), "HTTP headers.", {"authkey": "${SMS_AUTHKEY}"}),
    Key("auth", AUTH, "How requests are authenticated; default none.", "none"),
    Key(
        "parameters",
        PARAMETERS,
        "What is sent: exactly one of pairs, json, xml, text.",
        {"json": {"to": "$$To", "text": "$$Body"}},
    ),
    Key(
        "batching",
        BATCHING,
        "How messages share a request; without it every message is one.",
        {"key": "msgs", "records": 1000},
    ),
    Key("response", ResponseShape(), "What replies mean; without it every 2xx is `accept`."),
    Key(
        "idempotent",
        duration(1, 30 * 86400, "1s to 30d"),
        "How long the provider suppresses a repeated request.",
        "12h",
    ),
    Key(
        "on_uncertain",
        Choice("resend", "report"),
        "A request that may have been taken: send again, or report `unknown`; default resend.",
        "report",
    ),
)

LIMITS: Final = Record(
    Key("requests", Rates(), "Requests in a time, over all workers.", "300/5s"),
    Key("records", Rates(), "Messages in a time, over all workers.", "50/s"),
    Key("concurrency", Whole(1, 1000), "Requests at the same time, over all workers; default 8.", 50),
)

RETRY: Final = Record(
    Key(
        "attempts",
        Whole(1, 100),
        "Requests a message may be in, and one more after an outage; default 5.",
        5,
    ),
    Key("base", duration(0.01, 3600, "10ms to 1h"), "First delay, doubled each time; default 1s.", "1s"),
    Key("cap", duration(0.01, 86400, "10ms to 24h"), "Longest delay; default 60s.", "60s"),
)

HTTP: Final = Record(
    Key("connect", duration(0.1, 120, "100ms to 2m"), "Time for DNS, TCP and TLS; default 10s.", "10s"),
    Key("total", duration(0.1, 600, "100ms to 10m"), "Time for the whole request; default: the setting.", "30s"),
    Key("reply", Size(1024, 16 * 1024**2, "1KiB to 16MiB"), "Largest reply that is read; default 4MiB.", "4MiB"),
    Key("verify", Flag(), "Verify the server's certificate; default true.", True),
    Key("ca", _text, "File with authorities to trust beside the system's.", "/etc/ssl/provider.pem"),
    Key("certificate", _text, "File with the client certificate (mTLS).", "/run/secrets/client.pem"),
    Key("key", _text, "File with its key.", "/run/secrets/client.key"),
    Key("proxy", _url, "HTTP proxy; HTTP_PROXY and its like are not read.", "http://proxy.internal:3128"),
    Key("private_hosts", Flag(), "Allow hosts in private address ranges; default false.", True),
)

_WHOLE = (
    Key("limits", LIMITS, "What the provider allows, over all workers.", {"requests": "10/s", "concurrency": 4}),
    Key("retry", RETRY, "How often and how soon a refused message is sent again.", {"attempts": 3, "base": "5s"}),
    Key(
        "unknown_run",
        WholeOrOff(1, 100_000),
        "Messages in a row that may end `unknown` before the provider is paused, or `off`; default 20.",
        50,
    ),
    Key("http", HTTP, "Transport.", {"total": "20s"}),
    Key("account", _name, "Definitions with the same account share limits and breaker.", "acme"),
    Key("hours", HoursText(), "When it may be sent to.", "09:00-21:00 Asia/Kolkata"),
    Key("failover", ListOf(_name, or_one=True), "Definitions that take over while this one is down.", ["other"]),
    Key("receipts", Free(), "Delivery reports; reserved."),
)

OPERATION: Final = Record(
    Key("name", _name, "Name of the operation.", "bulk"),
    Key(
        "when",
        OverMessage(),
        "JMESPath over the message; the first operation that fits takes it.",
        "custom.route == 'bulk'",
    ),
    *_OPERATION,
    elsewhere={key.name: "it belongs to the whole definition: move it to the top level" for key in _WHOLE},
)

ABOUT: Final = Record(
    Key("title", Free(), "What it is, in a line.", "Example SMS API v2"),
    Key("source", Free(), "Where the facts come from.", "developer.example.com/api"),
    Key("unverified", Free(), "What has not been confirmed.", ["429"]),
    Key("limits", Free(), "What the provider allows, in words."),
    Key("notes", Free(), "What a reader should know."),
    Key("env", Free(), "The variables it needs, and what each is."),
)

DEFINITION: Final = Record(
    Key("name", _name, "What events say in `provider`; default: the file's name.", "acme"),
    Key("about", ABOUT, "For the table of providers."),
    Key("extends", Plain(), "Another definition this one changes (JSON Merge Patch, RFC 7386).", "plivo"),
    *_OPERATION,
    Key("operations", ListOf(OPERATION), "Several ways to call the provider; each inherits the top level."),
    *_WHOLE,
    elsewhere={
        **dict.fromkeys(("when",), "it belongs to an operation: write it under `operations`"),
        **dict.fromkeys(("json", "pairs", "xml", "text", "body"), "write it under `parameters`"),
        **dict.fromkeys(("records", "key"), "write it under `batching`"),
        **dict.fromkeys(("rules", "entries"), "write it under `response`"),
        **dict.fromkeys(("requests", "concurrency"), "write it under `limits`"),
    },
)
