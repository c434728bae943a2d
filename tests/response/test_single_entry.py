"""The reply to a request of one message means what it means where entries are matched with many."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.model import Message, Outcome, Reply
from connector.response.reply_reader import ReplyReader
from connector.response.single_entry import SingleEntry
from tests.marked import SECRET
from tests.thorough import examples

from .build import NOW, batch, read, reader, reply

TO = "+919812300000"
MESSAGE = Message(message_id="m0", to=TO, body="hi", custom={"number": 7})
ENTRY = {"match": {"To": "to"}, "id": "id", "each": "list"}
OK = {"when": "state == 'ok'", "then": "accept"}
BAD = {"when": "contains(['bad', '7'], state)", "then": "reject", "code": "code", "reason": "reason"}
LATER = {"when": "state == 'later'", "then": "retry", "after": "wait"}
FAILING = {"when": "starts_with(state, 'x')", "then": "unknown"}
TYPED = {"status": ((200, 299),), "when": "type(list) == 'array'", "then": "entries", "id": "batch"}

READERS = {
    "usual": reader(rules=[TYPED], entries=[{**ENTRY, "rules": [OK, BAD, LATER]}]),
    "any status, else rejected": reader(
        rules=[{"then": "entries"}], entries=[{**ENTRY, "rules": [FAILING, OK], "then": "reject", "code": "code"}]
    ),
    "not batched": reader(batched=False, rules=[TYPED], entries=[{**ENTRY, "rules": [OK, BAD]}]),
    "digits, deeper": reader(
        rules=[{"status": 200, "then": "entries"}],
        entries=[{"match": {"To|digits": "who.to"}, "each": "a.list", "rules": [{**OK, "id": "id"}]}],
    ),
    "by header": reader(
        rules=[TYPED], entries=[{**ENTRY, "rules": [{**BAD, "header": {"X-Mode": "strict"}}, OK, {"then": "accept"}]}]
    ),
    "no value of the message": reader(
        rules=[TYPED], entries=[{"match": {"CampaignID": "n"}, "each": "list", "rules": [OK]}]
    ),
    "a number of the message": reader(
        rules=[TYPED], entries=[{"match": {"number": "n"}, "each": "list", "rules": [OK], "then": "reject"}]
    ),
    "what hides secrets": reader(
        secrets={"KEY": SECRET}, rules=[TYPED], entries=[{**ENTRY, "code": "code", "rules": [OK, BAD]}]
    ),
    "counted": reader(rules=[TYPED], entries=[{**ENTRY, "count": "n", "rules": [OK]}]),
    "two sources": reader(
        rules=[TYPED],
        entries=[{**ENTRY, "rules": [OK]}, {"match": {"To": "to"}, "each": "bad", "rules": [], "then": "reject"}],
    ),
    "an entry that may not be found": reader(
        rules=[TYPED], entries=[{"match": {"To": "to"}, "each": "list[?starts_with(id, 'i')]", "rules": [OK]}]
    ),
    "a name that may not be read": reader(
        rules=[TYPED], entries=[{"match": {"To": "join('', [to])"}, "each": "list", "rules": [OK]}]
    ),
    "numbered": reader(rules=[TYPED], entries=[{"match": {"seq()": "n"}, "each": "list", "rules": [OK]}]),
    "others": reader(
        rules=[TYPED], entries=[{**ENTRY, "rules": [BAD]}, {"match": "others", "rules": [], "then": "accept"}]
    ),
}

TEXTS = [
    TO,
    TO[1:],
    "",
    " ",
    "7",
    "ok",
    "bad",
    "later",
    "30s",
    "x" * 600,
    f"a {SECRET}",
    "id-1",
    "i\u200bd",
    "\ud800",
    "<b>",
]
scalars = st.sampled_from([*TEXTS, int(TO), float(int(TO)), None, True, 0, 1, 7, -1.5])
values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.just("to"), scalars, max_size=1)
NAMES = ("to", "id", "state", "code", "reason", "wait", "who", "n")
BROKEN = [b"", b"{", b'{"list": [', b'{"list":[{"to":"a","to":"b"}]}', b"\xff"]


@st.composite
def entries(draw: st.DrawFn) -> Any:
    """One that says what is usual, with some of its fields changed, or anything."""
    state = draw(st.sampled_from(["ok", "bad", "later"]))
    usual = {"to": TO, "who": {"to": TO[1:]}, "n": draw(st.sampled_from([0, 1, 7])), "id": "id-1", "state": state}
    odd = draw(st.dictionaries(st.sampled_from(NAMES), values, max_size=3))
    return draw(st.sampled_from([usual, usual, {**usual, **odd}, odd, draw(values)]))


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    found: Any = [draw(entries()) for _ in range(draw(st.sampled_from([1, 1, 1, 0, 2])))]
    if len(found) == 1 and draw(st.booleans()):
        (found,) = found
    document: Any = {"list": found, "a": {"list": found}, "batch": draw(values), "n": draw(values), "bad": found}
    if draw(st.booleans()):
        del document[draw(st.sampled_from([*document]))]
    body = document if draw(st.integers(0, 9)) else draw(st.sampled_from([*BROKEN, None, [], "ok"]))
    headers = {"X_Mode": "strict"} if draw(st.booleans()) else {}
    status = draw(st.sampled_from([200, 200, 200, 201, 400, 500]))
    return reply(body, status, truncated=draw(st.integers(0, 9)) == 9, **headers)


def told(by: ReplyReader, to: Reply) -> tuple[list[Outcome], Outcome | None, dict[str, int]]:
    """What a reply means, and which expressions failed on it."""
    by.faults.clear()
    reading = by.read(to, [MESSAGE], batch(), NOW)
    return list(reading.outcomes), reading.whole, dict(by.faults)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=examples(400))
@given(to=replies())
def test_one_message_is_told_what_it_would_be_among_many(name: str, to: Reply) -> None:
    quickly = told(READERS[name], to)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SingleEntry, "read", lambda *_: None)
        assert quickly == told(READERS[name], to)


@pytest.mark.parametrize("match", [{"To": "to"}, {"To|digits": "to"}, {"number": "n"}], ids=str)
@pytest.mark.parametrize("listed", [True, False])
def test_an_entry_that_names_the_message_is_read_without_looking_at_more(
    match: dict[str, str], monkeypatch: pytest.MonkeyPatch, *, listed: bool
) -> None:
    entry = {"to": TO, "n": "7", "id": "i1", "state": "ok"}
    by = reader(rules=[{"then": "entries"}], entries=[{**ENTRY, "match": match, "rules": [OK]}])
    monkeypatch.setattr("connector.response.entries.Matching", None)
    reading = by.read(reply({"list": [entry] if listed else entry}), [MESSAGE], batch(), NOW)
    assert reading.outcomes == [Outcome("accept", provider_message_id="i1", rule="response.entries[0].rules[0]")]


@pytest.mark.parametrize(
    "found",
    [
        [],
        None,
        [{"to": "+10000000", "id": "i1", "state": "ok"}],
        [{"to": TO, "id": "i1", "state": "ok"}, {"to": TO, "id": "i2", "state": "bad"}],
    ],
    ids=["none", "null", "another's", "two that disagree"],
)
def test_an_entry_that_is_missing_or_in_doubt_is_unknown(found: Any) -> None:
    (outcome,) = read(
        reader(rules=[{"then": "entries"}], entries=[{**ENTRY, "rules": [OK, BAD]}]), reply({"list": found})
    ).outcomes
    assert (outcome.then, outcome.rule) == ("unknown", "built-in entries")
