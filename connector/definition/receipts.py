"""`receipts`: how a provider reports what became of messages, read into the tree."""

from __future__ import annotations

from typing import Any, Final

from connector.config_text.source import List, Map, PlacedValue, Value, kind_of
from connector.config_text.yaml_text import read_yaml
from connector.definition.expression import Expression, ExpressionError
from connector.definition.expression_text import parse
from connector.definition.findings import Findings
from connector.definition.jmes import JmesPath, Predicate
from connector.definition.merge import merge, without
from connector.definition.receipt_tree import (
    At,
    InboundSource,
    ReceiptAnswer,
    ReceiptMatch,
    Receipts,
    StateRule,
    Unpack,
    Verification,
)
from connector.definition.receipt_verify import VerifyShape
from connector.definition.shape import (
    Choice,
    ListOf,
    MapKey,
    MapOf,
    Plain,
    Record,
    Schema,
    Shape,
    Whole,
    scalar_text,
    shown,
)
from connector.definition.words import known_zone

STATES: Final = ("pending", "sent", "delivered", "undelivered", "expired", "blocked", "unknown")
DECODERS: Final = ("json", "form", "query", "xml", "text", "auto")

CLEVERTAP: Final = """
decode: json
each: ["[]", "data[]"]
match: {token: meta}
rules:
  - {when: "event == 'failed' && contains(['901', '903', '909', '913'], code)", then: blocked}
  - {when: "event == 'failed' && contains(['916', '917'], code)", then: expired}
state: event
states: {delivered: delivered, undelivered: failed}
code: code
reason: description
at: {value: ts, format: unix}
reply: {status: 200, type: application/json, body: '{"status":"success","message":"Callback processed successfully"}'}
replies: [{when: "event == 'replied'", to: toPhone, text: incomingText, at: {value: ts, format: unix}}]
clicks: [{when: "event == 'clicked'", url: url, short_url: shorturl, at: {value: ts, format: unix}}]
"""
"""The format that CleverTap's own callback has, and that many providers were told to send."""


class DecodeShape(Shape):
    """`json`, or a list: how the body is read, then what inside of it is a text of its own."""

    def read(self, source: PlacedValue, report: Findings) -> tuple[str, tuple[Unpack, ...]]:
        first, *steps = source.items if isinstance(source, List) and source.items else (source,)
        decoder = Choice(*DECODERS).read(first, report) or "json"
        return decoder, tuple(step for item in steps if (step := UnpackShape().read(item, report)) is not None)

    def schema(self) -> Schema:
        one: Schema = {"enum": list(DECODERS)}
        return {"anyOf": [one, {"type": "array", "prefixItems": [one], "items": UnpackShape().schema(), "minItems": 1}]}


class UnpackShape(Shape):
    """`{json: path}` or `{base64: path}`."""

    def read(self, source: PlacedValue, report: Findings) -> Unpack | None:
        if isinstance(source, Map) and len(source.members) == 1:
            name, value = next(iter(source.members.items()))
            if name in ("json", "base64"):
                path = JmesPath().read(value, report)
                return None if path is None else Unpack(name, path)  # type: ignore[arg-type]
        report.error(source.place, f"{kind_of(source)} is no step", "write {json: path} or {base64: path}")
        return None

    def schema(self) -> Schema:
        step = {name: {"type": "string"} for name in ("json", "base64")}
        return {"type": "object", "properties": step, "additionalProperties": False, "minProperties": 1}


class ReceiptMatchShape(Shape):
    """`token`, `{token: path}`, or `{id: path, "To|digits": path}`."""

    _OURS: Final = ("id", "batch")

    def read(self, source: PlacedValue, report: Findings) -> ReceiptMatch | None:
        if isinstance(source, Value) and source.text == "token":
            return ReceiptMatch()
        if not isinstance(source, Map) or not source.members:
            said = f"`{shown(source.text)}`" if isinstance(source, Value) else kind_of(source)
            report.error(source.place, f"{said} cannot stand here", "write token, {token: path} or {id: path}")
            return None
        token = None
        pairs: list[tuple[str, Expression | None, str]] = []
        for key, value in source.members.items():
            path = JmesPath().read(value, report)
            if key == "token":
                token = path
            elif key in self._OURS:
                pairs.append((key, None, path or ""))
            else:
                pairs.append((key, self._expression(key, source, report), path or ""))
        return ReceiptMatch("lookup" if token is None else "field", token, tuple(pairs))

    def _expression(self, key: str, source: Map, report: Findings) -> Expression | None:
        place = source.keys[key]
        try:
            expression = parse(key)
            expression.normalise()
        except ExpressionError as error:
            report.error(place, error.message, error.remedy)
            return None
        known = (expression.names | expression.calls) <= {"To", "message_id", "batch_id"}
        if not known or expression.head.kind == "literal":
            remedy = "write id, batch, To, message_id() or batch_id(), with filters"
            report.error(place, f"`{shown(key)}` is not known any more when the receipt comes", remedy)
        for call in expression.filters:
            if not call.filter.normalises:
                remedy = "match with filters that only normalise: digits, last, str, lower, ref, …"
                report.error(place, f"`{call.filter.name}` would change the receipt's value once more", remedy)
        return expression

    def schema(self) -> Schema:
        pairs = {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}
        return {"anyOf": [{"enum": ["token"]}, pairs]}


class StatesShape(Shape):
    """`delivered: [1, DELIVRD]`: per state of ours the provider's words; gives word → state."""

    def read(self, source: PlacedValue, report: Findings) -> dict[str, str]:
        words: dict[str, str] = {}
        if not isinstance(source, Map):
            report.error(source.place, f"{kind_of(source)} where a map belongs", "write delivered: WORD")
            return words
        for state, said in source.members.items():
            if state not in STATES:
                Choice(*STATES).read(Value(state, state, source.keys[state]), report)
                continue
            for item in said.items if isinstance(said, List) else (said,):
                text = scalar_text(item, report)
                if text is not None and words.setdefault(text, state) != state:
                    report.error(item.place, f"`{shown(text)}` is {words[text]} already", "write each word once")
        return words

    def schema(self) -> Schema:
        word = {"type": ["string", "number", "boolean"]}
        value = {"anyOf": [word, {"type": "array", "items": word}]}
        return {"type": "object", "properties": dict.fromkeys(STATES, value), "additionalProperties": False}


class AtShape(Shape):
    """`{value: path, format: iso, zone: Asia/Kolkata}`, or the path alone."""

    record: Final = Record(
        MapKey("value", JmesPath(), "Where it stands.", "DateSent", required=True),
        MapKey("format", Plain(), "`iso`, `unix`, `unix_ms`, or marks of strptime.", "%Y-%m-%d %H:%M:%S"),
        MapKey("zone", Plain(), "Of times that say none; default UTC.", "Asia/Kolkata"),
    )

    def read(self, source: PlacedValue, report: Findings) -> At | None:
        if isinstance(source, Value):
            path = JmesPath().read(source, report)
            return None if path is None else At(path)
        read = self.record.read(source, report)
        if read is None or not isinstance(source, Map):
            return None
        written = read.get("format") or "iso"
        if written not in ("iso", "unix", "unix_ms") and "%" not in written:
            remedy = "write iso, unix, unix_ms, or marks as %Y-%m-%d %H:%M:%S"
            report.error(source.members["format"].place, f"`{shown(written)}` is no format of times", remedy)
        zone = read.get("zone")
        if zone is not None and not known_zone(zone):
            message = f"no time zone is called `{shown(zone)}`"
            report.error(source.members["zone"].place, message, "write one as Asia/Kolkata")
            zone = None
        return At(read.get("value") or "", written, zone)

    def schema(self) -> Schema:
        return {"anyOf": [{"type": "string"}, self.record.schema()]}


class AnswerShape(Shape):
    """`{status, body, type, headers}`."""

    record: Final = Record(
        MapKey("status", Whole(200, 299), "HTTP status; default 200.", 204),
        MapKey("body", Plain(), "Body; default `ok`, none with 204.", "<Response/>"),
        MapKey("type", Plain(), "Content-Type; default plain text.", "text/xml"),
        MapKey("headers", MapOf(Plain(r"[\x20-\x7e]*", "write one line of ASCII")), "Headers.", {"X-Ok": "1"}),
        MapKey("echo", MapOf(JmesPath()), "A JSON body: names, and where the callback has their values.", {"id": "id"}),
    )

    def read(self, source: PlacedValue, report: Findings) -> ReceiptAnswer | None:
        read = self.record.read(source, report)
        if read is None:
            return None
        status = read.get("status") or 200
        echo = {key: value for key, value in (read.get("echo") or {}).items() if value is not None}
        if echo and "body" in read:
            report.error(source.place, "`echo` is the body, and `body` too", "keep one of them")
        return ReceiptAnswer(
            status,
            "" if status == 204 else "ok" if read.get("body") is None else read["body"],
            read.get("type") or ("application/json" if echo else ReceiptAnswer().type),
            {key: value for key, value in (read.get("headers") or {}).items() if value is not None},
            echo,
        )

    def schema(self) -> Schema:
        return self.record.schema()


class InboundShape(Shape):
    """Entries of another kind on the same URL."""

    def __init__(self, *, clicks: bool) -> None:
        own = (
            (
                MapKey("url", JmesPath(), "What was opened.", "url"),
                MapKey("short_url", JmesPath(), "The short form that stood in the text.", "shorturl"),
            )
            if clicks
            else (
                MapKey("text", JmesPath(), "The text.", "Body"),
                MapKey("parts", JmesPath(), "How many parts it had.", "NumSegments"),
                MapKey(
                    "intent", JmesPath(), "Where it says opt-out, opt-in or help (STOP, START, HELP).", "OptOutType"
                ),
            )
        )
        self.record = Record(
            MapKey("when", Predicate(), "JMESPath: which entries these are.", "type == 'RECEIVED'", required=True),
            MapKey("from", JmesPath(), "The phone.", "From"),
            MapKey(
                "country",
                Plain("[1-9][0-9]{0,2}", 'write its digits: "91"'),
                "Calling code of phones that are written without one: 09812345678 is +919812345678.",
                "91",
            ),
            MapKey("to", JmesPath(), "The number or name it wrote to.", "To"),
            MapKey("id", JmesPath(), "The provider's id.", "MessageSid"),
            MapKey("at", AtShape(), "When.", "receivedAt"),
            *own,
            MapKey("reply", AnswerShape(), "What is answered instead.", {"status": 204}),
        )

    def read(self, source: PlacedValue, report: Findings) -> InboundSource | None:
        read = self.record.read(source, report)
        if read is None:
            return None
        ours = {"from": "sender", "to": "recipient", "reply": "answer"}
        return InboundSource(**{"when": "`false`", **{ours.get(key, key): value for key, value in read.items()}})

    def schema(self) -> Schema:
        return self.record.schema()


_RULE: Final = Record(
    MapKey("when", Predicate(), "JMESPath over the entry.", "status == 'FAILED'", required=True),
    MapKey("then", Choice(*STATES), "The state.", "undelivered", required=True),
)

RECEIPTS: Final = Record(
    MapKey("extends", Choice("clevertap"), "CleverTap's callback format; what stands here changes it.", "clevertap"),
    MapKey("verify", VerifyShape(), "What proves who posts; a list: any of them.", {"twilio": {"secret": "${TOKEN}"}}),
    MapKey(
        "decode",
        DecodeShape(),
        "How the body is read (`auto`: by its Content-Type), and texts inside of it.",
        ["form", {"json": "data"}],
    ),
    MapKey("each", ListOf(JmesPath(), or_one=True), "Where entries stand, step by step.", ["[]", "report[]"]),
    MapKey("unpack", ListOf(UnpackShape(), or_one=True), "Texts inside of an entry.", [{"base64": "data"}]),
    MapKey("match", ReceiptMatchShape(), "Whose an entry is; default the token in the URL.", {"token": "meta"}),
    MapKey("state", JmesPath(), "Where the provider's word for the state stands.", "MessageStatus"),
    MapKey("states", StatesShape(), "Our states, and the provider's words; `*` any other.", {"delivered": "DELIVRD"}),
    MapKey("rules", ListOf(_RULE), "Where words are not enough; asked before them.", [{"when": "a", "then": "sent"}]),
    MapKey("id", JmesPath(), "The provider's id of the message.", "MessageSid"),
    MapKey("to", JmesPath(), "The phone, with its calling code: for `suppressions.blocked`.", "To"),
    MapKey("code", JmesPath(), "The provider's code.", "ErrorCode"),
    MapKey("reason", JmesPath(), "The provider's words.", "ErrorMessage"),
    MapKey("at", AtShape(), "When, by the provider's clock.", {"value": "ts", "format": "unix"}),
    MapKey("sequence", JmesPath(), "The provider's number of this report.", "Sequence"),
    MapKey("parts", JmesPath(), "Parts of the message.", "Units"),
    MapKey("reply", AnswerShape(), "What is answered.", {"status": 204}),
    MapKey("replies", ListOf(InboundShape(clicks=False)), "Entries that are replies of people."),
    MapKey("clicks", ListOf(InboundShape(clicks=True)), "Entries that are clicks."),
    MapKey("ignore", ListOf(Predicate(), or_one=True), "Entries that are nothing of these.", "channel != 'sms'"),
)


_FORMAT: Final = frozenset(RECEIPTS.keys) - {"extends", "verify", "reply", "ignore"}
"""Keys that say what a callback looks like: without any it is CleverTap's."""


class ReceiptsShape(Shape):
    """`receipts`."""

    def read(self, source: PlacedValue, report: Findings) -> Receipts | None:
        base = source.members.get("extends") if isinstance(source, Map) else None
        silent = isinstance(source, Map) and base is None and not _FORMAT & source.members.keys()
        if isinstance(source, Map) and (silent or (isinstance(base, Value) and base.text == "clevertap")):
            preset = read_yaml(CLEVERTAP, "clevertap", [])
            merged = merge(preset, without(source, "extends"))
            source = merged if isinstance(merged, Map) else source
        read = RECEIPTS.read(source, report)
        if read is None:
            return None
        decode, steps = read.get("decode") or ("json", ())
        sources: dict[str, Any] = {
            name: tuple(item for item in read.get(name) or () if item is not None)
            for name in ("each", "unpack", "replies", "clicks", "ignore")
        }
        if not {"state", "rules"} & (read.keys() | read.broken) and not {"replies", "clicks"} & read.keys():
            report.error(source.place, "nothing says what a receipt means", "write `state` and `states`, or `rules`")
        if "state" in read and not {"states"} & (read.keys() | read.broken):
            report.error(source.place, "`state` without `states`", "write our states and the provider's words for each")
        match = read.get("match") or ReceiptMatch()
        verify = read.get("verify")
        if not {"verify", "match"} & read.broken:
            self._unsecured(source, match, verify, report)
        names = ("state", "id", "to", "code", "reason", "at", "sequence", "parts")
        fields: dict[str, Any] = {name: read.get(name) for name in names}
        rules = tuple(StateRule(each["when"], each["then"]) for each in read.get("rules") or () if _whole(each))
        return Receipts(
            verify=verify or (Verification("url"),),
            decode=decode,
            steps=steps,
            match=match,
            states=read.get("states") or {},
            rules=rules,
            answer=read.get("reply") or ReceiptAnswer(),
            **fields,
            **sources,
        )

    def _unsecured(self, source: PlacedValue, match: ReceiptMatch, verify: Any, report: Findings) -> None:
        if match.by != "lookup":
            return
        if verify is None or any(each.kind == "none" for each in verify):
            remedy = (
                "write `verify`, or `verify: url` where the provider signs nothing and the secret of the URL must do"
            )
            report.warn(source.place, "neither a signature nor a token proves a receipt: anybody may post here", remedy)

    def schema(self) -> Schema:
        return RECEIPTS.schema()


def _whole(rule: Any) -> bool:
    return rule is not None and {"when", "then"} <= rule.keys() and None not in (rule["when"], rule["then"])
