"""User values are data: whatever is in them, a parser reads back what went in and nothing else."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.request.trees import batch, message, renderer
from tests.thorough import examples

HOSTILE = {
    "quotes": "a\"b'c`d\\",
    "a replacement": "$$To $${batch_id()} ${SECRET} $$$$",
    "emoji": "👩‍👩‍👧 😀",
    "right to left": "\u202eשלום مرحبا",
    "NUL": "a\x00b",
    "control": "\x01\x1b[31m\x7f",
    "line breaks": "a\r\nb\nc\rd\u2028e",
    "a megabyte": "x" * 1_000_000,
    "XML": "</SMS><SMS TO='1'/> <!-- ]]> &amp; &#0;",
    "form": "a&b=c+d%20e;f #g?h",
    "JSON": '"},{"to":"1"}],"evil":{"a":"',
    "spaces": " \t lead and trail \t ",
    "a format": "{0} %s {name} {{x}}",
}
table = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())

# Any text that UTF-8 can carry.
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
xml_texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff", include_characters="\t\n\r"),
    min_size=1,
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)


def through_json(text):
    send = renderer({"msgs": [{"to": "$$To", "text": "$$Body", "note": "for $$Body!"}]}, key="msgs")
    (record,) = json.loads(send.render([message(body=text)], batch()).request.body)["msgs"]
    assert record["note"] == f"for {text}!"
    assert list(record) == ["to", "text", "note"]
    return record["text"]


def through_form(text):
    send = renderer({"m": [{"to": "$$To", "text": "$$Body"}], "end": 1}, kind="pairs", key="m")
    pairs = parse_qsl(send.render([message(body=text)], batch()).request.body.decode("ascii"), keep_blank_values=True)
    assert [name for name, _ in pairs] == ["m[0][to]", "m[0][text]", "end"]
    return pairs[1][1]


def through_query(text):
    send = renderer(
        {"to": "$$To", "text": "$$Body", "end": 1}, kind="pairs", method="GET", key="to", max_bytes=9_999_999
    )
    parts = urlsplit(send.render([message(body=text)], batch()).request.url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    assert (parts.netloc, parts.path, parts.fragment) == ("sms.example.com", "/send", "")
    assert [name for name, _ in pairs] == ["to", "text", "end"]
    return pairs[1][1]


def through_json_in_a_form(text):
    send = renderer({"data": {"$json": {"m": [{"to": "$$To", "text": "$$Body"}]}}}, kind="pairs", key="data.m")
    ((name, value),) = parse_qsl(send.render([message(body=text)], batch()).request.body.decode("ascii"))
    assert name == "data"
    (record,) = json.loads(value)["m"]
    return record["text"]


def through_text(text):
    send = renderer("<$$Body>", kind="text")
    return send.render([message(body=text)], batch()).request.body.decode()[1:-1]


@table
@pytest.mark.parametrize("through", [through_json, through_form, through_query, through_json_in_a_form, through_text])
def test_hostile_text_comes_back_as_it_went_in(through, text):
    assert through(text) == text


@settings(max_examples=examples(50))
@given(texts)
def test_any_text_comes_back_as_it_went_in(text):
    for through in (through_json, through_form, through_query, through_json_in_a_form, through_text):
        assert through(text) == text


@settings(max_examples=examples(50))
@given(xml_texts)
def test_any_text_that_xml_can_hold_comes_back_as_it_went_in(text):
    send = renderer({"m": {"sms": [{"@t": "$$Body", "#text": "$$Body", "to": "$$To"}]}}, kind="xml", key="m.sms")

    root = ET.fromstring(send.render([message(body=text)], batch()).request.body)

    (sms,) = root
    assert (sms.get("t"), sms.text, [child.tag for child in sms]) == (text, text, ["to"])


@settings(max_examples=examples(50))
@given(st.lists(st.tuples(texts, json_values.filter(lambda value: value not in (None, ""))), min_size=1, max_size=6))
def test_a_json_batch_holds_exactly_the_messages_that_went_in(given):
    send = renderer({"hid": "$$hid", "msgs": [{"to": "$$To", "text": "$$Body", "v": "$$v"}], "end": True}, key="msgs")
    messages = [message(n, body=text, custom={"hid": "h", "v": v}) for n, (text, v) in enumerate(given)]

    rendered = send.render(messages, batch())

    assert json.loads(rendered.request.body) == {
        "hid": "h",
        "msgs": [{"to": m.to, "text": m.body, "v": m.custom["v"]} for m in messages],
        "end": True,
    }


@settings(max_examples=examples(50))
@given(st.dictionaries(texts, json_values, max_size=5))
def test_a_spread_map_stands_in_its_record_or_makes_its_message_invalid(variables):
    send = renderer({"r": [{"mobiles": "$$To", "...": "$$TemplateVariables"}]}, key="r")

    rendered = send.render([message(1, template_variables=variables)], batch())

    if "mobiles" in variables:
        assert rendered.request is None
    else:
        assert json.loads(rendered.request.body)["r"] == [{"mobiles": "+919800000001", **variables}]


@pytest.mark.parametrize(
    ("body", "variables", "reason"),
    [
        ({"mobiles": "$$To", "...": "$$TemplateVariables"}, {"mobiles": "1"}, "brings the key `mobiles`"),
        ({"...": "$$TemplateVariables", "mobiles": "$$To"}, {"mobiles": "1"}, "brings the key `mobiles`"),
        ({"to": "$$To", "x": "$${x?}", "...": "$$TemplateVariables"}, {"x": "1"}, "brings the key `x`"),
        ({"$$To": 1, "...": "$$TemplateVariables"}, {"+919800000001": "1"}, "the same key"),
        ({"to": "$$To", "...": "$$TemplateVariables"}, ["a"], "must be an object"),
        ({"to": "$$To", "...": "$$TemplateVariables"}, None, "$$TemplateVariables has no value"),
        ({"$$To": 1, "$$uid": 2}, None, "the same key"),
    ],
)
def test_a_variable_never_overrides_what_the_definition_sets(body, variables, reason):
    rendered = renderer(body).render([message(template_variables=variables, custom={"uid": "+919800000001"})], batch())

    assert rendered.request is None
    assert reason in rendered.invalid[0][1].reason
    assert "9800000001" not in rendered.invalid[0][1].reason


@pytest.mark.parametrize("name", ["Messages[0][To]", "a]", "[", ""])
def test_a_variables_name_never_becomes_a_bracket_of_a_form(name):
    rendered = renderer({"To": "$$To", "...": "$$TemplateVariables"}, kind="pairs").render(
        [message(template_variables={name: "1"})], batch()
    )

    assert rendered.request is None


@pytest.mark.parametrize("name", ["@TO", "#text", "a b", "a><b", "x:y", "1", ""])
def test_a_variables_name_never_becomes_markup(name):
    rendered = renderer({"m": {"to": "$$To", "...": "$$TemplateVariables"}}, kind="xml").render(
        [message(template_variables={name: "1"})], batch()
    )

    assert rendered.request is None


@pytest.mark.parametrize("kind", ["json", "pairs", "xml"])
def test_half_a_surrogate_pair_makes_only_its_message_invalid(kind):
    body, key = ({"m": {"r": ["$$Body", "$$To"]}}, "m.r")
    rendered = renderer(body, kind=kind, key=key).render(
        [message(1, body="a"), message(2, body="\ud800"), message(3, body="c")], batch()
    )

    assert rendered.sent == [0, 2]
    assert [index for index, _ in rendered.invalid] == [1]


def test_what_json_cannot_hold_makes_only_its_message_invalid_wherever_it_stands():
    send = renderer({"r": [{"to": "$$To", "v": "$$v"}]}, key="r", max_bytes=10_000)
    deep: list = []
    for _ in range(300):
        deep = [deep]
    values = [1, 2**70, "ok", deep, {"a": "\udfff"}]

    rendered = send.render([message(n, custom={"v": v}) for n, v in enumerate(values)], batch())

    assert rendered.sent == [0, 2]
    assert [index for index, _ in rendered.invalid] == [1, 3, 4]
    assert [record["v"] for record in json.loads(rendered.request.body)["r"]] == [1, "ok"]


def test_what_stands_outside_the_records_and_cannot_be_written_makes_all_its_messages_invalid():
    send = renderer({"h": "a $$h", "r": ["$$To"]}, key="r")

    rendered = send.render([message(n, custom={"h": "\ud800"}) for n in range(3)], batch())

    assert rendered.request is None
    assert [index for index, _ in rendered.invalid] == [0, 1, 2]


@pytest.mark.parametrize(
    ("raw", "invalid"), [('{"a": [1]}', False), ('1, "evil": 2', True), ('"x"', False), ("x", True), ("\ud800", True)]
)
def test_raw_json_is_one_value_or_its_message_is_invalid(raw, invalid):
    rendered = renderer({"to": "$$To", "v": "$${Body|raw}"}).render([message(body=raw)], batch())

    assert bool(rendered.invalid) == invalid


@pytest.mark.parametrize(("raw", "invalid"), [("a\\u00e9", False), ('", "evil": "', True), ("\\", True)])
def test_raw_text_never_ends_the_json_string_it_stands_in(raw, invalid):
    rendered = renderer({"to": "$$To", "v": "é <$${Body|raw}>"}).render([message(body=raw)], batch())

    assert bool(rendered.invalid) == invalid
    if not invalid:
        assert json.loads(rendered.request.body)["v"] == "é <aé>"


@pytest.mark.parametrize(
    ("raw", "invalid"), [("#MSG#", True), ("%25&x=1", False), ("a b", True), ("a\r\nX: 1", True), ("é", True)]
)
def test_raw_text_in_a_url_may_bring_pairs_but_never_ends_it(raw, invalid):
    rendered = renderer({"to": "$$To", "v": "$${Body|raw}"}, kind="pairs", method="GET").render(
        [message(body=raw)], batch()
    )

    assert bool(rendered.invalid) == invalid


@pytest.mark.parametrize("body", ["\ud800", "x" * 300], ids=["unwritable", "too large"])
def test_a_thousand_bad_messages_are_invalid_one_by_one_and_cost_the_good_one_nothing(body):
    send = renderer([{"to": "$$To", "text": "$$Body"}], key=".", max_bytes=200)
    same_number = [message(n, to="+919800000001", body=body) for n in range(1000)]
    other_numbers = [message(n, body=body) for n in range(1000)]

    for messages in (same_number, other_numbers):
        rendered = send.render([*messages, message(5000, body="good")], batch())

        assert rendered.sent == [1000]
        assert [index for index, _ in rendered.invalid] == list(range(1000))


@pytest.mark.parametrize(
    ("body", "join", "kind"),
    [
        ("$$To;$$Body\n", "\n", "text"),
        ("$$To;$$Body", "\n", "text"),
        ({"lines": "$$To $$Body", "n": "$${count()}"}, "\n", "json"),
        ({"lines": "$$To $$Body"}, "\n", "pairs"),
    ],
)
def test_a_value_never_makes_a_record_of_its_own_where_records_are_joined(body, join, kind):
    send = renderer(body, kind=kind, key="." if kind == "text" else "lines", join=join)
    honest, evil = message(1, body="Hi"), message(2, body="Hi\n+15550100;You have won")

    rendered = send.render([honest, evil], batch())

    assert rendered.sent == [0]
    ((index, error),) = rendered.invalid
    assert index == 1
    assert "separates the records" in error.reason
    assert b"won" not in rendered.request.body


def test_a_separator_in_a_second_joined_key_never_shifts_the_values_after_it():
    send = renderer({"to": "$${To|digits}", "refs": "$$ref"}, kind="pairs", key=["to", "refs"])
    given = [message(number, custom={"ref": ref}) for number, ref in enumerate(["a", "b,c", "d"], 1)]

    rendered = send.render(given, batch())

    assert rendered.request.body == b"to=919800000001%2C919800000003&refs=a%2Cd"
    assert [index for index, _ in rendered.invalid] == [1]
