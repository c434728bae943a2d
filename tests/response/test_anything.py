"""Whatever a provider sends there is an outcome, and it is never another message's."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.definition.tree import IdRange
from connector.model import Reply
from connector.response.reply_reader import ReplyReader, compile_response
from tests.thorough import examples

from .build import NOW, batch, messages, operation, read, reader, reply

# ---- never an exception ---------------------------------------------------------------------------------------------

RULES = [
    {"status": ((500, 599),), "header": {"x-error": "quota|(credit)+"}, "then": "pause", "reason": "error.message"},
    {"when": "to_number(code) == `0`", "then": "entries", "id": "job"},
    {"when": "contains(codes, code) && !ok", "then": "defer", "until": "until", "code": "code", "id": "id"},
    {"when": "sum(list[].n) > length(list)", "then": "retry", "after": "after", "reason": "to_string(@)"},
    {"when": "sort_by(list, &n)[0].n == `1`", "then": "reject", "code": "json(text).code"},
    {"text": r"^(?P<state>\w+)[#|](?P<why>.*)$", "when": "state == 'Failed'", "then": "reject", "reason": "why"},
    {"when": "state == 'ok'", "then": "accept", "count": "n", "id": "id"},
    {"status": ((200, 299),), "then": "entries", "id": "id"},
]
ENTRIES: list[dict[str, Any]] = [
    {
        "each": "list",
        "match": {"To|digits|last(10)": "to"},
        "id": "id",
        "code": "code",
        "reason": "reason",
        "rules": [
            {"when": "contains(state, 'ok')", "then": "accept"},
            {"when": "n > `1`", "then": "throttle", "after": "n"},
        ],
    },
    {"each": "items(map)", "match": {"To": "key"}, "id": "value.id || value.parts[0].id", "then": "accept"},
    {"text": r"(?P<to>\d+)=(?P<id>\w*)", "match": {"To|digits": "to", "message_id()": "id"}, "then": "reject"},
    {"each": "rest[*].id", "match": "rest", "id": "@", "then": "accept"},
    {"each": "list", "match": "index", "range": IdRange("id", "to", None), "then": "accept"},
    {"each": "@", "match": "index", "id": "id", "then": "retry", "count": "n"},
    {"match": "others", "then": "accept", "count": "code", "code": "code"},
]


def every_reader() -> list[ReplyReader]:
    decoders: list[tuple[Any, ...]] = [("json",), ("xml",), ("json", "xml", "none"), ("none",)]
    made = [
        reader(decode=decode, rules=RULES, entries=ENTRIES, batched=batched, secrets={"${KEY}": "hunter2"})
        for decode in decoders
        for batched in (True, False)
    ]
    return [*made, reader(), compile_response(operation(None))]


READERS = every_reader()

NAMES = st.sampled_from(
    ["code", "codes", "ok", "list", "map", "rest", "to", "id", "n", "state", "job", "until", "after", "text", "value"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**18, max_value=10**40)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["000", "0", "Failed#x", "ok", "2026-01-01", "09:00", "hunter2", "9812300001", messages(2)[1].to])
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES | st.just(messages(1)[0].to) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=25,
)


def written(document: Any) -> bytes:
    return json.dumps(document).encode()


def as_xml(document: Any) -> bytes:
    def write(name: str, value: Any) -> str:
        if isinstance(value, dict):
            inner = "".join(write(key if key.isascii() and key.isalpha() else "x", each) for key, each in value.items())
        elif isinstance(value, list):
            return "".join(write(name, each) for each in value)
        else:
            inner = str(value).translate({ord("<"): "&lt;", ord("&"): "&amp;"})
        return f"<{name}>{inner}</{name}>"

    return write("r", document).encode("utf-8", "replace")


def cut(pair: tuple[bytes, int]) -> bytes:
    body, at = pair
    return body[: at % (len(body) + 1)]


JSON_BODIES = DOCUMENTS.map(written)
BODIES = (
    st.binary(max_size=300)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | JSON_BODIES
    | JSON_BODIES.map(lambda body: b"\xef\xbb\xbf" + body + b"\n")
    | JSON_BODIES.map(lambda body: body.decode().encode("utf-16"))
    | st.tuples(JSON_BODIES, st.integers(0, 500)).map(cut)
    | DOCUMENTS.map(as_xml)
    | st.tuples(DOCUMENTS.map(as_xml), st.integers(0, 500)).map(cut)
    | st.sampled_from(
        [
            b"[" * 100_000,
            b"[" * 900 + b"]" * 900,
            b'{"list":' * 900 + b"1" + b"}" * 900,
            b"<a>" * 5000,
            b"<a>" * 50 + b"</a>" * 50,
            b'{"code": 0, "list": ' + b"[" * 400 + b"]" * 400 + b"}",
            b'{"code": NaN, "n": Infinity, "id": 1e999}',
            b'{"code": ' + b"9" * 5000 + b"}",
            b'{"code": ' + b"9" * 4000 + b"}",
            b'{"id": "\\ud83d", "code": 0}',
            b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
            b'<?xml version="1.0" encoding="klingon"?><a/>',
            b'<?xml version="1.0" encoding="utf-16"?><a/>',
        ]
    )
)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "date", "x-error", "content-type"]),
    st.text(max_size=30)
    | st.sampled_from(
        ["120", "-1", "1e999", "Tue, 14 Nov 2023 22:14:20 GMT", "Mon, 99 Foo 99999 99:99:99 +9999", "quota"]
    ),
    max_size=4,
)
THENS = {"accept", "reject", "retry", "throttle", "pause", "defer", "uncertain", "unknown", "split"}


@settings(max_examples=examples(300), deadline=None)
@given(
    body=BODIES,
    status=st.sampled_from([200, 201, 204, 302, 400, 401, 408, 429, 500, 503]) | st.integers(0, 1000),
    headers=HEADERS,
    truncated=st.booleans(),
    count=st.integers(0, 4),
)
@example(body=b'{"code": 0, "rest": [{"id": 1}]}', status=200, headers={}, truncated=False, count=1)
def test_any_reply_is_one_outcome_per_message(
    body: bytes, status: int, headers: dict[str, str], truncated: bool, count: int
) -> None:
    for by in READERS:
        reading = by.read(Reply(status, headers, body, truncated), messages(count), batch(), NOW)
        assert "reader" not in by.faults  # nothing reached the last line
        assert len(reading.outcomes) == count
        for outcome in reading.outcomes:
            assert outcome.then in THENS
            assert outcome.then != "split" or (count > 1 and reading.whole is outcome)
            assert outcome.rule
            for text in (outcome.code, outcome.reason, outcome.provider_message_id, outcome.provider_batch_id):
                assert text is None or (0 < len(text) <= 500 and text.encode() and text == text.strip())
            assert "hunter2" not in f"{outcome.code} {outcome.reason}"
            assert outcome.after is None or 0 <= outcome.after <= 86400
            assert outcome.until is None or NOW <= outcome.until <= NOW + 7 * 86400


# ---- never another message's ----------------------------------------------------------------------------------------

BY_REF = [{"each": "list", "match": {"message_id()": "ref"}, "id": "id", "then": "accept"}]
BY_STATE = [{"when": "state == 'ok'", "then": "accept"}, {"when": "state == 'no'", "then": "reject"}]
BY_PHONE = [{"each": "list", "match": {"To|digits": "to"}, "id": "id", "rules": BY_STATE}]
MIXED = [
    {"each": "bad", "match": {"To|digits": "@"}, "then": "reject"},
    {"each": "good", "match": "rest", "then": "accept"},
]
LOOK = [{"status": 200, "then": "entries"}]

# What happens to an honest list of entries on its way: order, loss, repetition, contradiction, strangers.
HARMS = st.lists(
    st.tuples(st.sampled_from(["drop", "repeat", "contradict", "stranger", "blank", "null"]), st.integers(0, 99)),
    max_size=6,
)


def harm(entries: list[Any], harms: list[tuple[str, int]]) -> list[Any]:
    entries = list(entries)
    for kind, where in harms:
        if kind == "stranger":
            entries.insert(where % (len(entries) + 1), {"ref": "nobody", "to": "15550199", "id": "evil", "state": "ok"})
        elif not entries:
            continue
        elif kind == "drop":
            del entries[where % len(entries)]
        elif kind == "null":
            entries[where % len(entries)] = None
        elif (entry := entries[where % len(entries)]) is None:
            continue
        elif kind == "repeat":
            entries.append(entry)
        elif kind == "contradict":
            entries.append({**entry, "state": "no" if entry["state"] == "ok" else "ok"})
        elif kind == "blank":
            entries[where % len(entries)] = {**entry, "to": None, "ref": ""}
    return entries


@settings(max_examples=examples(200), deadline=None)
@given(data=st.data(), states=st.lists(st.sampled_from(["ok", "no"]), min_size=1, max_size=8), harms=HARMS)
def test_entries_found_by_value_never_speak_for_another(data: st.DataObject, states: list[str], harms: Any) -> None:
    """Each message's outcome is the truth about it, or unknown."""
    sent = messages(len(states))
    honest = [{"to": each.to[1:], "id": f"id-{i}", "state": states[i]} for i, each in enumerate(sent)]
    entries = harm(data.draw(st.permutations(honest)), harms)
    truth = {"ok": "accept", "no": "reject"}
    reading = read(reader(rules=LOOK, entries=BY_PHONE), reply({"list": entries}), len(sent))
    for i, outcome in enumerate(reading.outcomes):
        mine = [entry for entry in entries if entry and entry["to"] == sent[i].to[1:]]
        said = {entry["state"] for entry in mine}
        if len(said) == 1:
            assert (outcome.then, outcome.provider_message_id) == (truth[said.pop()], f"id-{i}")
        else:  # none, or both
            assert (outcome.then, outcome.provider_message_id) == ("unknown", None)


@settings(max_examples=examples(200), deadline=None)
@given(data=st.data(), count=st.integers(1, 8), harms=HARMS)
def test_index_is_the_order_or_nothing(data: st.DataObject, count: int, harms: Any) -> None:
    honest = [{"ref": f"m{i}", "id": f"id-{i}", "state": "ok", "to": i} for i in range(count)]
    entries = harm(honest, harms)
    by = reader(rules=LOOK, entries=[{"each": "list", "match": "index", "id": "id", "rules": BY_STATE}])
    reading = read(by, reply({"list": entries}), count)
    if len(entries) != count:
        assert {outcome.then for outcome in reading.outcomes} == {"unknown"}
    else:
        for entry, outcome in zip(entries, reading.outcomes, strict=True):
            assert outcome.provider_message_id == (entry["id"] if entry else None)


@settings(max_examples=examples(200), deadline=None)
@given(
    count=st.integers(1, 6),
    bad=st.lists(st.integers(0, 5), max_size=4),
    good=st.integers(0, 7),
    strangers=st.integers(0, 2),
)
def test_rest_holds_only_when_all_counts_fit(count: int, bad: list[int], good: int, strangers: int) -> None:
    sent = messages(count)
    named = [sent[i].to[1:] for i in bad if i < count]
    body = {"bad": named + ["15550199"] * strangers, "good": ["uuid"] * good}
    reading = read(reader(rules=LOOK, entries=MIXED), reply(body), count)
    fits = good == count - len(set(named)) and not strangers
    for message, outcome in zip(sent, reading.outcomes, strict=True):
        assert outcome.then == ("reject" if message.to[1:] in named else "accept" if fits else "unknown")


@settings(max_examples=examples(100), deadline=None)
@given(count=st.integers(1, 20), at=st.integers(0, 5000), truncated=st.booleans())
def test_a_reply_cut_anywhere_is_whole_or_unknown(count: int, at: int, truncated: bool) -> None:
    body = json.dumps({"list": [{"ref": each.message_id, "id": each.to} for each in messages(count)]}).encode()
    shorter = body[: min(at, len(body))]
    reading = read(reader(rules=LOOK, entries=BY_REF), reply(shorter, truncated=truncated), count)
    whole = shorter == body and not truncated
    assert {outcome.then for outcome in reading.outcomes} == ({"accept"} if whole else {"unknown"})
